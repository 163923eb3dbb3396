-- SPDX-License-Identifier: MIT
-- A tap answers the question that it is on, and no newer one with the same ids. Each case with the dialog in memory and rebuilt from
-- its journal.

local inside = require("cunnekt.service").of
local errors = require "cunnekt.base.errors"
local fake_client = require "spec.support.fake_client"
local samples = require "cunnekt.sandbox.samples"
local sql = require "spec.support.sql"
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"

local begin, said, say, act = talk.begin, talk.said, talk.say, talk.act

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
      fake_client.transmits(bot.client, function(_, payload)
        local result = talk.all:take(payload)
        if payload.body == "Second?" then
          task.await(function(done) held[#held + 1] = done end)
        end
        return result
      end)
    end)
    say "go"
    talk.all:act(talk.customer, { type = "button", id = "yes", title = "yes", on = first })
    local function turn()
      talk.all:go_round(100)
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
    assert.equal(2, inside(talk.bot).outbox:count()) -- the second question, and what the tap's handler says
    release()
    assert.are.same({ first, second, "heard no true" }, said())
  end)

  it("answers a question whose delivery is uncertain, unless it is known to be on another message", function()
    local ids = {}
    begin_asking(ask_twice, nil, { unknown = "hold" })
    fake_client.wrap(talk.bot.client, function(transmit, payload)
      local result = transmit()
      if payload.body == "Second?" then
        ids[1] = result.message_id
        return nil, errors.new("unknown_outcome", "the response was lost")
      end
      return result
    end)
    say "go"
    tap("yes", first)
    tap("no", first)
    tap("no", second)
    assert.equal(talk.all:id_of(talk.customer, second), ids[1])
    assert.are.same({ first, second, "heard no true", "got yes no" }, said())
  end)

  -- It is not documented that the provider's id of a message is WhatsApp's: each tap was stale, and no question was ever answered.
  it("answers a question of which the provider told an id of its own", function()
    local ids = {}
    begin_asking(ask_twice)
    fake_client.wrap(talk.bot.client, function(transmit)
      local result = transmit()
      ids[#ids + 1] = result.message_id
      return { message_id = tostring(1000 + #ids) }
    end)
    say "go"
    act("button", { id = "yes", title = "yes", context = ids[1] })
    talk.all:restart()
    act("button", { id = "no", title = "no", context = ids[2] })
    assert.are.same({ first, second, "got yes no" }, said())
  end)
end)
