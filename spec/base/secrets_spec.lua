-- SPDX-License-Identifier: MIT
-- Our own secrets in what is logged: a script's error may repeat one.

local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local log = require "cunnekt.base.log"
local redact = require "cunnekt.base.redact"
local settings = require "cunnekt.provider.settings"

local held = {
  CUNNEKT_API_KEY = "k3y-of/the+api%4711471147114711",
  CUNNEKT_WEBHOOK_SECRET = "hook-98765432109",
  CUNNEKT_APP_SECRET = "app$ecr%t1",
  CUNNEKT_VERIFY_TOKEN = "v3rify",
  PGPASSWORD = "pg^word",
}

local function all_of(variables)
  local parts = {}
  for _, value in pairs(variables) do
    parts[#parts + 1] = ("x%sx"):format(value)
  end
  return table.concat(parts, " ")
end

local function assert_hidden(text)
  for name, value in pairs(held) do
    assert.is_nil(text:find(value, 1, true), text)
    assert.is_truthy(text:find("x[" .. name .. "]x", 1, true), text)
  end
  local without_times = text:gsub("%d+%.%d+", "") -- which may have these digits
  assert.is_nil(without_times:find("4711", 1, true), text) -- not even a part, which looks like a number
end

describe("a secret of our own", function()
  local getenv, write, lines

  before_each(function()
    getenv, write, lines = os.getenv, log.write, {}
    log.write = function(line)
      lines[#lines + 1] = line
    end
  end)

  after_each(function()
    rawset(os, "getenv", getenv)
    log.write = write
    log.configure "info,text"
  end)

  local function set_environment(variables)
    rawset(os, "getenv", function(name)
      return variables[name] or getenv(name)
    end)
  end

  -- PGPASSWORD=postgres took the word out of every line that said where the database is.
  it("that is a word of our own sentences leaves them as they are", function()
    set_environment { PGPASSWORD = "postgres", CUNNEKT_VERIFY_TOKEN = "Webhook" }
    local line = "cannot open the store on PostgreSQL: postgres://db1, Webhook"
    assert.equal(line, redact.own_secrets(line))
  end)

  it("is in no line of the log, and in no reason of a dead letter, whose handler's error has it", function()
    local kept = kept_bot.new()
    finally(function()
      kept:close()
    end)
    kept:start(function(bot)
      bot:on("text", function()
        error("refused with " .. all_of(held))
      end)
    end)
    set_environment(held) -- from now on, so that webhooks need no signature
    kept:say "hello"
    kept:wait_for_events("dead", 1)
    local as_text = kept.lines[#kept.lines]
    log.configure "json"
    kept:say "again"
    kept:wait_for_events("dead", 2)
    assert_hidden(as_text)
    assert_hidden(json.decode(kept.lines[#kept.lines]).msg)
    local events = json.decode(kept:run("events", "list", "--json").out).events
    for _, way in ipairs { "--json", "--reveal" } do
      local shown = kept:run("events", "show", tostring(events[1].seq), way)
      assert.equal(0, shown.code, shown.err)
      assert_hidden(shown.out)
    end
  end)

  it("is found in each line, and in the fields of JSON", function()
    set_environment(held)
    log.warn("%s", all_of(held))
    log.configure "json"
    log.failure("no", "kind", all_of(held))
    assert_hidden(lines[1])
    assert_hidden(json.decode(lines[2]).kind)
  end)

  it("may be an option of the script, or a password in an address", function()
    settings.load {
      conf_path = false,
      script = {
        api_key = "of-the-script",
        store = "postgres://bot:pass%2Fword@db.example/cunnekt",
        proxy = "user:pr0xy-word@proxy.example:3128",
      },
    }
    settings.load { conf_path = false, script = { store = "postgres://db.example/cunnekt?user=bot&password=in-options" } }
    assert.equal("[CUNNEKT_API_KEY], [CUNNEKT_STORE], [CUNNEKT_STORE], [CUNNEKT_STORE], bot@db.example, [proxy]",
      redact.own_secrets "of-the-script, pass/word, pass%2Fword, in-options, bot@db.example, pr0xy-word")
  end)

  it("is not looked for where it is so short that it may be any word", function()
    set_environment { CUNNEKT_API_KEY = "error" }
    assert.equal("an error", redact.own_secrets "an error")
  end)
end)
