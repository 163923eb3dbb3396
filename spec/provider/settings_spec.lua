-- SPDX-License-Identifier: MIT
-- Which source wins, and what a wrong value says about where it stands.

local settings = require "cunnekt.provider.settings"

local folder, environment

local function conf(text)
  local path = folder .. "/cunnekt.conf.lua"
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

local function getenv(name)
  return environment[name]
end

local function load(opts)
  opts.getenv = getenv
  if opts.conf_path == nil then
    opts.conf_path = false
  end
  return settings.load(opts)
end

local function assert_raises(pattern, opts)
  local ok, message = pcall(load, opts)
  assert.is_false(ok)
  assert.is_string(message)
  assert.matches(pattern, message)
  return message
end

before_each(function()
  settings.set_host(nil) -- where the host runs the specs
  environment = {}
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir '%s'"):format(folder)))
end)

after_each(function()
  settings.set_host(nil)
  os.execute(("rm -r '%s'"):format(folder))
end)

describe("settings", function()
  it("have the documented defaults", function()
    local values, sources = load {}
    assert.are.equal("https://app2.cunnekt.com/v1", values.base_url)
    assert.are.equal("127.0.0.1:8080", values.listen)
    assert.are.equal("/webhook", values.webhook_path)
    assert.are.equal("sqlite:cunnekt.db", values.store)
    assert.are.equal(80, values.rate)
    assert.are.equal(1 / 6, values.pair_rate)
    assert.is_nil(values.api_key)
    assert.are.equal("default", sources.rate)
    assert.is_nil(sources.api_key)
  end)

  it("come from flags, then the script, then the environment, then the file", function()
    local path = conf 'return { rate = 1, listen = "127.0.0.1:1", store = "memory:", base_url = "https://conf" }'
    environment = { CUNNEKT_RATE = "2", CUNNEKT_LISTEN = "127.0.0.1:2", CUNNEKT_BASE_URL = "https://env" }
    local values, sources = load {
      conf_path = path,
      script = { rate = 3, listen = "127.0.0.1:3" },
      flags = { listen = "127.0.0.1:4" },
    }
    assert.are.same({ "127.0.0.1:4", 3, "https://env", "memory:" }, { values.listen, values.rate, values.base_url, values.store })
    assert.are.same(
      { "flag", "script", "environment", "conf" },
      { sources.listen, sources.rate, sources.base_url, sources.store }
    )
  end)

  it("of the host stand above, for every later load", function()
    settings.set_host { overrides = { base_url = "http://127.0.0.1:1/v1", api_key = "k" }, flags = { rate = "5" } }
    local values = load { script = { base_url = "https://script", api_key = "other", rate = 6 } }
    assert.are.same({ "http://127.0.0.1:1/v1", "k", 5 }, { values.base_url, values.api_key, values.rate })
  end)

  it("are refused where their file is there and cannot be read", function()
    local path = conf "return {}" .. "/cunnekt.conf.lua"
    assert_raises(path .. ": cannot be read: Not a directory", { conf_path = path })
  end)

  it("put a store's file and cunnekt.conf.lua beside the script, and leave whole paths alone", function()
    conf 'return { rate = 7 }'
    settings.set_host { folder = folder }
    local values = settings.load { getenv = getenv }
    assert.are.equal("sqlite:" .. folder .. "/cunnekt.db", values.store)
    assert.are.equal(7, values.rate)
    environment = { CUNNEKT_STORE = "sqlite:data/shop.db" }
    assert.are.equal("sqlite:" .. folder .. "/data/shop.db", load({}).store)
    assert.are.equal("sqlite:/var/shop.db", load({ script = { store = "sqlite:/var/shop.db" } }).store)
    assert.are.equal("memory:", load({ script = { store = "memory:" } }).store)
    settings.set_host(nil)
    assert.are.equal("sqlite:data/shop.db", load({}).store)
  end)

  it("take every variable of the environment, and an empty one that is no secret for none", function()
    environment = {
      CUNNEKT_API_KEY = " key\n",
      CUNNEKT_WEBHOOK_PATH = "/hook",
      CUNNEKT_WEBHOOK_SECRET = "s3cret",
      CUNNEKT_APP_SECRET = "app",
      CUNNEKT_VERIFY_TOKEN = "token",
      CUNNEKT_PAIR_RATE = "0",
      CUNNEKT_STORE = "postgres://h/db",
      CUNNEKT_RATE = "",
    }
    local values = load {}
    assert.are.same(
      { "key", "/hook", "s3cret", "app", "token", 0, "postgres://h/db", 80 },
      {
        values.api_key, values.webhook_path, values.webhook_secret, values.app_secret, values.verify_token,
        values.pair_rate, values.store, values.rate,
      }
    )
  end)

  it("say which variable is wrong", function()
    environment = { CUNNEKT_RATE = "abc" }
    assert_raises("^CUNNEKT_RATE: 'abc' is not a number; give messages a second, such as 80; 0 is no limit$", {})
    environment = { CUNNEKT_RATE = "-1" }
    assert_raises("^CUNNEKT_RATE: must be 0 or more, got [-%w]+; give messages a second", {})
    environment = { CUNNEKT_RATE = "nan" }
    assert_raises("^CUNNEKT_RATE: ", {})
    environment = { CUNNEKT_LISTEN = "8080" }
    assert_raises("^CUNNEKT_LISTEN: must be HOST:PORT", {})
    environment = { CUNNEKT_BASE_URL = "app2.cunnekt.com" }
    assert_raises("^CUNNEKT_BASE_URL: must be an address", {})
    environment = { CUNNEKT_STORE = "mysql:x" }
    assert_raises("^CUNNEKT_STORE: ", {})
  end)

  it("don't mind a wrong variable that something else stands above", function()
    environment = { CUNNEKT_RATE = "abc" }
    assert.are.equal(1, load({ script = { rate = 1 } }).rate)
  end)

  it("never repeat a secret", function()
    environment = { CUNNEKT_API_KEY = "hush hush" }
    assert.not_matches("hush", assert_raises("^CUNNEKT_API_KEY: ", {}))
    environment = { CUNNEKT_WEBHOOK_SECRET = "hush/hush" }
    assert.not_matches("hush", assert_raises("^CUNNEKT_WEBHOOK_SECRET: ", {}))
    environment = {}
    local message = assert_raises("%-%-api_key: a secret does not belong on a command line", { flags = { api_key = "hush" } })
    assert.not_matches("hush", message)
  end)

  -- An empty webhook secret opened /webhook/, and an empty app secret switched the check of signatures off, in silence.
  it("never take a secret that is set and empty for none", function()
    for _, empty in ipairs { "", " ", "\n" } do
      for _, name in ipairs { "api_key", "webhook_secret", "app_secret", "verify_token" } do
        local words = ": is empty; give it a value, or do not set it at all$"
        environment = { [settings.known[name].env] = empty }
        assert_raises("^" .. settings.known[name].env .. words, {})
        environment = {}
        assert_raises("cunnekt.bot: option '" .. name .. "'" .. words, { script = { [name] = empty }, where = "cunnekt.bot" })
        assert_raises("cunnekt.conf.lua: " .. name .. words, { conf_path = conf(("return { %s = %q }"):format(name, empty)) })
      end
    end
  end)

  it("name the flag or the option that is wrong", function()
    assert_raises("^%-%-pair%-rate: 'x' is not a number", { flags = { pair_rate = "x" } })
    assert_raises("unknown option 'lisen' %(did you mean 'listen'", { flags = { lisen = "x" } })
    assert_raises("cunnekt.bot: unknown option 'tmeout' %(did you mean 'timeout'", { script = { tmeout = 1 }, where = "cunnekt.bot" })
    assert_raises("cunnekt.bot: option 'timeout' must be a number", { script = { timeout = "1" }, where = "cunnekt.bot" })
    assert_raises("cunnekt.bot: option 'timeout': must be more than 0", { script = { timeout = 0 }, where = "cunnekt.bot" })
  end)

  it("can be asked for by name", function()
    environment = { CUNNEKT_LISTEN = "nonsense", CUNNEKT_RATE = "7" }
    assert.are.same({ rate = 7 }, (load { names = { rate = true } }))
  end)

  it("hold those of the client", function()
    local chosen = settings.client_options(load { script = { timeout = 5, listen = "127.0.0.1:1" } })
    assert.are.equal(5, chosen.timeout)
    assert.is_nil(chosen.listen)
  end)
end)

describe("cunnekt.conf.lua", function()
  it("may be missing", function()
    assert.are.equal(80, load({ conf_path = folder .. "/none.lua" }).rate)
  end)

  it("is run without any library", function()
    assert_raises("global 'os'", { conf_path = conf "os.exit()" })
    assert_raises("global 'require'", { conf_path = conf 'return { store = require "x" }' })
  end)

  it("says where a mistake in it is", function()
    assert_raises("cunnekt.conf.lua:1:", { conf_path = conf "return {" })
    assert_raises("cunnekt.conf.lua: must return a table", { conf_path = conf "return 5" })
    assert_raises("cunnekt.conf.lua: must return a table", { conf_path = conf "" })
    assert_raises(
      "cunnekt.conf.lua: unknown option 'apikey' %(did you mean 'api_key'",
      { conf_path = conf 'return { apikey = "x" }' }
    )
    assert_raises("cunnekt.conf.lua: option 'rate' must be a number, got string; give messages a second, such as 80; 0 is no limit", { conf_path = conf 'return { rate = "x" }' })
    assert_raises("cunnekt.conf.lua: rate: must be 0 or more", { conf_path = conf "return { rate = -1 }" })
    assert_raises("cunnekt.conf.lua", { conf_path = conf "\27Lua" })
  end)
end)
