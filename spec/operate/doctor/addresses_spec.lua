-- SPDX-License-Identifier: MIT
-- Addresses, as `cunnekt doctor` finds them: real ports, a real sandbox, a proxy that is not one.

local cunnekt = require "cunnekt"
local doctor = require "spec.support.rigs.doctor"
local process = require "spec.support.process"
local sandbox = require "cunnekt.sandbox"
local server = require "spec.support.server"
local tls_server = require "spec.support.tls_server"

describe("cunnekt doctor, asked about addresses,", function()
  local folder, closers

  before_each(function()
    folder, closers = process.folder(), {}
  end)

  after_each(function()
    for i = #closers, 1, -1 do
      closers[i]()
    end
  end)

  local function ask(words, env)
    return doctor.run(words, { cwd = folder.path, env = env })
  end

  -- A server that gives this answer to all.
  local function serve(status, body, fields)
    local one = server.new(function()
      return status, body, fields
    end)
    closers[#closers + 1] = one.close
    return one
  end

  local function new_sandbox(opts)
    local one = assert(sandbox.new(opts))
    closers[#closers + 1] = function()
      one:close()
    end
    return one
  end

  it("finds a port that another program has, and one that is free", function()
    local other = serve(200, "")
    local taken = other.url:match "^http://(.*)$"
    local result = ask({}, { CUNNEKT_LISTEN = taken })
    assert.matches("address: cannot listen on " .. taken .. ": Address already in use; stop the program that has it, or choose another "
      .. "port with CUNNEKT_LISTEN", result.wrong)
    assert.equal("", ask({ "--store", "sqlite:copy.db" }, { CUNNEKT_LISTEN = taken }).wrong)
    result = ask({}, { CUNNEKT_ADMIN = taken })
    assert.matches("choose another port with CUNNEKT_ADMIN", result.wrong)
    assert.equal(0, #other.requests)
    other.close()
    closers = {}
    result = ask({}, { CUNNEKT_LISTEN = taken })
    assert.equal("", result.wrong)
    assert.matches(taken .. " is free to listen on", result.ok)
  end)

  it("finds an address that this machine does not have", function()
    assert.matches("Cannot assign requested address; this machine has no such address", ask({}, { CUNNEKT_LISTEN = "192.0.2.1:8080" }).wrong)
    assert.matches("set CUNNEKT_LISTEN to an address such as", ask({}, { CUNNEKT_LISTEN = "bot.example.com:8080" }).wrong)
  end)

  it("finds a key that the API refuses, and one that it takes", function()
    local sent = 0
    local api = new_sandbox {
      api_key = "the-right-key",
      on_event = function()
        sent = sent + 1
      end,
    }
    local env = { CUNNEKT_BASE_URL = api.url .. "/v1" }
    local result = ask({ "--online" }, env)
    assert.matches("key: the API refuses the key %(status 401%): copy it again from the API page", result.wrong)
    assert.equal(1, result.code)
    env.CUNNEKT_API_KEY = "the-right-key"
    result = ask({ "--online" }, env)
    assert.equal("", result.wrong)
    assert.matches("key: the API takes the key", result.ok)
    assert.matches("online: http://127.0.0.1:%d+/v1 can be reached", result.ok)
    assert.equal(0, sent)
  end)

  it("says that it does not know where the API says the same without a key", function()
    local api = serve(404, "not here")
    local result = ask({ "--online" }, { CUNNEKT_BASE_URL = api.url })
    assert.equal("", result.wrong)
    assert.matches("whether the key is right is not known: the API answers 404, with and without it; base_url may be wrong", result.note)
    for _, request in ipairs(api.requests) do
      assert.equal("GET", request.method)
    end
  end)

  -- All was well, and every send of the bot failed.
  it("finds that something else answers than the API", function()
    local function wrong(...)
      return ask({ "--online" }, { CUNNEKT_BASE_URL = serve(...).url .. "/v1" }).wrong
    end
    assert.matches("online: http://127.0.0.1:%d+/v1 redirects to https://www.example.com, and messages do not follow that: correct base_url",
      wrong(302, "", { Location = "https://www.example.com/v1/getmediafile?messageId=x" }))
    assert.matches("answers 200 with what is not the API's, a page of a proxy for example: correct base_url", wrong(200, "<html>It works!</html>"))
    assert.equal("", wrong(200, '{"success":true}'))
  end)

  it("says why the API is not reached, and what to do", function()
    local function wrong(base_url)
      return ask({ "--online" }, { CUNNEKT_BASE_URL = base_url }).wrong
    end
    assert.matches("Could not resolve host: no%-such%-host.invalid; check its spelling", wrong "https://no-such-host.invalid/v1")
    assert.matches("Failed to connect to 127.0.0.1.*; check the address", wrong(server.nobody()))
    local tls <close> = tls_server.start()
    assert.matches("ca%-certificates, or set ca_file", wrong(tls.url))
  end)

  it("finds a clock that is off", function()
    local api = serve(401, "", { Date = "Sun, 06 Nov 1994 08:49:37 GMT" })
    assert.matches("clock: the clock is off by %d+ s from the API's: switch on", ask({ "--online" }, { CUNNEKT_BASE_URL = api.url }).wrong)
    local right = new_sandbox()
    assert.equal("", ask({ "--online" }, { CUNNEKT_BASE_URL = right.url .. "/v1" }).wrong)
  end)

  it("sends no key where others can read it", function()
    local proxy = serve(401, "") -- sees it all
    process.write(folder.path .. "/cunnekt.conf.lua", ('return { proxy = "%s" }'):format(proxy.url))
    local result = ask({ "--online" }, { CUNNEKT_BASE_URL = "http://api.example/v1" })
    assert.matches("base_url is not https", result.wrong)
    assert.equal(1, #proxy.requests)
    assert.is_nil(proxy.requests[1].header "API-KEY")
  end)

  -- A bot, and its address.
  local function new_bot(opts)
    local api = new_sandbox()
    local bot = cunnekt.bot {
      api_key = "k", base_url = api.url .. "/v1", listen = "127.0.0.1:0", store = "memory:", webhook_secret = opts.secret, verify_token = opts.token,
    }
    assert(bot:listen())
    closers[#closers + 1] = function()
      bot:stop(0)
    end
    return "http://" .. bot:address()
  end

  it("finds the bot at its public address, and posts nothing there", function()
    local url = new_bot { secret = "secret-of-the-webhook" }
    local result = ask({ "--public", url })
    assert.equal("", result.wrong)
    assert.matches("public: " .. url .. " leads to the bot", result.ok)
    url = new_bot { secret = "secret-of-the-webhook", token = "word" }
    assert.matches("leads to the bot", ask({ "--public", url }, { CUNNEKT_VERIFY_TOKEN = "word" }).ok)
  end)

  it("finds a public address that leads elsewhere", function()
    local url = new_bot { secret = "another-one" }
    assert.matches("answers 404: the proxy passes another path on, or the bot runs with another secret", ask({ "--public", url }).wrong)
    local function wrong(...)
      return ask({ "--public", serve(...).url }).wrong
    end
    assert.matches("answers 502: its proxy does not reach the bot; compare", wrong(502, ""))
    assert.matches("answers 200, which the bot does not: another program", wrong(200, "It works!"))
    assert.matches("redirects to https://www.example.com, and posts do not follow", wrong(301, "", { Location = "https://www.example.com/webhook/x" }))
    assert.matches("cannot be reached: .*check the address", ask({ "--public", server.nobody() }).wrong)
    assert.matches("http://bot.invalid is not https", ask({ "--public", "http://bot.invalid" }).wrong)
  end)

  it("exits with 2 for a public address with a path", function()
    local result = process.cunnekt { "doctor", "--public", "https://bot.example.com/webhook/secret" }
    assert.equal(2, result.code)
    assert.matches("takes an address without a path", result.err)
  end)
end)
