-- SPDX-License-Identifier: MIT
-- Which event answers a question: a new message of the kind asked for, in this conversation. Each case with the dialog in memory and
-- rebuilt from its journal.

local inside = require("cunnekt.service").of
local errors = require "cunnekt.base.errors"
local lists = require "cunnekt.store.lists"
local samples = require "cunnekt.sandbox.samples"
local sql = require "spec.support.sql"
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"

local begin, said, say, act = talk.begin, talk.said, talk.say, talk.act

-- What says nothing new to the business, by the type that handlers see.
local no_answers = {
  reaction = function() act "reaction" end,
  edit = function() act "edit" end,
  revoke = function() act "revoke" end,
  -- A changed number would be another customer's words from then on.
  system = function() act("system", { set = { ["messages.0.system.type"] = "customer_identity_changed" } }) end,
  ["of a group"] = function() act("text", { text = "in a group", set = { ["messages.0.group_id"] = "G1" } }) end,
}

for fate, befall in pairs(talk.fates) do
  describe("an answer, with the dialog " .. fate .. ",", function()
    after_each(talk.finish)

    -- What handlers were given, in the place of talk's own handler.
    local heard

    local function begin_with(fn, opts)
      heard = {}
      begin(function(bot)
        bot:dialog("it", fn, opts)
        bot:on("message", function(msg)
          if msg.text == "go" then return "next" end
          table.insert(heard, msg.group_id and "of a group" or msg.text or msg.type)
        end)
      end)
    end

    for what, happen in pairs(no_answers) do
      it("is no " .. what .. ", and neither is it a try", function()
        begin_with(function(chat)
          local answer, err = chat:ask("Number?", { tries = 2, otherwise = "A number!", check = function(msg)
            return tonumber(msg.text) ~= nil
          end })
          chat:reply_text("got " .. (answer and answer.text or err.kind))
        end)
        say "go"
        befall()
        happen()
        happen()
        say "x"
        befall()
        happen()
        say "7"
        assert.are.same({ "Number?", "A number!", "got 7" }, said())
        assert.equal(3, #heard)
      end)

      it("to any message is no " .. what, function()
        begin_with(function(chat)
          chat:reply_text("got " .. chat:wait({ any = true }).type)
        end)
        say "go"
        befall()
        happen()
        assert.are.same({}, said())
        assert.equal(1, #heard)
        act "image"
        assert.are.same({ "got image" }, said())
      end)

      for _, unexpected in ipairs { "ignore", "queue" } do
        it(("is no %s, which handlers get whatever a dialog does with what it does not expect (%s)"):format(what, unexpected), function()
          begin_with(function(chat)
            chat:ask "Name?"
            chat:reply_text("got " .. (chat:wait({ any = true, timeout = 10 }) or { type = "nothing" }).type)
          end, { unexpected = unexpected })
          say "go"
          befall()
          happen()
          assert.equal(1, #heard)
          say "Asha"
          talk.all:pass(11)
          assert.are.same({ "Name?", "got nothing" }, said())
          assert.equal(1, #heard)
        end)
      end
    end
  end)
end

-- ---- taps ------------------------------------------------------------------------------------------------------------------

local choices = { { id = "yes", title = "Yes" }, { id = "no", title = "No" } }
local first, second = "First? [yes] [no]", "Second? [yes] [no]"

local function ask(chat, body, more)
  local given = { body = body, buttons = choices }
  for name, value in pairs(more or {}) do
    given[name] = value
  end
  return chat:ask_buttons(given)
end

local function tap(id, on)
  act("button", { id = id, title = id, on = on })
end

-- Answers taps that no dialog takes.
local function hear_taps(bot)
  bot:on("button", function(msg)
    msg:reply_text(("heard %s %s"):format(msg.reply.id, tostring(msg.stale)))
  end)
end

local function begin_asking(fn, opts, bot_opts)
  begin(function(bot)
    bot:dialog("it", fn, opts)
    hear_taps(bot)
  end, bot_opts)
end

local function ask_twice(chat)
  local a = ask(chat, "First?")
  local b = ask(chat, "Second?")
  chat:reply_text(("got %s %s"):format(a.reply.id, b.reply.id))
end

for fate, befall in pairs(talk.fates) do
  describe("a tap, with the dialog " .. fate .. ",", function()
    after_each(talk.finish)

    it("on an older question's button does not answer the newer one", function()
      begin_asking(ask_twice)
      say "go"
      befall()
      tap("yes", first)
      befall()
      tap("no", first)
      tap("yes", first)
      befall()
      tap("no", second)
      assert.are.same({ first, second, "heard no true", "heard yes true", "got yes no" }, said())
      tap("yes", second)
      assert.equal("heard yes nil", said()[#said()])
    end)

    it("on any copy of a question answers it, and one without a message as well", function()
      for _, on in ipairs { first, false } do
        begin_asking(function(chat)
          chat:reply_text("got " .. ask(chat, "First?").reply.id)
        end)
        say "go"
        local copy = talk.all:id_of(talk.customer, first)
        befall()
        tap("maybe", first)
        befall()
        assert.are_not.equal(copy, talk.all:id_of(talk.customer, first))
        act("button", { id = "yes", context = on and copy or nil })
        assert.are.same({ first, first, "got yes" }, said())
        if on then
          talk.finish()
        end
      end
    end)

    it("on an older message is no try", function()
      begin_asking(function(chat)
        ask(chat, "First?")
        local b, err = ask(chat, "Second?", { tries = 2, otherwise = "Tap, please." })
        chat:reply_text("got " .. (b and b.reply.id or err.kind))
      end)
      say "go"
      tap("yes", first)
      befall()
      tap("no", first)
      say "x"
      tap("no", first)
      tap("no", second)
      assert.are.same({ first, second, "heard no true", "Tap, please.", "heard no true", "got no" }, said())
    end)

    for _, unexpected in ipairs { "ignore", "queue" } do
      it("on an older message is the handlers', also where a dialog says " .. unexpected, function()
        begin_asking(ask_twice, { unexpected = unexpected })
        say "go"
        tap("yes", first)
        befall()
        tap("no", first)
        tap("no", second)
        assert.are.same({ first, second, "heard no true", "got yes no" }, said())
      end)
    end

    it("goes to the dialog whose question it is on", function()
      begin(function(bot)
        for name, body in pairs { it = "First?", other = "Second?" } do
          bot:dialog(name, function(chat)
            chat:reply_text(name .. " got " .. ask(chat, body).reply.id)
          end)
        end
        hear_taps(bot)
      end)
      say "go"
      talk.all:pass(1)
      talk.all:finish(function()
        assert(talk.bot:start(talk.customer, "other", nil, { phone_number_id = samples.PHONE_NUMBER_ID }))
      end)
      talk.all:settle()
      befall()
      tap("no", first)
      tap("yes", second)
      assert.are.same({ first, second, "it got no", "other got yes" }, said())
    end)

    it("is still an older one to a handler that waits", function()
      begin(function(bot)
        bot:dialog("it", ask_twice)
        bot:on("button", function(msg)
          local answer = msg.chat:ask "Did you mean it?"
          msg:reply_text(("%s %s"):format(answer.text, tostring(msg.stale)))
        end)
      end)
      say "go"
      tap("yes", first)
      tap("no", first)
      befall()
      say "well"
      assert.are.same({ first, second, "Did you mean it?", "well true" }, said())
    end)
  end)
end

describe("a tap", function()
  after_each(talk.finish)

  it("is taken for an answer where the wait was stored by a version that noted no messages", function()
    begin_asking(ask_twice)
    say "go"
    tap("yes", first)
    talk.all:restart()
    local path = talk.all.folder.path .. "/dialogs.db"
    talk.all:finish(function() talk.bot:stop(0) end)
    sql.run(path, "UPDATE dialog SET waiting = CAST(json_remove(CAST(waiting AS TEXT), '$.asked') AS BLOB)")
    talk.all:start()
    tap("no", first)
    assert.are.same({ first, second, "got yes no" }, said())
  end)

  -- The provider takes messages, and answers only when it is let.
  local function begin_holding()
    local held = {}
    begin(function(bot)
      bot:dialog("it", ask_twice)
      hear_taps(bot)
      bot.client.transmit = function(_, payload)
        local result = talk.all:take(payload)
        if payload.body == "Second?" then
          task.await(function(done) held[#held + 1] = done end)
        end
        return result
      end
    end)
    say "go"
    talk.all:act(talk.customer, { type = "button", id = "yes", title = "yes", on = first })
    local function turn()
      for _ = 1, 100 do
        talk.all:turn_wheel()
      end
    end
    turn()
    return turn, function()
      held[1]()
      talk.all:settle()
    end
  end

  it("waits for the response that tells whether it is on the question", function()
    local turn, release = begin_holding()
    talk.all:act(talk.customer, { type = "button", id = "no", title = "no", on = second })
    turn()
    assert.are.same({ first, second }, said())
    release()
    assert.are.same({ first, second, "got yes no" }, said())
  end)

  it("on an older message of the bot waits for nothing", function()
    local turn, release = begin_holding()
    talk.all:act(talk.customer, { type = "button", id = "no", title = "no", on = first })
    turn()
    assert.equal(1, #talk.stored())
    assert.equal(0, inside(talk.bot).inbox:count())
    release()
    assert.are.same({ first, second, "heard no true" }, said())
  end)

  it("answers a question whose delivery is uncertain, unless it is known to be on another message", function()
    local ids = {}
    begin_asking(ask_twice, nil, { unknown = "hold" })
    local transmit = talk.bot.client.transmit
    talk.bot.client.transmit = function(client, payload)
      local result = transmit(client, payload)
      if payload.body == "Second?" then
        ids[1] = result.message_id
        return nil, errors.new("unknown_outcome", "the response was lost")
      end
      return result
    end
    say "go"
    tap("yes", first)
    tap("no", first)
    tap("no", second)
    assert.equal(talk.all:id_of(talk.customer, second), ids[1])
    assert.are.same({ first, second, "heard no true", "got yes no" }, said())
  end)
end)

-- ---- order -----------------------------------------------------------------------------------------------------------------

-- Everything that comes of several texts that are stored before the first of them is handled.
local function say_at_once(...)
  for _, text in ipairs { ... } do
    talk.all:act(talk.customer, { type = "text", text = text })
  end
  talk.all:settle()
end

local function ask_names(chat)
  local a = chat:ask "First name?"
  local b = chat:ask("Last name?", { check = function(msg) return msg.text ~= "x", "No x." end })
  chat:reply_text(("got %s %s"):format(a.text, b.text))
end

local function begin_dialog(fn, opts)
  begin(function(bot)
    bot:dialog("it", fn, opts)
  end)
end

for fate, befall in pairs(talk.fates) do
  describe("a message, with the dialog " .. fate .. ",", function()
    after_each(talk.finish)

    it("from before the question does not answer it", function()
      begin_dialog(ask_names)
      say_at_once("go", "early")
      assert.are.same({ "First name?", "handler: early" }, said())
      befall()
      say_at_once("Asha", "early again")
      befall()
      say "Rao"
      assert.are.same({ "First name?", "handler: early", "Last name?", "handler: early again", "got Asha Rao" }, said())
    end)

    it("that came after the question answers it, also where one before it was no valid answer", function()
      begin_dialog(ask_names)
      say "go"
      say "Asha"
      befall()
      say_at_once("x", "Rao")
      assert.are.same({ "First name?", "Last name?", "No x.", "got Asha Rao" }, said())
    end)

    it("from before a question is kept for it by a dialog that queues", function()
      begin_dialog(ask_names, { unexpected = "queue" })
      say_at_once("go", "Asha")
      befall()
      say "Rao"
      assert.are.same({ "First name?", "Last name?", "got Asha Rao" }, said())
    end)

    it("from before a question is dropped by a dialog that ignores", function()
      begin_dialog(ask_names, { unexpected = "ignore" })
      say_at_once("go", "early")
      befall()
      say "Asha"
      say "Rao"
      assert.are.same({ "First name?", "Last name?", "got Asha Rao" }, said())
    end)

    it("that was not handled yet is taken by chat:wait, which asks nothing", function()
      begin_dialog(function(chat)
        local got = {}
        for i = 1, 3 do
          got[i] = chat:wait({ reply = true }).text
        end
        chat:reply_text("got " .. table.concat(got, " "))
      end)
      say_at_once("go", "a")
      befall()
      say_at_once("b", "c")
      assert.are.same({ "got a b c" }, said())
    end)

    it("from before a question that chat:back asks again does not answer it", function()
      begin(function(bot)
        bot:dialog("it", ask_names)
        bot:global("back", function(msg) msg.chat:back() end)
      end)
      say "go"
      say "Asha"
      befall()
      say_at_once("back", "early")
      befall()
      say "Ravi"
      say "Rao"
      assert.are.same({ "First name?", "Last name?", "handler: early", "First name?", "Last name?", "got Ravi Rao" }, said())
    end)

    it("from before the question of a newer dialog may answer that of an older one", function()
      begin(function(bot)
        bot:dialog("it", ask_names)
        bot:dialog("newer", function(chat)
          chat:reply_text("newer got " .. chat:ask("Age?").text)
        end)
        bot:global("now", function(msg) msg:start "newer" end)
      end)
      say "go"
      talk.all:pass(1)
      befall()
      say_at_once("now", "Asha")
      befall()
      say "7"
      assert.are.same({ "First name?", "Age?", "Last name?", "newer got 7" }, said())
    end)

    it("of one webhook comes before the question that another message of it leads to", function()
      begin_dialog(ask_names)
      local body = samples.build("text", { text = "go", from = talk.customer, message_id = "wamid.a", timestamp = 1700000000 })
      local more = samples.build("text", { text = "early", from = talk.customer, message_id = "wamid.b", timestamp = 1700000000 })
      body.messages[2] = more.messages[1]
      talk.all:post(body)
      talk.all:settle()
      befall()
      say "Asha"
      assert.are.same({ "First name?", "handler: early", "Last name?" }, said())
    end)
  end)
end

describe("a message", function()
  after_each(talk.finish)

  it("from before the question is known after a kill between the commit that asks and anything else", function()
    local is_cut = true
    begin(function(bot)
      bot:dialog("it", ask_names)
      local store = inside(bot).store
      local commit_turn = store.commit_turn
      function store.commit_turn(self, change)
        local ok, err = commit_turn(self, change)
        if ok and change.run and is_cut then
          task.await(function() end) -- it never goes on
        end
        return ok, err
      end
    end)
    talk.all:act(talk.customer, { type = "text", text = "go" })
    talk.all:act(talk.customer, { type = "text", text = "early" })
    for _ = 1, 100 do
      talk.all:turn_wheel()
    end
    assert.are.same({}, said())
    is_cut = false
    talk.all:kill()
    talk.all:settle()
    assert.are.same({ "First name?", "handler: early" }, said())
    say "Asha"
    assert.equal("Last name?", said()[3])
  end)

  it("is taken for an answer where the question was asked by a version that noted no order", function()
    begin_dialog(ask_names)
    say "go"
    talk.all:finish(function() talk.bot:stop(0) end)
    sql.run(talk.all.folder.path .. "/dialogs.db", "UPDATE dialog SET asked = NULL")
    talk.all:start()
    say "Asha"
    assert.equal("Last name?", said()[2])
  end)

  it("that became a dead letter before the question does not answer it when it is tried again", function()
    local is_broken = true
    begin(function(bot)
      bot:dialog("it", ask_names)
      bot:on("text", "^old", function(msg)
        assert(not is_broken, "no luck")
        msg:reply_text "old, handled"
      end)
    end, { attempts = 1 })
    say "old"
    say "go"
    is_broken = false
    local store = inside(talk.bot).store
    local dead
    talk.all:finish(function()
      dead = lists.events(store, "dead", {})[1]
      store:repair("requeue_event", { ids = { dead.id } })
    end)
    inside(talk.bot).inbox:retry_first(dead.id, talk.contact, dead.seq)
    talk.all:settle()
    assert.are.same({ "First name?", "old, handled" }, said())
  end)
end)

describe("what is written in a group", function()
  after_each(talk.finish)

  local group = { ["messages.0.group_id"] = "G1" }

  it("opens and extends no service window", function()
    local windows = {}
    begin(function(bot)
      bot:on("text", function(msg)
        windows[#windows + 1] = msg.chat:window()
      end)
    end)
    act("text", { text = "a", set = group })
    say "b"
    talk.all:pass(3600)
    act("text", { text = "c", set = group })
    assert.equal(0, windows[1])
    assert.is_true(windows[2] > 86000 and windows[3] < 83000)
  end)

  it("is not joined with texts of the sender's own conversation", function()
    local heard = {}
    begin(function(bot)
      bot:on("text", function(msg)
        heard[#heard + 1] = msg.text
      end, { debounce = 2 })
    end)
    for i, set in ipairs { false, false, group, group, false } do
      talk.all:act(talk.customer, { type = "text", text = tostring(i), set = set or nil })
    end
    talk.all:settle()
    for _ = 1, 3 do
      talk.all:pass(3)
    end
    assert.are.same({ "1\n2", "3\n4", "5" }, heard)
  end)
end)
