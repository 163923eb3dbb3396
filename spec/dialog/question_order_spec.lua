-- SPDX-License-Identifier: MIT
-- An answer comes after its question, in the order of the store. Each case with the dialog in memory and rebuilt from its journal.

local inside = require("cunnekt.service").of
local lists = require "cunnekt.store.lists"
local samples = require "cunnekt.sandbox.samples"
local sql = require "spec.support.sql"
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"

local begin, said, say = talk.begin, talk.said, talk.say

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
    talk.all:go_round(100)
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

  it("is none of two that are tried again side by side", function()
    local fails = 0
    talk.begin(function(bot)
      bot:dialog("it", function(chat)
        local a = chat:ask "A?"
        fails = fails + 1
        if fails < 3 then
          error "boom"
        end
        chat:reply_text("got " .. a.text .. chat:ask(("B %s?"):format(a.text)).text)
      end)
    end, { on_failure = "pass" })
    talk.say "go"
    talk.say "1"
    talk.say "2"
    for _ = 1, 30 do
      talk.all:pass(1)
    end
    local first = said()[2]:match "^B (%d)%?$"
    assert.are.same({ "A?", ("B %s?"):format(first), "handler: " .. 3 - first }, said())
  end)
end)
