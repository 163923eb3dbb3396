-- SPDX-License-Identifier: MIT
-- The operations on events, over the admin socket of a running bot and on the store alone.

local inside = require("cunnekt.service").of
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local lists = require "cunnekt.store.lists"
local task = require "cunnekt.base.task"

local ASHA, RAVI = "919999999999", "918888888888"

describe("the operations on events", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function failing(bot)
    bot:on("text", function(msg)
      error("cannot handle " .. msg.text)
    end)
  end

  local handled

  local function succeeding(bot)
    handled = {}
    bot:on("text", function(msg)
      handled[#handled + 1] = msg.text
    end)
  end

  local function seqs(list)
    local numbers = {}
    for i, event in ipairs(list) do
      numbers[i] = event.seq
    end
    return numbers
  end

  -- The same, with a bot that serves and without.
  for _, is_running in ipairs { false, true } do
    local how = is_running and " over the socket" or " on the store alone"

    local function fill(...)
      kept:start(failing)
      for _, text in ipairs { ... } do
        kept:say(text)
      end
      kept:wait_for_events("dead", select("#", ...))
      kept:settle()
      if not is_running then
        kept:stop()
      end
    end

    -- Retried it was kept among the messages of the pause, and deleted with those at its end.
    it("retries no dead letter while a person has the conversation" .. how, function()
      fill "later"
      local seq = kept:call("events.list").events[1].seq
      assert(kept:call("dialogs.pause", { contact = ASHA }))
      local result = kept:run("events", "retry", "--all")
      assert.same({ 1, "", ("cunnekt events: a person has the conversation, so resume it first (cunnekt dialogs resume): %d\n"):format(seq) },
        { result.code, result.out, result.err })
      assert.same({ seq }, seqs(kept:call("events.list").events))
      assert(kept:call("dialogs.resume", { contact = ASHA }))
      assert.same({ retried = { seq }, waiting = {}, paused = {}, missing = {}, mended = {} }, kept:call("events.retry", { seqs = { seq } }))
    end)

    it("lists dead letters, without numbers and texts unless asked" .. how, function()
      fill "my secret wish"
      local result = assert(kept:call "events.list")
      assert.is_false(result.has_more)
      local event = result.events[1]
      assert.equal("9199…99", event.contact)
      assert.equal("text", event.what)
      assert.equal("dead", event.state)
      assert.equal(1, event.attempts)
      assert.matches("events_spec.lua:%d+: cannot handle …$", event.error)
      local shown = assert(kept:call("events.show", { seq = event.seq }))
      assert.matches("stack traceback", shown.error)
      for _, view in ipairs { result, shown } do
        assert.not_matches("secret wish", json.encode(view))
        assert.not_matches(ASHA, json.encode(view))
      end
      shown = assert(kept:call("events.show", { seq = event.seq, reveal = true }))
      assert.equal(ASHA, shown.contact)
      assert.equal("my secret wish", shown.text)
      assert.matches("my secret wish", shown.body)
      assert.matches("cannot handle my secret wish", shown.error)
    end)

    it("filters by state, contact and age, and stops at a limit" .. how, function()
      kept:start(failing)
      kept:say("one", ASHA)
      kept:say("two", RAVI)
      kept:say("three", ASHA)
      kept:wait_for_events("dead", 3)
      kept:settle()
      if not is_running then
        kept:stop()
      end
      local function count(args)
        local result = assert(kept:call("events.list", args))
        return #result.events, result.has_more
      end
      assert.equal(3, (count {}))
      assert.equal(0, (count { state = "pending" }))
      assert.equal(3, (count { state = "all" }))
      assert.equal(2, (count { contact = ASHA }))
      assert.equal(1, (count { contact = "+91 88888-88888" }))
      assert.equal(1, (count { contact = "https://wa.me/918888888888" }))
      assert.equal(0, (count { contact = "917777777777" }))
      local result, err = kept:call("events.list", { contact = "9876543210" })
      assert.is_nil(result)
      assert.equal("invalid", err.kind)
      assert.matches("^contact lacks its country code", err.message)
      assert.not_matches("98765", err.message)
      assert.equal(0, (count { older = 60 }))
      assert.equal(3, (count { newer = 60 }))
      assert.same({ 2, true }, { count { limit = 2 } })
      assert.same({ 3, false }, { count { limit = 3 } })
    end)

    it("drops dead letters" .. how, function()
      fill("one", "two", "three")
      local numbers = seqs(assert(kept:call "events.list").events)
      local result = assert(kept:call("events.drop", { seqs = { numbers[2], 99 } }))
      assert.same({ { numbers[2] }, { 99 }, {} }, { { table.unpack(result.dropped) }, { table.unpack(result.missing) }, { table.unpack(result.busy) } })
      result = assert(kept:call("events.drop", { all = true }))
      assert.equal(2, #result.dropped)
      assert.equal(0, #assert(kept:call("events.list", { state = "all" })).events)
    end)
  end

  it("makes events wait again that a bot handles when it starts", function()
    kept:start(failing)
    kept:say "one"
    kept:say "two"
    kept:wait_for_events("dead", 2)
    kept:stop()
    local result = assert(kept:call("events.retry", { all = true, contact = ASHA }))
    assert.equal(2, #result.retried)
    local waiting = assert(kept:call("events.list", { state = "pending" })).events
    assert.equal(2, #waiting)
    assert.equal(0, waiting[1].attempts)
    assert.is_number(waiting[1].accepted_at)
    kept:start(succeeding)
    kept:wait_for_events("pending", 0)
    assert.same({ "one", "two" }, handled)
  end)

  it("has a running bot handle them at once, before all others of the contact", function()
    local texts, release, is_mended = {}, nil, false
    kept:start(function(bot)
      bot:on("text", function(msg)
        if msg.text:find "bad" and not is_mended then
          error "not yet"
        end
        texts[#texts + 1] = msg.text
        if msg.text == "slow" then
          task.await(function(done)
            release = done
          end)
        end
      end)
    end)
    kept:say "bad 1"
    kept:say "bad 2"
    kept:wait_for_events("dead", 2)
    kept:say "slow"
    kept:say "last"
    kept:wait_for("the slow one", function()
      return release
    end)
    is_mended = true
    assert.equal(2, #assert(kept:call("events.retry", { all = true })).retried)
    release()
    kept:wait_for_events("pending", 0)
    kept:settle()
    assert.same({ "slow", "bad 1", "bad 2", "last" }, texts)
  end)

  it("has a running bot try one at once that waits for its next try", function()
    kept._opts.attempts = 5
    local tries = 0
    kept:start(function(bot)
      bot:on("text", function()
        tries = tries + 1
        assert(tries > 2, "not yet")
      end)
    end)
    kept:say "one"
    for try = 1, 2 do
      kept:wait_for("a try", function()
        local rows = assert(lists.events(inside(kept.bot).store, "pending", {}, true))
        return rows[1] and rows[1].attempts == try
      end)
      local result = assert(kept:call("events.retry", { seqs = { 1 } }))
      assert.same({ 0, { 1 } }, { #result.retried, { table.unpack(result.waiting) } })
    end
    kept:wait_for_events("pending", 0)
    assert.equal(3, tries)
  end)

  it("drops an event that waits in a running bot, but not the one that is being handled", function()
    local texts, release = {}, nil
    kept:start(function(bot)
      bot:on("text", function(msg)
        texts[#texts + 1] = msg.text
        if msg.text == "slow" then
          task.await(function(done)
            release = done
          end)
        end
      end)
    end)
    kept:say "slow"
    kept:say "dropped"
    kept:say "last"
    kept:wait_for("the slow one", function()
      return release
    end)
    kept:wait_for_events("pending", 3)
    local numbers = seqs(assert(kept:call("events.list", { state = "pending" })).events)
    local result = assert(kept:call("events.drop", { seqs = { numbers[1], numbers[2] } }))
    assert.same({ numbers[2] }, { table.unpack(result.dropped) })
    assert.same({ numbers[1] }, { table.unpack(result.busy) })
    release()
    kept:wait_for_events("pending", 0)
    kept:settle()
    assert.same({ "slow", "last" }, texts)
  end)
end)
