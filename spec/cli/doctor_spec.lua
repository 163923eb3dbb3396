-- SPDX-License-Identifier: MIT
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local database = require "spec.support.database"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local process = require "spec.support.process"
local server = require "spec.support.server"
local sql = require "spec.support.sql"

describe("cunnekt doctor", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function doctor(words, env)
    env = env or { CUNNEKT_API_KEY = "very-secret", CUNNEKT_APP_SECRET = "hush" }
    return process.cunnekt({ "doctor", table.unpack(words or {}) }, { cwd = kept.folder.path, env = env })
  end

  -- The levels of the findings on something, and their texts.
  local function findings(about, words, env)
    local all = { "--json", table.unpack(words or {}) }
    local result = doctor(all, env)
    local levels, texts = {}, {}
    for _, finding in ipairs(json.decode(result.out).findings) do
      if finding.about == about then
        levels[finding.level] = true
        texts[#texts + 1] = finding.level .. " " .. finding.text
      end
    end
    return levels, table.concat(texts, "\n"), result.code
  end

  local function change_store(text)
    local db = sql.open(kept.path)
    db:run(text)
    db:close()
  end

  it("finds nothing wrong with a host that runs well", function()
    kept:start()
    local result = doctor()
    assert.equal(0, result.code, result.out .. result.err)
    assert.not_matches("WRONG", result.out)
    assert.matches("\nok    a host runs on the store: process " .. core.pid() .. ", for %d+s, listening on 127.0.0.1:%d+\n", result.out)
    assert.matches("\nok    its integrity was checked and is sound\n", result.out)
    assert.matches("\nok    %S+ %S+ are free on the store's disk\n", result.out)
    assert.matches("\nok    the clock says 20", result.out)
    assert.matches("\nok    cunnekt %d[^\n]*SQLite 3%.[^\n]*libcurl %d", result.out)
  end)

  it("notes a key that the script gives, which it does not know", function()
    process.write(kept.folder.path .. "/bot.lua", 'local cunnekt = require "cunnekt"\nlocal bot = cunnekt.bot { api_key = "hush-hush" }\n')
    local levels, text = findings("key", { "bot.lua" }, {})
    assert.same({ note = true }, levels)
    assert.equal("note the settings have no API key; line 2 of the script gives cunnekt.bot one, which is not known here; "
      .. "it is better in CUNNEKT_API_KEY than in the script", text)
    process.write(kept.folder.path .. "/bot.lua", 'require("cunnekt").bot { api_key = os.getenv "MY_KEY" }\n')
    assert.equal("note the settings have no API key; line 1 of the script gives cunnekt.bot one, which is not known here",
      (select(2, findings("key", { "bot.lua" }, {}))))
    process.write(kept.folder.path .. "/bot.lua", "-- api_key = 'none'\n")
    assert.same({ wrong = true }, (findings("key", { "bot.lua" }, {})))
  end)

  it("says where each setting comes from, and shows no secret", function()
    process.write(kept.folder.path .. "/cunnekt.conf.lua", 'return { rate = 5, base_url = "https://user:pw@api.example/v1" }')
    local result = doctor({ "--store", kept.url }, {
      CUNNEKT_API_KEY = "very-secret", CUNNEKT_LISTEN = "127.0.0.1:9999", CUNNEKT_WEBHOOK_SECRET = "pathsecret",
    })
    assert.equal(0, result.code, result.out)
    assert.matches("\nok    listen is 127.0.0.1:9999, from the environment\n", result.out)
    assert.matches("\nok    rate is 5, from cunnekt.conf.lua\n", result.out)
    assert.matches("\nok    store is sqlite:%S+, from the command line\n", result.out)
    assert.matches("\nok    timeout is 30, by default\n", result.out)
    assert.matches("api_key is set, and not shown here, from the environment\n", result.out)
    assert.matches("base_url is https://…@api.example/v1", result.out)
    for _, secret in ipairs { "very%-secret", "pathsecret", "user:pw" } do
      assert.not_matches(secret, result.out .. result.err)
    end
  end)

  it("finds a wrong setting, a missing key, and a key that others can read", function()
    local levels, text, code = findings("settings", {}, { CUNNEKT_API_KEY = "k", CUNNEKT_RATE = "fast" })
    assert.same({ 1, true }, { code, levels.wrong })
    assert.matches("CUNNEKT_RATE: 'fast' is not a number", text)
    levels, text, code = findings("key", {}, {})
    assert.same({ 1, true }, { code, levels.wrong })
    assert.matches("there is no API key", text)
    local conf = process.write(kept.folder.path .. "/cunnekt.conf.lua", 'return { api_key = "k", app_secret = "s" }')
    os.execute("chmod 644 " .. process.quote(conf))
    levels, text, code = findings("settings", {}, {})
    assert.same({ 1, true }, { code, levels.wrong })
    assert.matches("wrong cunnekt.conf.lua holds api_key and can be read by other users", text)
    os.execute("chmod 600 " .. process.quote(conf))
    assert.equal(0, select(3, findings("settings", {}, {})))
  end)

  it("finds all wrong settings at once, each with its value and range, and goes on with what does not need them", function()
    process.write(kept.folder.path .. "/cunnekt.conf.lua", "return { timeout = 0, retries = 'x', rat = 1 }")
    local result = doctor({}, {
      CUNNEKT_API_KEY = "k", CUNNEKT_RATE = "fast", CUNNEKT_PAIR_RATE = "-1", CUNNEKT_LISTEN = "8080", CUNNEKT_APP_SECRET = "a b",
    })
    local text = result.out
    assert.equal(1, result.code)
    for _, words in ipairs {
      "CUNNEKT_RATE: 'fast' is not a number; give messages a second, such as 80; 0 is no limit",
      "CUNNEKT_PAIR_RATE: must be 0 or more, got -1; give messages a second to one contact, such as 0.2; 0 is no limit",
      "CUNNEKT_LISTEN: must be HOST:PORT, such as 127.0.0.1:8080", "CUNNEKT_APP_SECRET: holds a space or a control character",
      "timeout: must be more than 0, got 0; give seconds, such as 30", "option 'retries' must be an integer, got string",
      "unknown option 'rat' (did you mean 'rate'?)", "there is an API key", "the store", "the clock says",
    } do
      assert.is_truthy(text:find(words, 1, true), words .. " is missing in:\n" .. text)
    end
    for _, words in ipairs { "can post events", "listen is", "pair_rate is", "is taken", "is free" } do
      assert.is_nil(text:find(words, 1, true), words .. " is in:\n" .. text)
    end
  end)

  it("goes on with a cunnekt.conf.lua that cannot be read, with what is from elsewhere", function()
    process.write(kept.folder.path .. "/cunnekt.conf.lua", "return {")
    local out = doctor({}, { CUNNEKT_STORE = kept.url, CUNNEKT_RATE = "7" }).out
    assert.matches("^WRONG cunnekt.conf.lua:1: ", out)
    assert.matches("\nok    rate is 7, from the environment\n", out)
    assert.matches("there is no store ", out)
    for _, words in ipairs { "there is no API key", "by default", "can post events", "8080" } do
      assert.is_nil(out:find(words, 1, true), words)
    end
  end)

  it("warns of addresses that others can reach", function()
    local _, text = findings("settings", {}, { CUNNEKT_API_KEY = "k", CUNNEKT_ADMIN = "0.0.0.0:9090" })
    assert.matches("whoever finds the address can post events", text)
    assert.matches("the admin address 0.0.0.0:9090 can be reached from other machines", text)
    local levels = findings("settings", {}, { CUNNEKT_API_KEY = "k", CUNNEKT_BASE_URL = "http://api.example/v1" })
    assert.is_true(levels.wrong)
    assert.is_nil(findings("settings", {}, { CUNNEKT_API_KEY = "k", CUNNEKT_BASE_URL = "http://127.0.0.1:1/v1" }).wrong)
  end)

  it("counts what waits and the dead letters", function()
    kept:start(function(bot)
      bot:on("text", function()
        error "no"
      end)
    end)
    kept:say "x"
    kept:wait_for_events("dead", 1)
    kept:stop()
    local _, text, code = findings "store"
    assert.equal(0, code)
    assert.matches("note 1 dead letter; see cunnekt events list", text)
    assert.equal(0, kept:run("events", "retry", "--all").code)
    text = select(2, findings "store")
    assert.matches("ok waiting: 1 event to be handled, 0 messages to be sent", text)
    assert.matches("note no host runs, so nothing of that is handled or sent", text)
    assert.is_true(findings("host").note)
  end)

  it("finds a store that is missing, too new, old, damaged, or in another's hands", function()
    local levels, text, code = findings "store"
    assert.same({ 0, true }, { code, levels.note })
    assert.matches("there is no store %S+ yet", text)
    assert.is_nil(core.stat(kept.path))
    kept:start()
    kept:stop()
    change_store "PRAGMA user_version = 1"
    levels, text, code = findings "store"
    assert.same({ 0, true }, { code, levels.note })
    assert.matches("the store is of version 1; the next start, or a command that does more than to check and copy it, brings it to", text)
    change_store "PRAGMA user_version = 99"
    text, code = select(2, findings "store")
    assert.equal(1, code)
    assert.matches("wrong the store is of version 99, and this program knows only", text)
    change_store("PRAGMA user_version = " .. core.store_version)
    local holder = assert(database.open { path = kept.path })
    text, code = select(2, findings "store")
    assert.equal(1, code)
    assert.matches("in use by process " .. core.pid(), text)
    holder:close()
    process.write(kept.path, ("no database"):rep(1000))
    text, code = select(2, findings "store")
    assert.equal(1, code)
    assert.matches("wrong the store cannot be opened", text)
  end)

  it("tells the truth about a copy, and leaves it as it is", function()
    kept:start(function(bot)
      bot:on("text", function()
        error "no"
      end)
    end)
    kept:say "x"
    kept:wait_for_events("dead", 1)
    assert.equal(0, kept:run("backup", "copy.db").code)
    local before = process.run({ "sh", "-c", "sha256sum copy.db; ls" }, { cwd = kept.folder.path }).out
    local result = doctor { "--store", "sqlite:copy.db" }
    assert.equal(0, result.code, result.out)
    assert.matches("\nnote  no host runs on the store\n", result.out)
    assert.matches("\nok    the store is of version " .. core.store_version .. " and has %S+ %S+\n", result.out)
    assert.matches("\nok    its integrity was checked and is sound\n", result.out)
    assert.matches("\nok    waiting: 0 events to be handled, 0 messages to be sent\n", result.out)
    assert.matches("\nnote  1 dead letter; see", result.out)
    assert.equal(before, process.run({ "sh", "-c", "sha256sum copy.db; ls" }, { cwd = kept.folder.path }).out)
    -- A copy of an earlier version is not brought up to date.
    local db = sql.open(kept.folder.path .. "/copy.db")
    db:run "PRAGMA user_version = 2"
    db:close()
    before = process.run({ "sha256sum", kept.folder.path .. "/copy.db" }).out
    result = doctor { "--store", "sqlite:copy.db" }
    assert.matches("the store is of version 2; the next start, or a command that does more than to check and copy it, brings it to " .. core.store_version .. "\n", result.out)
    assert.matches("\nok    its integrity was checked and is sound\n", result.out)
    assert.equal(before, process.run({ "sha256sum", kept.folder.path .. "/copy.db" }).out)
    -- Damage in the middle of the file, which its head does not show.
    os.execute(("dd if=/dev/zero of=%s/copy.db bs=4096 seek=1 count=6 conv=notrunc 2> /dev/null"):format(kept.folder.path))
    result = doctor { "--store", "sqlite:copy.db" }
    assert.equal(1, result.code)
    assert.matches("\nWRONG the store ", result.out)
  end)

  it("finds another program's file, and leaves it as it is", function()
    process.run({ "sqlite3", kept.path, "CREATE TABLE song (title)" })
    local before = process.run({ "sh", "-c", "sha256sum *" }, { cwd = kept.folder.path }).out
    local result = doctor()
    assert.equal(1, result.code)
    assert.matches("\nWRONG the store cunnekt%.db is another program's database: choose another file", result.out)
    assert.equal(before, process.run({ "sh", "-c", "sha256sum *" }, { cwd = kept.folder.path }).out)
  end)

  it("finds a clock that was set back", function()
    kept:start(function(bot)
      bot:on("text", function()
        error "no"
      end)
    end)
    kept:say "x"
    kept:wait_for_events("dead", 1)
    kept:stop()
    change_store(("UPDATE dead SET failed_at = %.17g"):format(clock.now() + 7200))
    local levels, text, code = findings "clock"
    assert.same({ 1, true }, { code, levels.wrong })
    assert.matches("the clock was set back: the store has seen a time 7%d%d%d s later", text)
  end)

  it("asks the API only when told to, without a key", function()
    local api = server.new(function()
      return 401, "", { Date = "Sun, 06 Nov 1994 08:49:37 GMT" }
    end)
    local env = { CUNNEKT_API_KEY = "k", CUNNEKT_BASE_URL = api.url .. "/v1" }
    assert.same({}, (findings("online", {}, env)))
    assert.equal(0, #api.requests)
    local _, text = findings("online", { "--online" }, env)
    assert.matches("ok http://127.0.0.1:%d+/v1 can be reached %(it answered 401", text)
    assert.is_nil(api.requests[1].header "API-KEY")
    local levels
    levels, text = findings("clock", { "--online" }, env)
    assert.is_true(levels.wrong)
    assert.matches("wrong the clock is off by %d+ s from the API's", text)
    api.close()
    levels = findings("online", { "--online" }, { CUNNEKT_API_KEY = "k", CUNNEKT_BASE_URL = server.nobody() })
    assert.is_true(levels.wrong)
  end)

  it("looks beside the script", function()
    local elsewhere = process.folder()
    kept:start()
    local script = process.write(kept.folder.path .. "/bot.lua", "error 'not run'")
    local result = process.cunnekt({ "doctor", script }, { cwd = elsewhere.path, env = { CUNNEKT_API_KEY = "k" } })
    assert.equal(0, result.code, result.out)
    assert.matches("a host runs on the store", result.out)
  end)

  it("exits with 2 for a mistake on the command line", function()
    assert.equal(2, doctor({ "/no/such.lua" }).code)
    assert.equal(2, doctor({ "--onlin" }).code)
    assert.equal(2, doctor({ "--store", "mysql:x" }).code)
  end)
end)
