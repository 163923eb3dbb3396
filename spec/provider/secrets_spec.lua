-- SPDX-License-Identifier: MIT
-- Secrets that are not found by searching: they are left out where a message, a URL or a header is made. Searched is only
-- what others say, for whole tokens of secrets that are long enough; a key "any" once garbled every sentence with that word.
local client = require "cunnekt.provider.client"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local redact = require "cunnekt.base.redact"
local server = require "spec.support.server"
local settings = require "cunnekt.provider.settings"

local NUMBER = "919999999999"
local SENTENCE = "any template of e or k: 100%, (any)* is \"taken\" [e]; any\\any /k/"

local function html(text)
  return (text:gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }))
end

local http_server

after_each(function()
  if http_server then
    http_server:close()
    http_server = nil
  end
end)

-- The error of a send whose answer is `body`, with what is in it as one text.
local function refused(key, body)
  http_server = server.new(function()
    return 400, body
  end)
  local _, err = client.new({ api_key = key, base_url = http_server.url, retries = 0 }):send_text(NUMBER, "Hi")
  local got = http_server.requests[1].header "API-KEY"
  http_server:close()
  http_server = nil
  return err, got
end

-- All texts in a value.
local function text_of(value, found)
  found = found or {}
  if type(value) == "table" then
    for name, item in pairs(value) do
      text_of(name, found)
      text_of(item, found)
    end
  else
    found[#found + 1] = tostring(value)
  end
  return table.concat(found, "\n")
end

describe("a key that is a word, or a letter", function()
  for _, key in ipairs { "any", "e", "k", "100%", "(any)*", "[e]", "taken", "%41" } do
    it(("garbles no sentence (%s)"):format(key), function()
      local err, sent = refused(key, json.encode { error = { message = SENTENCE, code = 100 } })
      assert.are.equal(key, sent)
      assert.are.equal(SENTENCE, err.message)
      assert.are.equal(SENTENCE, err.raw.error.message)
    end)
  end

  it("is none when it is blank", function()
    for _, name in ipairs { "api_key", "app_secret" } do
      for _, key in ipairs { " ", "\t\n", "a b" } do
        local ok, message = pcall(settings.load, { script = { [name] = key }, conf_path = false })
        assert.is_false(ok)
        local what = message:match "settings: option '([%w_]+)': [ih]"
        assert.are.equal(name, what)
      end
    end
  end)
end)

describe("a key that the provider repeats", function()
  local keys = {
    plain = "s3cr3tkey",
    long = ("0123456789"):rep(30),
    pattern = "a.b*c%d+(x)[y]^$-?key",
    percent = "%41%42percent%2Fencoded%",
    quotes = [[quote"and\back'slash]],
    slashes = "sla/sh/es//key",
    letters = "schlüssel-ключ-chave",
    signs = "-_~!@#$&=+;:",
  }

  for name, key in pairs(keys) do
    it(("is in no part of the error, in whatever form (%s)"):format(name), function()
      local encoded = http.url_encode(key)
      local forms = {
        json.encode { error = { message = "bad key " .. key .. ", sorry", code = 100, [key] = { key } } },
        (json.encode { message = "bad key:" .. key .. "." }:gsub("/", "\\/")),
        json.encode { message = "bad key\n" .. key .. "\n" },
        json.encode { message = "see /keys?key=" .. encoded .. "&x" },
        json.encode { message = "see %22" .. (encoded:gsub("%%%x%x", string.lower)) .. "%22" },
        "error: " .. key,
        json.encode { message = ("x"):rep(495) .. " " .. key },
        json.encode { message = "bad", more = ("x "):rep(1010) .. key },
        json.encode { message = "bad <b>" .. html(key) .. "</b>" },
        json.encode { message = json.encode { message = json.encode { message = key } } },
      }
      for _, body in ipairs(forms) do
        local err, sent = refused(key, body)
        assert.are.equal(key, sent)
        local text = text_of(err)
        for _, form in ipairs { key, encoded, (encoded:gsub("%%%x%x", string.lower)), json.encode(key):sub(2, -2), key:sub(1, 8) } do
          -- What a sentence says besides is not the key.
          assert.is_nil(text:gsub("bad key", ""):find(form, 1, true), text)
        end
      end
    end)
  end

  it("stays where it is a part of another word", function()
    local err = refused("template", json.encode { message = "no templates, mytemplate, 'template'" })
    assert.are.equal("no templates, mytemplate, '[API key]'", err.message)
  end)

  it("is taken out in time that grows with the text, however often its beginning is there", function()
    local without = redact.remover(("a"):rep(299) .. "b", "[key]")
    local started = os.clock()
    assert.are.equal(1 << 20, #without(("a"):rep(1 << 20)))
    assert.is_true(os.clock() - started < 5)
  end)
end)

describe("a URL in an error", function()
  it("is its scheme, host and port alone", function()
    for _, url in ipairs {
      "http://user:pass@127.0.0.1:1/webhook/s3cr3t?key=s3cr3t#s3cr3t", "http://s3cr3t@127.0.0.1:1/", "http://a:s3cr3t@b@127.0.0.1:1",
      "http://127.0.0.1:1/orders/919999999999/s3cr3t",
    } do
      local _, err = http.get(url, { proxy = "" })
      assert.are.equal("GET http://127.0.0.1:1", err.message:match "^(GET http://[%d.:]+): ")
      assert.is_nil(text_of(err):find "s3cr3t")
      assert.is_nil(text_of(err):find "999")
    end
    local _, err = http.get("http://user:s3c/r3t@host:99999999/", { proxy = "" })
    assert.is_nil(text_of(err):find "s3c")
  end)

  it("has no password of a proxy", function()
    for _, proxy in ipairs {
      "http://u:s3cr3t@127.0.0.1:1", "u:s3cr3t@127.0.0.1:1", "s3cr3t://u:s3cr3t@127.0.0.1:1", "http://u:s3cr3t@nowhere.invalid:1",
      "http://u:s3cr3t@127.0.0.1:s3cr3t", "u:s3c/r3t@127.0.0.1:1",
    } do
      local _, err = http.get("http://127.0.0.1:1/", { proxy = proxy, timeout = 5 })
      assert.is_nil(text_of(err):find "s3c", text_of(err))
    end
  end)
end)

describe("a setting that is shown", function()
  it("has no password", function()
    for value, shown in pairs {
      ["http://u:p@ss@host:3128"] = "http://…@host:3128", ["u:p/a@host:3128"] = "…@host:3128", ["http://host:3128"] = "http://host:3128",
      ["socks5h://u:p:x@host"] = "socks5h://…@host", ["http://u:p?x#y@host"] = "http://…@host",
    } do
      assert.are.equal(shown, settings.shown("proxy", value))
    end
    assert.are.equal("postgres://…@host/db", settings.shown("store", "postgres://u:p/w@host/db"))
    for url, shown in pairs {
      ["postgres://u@h1:5432,h2/db?sslmode=require"] = "postgres://…@h1:5432,h2/db", ["postgres://host/db"] = "postgres://host/db",
      ["postgres://host/db?password=secret"] = "postgres://…", ["postgres://u@host/db?password=a@b"] = "postgres://…",
      ["postgres://u:secret"] = "postgres://…", ["postgres://u:1secret/db"] = "postgres://…", -- without a host
      ["postgres://h1:5432,h2:5433/db"] = "postgres://h1:5432,h2:5433/db", ["postgres://[::1]:5432/db"] = "postgres://[::1]:5432/db",
      ["postgresql://u:a?b@host/db"] = "postgres://…", ["postgres://u:a@b@host/db"] = "postgres://…",
    } do
      assert.are.equal(shown, settings.shown("store", url))
    end
    assert.are.equal("sqlite:a@b.db", settings.shown("store", "sqlite:a@b.db"))
    for _, name in ipairs { "api_key", "app_secret", "verify_token", "webhook_secret" } do
      assert.are.equal("set, and not shown here", settings.shown(name, "s3cr3t"))
    end
  end)
end)

describe("a cunnekt.conf.lua that Lua cannot read", function()
  it("is refused with its line, and without what stands there", function()
    local path = os.tmpname()
    finally(function()
      os.remove(path)
    end)
    for _, text in ipairs {
      'return { api_key = "s3cr3t }', "return { api_key = s3cr3t$x }", "return { api_key = 's3cr3t\\k' }", "return { api_key = 5s3cr3t }",
      "return { api_key = s3cr3t.x.y }", "return { api_key = -'s3cr3t' }", "return { api_key = [[s3cr3t }", "return 's3cr3t' + {}",
      "return { api_key = s3cr3t() }", "local k = 's3cr3t' return k.x.y", "return ('s3cr3t')()", "return s3cr3t s3cr3t",
      "return { api_key = 's3cr3t' 's3cr3t' }", "goto s3cr3t", "local s3cr3t <s3cr3t> = 1", "::s3cr3t:: ::s3cr3t::",
      "local s3cr3t <const> = 1; s3cr3t = 2", "return 's3cr3t' < 1", "return #s3cr3t", "for i = 's3cr3t', 2 do end",
    } do
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
      local ok, message = pcall(settings.load, { conf_path = path })
      assert.is_false(ok, text)
      assert.is_nil(message:find "s3c", message)
      assert.matches(":1: [%w'<]", message)
    end
  end)
end)
