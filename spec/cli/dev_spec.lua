-- SPDX-License-Identifier: MIT
-- `cunnekt dev` and `cunnekt sandbox` as processes.

local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local process = require "spec.support.process"
local sandbox = require "cunnekt.sandbox"

local ECHO = [[
local bot = require("cunnekt").bot()
bot:on("text", function(msg)
  msg:reply_buttons{ body = "You said " .. msg.text, buttons = { {id="yes", title="Yes"}, {id="no", title="No"} } }
end)
bot:on("button", function(msg) msg:reply_text("You chose " .. msg.reply.id) end)
bot:on("image", function(msg) msg:reply_text("A picture of type " .. msg.media.mime_type) end)
]]

describe("cunnekt dev", function()
  local folder

  before_each(function()
    folder = process.folder()
    process.write(folder.path .. "/echo.lua", ECHO)
  end)

  local function start(opts, ...)
    opts.cwd = folder.path
    -- Ports of their own: another sandbox may be running here.
    opts.env = opts.env or { CUNNEKT_LISTEN = "127.0.0.1:0" }
    return process.start({ process.host, "dev", "--sandbox", "127.0.0.1:0", ... }, opts)
  end

  it("needs no account, and lets one talk to the script", function()
    local result = start({ stdin = "hello\n/button yes\n/image\n" }, "--name", "Ravi", "echo.lua"):wait()
    assert.equal(0, result.code, result.err)
    local order = { "Ravi", "hello", "You said hello", "%(Yes%)", "You chose yes", "image", "A picture of type image/png" }
    local at = 1
    for _, words in ipairs(order) do
      local _, last = result.out:find(words, at)
      assert.is_truthy(last, words .. " is missing, or too early, in:\n" .. result.out)
      at = last
    end
  end)

  it("edits and deletes what was said last", function()
    process.write(folder.path .. "/words.lua", [[
local bot, ids = require("cunnekt").bot(), {}
bot:on("text", function(msg) ids[#ids + 1] = msg.id msg:reply_text "noted" end)
bot:on("edit", function(msg) msg:reply_text(("text %s is now %s"):format(msg.edit.original_message_id == ids[#ids], msg.text)) end)
bot:on("revoke", function(msg) msg:reply_text(("deleted %s"):format(msg.revoke.original_message_id == ids[#ids])) end)
]])
    local result = start({ stdin = "one\ntwo\n/edit three\n/delete\n" }, "words.lua"):wait()
    assert.matches("text true is now three.*deleted true", result.out)
  end)

  it("leaves nothing behind in the folder", function()
    start({ stdin = "hello\n" }, "echo.lua"):wait()
    local pipe = assert(io.popen("ls -A " .. folder.path))
    assert.equal("echo.lua\n", pipe:read "a")
    pipe:close()
  end)

  it("explains itself, and what it does not understand", function()
    local result = start({ stdin = "/help\n/bogus\n/image /no/such\n/quit\n" }, "echo.lua"):wait()
    assert.matches("/button ID", result.out)
    for line in result.out:gmatch "[^\n]+" do
      assert.is_true(utf8.len(line) <= 80, line)
    end
    assert.matches("there is no /bogus", result.out)
    assert.matches("/no/such: No such file", result.out)
    assert.equal(0, result.code)
  end)

  it("ends with an input that is empty from the start, as /dev/null", function()
    local result = start({ stdin = "" }, "echo.lua"):wait()
    assert.equal(0, result.code, result.err)
    assert.matches("listening on", result.err)
  end)

  it("goes on without a person while the input is open, until it is told to end", function()
    local running = start({ keeps_input = true }, "echo.lua")
    local url = running:expect("sandbox on (http://[%d.:]+)", "out")
    running:expect "listening on"
    assert(http.request { method = "POST", url = url .. "/control/messages", json = { text = "from afar", wait = true } })
    running:expect("You said from afar", "out")
    running:signal "TERM"
    assert.equal(0, running:wait().code)
  end)

  it("works with a secret path and signatures", function()
    local env = { CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_WEBHOOK_SECRET = "hidden", CUNNEKT_APP_SECRET = "s3cret" }
    local result = start({ stdin = "hello\n", env = env }, "echo.lua"):wait()
    assert.matches("You said hello", result.out)
    assert.is_nil((result.out .. result.err):find("hidden", 1, true))
  end)

  it("reports a script that fails, with 1", function()
    process.write(folder.path .. "/bad.lua", "error 'out of tea'")
    local result = start({}, "bad.lua"):wait()
    assert.equal(1, result.code)
    assert.matches("bad.lua:1: out of tea", result.err)
  end)

  it("exits with 2 without a script", function()
    assert.equal(2, start({}):wait().code)
    assert.equal(2, start({}, "nosuch.lua"):wait().code)
  end)

  it("exits with 2 when it is not certain whose number --from is", function()
    local result = start({}, "--from", "9876543210", "echo.lua"):wait()
    assert.equal(2, result.code)
    assert.matches("%-%-from lacks its country code", result.err)
    assert.not_matches("98765", result.err)
  end)
end)

describe("cunnekt sandbox", function()
  local function start(opts, ...)
    return process.start({ process.host, "sandbox", "--listen", "127.0.0.1:0", ... }, opts)
  end

  local function send(url, key)
    local answer = assert(http.request {
      method = "POST", url = url .. "/v1/sendnotification", headers = { ["API-KEY"] = key },
      json = { mobile = "919999999999", templateid = "welcome" },
    })
    return answer.status
  end

  it("says where it listens, shows what is said, and ends with 0", function()
    local running = start {}
    local url = running:expect("cunnekt sandbox on (http://[%d.:]+)/v1, any API key, no webhooks", "out")
    assert.equal(200, send(url, "any"))
    running:expect("template welcome", "out")
    running:signal "INT"
    local result = running:wait()
    assert.equal(0, result.code)
    assert.equal("", result.err)
  end)

  it("takes one key only when it is given one", function()
    local running = start { env = { CUNNEKT_API_KEY = "right" } }
    local url = running:expect("on (http://[%d.:]+)/v1, the key of CUNNEKT_API_KEY", "out")
    assert.equal(401, send(url, "wrong"))
    assert.equal(200, send(url, "right"))
    running:signal "TERM"
    assert.is_nil(running:wait().out:find("right", 1, true))
  end)

  it("takes its options", function()
    local running = start({}, "--open", "--no-statuses", "--no-read", "--delay", "0.5", "--quiet")
    local url = running:expect("on (http://[%d.:]+)/v1", "out")
    local state = json.decode(assert(http.get(url .. "/control/state")).body)
    assert.is_true(state.open)
    assert.is_false(state.statuses)
    assert.is_false(state.read)
    assert.equal(0.5, state.delay)
    running:signal "TERM"
    running:wait()
  end)

  it("exits with 1 when the address is taken, and with 2 for a mistake", function()
    local box = assert(sandbox.new())
    finally(function()
      box:close()
    end)
    local result = process.cunnekt { "sandbox", "--listen", "127.0.0.1:" .. box.port }
    assert.equal(1, result.code)
    assert.matches("^cunnekt sandbox: cannot listen on 127%.0%.0%.1:%d+: ", result.err)
    for _, args in ipairs { { "--listen", "here" }, { "--history", "0" }, { "--delay", "soon" }, { "--webhook", "x" } } do
      result = process.cunnekt { "sandbox", table.unpack(args) }
      assert.equal(2, result.code)
    end
  end)
end)
