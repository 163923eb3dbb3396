-- SPDX-License-Identifier: MIT
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local process = require "spec.support.process"
local sql = require "spec.support.sql"

local ASHA, BALA = "919999999999", "918888888888"

describe("cunnekt dialogs", function()
  local kept, text

  before_each(function()
    kept = kept_bot.new()
    text = "How many?"
  end)

  after_each(function()
    kept:close()
  end)

  local function define(bot)
    bot:dialog("order", function(chat)
      chat:reply_text(text)
      local answer = chat:ask("Which?", { timeout = 3600 })
      chat:reply_text("noted " .. answer.text)
    end)
    bot:on("text", "^order", function(msg)
      msg:start "order"
    end)
    bot:on("text", function(msg)
      msg:reply_text "heard"
    end)
  end

  -- Two dialogs; with `is_broken` the first of them is broken, after its customer sent a secret.
  local function fill(is_broken)
    kept:start(define)
    kept:say "order"
    kept:say("order", BALA)
    kept:settle()
    if is_broken then
      kept:stop()
      text = "How much?"
      kept:start(define)
      kept:say "my secret"
      kept:settle()
    end
  end

  local function run(...)
    local result = kept:run("dialogs", ...)
    assert.equal(0, result.code, result.err)
    return result.out
  end

  local function ids()
    local list = {}
    for i, dialog in ipairs(json.decode(run("list", "--json")).dialogs) do
      list[i] = tostring(dialog.id)
    end
    return list
  end

  it("lists in columns what waits for what, by a running host and by none", function()
    fill()
    for _ = 1, 2 do
      local lines = {}
      for line in run "list":gmatch "[^\n]+" do
        lines[#lines + 1] = line
      end
      assert.matches("^ID%s+NAME%s+CONTACT%s+STATE%s+WAITS FOR%s+UNTIL%s+STEPS%s+AGE%s+ERROR$", lines[1])
      assert.matches("^%d+%s+order%s+9199…99%s+waiting%s+text%s+20%d%d%-%S+ %S+%s+3%s+%d+s%s+%-$", lines[2])
      assert.matches("9188…88", lines[3])
      kept:stop()
    end
  end)

  it("lists what the filters leave", function()
    fill(true)
    assert.equal(2, #ids())
    assert.matches("broken .*differs", run("list", "--broken"))
    assert.is_nil(run("list", "--open"):find "broken")
    assert.matches(BALA, run("list", "--contact", BALA, "--reveal"))
    assert.equal("none\n", run("list", "--older", "1h"))
  end)

  it("shows the journal, and what was said only where that is asked for", function()
    fill(true)
    local id = ids()[1]
    local out = run("show", id)
    assert.matches("broke at:   step 1", out)
    assert.matches("STEP  KIND\n1     send\n2     send\n", out)
    assert.is_nil(out:find "How")
    assert.is_nil(out:find(ASHA, 1, true))
    out = run("show", id, "--reveal")
    assert.matches("was:        send .*How many%?", out)
    assert.matches("is now:     send .*How much%?", out)
    assert.matches(ASHA, out)
    assert.equal(1, kept:run("dialogs", "show", "4711").code)
  end)

  it("ends dialogs, in a running host and in none", function()
    fill()
    local first, second = table.unpack(ids())
    assert.matches("^ended 1 dialog: " .. first, run("end", first))
    kept:say "three"
    kept:settle()
    kept:stop()
    assert.matches("^ended 1 dialog: " .. second, run("end", "--all", "--contact", BALA))
    assert.are.same({}, ids())
    assert.equal(1, kept:run("dialogs", "end", first).code)
    assert.equal(2, kept:run("dialogs", "end").code)
    kept:start(define)
    kept:say("four", BALA)
    kept:settle()
    local said = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 100)) do
      if entry.direction == "out" and entry.payload.text == "heard" then
        said[#said + 1] = entry.contact
      end
    end
    assert.are.same({ ASHA, BALA }, said)
  end)

  -- They used to be deleted with it, and nobody ever heard of them.
  it("ends a dialog without losing the messages that it had kept, in a running host and in none", function()
    local function define_keeping(bot)
      bot:dialog("order", function(chat)
        chat:wait { click = true }
      end, { unexpected = "queue" })
      bot:on("text", "^order", function(msg)
        msg:start "order"
      end)
      bot:on("text", function(msg)
        msg:reply_text("heard " .. msg.text)
      end)
    end
    kept:start(define_keeping)
    for _, from in ipairs { ASHA, BALA } do
      for _, said in ipairs { "order", "are you open?", "hello?" } do
        kept:say(said, from)
        kept:settle()
      end
    end
    local first = ids()[1]
    run("end", first)
    kept:settle()
    kept:stop()
    run("end", "--all")
    kept:start(define_keeping)
    kept:settle()
    local said = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 100)) do
      said[#said + 1] = entry.direction == "out" and ("%s: %s"):format(entry.contact, entry.payload.text) or nil
    end
    assert.are.same({ ASHA .. ": heard are you open?", ASHA .. ": heard hello?", BALA .. ": heard are you open?", BALA .. ": heard hello?" }, said)
  end)

  -- A script that breaks after the answer, as its text says.
  local function define_breaking(reply)
    return function(bot)
      bot:dialog("order", function(chat)
        local answer = chat:ask "Which?"
        if reply == "" then
          error "no luck"
        end
        chat:reply_text(reply .. answer.text)
      end)
      bot:on("text", "^order", function(msg)
        msg:start "order"
      end)
      bot:on("text", function() end)
    end
  end

  it("retries broken dialogs with a new script, in a running host and in none", function()
    kept:start(define_breaking "")
    for _, from in ipairs { ASHA, BALA } do
      kept:say("order", from)
    end
    kept:settle()
    kept:say "three"
    kept:say("four", BALA)
    kept:wait_for_events("dead", 2)
    kept:settle()
    local first, second = table.unpack(ids())
    kept:stop()
    kept:start(define_breaking "noted ")
    assert.matches("^1 dialog will go on now: " .. first, run("retry", first, "--new-script"))
    kept:settle()
    assert.are.same({ second }, ids())
    kept:stop()
    assert.matches("^1 dialog will go on when a host runs: " .. second, run("retry", "--all", "--contact", BALA, "--new-script"))
    assert.matches("order%s+9188…88%s+retrying", run "list")
    kept:start(define_breaking "noted ")
    kept:settle()
    assert.are.same({}, ids())
    local said = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 100)) do
      said[#said + 1] = entry.direction == "out" and entry.payload.text or nil
    end
    assert.are.same({ "Which?", "Which?", "noted three", "noted four" }, said)
    assert.are.same({}, json.decode(kept:run("events", "list", "--json").out).events)
  end)

  -- It never went on, and the answer at which it broke was lost.
  it("retries no dialog while a person has the conversation", function()
    kept:start(define_breaking "")
    kept:say "order"
    kept:settle()
    kept:say "three"
    kept:wait_for_events("dead", 1)
    kept:settle()
    local id = ids()[1]
    run("pause", ASHA)
    local result = kept:run("dialogs", "retry", id)
    assert.are.same({ 1, "", ("cunnekt dialogs: a person has the conversation, so resume it first (cunnekt dialogs resume): %s\n"):format(id) },
      { result.code, result.out, result.err })
    kept:wait_for_events("dead", 1)
    run("resume", ASHA)
    assert.matches("^1 dialog will go on now: " .. id, run("retry", id))
  end)

  it("retries no dialog that is not broken", function()
    fill()
    local result = kept:run("dialogs", "retry", ids()[1], "4711")
    assert.equal(1, result.code)
    assert.matches("not broken: " .. ids()[1], result.err)
    assert.matches("there is no dialog 4711", result.err)
    assert.equal("none\n", run("retry", "--all"))
    for _, words in ipairs { {}, { "1", "--all" }, { "1", "--contact", ASHA } } do
      assert.equal(2, kept:run("dialogs", "retry", table.unpack(words)).code)
    end
  end)

  it("retries an event with a new script", function()
    kept:start(define_breaking "")
    kept:say "order"
    kept:settle()
    kept:say "three"
    local dead = kept:wait_for_events("dead", 1)
    kept:settle()
    kept:stop()
    local out = kept:run("events", "retry", tostring(dead[1].id), "--new-script").out
    assert.matches("dialogs that broke at these go on with the current script: " .. dead[1].id, out)
    kept:start(define_breaking "noted ")
    kept:settle()
    assert.are.same({}, ids())
  end)

  it("hands a conversation to a person and takes it back", function()
    fill()
    assert.matches("a person has the conversation with 9199…99", run("pause", "+91 99999 99999"))
    kept:say "to the person"
    kept:settle()
    kept:stop()
    assert.matches("the bot has the conversation", run("resume", ASHA))
    kept:start(define)
    kept:say "seven"
    kept:settle()
    local last = kept.sandbox.state:since(0, nil, 100)
    assert.equal("noted seven", last[#last].payload and last[#last].payload.text)
    assert.equal(1, kept:run("dialogs", "pause", "917777777777").code)
  end)

  it("lists paused conversations with what came since, and their dialogs as paused", function()
    fill()
    run("pause", ASHA)
    kept:say "my secret"
    kept:say "another"
    kept:settle()
    for _ = 1, 2 do
      local out = run "list"
      assert.matches("order%s+9199…99%s+paused%s+text", out)
      assert.matches("order%s+9188…88%s+waiting%s+text", out)
      assert.matches("\n\nPAUSED%s+SINCE%s+MESSAGES%s+KEPT\n9199…99%s+20%d%d%-%S+ %S+%s+2%s+2\n$", out)
      assert.matches("^PAUSED%s+SINCE%s+MESSAGES%s+KEPT\n9199…99%s+%C+\n$", run("list", "--paused"))
      assert.matches("^ID%s.*\n\nPAUSED.*\n" .. ASHA, run("list", "--contact", ASHA, "--reveal"))
      assert.is_nil(run("list", "--open"):find "PAUSED")
      assert.is_nil(run("list", "--contact", BALA):find "PAUSED")
      local shown = kept:run("contacts", "show", ASHA).out
      assert.matches("\npaused: +a person has the conversation since 20%d%d%-%S+ %S+; 2 messages came\n", shown)
      assert.matches("\nstored: .*, 2 kept events\n\nCAME%s+MESSAGE%s+TEXT\n%S+ %S+%s+text%s+%-\n%S+ %S+%s+text%s+%-\n$", shown)
      assert.matches("text%s+my secret\n", kept:run("contacts", "show", ASHA, "--reveal").out)
      assert.matches('"my secret"', kept:run("contacts", "export", ASHA).out)
      kept:stop()
    end
    assert.matches("the bot has the conversation.*\n2 messages came meanwhile; the bot does not handle", run("resume", ASHA))
    assert.is_nil(run "list":find "PAUSED")
    assert.is_nil(kept:run("contacts", "show", ASHA).out:find "CAME")
  end)

  it("counts the messages that are not kept", function()
    fill()
    run("pause", ASHA)
    kept:stop()
    sql.run(kept.path, "UPDATE conversation SET paused_messages = 14 WHERE paused IS NOT NULL")
    assert.matches("14 messages came, of which the 14 oldest are not kept", kept:run("contacts", "show", ASHA).out)
    assert.matches("9199…99%s+%S+ %S+%s+14%s+0\n", run("list", "--paused"))
  end)

  it("shows a dialog as held as long as it is uncertain whether its customer got the question", function()
    kept:start(function(bot)
      bot:dialog("order", function(chat)
        chat:ask "Which?"
      end)
      bot:on("text", function(msg)
        msg:start "order"
      end)
    end)
    kept:fault { kind = "reset", count = 1, accept = false }
    kept:say "order"
    kept:say("order", BALA)
    kept:wait_for_messages("unknown", 1)
    local out = run "list"
    assert.equal(1, select(2, out:gsub("order%s+%S+%s+held%s+text", "")))
    assert.equal(1, select(2, out:gsub("order%s+%S+%s+waiting%s+text", "")))
  end)

  local function define_signalled(bot)
    bot:dialog("order", function(chat)
      local it = chat:wait { signal = "paid" }
      chat:reply_text(type(it.value) == "table" and "amount " .. it.value.amount or tostring(it.value))
    end)
    bot:on("text", "^order", function(msg)
      msg:start "order"
    end)
    bot:on("text", function() end)
  end

  local function said()
    local list = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 100)) do
      list[#list + 1] = entry.direction == "out" and entry.payload.text or nil
    end
    return list
  end

  it("signals the dialog that waits, by a running host and by none", function()
    kept:start(define_signalled)
    for _, from in ipairs { ASHA, BALA } do
      kept:say("order", from)
    end
    kept:settle()
    assert.equal("sent the signal 'paid' to 9199…99, whose dialog waits for it\n", run("signal", ASHA, "paid", '{"amount": 5}'))
    kept:settle()
    assert.are.same({ "amount 5" }, said())
    kept:stop()
    assert.matches("9188…88, whose dialog waits for it; it goes on when a host runs", run("signal", BALA, "paid", "by hand"))
    kept:start(define_signalled)
    kept:settle()
    assert.are.same({ "amount 5", "by hand" }, said())
  end)

  it("keeps a signal for the dialog that will ask, and shows it", function()
    kept:start(define_signalled)
    kept:say "hello"
    kept:settle()
    assert.matches("but no dialog waits for it: it is dropped", run("signal", ASHA, "paid"))
    assert.matches("it waits for a dialog until 20%d%d", run("signal", ASHA, "paid", "7", "--keep", "1h"))
    kept:settle()
    assert.matches("\n\nCAME%s+SIGNAL%s+UNTIL%s+VALUE\n%S+ %S+%s+paid%s+%S+ %S+%s+%-\n$", kept:run("contacts", "show", ASHA).out)
    assert.matches("paid%s+%S+ %S+%s+7\n$", kept:run("contacts", "show", ASHA, "--reveal").out)
    kept:stop()
    kept:start(define_signalled)
    kept:say "order"
    kept:settle()
    assert.are.same({ "7" }, said())
    for _, words in ipairs { { "917777777777", "paid" }, { ASHA }, { ASHA, "paid", "--keep", "x" }, { ASHA, "paid", "--keep", "0" } } do
      assert.is_true(kept:run("dialogs", "signal", table.unpack(words)).code > 0)
    end
  end)

  it("signals a customer of several business numbers where a dialog waits, or the one that is named", function()
    kept:start(define_signalled)
    kept:say "order"
    kept:settle()
    local line = json.decode(kept:run("contacts", "list", "--json").out).contacts[1].phone_number_id
    kept:stop()
    sql.run(kept.path, ("INSERT INTO conversation (contact, last_inbound) VALUES (CAST('77:%s' AS BLOB), 1)"):format(ASHA))
    local result = kept:run("dialogs", "signal", ASHA, "other")
    assert.equal(1, result.code)
    assert.matches("conversations with 2 business numbers: name one, as PHONE_NUMBER_ID:NUMBER", result.err)
    run("signal", "77:" .. ASHA, "other", "--keep", "60")
    run("signal", line .. ":+91 99999-99999", "other", "--keep", "60")
    assert.matches("whose dialog waits", run("signal", ASHA, "paid", "true"))
    kept:start(define_signalled)
    kept:settle()
    assert.are.same({ "true" }, said())
    assert.equal(2, sql.value(kept.path, "SELECT count(*) FROM kept_event"))
  end)

  it("says what it does not understand", function()
    assert.equal(2, kept:run("dialogs").code)
    assert.equal(2, kept:run("dialogs", "lst").code)
    assert.equal(2, kept:run("dialogs", "show", "x").code)
    assert.matches("cunnekt dialogs %- list", kept:run("dialogs", "-h").out)
  end)

  it("takes a number as sends do, with the default country of cunnekt.conf.lua", function()
    fill()
    process.write(kept.folder.path .. "/cunnekt.conf.lua", "return { default_country = 91 }")
    for _, number in ipairs { "9999999999", "099999-99999", "+91 99999\u{2011}99999", "919999999999.0", "123456789:+91 99999 99999" } do
      assert.equal(1, #json.decode(run("list", "--json", "--contact", number)).dialogs)
    end
    assert.equal("a person has the conversation with 9199…99 now\n", run("pause", "99999 99999"))
    os.remove(kept.folder.path .. "/cunnekt.conf.lua")
    for _, words in ipairs { { "list", "--contact", "9876543210" }, { "pause", "9876543210" }, { "end", "--all", "--contact", "9.19877E+11" } } do
      local result = kept:run("dialogs", table.unpack(words))
      assert.equal(2, result.code)
      assert.matches("cunnekt dialogs: %-?%-?[%au]+ l", result.err)
      assert.not_matches("9.?1?98", result.err)
    end
  end)
end)
