-- SPDX-License-Identifier: MIT
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local process = require "spec.support.process"

local ASHA = "919999999999"

describe("cunnekt events", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local is_mended

  -- A bot with dead letters of two customers.
  local function fill()
    is_mended = false
    kept:start(function(bot)
      bot:on("text", function(msg)
        if not is_mended then
          error("no such order: " .. msg.text)
        end
      end)
    end)
    kept:say "order 4711"
    kept:say("order 4712", "918888888888")
    kept:wait_for_events("dead", 2)
    kept:settle()
  end

  local function numbers()
    local result = kept:run("events", "list", "--json")
    assert.equal(0, result.code, result.err)
    local list = {}
    for i, event in ipairs(json.decode(result.out).events) do
      list[i] = tostring(event.seq)
    end
    return list
  end

  it("lists dead letters in columns, with a host and without", function()
    fill()
    for _ = 1, 2 do
      local result = kept:run("events", "list")
      assert.equal(0, result.code, result.err)
      local lines = {}
      for line in result.out:gmatch "[^\n]+" do
        lines[#lines + 1] = line
      end
      assert.equal(3, #lines)
      assert.matches("^SEQ  STATE  CONTACT  WHAT  TRIES  AGE%s+ERROR$", lines[1])
      assert.matches("^%d+%s+dead   9199…99  text  1      %d+s%s+%S*events_spec.lua:%d+: no such order: …$", lines[2])
      assert.matches("9188…88", lines[3])
      kept:stop()
    end
  end)

  it("shows numbers and texts only when asked", function()
    fill()
    local number = numbers()[1]
    for _, words in ipairs { { "list" }, { "list", "--json" }, { "show", number }, { "show", number, "--json" } } do
      local hidden = kept:run("events", table.unpack(words)).out
      assert.not_matches(ASHA, hidden)
      assert.not_matches("order 4711", hidden)
      assert.not_matches("wamid", hidden)
      words[#words + 1] = "--reveal"
      local shown = kept:run("events", table.unpack(words)).out
      assert.matches(ASHA, shown)
      assert.matches("order 4711", shown)
    end
  end)

  it("shows one with its traceback and, when asked, its body", function()
    fill()
    local number = numbers()[1]
    local shown = kept:run("events", "show", number)
    assert.equal(0, shown.code)
    assert.matches("^event: +" .. number .. "\nstate: +dead\ncontact: +9199…99\n", shown.out)
    assert.matches("\nfailed: +%d%d%d%d%-", shown.out)
    assert.matches("\nstack traceback:\n", shown.out)
    assert.matches("%-%-reveal shows them", shown.out)
    assert.matches('\n{.*"body":"order 4711"', kept:run("events", "show", number, "--reveal").out)
    assert.equal(ASHA, json.decode(kept:run("events", "show", number, "--reveal", "--json").out).contact)
  end)

  it("filters", function()
    fill()
    local function count(...)
      local result = kept:run("events", "list", "--json", ...)
      assert.equal(0, result.code, result.err)
      return #json.decode(result.out).events
    end
    assert.equal(1, count("--contact", ASHA))
    assert.equal(1, count("--contact", "+91 88888 88888"))
    assert.equal(2, count("--newer", "1h"))
    assert.equal(0, count("--older", "1.5m"))
    assert.equal(0, count "--pending")
    assert.equal(2, count "--all")
    assert.equal(2, count "--dead")
    assert.equal(1, count("--limit", "1"))
    assert.matches("There are more", kept:run("events", "list", "--limit", "1").out)
    assert.equal("none\n", kept:run("events", "list", "--pending").out)
    assert.equal("none\n", kept:run("events", "list", "--state", "pending").out)
    assert.equal(2, kept:run("events", "list", "--state", "done").code)
  end)

  it("retries, at once where a host runs", function()
    fill()
    is_mended = true
    local number = numbers()[1]
    local result = kept:run("events", "retry", number)
    assert.equal(0, result.code, result.err)
    assert.equal(("1 event will be handled again now: %s\n"):format(number), result.out)
    kept:wait_for_events("pending", 0)
    assert.equal(1, #numbers())
    kept:stop()
    result = kept:run("events", "retry", "--all")
    assert.matches("^1 event will be handled again when a host runs: %d+\n$", result.out)
    result = kept:run("events", "retry", "--all")
    assert.same({ 0, "none\n" }, { result.code, result.out })
  end)

  it("drops, and says what", function()
    fill()
    local list = numbers()
    local result = kept:run("events", "drop", list[1], "999")
    assert.equal(1, result.code)
    assert.equal(("dropped 1 event: %s\n"):format(list[1]), result.out)
    assert.equal("cunnekt events: there is no event 999\n", result.err)
    kept:stop()
    result = kept:run("events", "drop", "--all", "--contact", ASHA)
    assert.same({ 0, "none\n" }, { result.code, result.out })
    result = kept:run("events", "drop", "--all", "--json")
    assert.equal(0, result.code)
    assert.same({ tonumber(list[2]) }, { table.unpack(json.decode(result.out).dropped) })
  end)

  it("finds the store by option, environment, configuration, script or folder", function()
    fill()
    kept:stop()
    local elsewhere = process.folder()
    local function code(words, env)
      return process.cunnekt({ "events", "list", table.unpack(words) }, { cwd = elsewhere.path, env = env }).code
    end
    local script = process.write(kept.folder.path .. "/bot.lua", "error 'not run'")
    assert.equal(1, code {})
    assert.equal(0, code { "--store", kept.url })
    assert.equal(0, code({}, { CUNNEKT_STORE = kept.url }))
    assert.equal(0, code { "--script", script })
    local conf = process.write(elsewhere.path .. "/other.lua", ("return { store = %q }"):format(kept.url))
    assert.equal(0, code { "--config", conf })
    process.write(elsewhere.path .. "/cunnekt.conf.lua", ("return { store = %q }"):format(kept.url))
    assert.equal(0, code {})
    assert.is_nil(process.read(elsewhere.path .. "/cunnekt.db"))
  end)

  it("exits with 1 when there is no such event or store", function()
    local result = kept:run("events", "list")
    assert.equal(1, result.code)
    assert.matches("there is no store", result.err)
    fill()
    result = kept:run("events", "show", "999")
    assert.same({ 1, "", "cunnekt events: there is no event 999\n" }, { result.code, result.out, result.err })
  end)

  local mistakes = {
    { {}, "say what to do: one of list, show, retry, drop" },
    { { "lsit" }, "unknown 'events lsit' %(did you mean 'list'%?%)" },
    { { "retry" }, "give the numbers of events, or %-%-all" },
    { { "drop", "1", "--all" }, "give the numbers of events, or %-%-all" },
    { { "drop", "1", "--contact", "91" }, "filters go with %-%-all" },
    { { "show", "x" }, "'x' is not a number" },
    { { "show", "0" }, "'0' is not a number" },
    { { "show" }, "missing argument 'seq'" },
    { { "list", "--older", "soon" }, "'soon' is not an age such as" },
    { { "list", "--dead", "--all" }, "can not be used together" },
    { { "list", "--store", "mysql:x" }, "must be sqlite:FILE" },
    { { "list", "--store", "memory:" }, "lives and ends with its host" },
    { { "list", "--script", "/no/such.lua" }, "cannot read /no/such.lua" },
  }

  it("exits with 2 for a mistake on the command line", function()
    for _, case in ipairs(mistakes) do
      local result = kept:run("events", table.unpack(case[1]))
      assert.equal(2, result.code, table.concat(case[1], " "))
      assert.equal("", result.out)
      assert.matches(case[2], result.err)
      assert.matches("\nTry 'cunnekt events %-h'%.\n$", result.err)
    end
  end)
end)
