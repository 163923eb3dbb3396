-- SPDX-License-Identifier: MIT
-- The functions of bot:use around all that the script sees of a customer: handlers, commands, and what dialogs get. Each
-- conversation is led twice: with dialogs in memory, and with a bot that is killed after each message.

local inside = require("cunnekt.service").of
local lists = require "cunnekt.store.lists"
local talk = require "spec.support.rigs.talk"

local begin, say, said, stored = talk.begin, talk.say, talk.said, talk.stored

local function state()
  return talk.bot:chat(talk.customer).state
end

-- bot:use, for messages alone: it is called for statuses as well.
local function use(its_bot, fn)
  its_bot:use(function(event, next)
    if event.kind ~= "message" then
      return next()
    end
    return fn(event, next)
  end)
end

local function count_dead()
  return lists.count_dead_letters(inside(talk.bot).store).dead
end

describe("bot:use", function()
  after_each(talk.finish)

  -- A dialog that asks twice, and keeps its state in a local.
  local function asks_twice(its_bot)
    its_bot:dialog("it", function(chat)
      local kept = chat.state
      local one = chat:ask("one?").text
      kept.one = one .. (kept.mark or "")
      local two = chat:ask("two?").text
      chat:reply_text(("%s %s %s"):format(kept.one, two, chat.state.mark))
    end)
  end

  for _, way in ipairs { "in memory", "rebuilt" } do
    describe("around dialogs that are " .. way, function()
      local function then_say(...)
        for _, text in ipairs { ... } do
          if way == "rebuilt" then
            talk.all:kill()
          end
          say(text)
        end
      end

      it("closes the gate in every state", function()
        begin(function(its_bot)
          use(its_bot, function(event, next)
            local kept = event.chat.state
            if event.text == "STOP" then
              kept.is_out = true
              return
            elseif event.text == "START" then
              kept.is_out = nil
            end
            if not kept.is_out then
              return next()
            end
          end)
          asks_twice(its_bot)
          its_bot:global("hello", function(msg)
            msg:reply_text "hello"
          end, { even_paused = true })
        end)
        then_say("STOP", "hi", "hello", "go", "START", "go", "STOP", "a", "hello")
        assert.are.same({ "handler: START", "one?" }, said())
        then_say("START", "b", "STOP", "go") -- the first one let itself pass, and was the answer
        assert.are.same({ "handler: START", "one?", "two?", "START b nil" }, said())
        talk.bot:chat(talk.customer):pause()
        then_say "hello"
        assert.equal(4, #said())
        talk.bot:chat(talk.customer):resume()
        then_say "START"
        talk.bot:chat(talk.customer):pause()
        then_say "hello"
        assert.are.same({ "handler: START", "hello" }, { table.unpack(said(), 5) })
      end)

      it("is called around each answer, in order, and what it says joins the turn", function()
        begin(function(its_bot)
          for _, name in ipairs { "outer", "inner" } do
            use(its_bot, function(msg, next)
              msg:reply_text(name .. " before " .. msg.text)
              next()
              msg:reply_text(name .. " after " .. msg.text)
            end)
          end
          asks_twice(its_bot)
        end)
        then_say("go", "a", "b")
        assert.are.same({
          "outer before go", "inner before go", "inner after go", "outer after go", "one?",
          "outer before a", "inner before a", "two?", "inner after a", "outer after a",
          "outer before b", "inner before b", "a b nil", "inner after b", "outer after b",
        }, said())
        assert.are.same({}, stored())
      end)

      it("leaves the dialog waiting without a call of next, until its time is over", function()
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            return msg.text ~= "ignored" and next() or nil
          end)
          its_bot:dialog("it", function(chat)
            local answer = chat:ask("?", { timeout = 60 })
            chat:reply_text(answer and "answered" or "too late")
          end)
        end)
        then_say("go", "ignored")
        talk.all:pass(59)
        then_say "ignored"
        assert.are.same({ "?" }, said())
        talk.all:pass(1)
        assert.are.same({ "?", "too late" }, said())
      end)

      it("shares chat.state with the dialog, both ways", function()
        local seen = {}
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            local kept = msg.chat.state
            kept.mark = "+" .. msg.text
            kept.count = (kept.count or 0) + 1
            next()
            seen[#seen + 1] = kept.one
            kept.after = (kept.after or "") .. msg.text
          end)
          asks_twice(its_bot)
        end)
        then_say("go", "a", "b")
        assert.equal("a+a b +b", said()[3])
        assert.are.same({ mark = "+b", count = 3, one = "a+a", after = "goab" }, state())
        assert.are.same({ "a+a", "a+a" }, seen)
      end)

      it("keeps what it changes where the dialog does not look at it, and where it ends", function()
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            its_bot.store:increment "messages"
            msg.chat.state.last = msg.text
            return next()
          end)
          its_bot:dialog("it", function(chat)
            chat:reply_text(chat:ask("?").text .. its_bot.store:get "messages")
          end)
        end)
        then_say("go", "a")
        assert.are.same({ "?", "a2" }, said())
        assert.are.same({ last = "a" }, state())
        then_say("go", "b", "c")
        assert.are.same({ "?", "a2", "?", "b4", "handler: c" }, said())
      end)

      it("shares chat.state across a commit in the middle of the turn", function()
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            local kept = msg.chat.state
            kept.before = msg.text
            next()
            kept.after = (kept.in_step or "") .. msg.text
          end)
          its_bot:dialog("it", function(chat)
            local answer = chat:ask "?"
            chat.state.in_step = answer.text
            chat:step("commits", function() end)
            chat:reply_text(chat.state.before .. tostring(chat.state.after))
            chat:ask "??"
          end)
        end)
        then_say("go", "a")
        assert.are.same({ "?", "ago", "??" }, said())
        assert.are.same({ before = "a", in_step = "a", after = "aa" }, state())
        then_say "b"
        assert.are.same({ before = "b", in_step = "a", after = "ab" }, state())
      end)

      it("does not change the message that the dialog gets", function()
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            msg.text, msg.note = msg.text:lower(), "noted"
            return next()
          end)
          asks_twice(its_bot)
          its_bot:on("text", "^note$", function(msg)
            msg:reply_text(msg.note)
          end)
        end)
        then_say("GO", "A", "B", "NOTE")
        assert.are.same({ "one?", "two?", "A B nil", "noted" }, said())
      end)

      it("sees what a dialog would ignore or keep, too", function()
        local seen = {}
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            seen[#seen + 1] = msg.text or msg.type
            return msg.text ~= "no" and next() or nil
          end)
          for _, unexpected in ipairs { "queue", "ignore" } do
            its_bot:dialog(unexpected, function(chat)
              chat:wait { signal = "on" }
              chat:reply_text(unexpected == "queue" and chat:ask("?").text or "ignored")
            end, { unexpected = unexpected })
            its_bot:on("text", "^" .. unexpected .. "$", function(msg)
              msg:start(unexpected)
            end)
          end
        end)
        then_say("ignore", "a", "no")
        talk.bot:signal(talk.customer, "on")
        talk.all:settle()
        then_say("queue", "no", "b")
        talk.bot:signal(talk.customer, "on")
        talk.all:settle()
        assert.are.same({ "ignored", "?", "b" }, said())
        assert.are.same({ "ignore", "a", "no", "queue", "no", "b" }, seen)
      end)

      it("starts a dialog in place of the answer", function()
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            if msg.text == "terms" then
              return msg:start "terms"
            end
            return next()
          end)
          asks_twice(its_bot)
          its_bot:dialog("terms", function(chat)
            chat:reply_text("terms: " .. chat:ask("agree?").text)
          end)
        end)
        then_say("go", "terms", "yes", "a", "b")
        assert.are.same({ "one?", "agree?", "terms: yes", "two?", "a b nil" }, said())
      end)

      it("ends the dialog before it gets the answer, or after", function()
        local count
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            if msg.text == "end" then
              msg:reply_text("ended: " .. msg.chat:cancel())
              return
            end
            next()
            if msg.text == "last" then
              count = msg.chat:cancel()
            end
          end)
          asks_twice(its_bot)
        end)
        then_say("go", "a", "end", "hi", "go", "last", "hi")
        assert.are.same({ "one?", "two?", "ended: 1", "handler: hi", "one?", "two?", "handler: hi" }, said())
        assert.equal(1, count)
        assert.are.same({}, stored())
      end)

      it("goes back where the dialog does", function()
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            msg.chat.state.mark = msg.text
            return next()
          end)
          its_bot:dialog("it", function(chat)
            local one = chat:ask("one?").text
            local two = chat:ask("two?").text
            if two == "back" then
              chat:back()
            end
            chat:reply_text(one .. two .. chat.state.mark)
          end)
        end)
        then_say("go", "a", "back", "b", "c")
        assert.are.same({ "one?", "two?", "one?", "two?", "bcc" }, said())
      end)

      -- ---- failures --------------------------------------------------------------------------------------------------

      local function failing(its_bot, where)
        use(its_bot, function(msg, next)
          msg.chat.state.tries = (msg.chat.state.tries or 0) + 1
          local is_it = msg.text == "a" and (where.times or 1) > where.count
          where.count = where.count + (is_it and 1 or 0)
          msg:reply_text "around"
          if is_it and where.place == "before" then
            error "broken before"
          end
          next()
          if is_it and where.place == "after" then
            error "broken after"
          end
        end)
        asks_twice(its_bot)
      end

      for _, place in ipairs { "before", "after" } do
        it("fails the turn, and all of it is done again once: " .. place, function()
          begin(function(its_bot)
            failing(its_bot, { place = place, count = 0, times = 1 })
          end)
          -- Each life counts its failures anew, so nothing is killed while the event is retried.
          then_say("go", "a")
          talk.all:pass(2)
          say "b"
          assert.are.same({ "around", "one?", "around", "two?", "around", "a b nil" }, said())
          assert.equal(3, state().tries)
          assert.matches("broken " .. place, talk.logged())
        end)

        it("becomes a dead letter in the end, and the dialog goes on waiting: " .. place, function()
          begin(function(its_bot)
            failing(its_bot, { place = place, count = 0, times = math.huge })
          end)
          then_say("go", "a")
          for _ = 1, 4 do
            talk.all:pass(65)
          end
          assert.equal(1, count_dead())
          assert.are.same({ "around", "one?" }, said())
          then_say("x", "y")
          assert.equal("x y nil", said()[#said()])
        end)
      end

      it("cannot hide that the dialog has failed", function()
        local is_broken, caught = true, nil
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            msg:reply_text "around"
            caught = select(2, pcall(next))
          end)
          its_bot:dialog("it", function(chat)
            local answer = chat:ask "?"
            if is_broken then
              is_broken = false
              error "no luck"
            end
            chat:reply_text(answer.text)
          end)
        end)
        then_say("go", "a")
        assert.matches("no luck", tostring(caught))
        talk.all:pass(2)
        assert.are.same({ "around", "?", "around", "a" }, said())
      end)

      it("is called again after a conflict, for what others have changed", function()
        local is_first = true
        begin(function(its_bot)
          use(its_bot, function(msg, next)
            local count = its_bot.store:get("count", 0)
            if msg.text == "a" and is_first then
              is_first = false
              inside(its_bot).store:commit_turn { values = { { key = "count", value = "10" } } }
            end
            its_bot.store:set("count", count + 1)
            return next()
          end)
          asks_twice(its_bot)
        end)
        then_say("go", "a", "b")
        assert.are.same({ "one?", "two?", "a b nil" }, said())
        assert.equal(12, talk.bot.store:get "count")
      end)
    end)
  end

  -- ---- what it may not do ----------------------------------------------------------------------------------------------

  local function refused(fn)
    local message
    begin(function(its_bot)
      use(its_bot, function(msg, next)
        if msg.text ~= "go" and msg.text ~= "x" then
          local _, failure = pcall(fn, msg, next)
          message = tostring(failure)
          return
        end
        return next()
      end)
      asks_twice(its_bot)
    end)
    say "go"
    say "a"
    return message
  end

  for name, wait in pairs {
    ["chat:ask"] = function(msg)
      msg.chat:ask "?"
    end,
    ["chat:wait"] = function(msg)
      msg.chat:wait { signal = "on" }
    end,
    ["chat:sleep"] = function(msg)
      msg.chat:sleep(5)
    end,
    ["chat:step"] = function(msg)
      msg.chat:step("it", print)
    end,
    ["sent:wait"] = function(msg)
      msg:reply_text("hi"):wait "accepted"
    end,
  } do
    it("cannot wait around an answer: " .. name, function()
      assert.matches(name .. ": a function of bot:use cannot wait around an answer", refused(wait), 1, true)
    end)
  end

  it("passes a message on once, at once, and outside of coroutines of the script", function()
    local later
    assert.matches("^spec/dialog/wrapping_spec.lua:%d+: bot:use: next%(%) was called twice", refused(function(_, next)
      next()
      next()
    end))
    talk.finish()
    assert.matches("next() cannot be called in a coroutine", refused(function(_, next)
      assert(coroutine.resume(coroutine.create(next)))
    end), 1, true)
    talk.finish()
    refused(function(_, next)
      later = next
    end)
    assert.matches("next() was called after the function had returned", select(2, pcall(later)), 1, true)
    assert.are.same({ "one?" }, said())
    say "x"
    assert.are.same({ "one?", "two?" }, said())
  end)

  it("cannot pass on what it has ended the dialog for", function()
    assert.matches("was ended before next()", refused(function(msg, next)
      msg.chat:cancel()
      next()
    end), 1, true)
  end)

  it("cannot yield, as no handler can", function()
    begin(function(its_bot)
      use(its_bot, function(msg, next)
        if msg.text == "a" then
          coroutine.yield()
        end
        return next()
      end)
      asks_twice(its_bot)
    end)
    say "go"
    say "a"
    assert.matches("coroutine.yield outside of a coroutine that the script created", talk.logged())
    for _ = 1, 4 do
      talk.all:pass(65)
    end
    say "b"
    assert.are.same({ "one?", "two?" }, said())
  end)

  it("wraps neither timers nor signals", function()
    local seen = 0
    begin(function(its_bot)
      use(its_bot, function(_, next)
        seen = seen + 1
        return next()
      end)
      its_bot:dialog("it", function(chat)
        chat:sleep(10)
        chat:wait { signal = "on" }
        chat:reply_text "done"
      end)
    end)
    say "go"
    talk.all:pass(10)
    talk.bot:signal(talk.customer, "on")
    talk.all:settle()
    assert.are.same({ "done" }, said())
    assert.equal(1, seen)
  end)
end)
