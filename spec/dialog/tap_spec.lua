-- SPDX-License-Identifier: MIT
-- What bot:tap sees: every event and every message out, in a paused conversation too, once each. And that nothing comes of it.

local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of
local talk = require "spec.support.rigs.talk"

local begin, say, said = talk.begin, talk.say, talk.said

describe("bot:tap", function()
  local seen

  before_each(function()
    seen = {}
  end)

  after_each(talk.finish)

  local function note(what)
    local text = what.kind == "outgoing" and what.payload.text or what.text or what.status or what.type
    seen[#seen + 1] = (what.kind == "outgoing" and "out " or "in ") .. text
  end

  local function asks(its_bot)
    its_bot:dialog("it", function(chat)
      chat:reply_text("got " .. chat:ask("?").text)
    end, { unexpected = "ignore" })
    its_bot:global("human", function(msg)
      msg.chat:pause()
    end)
  end

  it("sees what handlers and dialogs get, what nobody gets, and what goes out", function()
    begin(function(its_bot)
      its_bot:tap(note)
      asks(its_bot)
    end)
    say "hi"
    say "go"
    talk.all:act(talk.customer, { type = "image" })
    talk.all:settle()
    say "tea"
    say "human"
    say "are you there?"
    assert.are.same({
      "in hi", "out handler: hi", "in go", "out ?", "in image", "in tea", "out got tea", "in human", "in are you there?",
    }, seen)
    assert.are.same({ "handler: hi", "?", "got tea" }, said())
  end)

  it("sees statuses and what handlers hear of replies, and no event that is only the engine's", function()
    begin(function(its_bot)
      its_bot:tap(note)
      its_bot:on("accepted", function() end)
      its_bot:dialog("it", function(chat)
        chat:sleep(5)
        chat:wait { signal = "on" }
        chat:reply_text "deliver"
      end)
    end)
    say "go"
    talk.all:pass(5)
    talk.bot:signal(talk.customer, "on")
    talk.all:settle()
    table.sort(seen)
    assert.are.same({ "in accepted", "in delivered", "in go", "in sent", "out deliver" }, seen)
  end)

  it("tells whom a message goes to, from which number, and what is sent", function()
    local shown
    begin(function(its_bot)
      its_bot:before_send(function(payload)
        payload.text = payload.text .. "!"
      end)
      its_bot:tap(function(what)
        shown = what.kind == "outgoing" and what or shown
      end)
      its_bot:on("text", "track", function(msg)
        msg:reply_text("hi", { track = { order = 7 } })
      end)
    end)
    say "track"
    assert.are.same({
      kind = "outgoing", to = talk.customer, phone_number_id = talk.contact:match "^%d+", track = { order = 7 },
      payload = { mobile = talk.customer, type = "text", text = "hi!" },
    }, { kind = shown.kind, to = shown.to, phone_number_id = shown.phone_number_id, track = shown.track, payload = shown.payload })
  end)

  it("sees each once, though its turn fails, has a conflict, or is done again after a restart", function()
    local failures, is_first = 1, true
    begin(function(its_bot)
      its_bot:tap(note)
      its_bot:on("text", "fails", function(msg)
        msg:reply_text "second try"
        failures = failures - 1
        assert(failures < 0, "no luck")
      end)
      its_bot:on("text", "conflicts", function(msg)
        msg:reply_text("count " .. its_bot.store:get("count", 0))
        if is_first then
          is_first = false
          inside(its_bot).store:commit_turn { values = { { key = "count", value = "10" } } }
        end
        its_bot.store:set("seen", true)
      end)
    end)
    say "fails"
    assert.are.same({ "in fails" }, seen)
    talk.all:pass(2)
    say "conflicts"
    talk.all:kill()
    talk.all:settle()
    assert.are.same({ "in fails", "out second try", "in conflicts", "out count 10" }, seen)
  end)

  it("sees a message once that a dialog keeps and a handler gets later", function()
    begin(function(its_bot)
      its_bot:tap(note)
      its_bot:dialog("it", function(chat)
        chat:sleep(5)
      end, { unexpected = "queue" })
    end)
    say "go"
    say "hi"
    talk.all:pass(5)
    assert.are.same({ "in go", "in hi", "out handler: hi" }, seen)
  end)

  it("sees texts that are joined as one event", function()
    local joined
    begin(function(its_bot)
      its_bot:tap(function(what)
        joined = what.joined or joined
        note(what)
      end)
      its_bot:on("text", function(msg)
        msg:reply_text(#msg.joined .. " texts")
      end, { debounce = 5 })
    end)
    talk.all:act(talk.customer, { type = "text", text = "a" })
    talk.all:act(talk.customer, { type = "text", text = "b" })
    talk.all:settle()
    talk.all:pass(6)
    assert.are.same({ "in a\nb", "out 2 texts" }, seen)
    assert.equal("b", joined[2].text)
  end)

  -- ---- it changes nothing ----------------------------------------------------------------------------------------------

  it("gets copies, which nobody else sees changed", function()
    begin(function(its_bot)
      its_bot:tap(function(what)
        what.text = "changed"
        if what.payload then
          what.payload.text = "changed"
        end
      end)
      its_bot:tap(note)
    end)
    say "hi"
    assert.are.same({ "handler: hi" }, said())
    assert.are.same({ "in hi", "out handler: hi" }, seen)
  end)

  local refused = {
    ["msg:reply_text"] = function(what)
      what:reply_text "hi"
    end,
    ["msg.chat"] = function(what)
      return what.chat.state
    end,
    ["msg:start"] = function(what)
      what:start "it"
    end,
    ["bot:chat"] = function()
      talk.bot:chat(talk.customer):reply_text "hi"
    end,
    ["bot:start"] = function()
      talk.bot:start(talk.customer, "it")
    end,
    ["chat:pause"] = function()
      talk.bot:chat(talk.customer):pause()
    end,
    ["bot:after"] = function()
      talk.bot:after(5, "it", function() end)
    end,
    ["bot.store:set"] = function()
      talk.bot.store:set("key", 1)
    end,
    ["bot.store:get"] = function()
      return talk.bot.store:get "key"
    end,
    ["chat.state"] = function()
      talk.bot:chat(talk.customer).state.mark = true
    end,
    ["cunnekt.sleep"] = function()
      cunnekt.sleep(1)
      seen[#seen + 1] = "slept"
    end,
  }
  for name, try in pairs(refused) do
    it("cannot change anything, or wait: " .. name, function()
      begin(function(its_bot)
        asks(its_bot)
        its_bot:tap(function(what)
          try(what)
        end)
        its_bot:tap(note)
      end)
      say "hi"
      talk.all:pass(60)
      assert.are.same({ "handler: hi" }, said())
      assert.are.same({ "in hi", "out handler: hi" }, seen)
      local logged = talk.logged()
      assert.matches("bot:tap failed, which is logged once a place: ", logged, 1, true)
      assert.is_truthy(logged:find("changes nothing", 1, true) or logged:find("cannot wait", 1, true))
      assert.is_nil(talk.bot.store:get "key")
      assert.are.same({}, talk.bot:chat(talk.customer).state)
      assert.are.same({}, talk.stored())
    end)
  end

  it("fails once a place in the log, without what the customer wrote, and the event is handled", function()
    begin(function(its_bot)
      its_bot:tap(function(what)
        error("cannot read " .. (what.text or ""))
      end)
    end)
    say "my secret"
    say "my other secret"
    local _, count = talk.logged():gsub("bot:tap failed", "")
    assert.equal(1, count)
    assert.matches("tap_spec.lua:%d+: cannot read ", talk.logged())
    assert.not_matches("secret", talk.logged())
    assert.are.same({ "handler: my secret", "handler: my other secret" }, said())
  end)

  it("may start a task that waits", function()
    begin(function(its_bot)
      its_bot:tap(function(what)
        cunnekt.spawn(function()
          cunnekt.sleep(1)
          note(what)
        end)
      end)
    end)
    say "hi"
    assert.are.same({}, seen)
    talk.all:pass(1)
    assert.are.same({ "in hi", "out handler: hi" }, seen)
  end)
end)
