-- SPDX-License-Identifier: MIT
-- Dialogs that fail, handlers that wait, and calls that a dialog refuses, each with a bot that is killed in between.

local inside = require("cunnekt.service").of
local cunnekt = require "cunnekt"
local lists = require "cunnekt.store.lists"
local talk = require "spec.support.rigs.talk"

local begin, say, said, logged, stored = talk.begin, talk.say, talk.said, talk.logged, talk.stored
local customer, contact = talk.customer, talk.contact

describe("dialogs", function()
  after_each(talk.finish)

  -- ---- failures ----------------------------------------------------------------------------------------------------

  it("are broken when they keep failing; a retry of the event continues them", function()
    local is_broken = true
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local answer = chat:ask("?", { timeout = 100 }).text
        if is_broken then
          error "no luck"
        end
        chat:reply_text("end " .. answer)
      end)
    end, { attempts = 2 })
    say "go"
    say "x"
    talk.all:pass(2)
    local broken = stored()[1]
    assert.matches("no luck", broken.error.message)
    assert.equal(2, broken.error.step)
    say "y"
    talk.all:pass(1000)
    assert.are.same({ "?", "handler: y" }, said())
    talk.all:kill()
    is_broken = false
    local dead = lists.events(inside(talk.bot).store, "dead", {})
    inside(talk.bot).store:repair("requeue_event", { ids = { dead[1].id } })
    inside(talk.bot).inbox:retry_first(dead[1].id, contact)
    talk.all:settle()
    assert.are.same({ "?", "handler: y", "end x" }, said())
    assert.are.same({}, stored())
  end)

  it("are broken when they fail after a commit in the middle of a turn", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:reply_text("before, delivered"):wait "accepted"
        error "after"
      end)
    end, { attempts = 2 })
    say "go"
    talk.all:pass(2)
    assert.are.same({ "before, delivered" }, said())
    assert.matches("after", stored()[1].error.message)
    assert.equal(1, #lists.events(inside(talk.bot).store, "dead", {}))
  end)

  it("get no further when a script catches that its turn failed", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:ask "?"
        pcall(chat.reply_text, chat, talk.all.is_late and "changed" or "text")
        chat:reply_text "end"
        chat:ask "??"
      end)
    end)
    say "go"
    say "x"
    talk.all.is_late = true
    talk.all:kill()
    say "y"
    assert.are.same({ "?", "text", "end", "??", "handler: y" }, said())
    assert.matches("differs from its journal at step 3, 'send'", logged())
    -- What differs is in the store, and not in the log.
    assert.is_nil(logged():find("changed", 1, true))
    assert.matches("changed", stored()[1].error.is_now)
  end)

  it("are broken when they end, or do something more, before they reach their wait", function()
    local what
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        if what == "end" then
          return
        end
        chat:reply_text "text"
        if what == "more" then
          chat:reply_text "more"
        end
        chat:ask "?"
      end)
    end)
    for _, one in ipairs { "end", "more" } do
      what = nil
      say "go"
      what = one
      talk.all:kill()
      say "x"
    end
    assert.are.same({ "text", "?", "handler: x", "text", "?", "handler: x" }, said())
    assert.matches("step 1 was 'send', and is now 'end'", logged())
    assert.matches("differs from its journal at step 2, 'send'", logged())
  end)

  it("lose nothing to a result that cannot be stored", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local ok, why = pcall(chat.step, chat, "x", function()
          return print
        end)
        chat:ask "?"
        chat:reply_text(tostring(ok) .. " " .. why:match "cannot be stored")
      end)
    end)
    say "go"
    talk.all:kill()
    say "x"
    assert.are.same({ "?", "false cannot be stored" }, said())
  end)

  -- ---- handlers that wait ------------------------------------------------------------------------------------------

  it("are of one message alone, where texts are joined: a matcher may look at the chat, and one that raises holds up nobody", function()
    begin(function(its_bot)
      its_bot:on("text", function(msg)
        return msg.chat.state.vip or msg.text == "boom" and nil + 1
      end, function() end)
      its_bot:on("text", function(msg)
        msg:reply_text("joined " .. #msg.joined)
      end, { debounce = 2 })
    end, { attempts = 1 })
    say "a"
    say "b"
    talk.all:pass(2)
    say "boom"
    talk.all:pass(2)
    say "c"
    talk.all:pass(2)
    assert.are.same({ "joined 2", "joined 1" }, said())
    assert.equal(1, #lists.events(inside(talk.bot).store, "dead", {}))
  end)

  it("are what handlers become that wait, with their wrappers, their joined texts and their track", function()
    begin(function(its_bot)
      its_bot:use(function(event, next)
        event.note = "wrapped"
        its_bot.store:increment "events"
        local verdict = next()
        if event.kind == "message" then
          event.chat:reply_text "after"
        end
        return verdict
      end)
      its_bot:on("text", "^long", function(msg)
        msg.chat:ask "?"
        msg:reply_text(("%s %s %d"):format(msg.note, msg.text:gsub("\n", "+"), #msg.joined))
      end, { debounce = 5 })
      its_bot:on("delivered", function(status)
        if status.track then
          status.chat:ask(("got %d?"):format(status.track.n))
          status.chat:reply_text("thanks for " .. status.track.n)
        end
      end)
      its_bot:on("text", "^track", function(msg)
        msg:reply_text("to be delivered", { track = { n = 7 } })
      end)
    end)
    say "track"
    talk.all:kill()
    say "yes"
    assert.are.same({ "to be delivered", "after", "got 7?", "thanks for 7", "after" }, said())
    talk.all.seen = {}
    talk.all:act(customer, { type = "text", text = "long 1" })
    talk.all:act(customer, { type = "text", text = "long 2" })
    talk.all:settle()
    talk.all:pass(5)
    talk.all:kill()
    say "x"
    assert.are.same({ "?", "wrapped long 1+long 2 2", "after", "after" }, said())
  end)

  it("tell the script once what an earlier life left", function()
    local told = {}
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:ask "?"
      end)
      its_bot:on_restart(function(left)
        table.insert(told, left)
        its_bot:chat(customer):reply_text "back again"
      end)
    end)
    assert.are.same({}, told)
    say "go"
    talk.all:kill()
    talk.all:settle()
    assert.are.same({ { events = 0, messages = 0, dialogs = 1 } }, told)
    assert.are.same({ "?", "back again" }, said())
  end)

  -- ---- the script's world ------------------------------------------------------------------------------------------

  it("refuse what could not be the same again", function()
    local problems = {}
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local function try(fn, ...)
          local _, why = pcall(fn, ...)
          problems[#problems + 1] = why
        end
        try(cunnekt.spawn, print)
        try(cunnekt.http.stream, { url = "http://127.0.0.1:9/" })
        try(os.remove, "x")
        try(pairs, { [{}] = 1, [{}] = 2 })
        try(coroutine.wrap(function()
          chat:ask "?"
        end))
        try(chat.step, chat, "asks", function()
          chat:ask "?"
        end)
        chat:reply_text "end"
      end)
    end)
    say "go"
    assert.are.same({ "end" }, said())
    for i, word in ipairs { "cunnekt.spawn", "http.stream", "os.remove", "keys that are tables", "coroutine", "chat:step" } do
      assert.matches(word, tostring(problems[i]))
    end
  end)

  it("hold the states that a script keeps a hold of", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local state = chat.state
        state.a = 1
        chat:ask "?"
        state.b = state.c
        chat:reply_text("sent and delivered"):wait "accepted"
        state.d = 4
        chat:ask "??"
        chat:reply_text(("%d %d %d %d"):format(state.a, state.b, state.c, state.d))
      end)
      its_bot:on("image", function(msg)
        msg.chat.state.c = (msg.chat.state.c or 0) + 1
      end)
    end)
    say "go"
    talk.all:act(customer, { type = "image" })
    talk.all:settle()
    say "x"
    talk.all:kill()
    talk.all:act(customer, { type = "image" })
    talk.all:settle()
    say "y"
    assert.are.same({ "?", "sent and delivered", "??", "1 1 2 4" }, said())
    assert.are.same({ a = 1, b = 1, c = 2, d = 4 }, talk.bot:chat(customer).state)
  end)

  it("print nothing twice", function()
    local printed, real = {}, print
    _G.print = function(text)
      printed[#printed + 1] = text
    end
    finally(function()
      _G.print = real
    end)
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        print "one"
        chat:ask "?"
        print "two"
        chat:ask "??"
        print "three"
      end)
    end)
    say "go"
    talk.all:kill()
    say "x"
    talk.all:kill()
    say "y"
    assert.are.same({ "one", "two", "three" }, printed)
  end)
end)
