-- SPDX-License-Identifier: MIT
-- Questions that their customer does not get: chat:ask returns why, or, where nobody knows, the shop hears of it.

local inside = require("cunnekt.service").of
local errors = require "cunnekt.base.errors"
local fake_client = require "spec.support.fake_client"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local samples = require "cunnekt.sandbox.samples"
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"

-- Shows what a question returned.
local function show(chat, answer, err)
  chat:reply_text(answer and "got " .. (answer.text or answer.type) or ("%s %s"):format(err.kind, err.code))
end

-- The provider answers to a message with these words with an error; the first time when `hold.go` is called, if there is a `hold`.
local function refuse(bot, words, err, hold)
  fake_client.wrap(bot.client, function(ask, payload)
    if (payload.text or payload.body or payload.templateid) ~= words then
      return ask()
    elseif hold and not hold.go then
      task.await(function(done)
        hold.go = done
      end)
    end
    return nil, err
  end)
end

local refused = errors.new("rejected", "no such user", { code = 131026, sent = true })

describe("a question whose message is refused", function()
  after_each(talk.finish)

  local function define(err, opts, dialog_opts)
    return function(bot)
      refuse(bot, "Name?", err)
      bot:dialog("it", function(chat)
        show(chat, chat:ask("Name?", opts))
        show(chat, chat:ask "Age?")
      end, dialog_opts)
    end
  end

  it("returns why", function()
    assert.are.same({ "rejected 131026", "Age?", "got 42" }, talk.play(define(refused), { "go", "42" }))
  end)

  it("does so for buttons, with reminders, and in a dialog that keeps messages for later", function()
    local said = talk.play(function(bot)
      refuse(bot, "Pick", refused)
      bot:dialog("it", function(chat)
        show(chat, chat:ask_buttons {
          body = "Pick", buttons = { { id = "a", title = "A" } }, remind = { after = 60, text = "Hello?" }, timeout = 600,
        })
        show(chat, chat:ask "Age?")
      end, { unexpected = "queue" })
    end, { "go", 60, "42" })
    assert.are.same({ "rejected 131026", "Age?", "got 42" }, said)
  end)

  it("does so in a handler", function()
    talk.begin(function(bot)
      refuse(bot, "Name?", refused)
      bot:on("text", "^handle", function(msg)
        show(msg.chat, msg.chat:ask "Name?")
      end)
    end)
    talk.say "handle"
    assert.are.same({ "rejected 131026" }, talk.said())
  end)

  it("says that the window is closed, or sends the template", function()
    local closed = errors.new("window_closed", "too late", { sent = true })
    assert.are.same({ "window_closed nil", "Age?" }, talk.play(define(closed), { "go" }))
    local said = talk.play(define(closed, { fallback = { template_id = "55" } }), { "go", "Asha" })
    assert.are.same({ "55", "got Asha", "Age?" }, said)
  end)

  it("says that its outcome is unknown where the script wants that to be a failure", function()
    local lost = errors.new("unknown_outcome", "the answer was lost", { sent = true })
    assert.are.same({ "unknown_outcome nil", "Age?" }, talk.play(define(lost, { unknown = "fail" }), { "go" }))
  end)

  it("says that it has expired", function()
    local down = errors.new("network", "no connection")
    talk.begin(define(down, { expires = 100 }))
    talk.say "go"
    for _ = 1, 10 do
      talk.all:pass(60)
    end
    assert.are.same({ "expired nil", "Age?" }, talk.said())
  end)

  for name, disturb in pairs {
    evicted = function(hold)
      inside(talk.bot).dialogs:evict_all()
      hold.go()
    end,
    killed = function()
      talk.all:kill() -- the message is sent again, as the rig's bots do
    end,
  } do
    it("returns why to a dialog that was " .. name .. " meanwhile", function()
      local hold, is_disturbed = {}, false
      talk.begin(function(bot)
        refuse(bot, "Name?", refused, hold)
        bot:dialog("it", function(chat)
          show(chat, chat:ask "Name?")
        end)
      end)
      talk.all:act(talk.customer, { type = "text", text = "go" })
      talk.all:settle(function()
        if hold.go and not is_disturbed then
          is_disturbed = true
          disturb(hold)
        end
      end)
      assert.are.same({ "rejected 131026" }, talk.said())
    end)
  end

  it("is not mixed up with an earlier one, or with a message that is no question", function()
    local said = talk.play(function(bot)
      refuse(bot, "by the way", refused)
      bot:dialog("it", function(chat)
        show(chat, chat:ask "Name?")
        chat:reply_text "by the way"
        show(chat, chat:ask "Age?")
      end)
    end, { "go", "Asha", "42" })
    assert.are.same({ "Name?", "got Asha", "Age?", "got 42" }, said)
  end)

  it("that is asked again returns why, too", function()
    talk.begin(function(bot)
      refuse(bot, "A number.", refused)
      bot:dialog("it", function(chat)
        show(chat, chat:ask("Age?", { otherwise = "A number.", check = function(msg)
          return tonumber(msg.text) ~= nil
        end }))
      end)
    end)
    talk.say "go"
    talk.say "old"
    assert.are.same({ "Age?", "rejected 131026" }, talk.said())
  end)
end)

describe("a question that is reported as failed", function()
  after_each(talk.finish)

  local function fail(id, code)
    talk.all:post(samples.status("failed", { from = talk.customer, id = id, code = code }))
    talk.all:settle()
  end

  local function begin()
    talk.begin(function(bot)
      bot:dialog("it", function(chat)
        show(chat, chat:ask "Name?")
        show(chat, chat:ask "Age?")
      end)
    end)
    talk.say "go"
  end

  it("returns why, from memory and from the journal", function()
    begin()
    fail("wamid.out1", 131026)
    assert.are.same({ "Name?", "rejected 131026", "Age?" }, talk.said())
    talk.all:kill()
    fail("wamid.out3", 131047)
    assert.are.same({ "Name?", "rejected 131026", "Age?", "window_closed 131047" }, talk.said())
  end)

  -- Whether it waits in memory, or the process ended meanwhile.
  for name, fate in pairs(talk.fates) do
    it("since the window is closed is asked by its fallback, " .. name, function()
      talk.begin(function(bot)
        bot:dialog("it", function(chat)
          show(chat, chat:ask("Name?", { fallback = { template_id = "55" } }))
          show(chat, chat:ask("Age?", { fallback = { template_id = "56" } }))
        end)
      end)
      talk.say "go"
      fate()
      fail("wamid.out1", 131047)
      assert.are.same({ "Name?", "55" }, talk.said())
      fail("wamid.out1", 131047) -- the same once more
      fate()
      talk.say "Asha"
      assert.are.same({ "Name?", "55", "got Asha", "Age?" }, talk.said())
      fail("wamid.out4", 131047)
      fail("wamid.out5", 131047)
      assert.are.same({ "Name?", "55", "got Asha", "Age?", "56", "window_closed 131047" }, talk.said())
    end)
  end

  it("and was answered is answered", function()
    begin()
    talk.say "Asha"
    fail("wamid.out1", 131026)
    talk.say "42"
    assert.are.same({ "Name?", "got Asha", "Age?", "got 42" }, talk.said())
  end)
end)

describe("a question that was being sent when the program was killed", function()
  after_each(talk.finish)

  it("is named in the log of the next start, and can be answered", function()
    local hold, is_killed = {}, false
    talk.begin(function(bot)
      refuse(bot, "Name?", refused, hold)
      bot:dialog("it", function(chat)
        show(chat, chat:ask "Name?")
      end)
    end, { unknown = "hold" })
    talk.all:act(talk.customer, { type = "text", text = "go" })
    talk.all:settle(function()
      if hold.go and not is_killed then
        is_killed = true
        talk.all:kill()
      end
    end)
    local dialog = talk.stored()[1]
    local line = ("the dialog %d 'it' waits for the answer to message %d"):format(dialog.id, dialog.waiting.question)
    assert.is_truthy(talk.logged():find(line, 1, true), talk.logged())
    talk.say "Asha"
    assert.are.same({ "got Asha" }, talk.said())
  end)
end)

describe("a question that is held because nobody knows whether it arrived", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function texts()
    local list = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 100)) do
      if entry.direction == "out" then
        list[#list + 1] = entry.payload.text
      end
    end
    return list
  end

  local heard

  local function start(timeout)
    heard = {}
    kept:start(function(bot)
      bot:dialog("order", function(chat)
        show(chat, chat:ask("Which?", { timeout = timeout, track = { question = 1 } }))
      end)
      bot:on("text", "^order", function(msg)
        msg:start "order"
      end)
      bot:on("unknown_outcome", function(event)
        heard[#heard + 1] = event.track.question
      end)
    end)
  end

  local function begin(timeout)
    start(timeout)
    kept:fault { kind = "reset", count = 1, accept = false }
    kept:say "order"
    return kept:wait_for_messages("unknown", 1)[1].id
  end

  local function run(...)
    local result = kept:run(...)
    assert.equal(0, result.code, result.err)
    return result.out
  end

  it("is named in the log, with its dialog and what to do, and tells the script", function()
    local id = begin()
    local dialog = json.decode(run("dialogs", "list", "--json")).dialogs[1]
    kept:wait_for("the log", function()
      local line = ("error: the dialog %d 'order' waits for the answer to message %d, which may not have arrived"):format(dialog.id, id)
      local log = table.concat(kept.lines, "\n")
      return log:find(line, 1, true) and log:find(("`cunnekt outbox retry --yes %d`"):format(id), 1, true)
    end)
    kept:wait_for("the handler", function()
      return heard[1] == 1
    end)
  end)

  it("is listed with its dialog, by a running host and by none, until it is sent", function()
    local id = begin()
    for _ = 1, 2 do
      local dialog = json.decode(run("dialogs", "list", "--json")).dialogs[1]
      assert.are.same({ message = id, state = "unknown" }, dialog.question)
      assert.matches(" held +text, question unknown ", run("dialogs", "list"))
      assert.matches(("question: +message %d is unknown"):format(id), run("dialogs", "show", tostring(dialog.id)))
      kept:stop()
    end
    start()
    run("outbox", "retry", "--yes", tostring(id))
    kept:wait_for("the question", function()
      return texts()[1]
    end)
    kept:settle()
    assert.matches(" waiting +text ", run("dialogs", "list"))
    kept:say "tea"
    kept:wait_for("the answer", function()
      return texts()[2]
    end)
    assert.are.same({ "Which?", "got tea" }, texts())
  end)

  it("can be answered, for the customer may have it", function()
    begin()
    kept:say "tea"
    kept:wait_for("the answer", function()
      return texts()[1]
    end)
    assert.are.same({ "got tea" }, texts())
  end)

  it("times out as any other", function()
    begin(0.2)
    kept:wait_for("the timeout", function()
      return texts()[1]
    end)
    assert.are.same({ "timeout nil" }, texts())
  end)

  it("is shown as dropped when an operator dropped it", function()
    local id = begin()
    run("outbox", "drop", tostring(id))
    assert.matches("text, question dropped", run("dialogs", "list"))
  end)
end)
