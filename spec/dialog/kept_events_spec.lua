-- SPDX-License-Identifier: MIT
-- What comes while a person has the conversation, and what comes before the dialog that waits for it: kept, bounded, told of,
-- and each signal delivered once, with a bot that is killed in between.

local clock = require "cunnekt.time.clock"
local inside = require("cunnekt.service").of
local kept_events = require "cunnekt.store.kept_events"
local record_of = require "cunnekt.engine.record"
local talk = require "spec.support.rigs.talk"

local begin, say, said, logged, stored = talk.begin, talk.say, talk.said, talk.logged, talk.stored
local customer, contact = talk.customer, talk.contact

-- What is kept: texts of messages, and signals as "name=value".
local function kept(of)
  local list = {}
  for i, row in ipairs(kept_events.of(inside(talk.bot).store, of or contact)) do
    local it = record_of.read_body(row.body)
    list[i] = row.name and ("%s=%s"):format(row.name, tostring(it.value)) or it.text
  end
  return list
end

local function chat()
  return talk.bot:chat(customer)
end

describe("a conversation that a person has", function()
  after_each(talk.finish)

  it("keeps what its customer writes, across restarts, until it is given back; the bot handles none of it", function()
    begin(function() end)
    say "before"
    assert(chat():pause())
    say "one"
    talk.all:kill()
    say "two"
    assert.are.same({ { "one", "two" }, { "handler: before" } }, { kept(), said() })
    assert(chat():resume())
    talk.all:settle()
    say "after"
    assert.are.same({ {}, { "handler: before", "handler: after" } }, { kept(), said() })
  end)

  it("keeps each of the texts that are handled as one", function()
    begin(function(bot)
      bot:on("text", "^long", function() end, { debounce = 5 })
    end)
    say "before"
    assert(chat():pause())
    talk.all:act(customer, { type = "text", text = "long 1" })
    talk.all:act(customer, { type = "text", text = "long 2" })
    talk.all:settle()
    talk.all:pass(6)
    assert.are.same({ "long 1", "long 2" }, kept())
  end)

  it("keeps the newest 200 messages", function()
    begin(function() end)
    say "before"
    assert(chat():pause())
    for i = 1, 203 do
      talk.all:act(customer, { type = "text", text = "m" .. i })
    end
    talk.all:settle()
    local list = kept()
    assert.are.same({ 200, "m4", "m203" }, { #list, list[1], list[200] })
    local row = inside(talk.bot).store:read("paused", { before = math.huge, after = -math.huge, limit = 2 })[1]
    assert.are.same({ 203, 200 }, { row.messages, row.kept })
  end)

  it("hands a message on that came as the bot got it back", function()
    begin(function() end)
    say "before"
    assert(chat():pause())
    -- The conversation is given back between the look at the pause and the commit.
    local store, has_resumed = inside(talk.bot).store, false
    local commit_turn = store.commit_turn
    function store.commit_turn(self, turn)
      if turn.kept_events and not has_resumed then
        has_resumed = true
        assert(commit_turn(self, { pauses = { { contact = contact, is_paused = false } } }))
      end
      return commit_turn(self, turn)
    end
    say "late"
    assert.are.same({ { "handler: before", "handler: late" }, {} }, { said(), kept() })
  end)

  local function begin_with_timeout()
    begin(function(bot)
      bot:dialog("it", function(its_chat)
        local answer, err = its_chat:ask("there?", { timeout = 60 })
        its_chat:reply_text(answer and answer.text or err.kind)
      end)
    end)
    say "go"
  end

  it("loses no timeout whose event was stored before the pause and handled in it", function()
    begin_with_timeout()
    local store = inside(talk.bot).store
    local fire = store.fire
    function store.fire(self, timers)
      local records, err = fire(self, timers)
      if records[1] then
        assert(chat():pause())
      end
      return records, err
    end
    talk.all:pass(61)
    assert.are.same({ "there?" }, said())
    store.fire = nil
    assert(chat():resume())
    talk.all:settle()
    assert.are.same({ "there?", "timeout" }, said())
  end)

  it("loses no timeout that is cleared because of the pause as the bot gets it back", function()
    begin_with_timeout()
    assert(chat():pause())
    talk.all:settle()
    local store = inside(talk.bot).store
    local fire = store.fire
    function store.fire(self, timers)
      if not timers[1] then
        return fire(self, timers)
      end
      store.fire = nil
      assert.is_nil(timers[1].event)
      assert(chat():resume())
      return fire(self, timers)
    end
    talk.all:pass(61)
    talk.all:pass(61)
    assert.are.same({ "there?", "timeout" }, said())
  end)

  it("loses no timeout of a bot that was not running when it was given back", function()
    begin_with_timeout()
    assert(chat():pause())
    talk.all:settle()
    talk.all:pass(300)
    assert(inside(talk.bot).store:commit_turn { pauses = { { contact = contact, is_paused = false } } })
    talk.all:kill()
    talk.all:settle()
    assert.are.same({ "there?", "timeout" }, said())
  end)
end)

describe("a signal that nobody waits for yet", function()
  after_each(talk.finish)

  local function begin_waiting(opts)
    begin(function(bot)
      bot:dialog("it", function(its_chat)
        local it, err = its_chat:wait { signal = "paid", timeout = 60 }
        its_chat:reply_text(it and ("paid %s"):format(it.value) or err.kind)
      end)
    end, opts)
  end

  local function signal(value, keep)
    assert(talk.bot:signal(customer, "paid", value, { phone_number_id = contact:match "^[^:]+", keep = keep }))
    talk.all:settle()
  end

  it("waits for the dialog that asks for it, across restarts, and is delivered once", function()
    begin_waiting()
    signal(5, 3600)
    talk.all:kill()
    talk.all:pass(1000)
    assert.are.same({ "paid=5" }, kept())
    say "go"
    assert.are.same({ { "paid 5" }, {} }, { said(), kept() })
    say "go"
    talk.all:kill()
    talk.all:pass(61)
    assert.are.same({ "paid 5", "timeout" }, said())
  end)

  it("goes to the first wait, the next one to the second, in one turn and across turns", function()
    begin(function(bot)
      bot:dialog("it", function(its_chat)
        local first, second = its_chat:wait { signal = "paid" }, its_chat:wait { signal = "paid" }
        its_chat:reply_text(("paid %d, %d"):format(first.value, second.value))
        its_chat:reply_text(("paid %d"):format(its_chat:wait({ signal = "paid" }).value))
      end)
    end)
    for value = 1, 2 do
      signal(value, 3600)
    end
    say "go"
    talk.all:kill()
    signal(3)
    assert.are.same({ { "paid 1, 2", "paid 3" }, {}, {} }, { said(), kept(), stored() })
  end)

  it("is there again for a turn that fails after it has taken it", function()
    local has_failed = false
    begin(function(bot)
      bot:dialog("it", function(its_chat)
        local value = its_chat:wait({ signal = "paid" }).value
        if not has_failed then
          has_failed = true
          error "no luck"
        end
        its_chat:reply_text("paid " .. value)
      end)
    end)
    signal(5, 3600)
    say "go"
    assert.are.same({ "paid=5" }, kept())
    talk.all:pass(5)
    assert.are.same({ { "paid 5" }, {} }, { said(), kept() })
  end)

  it("is kept where the script has no dialog, for a handler that waits", function()
    begin(function(bot)
      bot:on("text", "^pay", function(msg)
        msg:reply_text("paid " .. msg.chat:wait({ signal = "paid" }).value)
      end)
    end)
    assert.is_false(inside(talk.bot).dialogs.is_used)
    signal(5, 3600)
    say "pay"
    assert.are.same({ "paid 5" }, said())
  end)

  it("expires, and the log says so", function()
    begin_waiting()
    signal(5, 30)
    talk.all:pass(31)
    say "go"
    talk.all:pass(3700)
    assert.are.same({ { "timeout" }, {} }, { said(), kept() })
    assert.matches("the signal 'paid' kept for 9199…99 has expired", logged())
  end)

  it("expires while it waits for its turn, too", function()
    begin_waiting()
    inside(talk.bot).inbox:enqueue { {
      contact = contact, attempts = 0, id = 1,
      body = record_of.own(contact, { status = "dialog_signal", name = "paid", value = 5, expires = clock.now() - 1 }).body,
    } }
    talk.all:settle()
    assert.are.same({}, kept())
    assert.matches("the signal 'paid' for 9199…99 has expired", logged())
  end)

  it("is dropped without keep, and the log says so", function()
    begin_waiting()
    signal(5)
    assert.are.same({}, kept())
    assert.matches("nobody waits for the signal 'paid' for 9199…99, so it is dropped", logged())
    assert.is_nil(logged():find(customer, 1, true))
    say "go"
    talk.all:pass(61)
    assert.are.same({ "timeout" }, said())
  end)

  it("is one of a hundred at most, and the log says which is dropped", function()
    begin_waiting()
    for value = 1, 102 do
      assert(talk.bot:signal(customer, "paid", value, { phone_number_id = contact:match "^[^:]+", keep = 3600 }))
    end
    talk.all:settle()
    local list = kept()
    assert.are.same({ 100, "paid=3", "paid=102" }, { #list, list[1], list[100] })
    assert.matches("the oldest signal kept for 9199…99 is dropped: more than 100 wait", logged())
  end)

  it("reaches a dialog that began to wait as it was about to be kept", function()
    begin_waiting()
    say "hello"
    local store = inside(talk.bot).store
    local commit_turn = store.commit_turn
    function store.commit_turn(self, turn)
      if turn.kept_events then
        store.commit_turn = nil
        local run = {
          id = self:next_id(), is_new = true, contact = contact, name = "it", to = customer, code = inside(talk.bot).dialogs:code_of "it",
          seed = "0.5 1700000000 1", started_at = clock.now(), waiting = '{"signal":"paid","n":1}', signal = "paid", before = 0, after = 1,
          steps = {},
        }
        assert(commit_turn(self, { run = run }))
        inside(talk.bot).dialogs.is_used = true
      end
      return commit_turn(self, turn)
    end
    signal(5, 3600)
    assert.are.same({ { "handler: hello", "paid 5" }, {} }, { said(), kept() })
  end)

  it("is asked for with seconds", function()
    begin_waiting()
    for _, keep in ipairs { 0, -1, "5", math.huge } do
      local ok, problem = pcall(talk.bot.signal, talk.bot, customer, "paid", 5, { keep = keep })
      assert.is_false(ok)
      assert.matches("bot:signal: option 'keep' must be a number of seconds, more than 0", problem)
    end
  end)

  it("reaches the dialog of a conversation to which its own is joined", function()
    begin(function(bot)
      bot:dialog("it", function(its_chat)
        its_chat:reply_text("paid " .. its_chat:wait({ signal = "paid" }).value)
      end)
    end)
    local line, user_id = contact:match "^[^:]+", "IN.1349120865530274"
    local function post(from, from_user_id, text)
      talk.all.act_number = (talk.all.act_number or 0) + 1
      talk.all:post {
        object = "whatsapp_business_account",
        entry = { { id = "1", changes = { { field = "messages", value = {
          messaging_product = "whatsapp", metadata = { phone_number_id = line, display_phone_number = "15550000000" },
          messages = { {
            from = from, from_user_id = from_user_id, id = "wamid.in" .. talk.all.act_number, timestamp = tostring(math.floor(clock.now())),
            type = "text", text = { body = text },
          } },
        } } } } },
      }
      talk.all:settle()
    end
    post(customer, nil, "hello")
    assert(talk.bot:signal(user_id, "paid", 5, { phone_number_id = line, keep = 3600 }))
    talk.all:settle()
    post(customer, nil, "go")
    assert.are.same({ "paid=5" }, kept(line .. ":" .. user_id))
    post(customer, user_id, "who am I?")
    assert.matches("paid 5", table.concat(said(), "\n"))
    assert.are.same({ {}, {} }, { kept(), stored() })
  end)
end)
