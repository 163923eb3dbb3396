-- SPDX-License-Identifier: MIT
-- The operations on messages, over the admin socket of a running bot and on the store alone.

local inside = require("cunnekt.service").of
local fake_client = require "spec.support.fake_client"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local lists = require "cunnekt.store.lists"
local samples = require "cunnekt.sandbox.samples"

local ASHA = "919999999999"

describe("the operations on messages", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function answering(bot)
    bot:on("text", function(msg)
      msg:reply_text("Re: " .. msg.text)
    end)
  end

  local function sent_texts()
    local texts = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 1000)) do
      if entry.direction == "out" then
        texts[#texts + 1] = entry.payload.text
      end
    end
    return texts
  end

  it("shows how far accepted messages have come, whatever order their statuses came in", function()
    kept:start(answering)
    kept:fault { kind = "reorder", count = 1 }
    kept:say "one"
    kept:wait_for_messages("read", 1)
    kept:fault { kind = "failed", count = 1, code = 131026, title = "Message undeliverable" }
    kept:say "two"
    kept:wait_for_messages("failed", 1)
    kept:settle()
    local list = assert(kept:call("outbox.list", { states = { "accepted", "read", "failed" } })).messages
    assert.equal(2, #list)
    assert.equal("failed", list[1].state)
    assert.equal("Message undeliverable (code 131026)", list[1].error)
    assert.equal("read", list[2].state)
    assert.equal("9199…99", list[2].contact)
    local shown = assert(kept:call("outbox.show", { id = list[2].id, reveal = true }))
    assert.matches("^wamid", shown.message_id)
    assert.equal(shown.id, assert(kept:call("outbox.show", { id = shown.message_id })).id)
    assert.not_matches("wamid", assert(kept:call("outbox.show", { id = list[2].id })).message_id)
    assert.same({ { list[2].id } }, { { table.unpack(assert(kept:call("outbox.retry", { ids = { list[2].id } })).missing) } })
  end)

  -- The status found no message yet, and the answer no status: the message stayed "accepted" for ever.
  it("keeps a status that is being stored when the answer comes", function()
    kept:start(answering)
    fake_client.transmits(kept.bot.client, function()
      local body = json.encode((samples.build("read", { id = "wamid.X", from = ASHA })))
      inside(kept.bot).inbox:accept(body, function() end)
      return { message_id = "wamid.X" }
    end)
    kept:say "one"
    kept:wait_for_messages("read", 1)
  end)

  it("sends what was rejected again, in a running bot at once", function()
    kept:start(answering)
    kept:fault { kind = "status", count = 1, status = 400, code = 100 }
    kept:say "one"
    local rejected = kept:wait_for_messages("rejected", 1)
    assert.equal(0, #sent_texts())
    local shown = assert(kept:call("outbox.show", { id = rejected[1].id }))
    assert.not_matches("Re: one", json.encode(shown))
    assert.matches("Re: one", json.encode(assert(kept:call("outbox.show", { id = rejected[1].id, reveal = true }))))
    assert.equal(1, #assert(kept:call("outbox.retry", { ids = { rejected[1].id } })).retried)
    kept:wait_for_messages("read", 1)
    assert.same({ "Re: one" }, sent_texts())
    assert.equal(0, #assert(kept:call "outbox.list").messages)
  end)

  -- The provider takes a message, and says later that it could not deliver it: at that time it had left the outbox.
  local function fail_one(text)
    kept:fault { kind = "failed", count = 1, code = 131026, title = "Message undeliverable" }
    kept:say(text)
    local failed = kept:wait_for_messages("failed", 1)
    kept:settle()
    return failed[1].id
  end

  it("sends again what was accepted and failed later, with or without a running bot", function()
    kept:start(answering)
    for round, text in ipairs { "one", "two" } do
      local id = fail_one(text)
      local old = assert(kept:call("outbox.show", { id = id, reveal = true }))
      assert.same({ "failed", "text", "Re: " .. text }, { old.state, old.type, old.payload.text })
      if round == 2 then
        kept:stop()
      end
      local result = assert(kept:call("outbox.retry", { ids = { id } }))
      assert.same({ { id }, {}, {} }, {
        { table.unpack(result.retried) }, { table.unpack(result.missing) }, { table.unpack(result.forgotten) },
      })
      if round == 2 then
        assert.equal("queued", assert(kept:call("outbox.show", { id = id })).state)
        kept:start(answering)
      end
      kept:wait_for_messages("read", round)
      local new = assert(kept:call("outbox.show", { id = id, reveal = true }))
      assert.same({ "read", nil }, { new.state, new.payload })
      assert.not_equal(old.message_id, new.message_id)
      assert.is_nil((kept:call("outbox.show", { id = old.message_id })))
      assert.same({ { id } }, { { table.unpack(assert(kept:call("outbox.retry", { ids = { id } })).missing) } })
    end
    assert.same({ "Re: one", "Re: one", "Re: two", "Re: two" }, sent_texts())
  end)

  it("drops what was accepted and failed later", function()
    kept:start(answering)
    local id = fail_one "one"
    assert.same({ id }, { table.unpack(assert(kept:call("outbox.drop", { ids = { id } })).dropped) })
    assert.equal(0, #assert(kept:call "outbox.list").messages)
  end)

  it("says of what failed after its delivery that its content is gone", function()
    kept:start(answering)
    kept:say "one"
    local id = kept:wait_for_messages("read", 1)[1].id
    kept:settle()
    local shown = assert(kept:call("outbox.show", { id = id, reveal = true }))
    local body = json.encode((samples.build("failed", { id = shown.message_id, from = ASHA })))
    inside(kept.bot).inbox:accept(body, function() end)
    kept:wait_for_messages("failed", 1)
    local result = assert(kept:call("outbox.retry", { ids = { id } }))
    assert.same({ {}, { id } }, { { table.unpack(result.retried) }, { table.unpack(result.forgotten) } })
    local command = kept:run("outbox", "retry", tostring(id))
    assert.same({ 1, "" }, { command.code, command.out })
    assert.matches("the content of " .. id .. " is not stored any more: it was delivered", command.err)
  end)

  it("sends an unknown one again only for a yes, and then all that were named", function()
    kept:start(answering)
    kept:fault { kind = "status", count = 1, status = 400, code = 100 }
    kept:say "refused"
    kept:wait_for_messages("rejected", 1)
    kept:fault { kind = "reset", count = 1, accept = false }
    kept:say "doubtful"
    kept:wait_for_messages("unknown", 1)
    kept:stop()
    local list = assert(kept:call "outbox.list").messages
    local ids = { list[1].id, list[2].id }
    local result = assert(kept:call("outbox.retry", { ids = ids }))
    assert.same({ 0, { ids[2] } }, { #result.retried, { table.unpack(result.doubtful) } })
    assert.equal("rejected", assert(kept:call("outbox.show", { id = ids[1] })).state)
    result = assert(kept:call("outbox.retry", { ids = ids, yes = true }))
    assert.equal(2, #result.retried)
    kept:start(answering)
    kept:wait_for("both", function()
      return #sent_texts() == 2
    end)
    assert.same({ "Re: refused", "Re: doubtful" }, sent_texts())
  end)

  it("drops messages, also those that wait in a running bot", function()
    kept:start(answering)
    kept:fault { kind = "status", count = 1, status = 503, retry_after = 1000 }
    kept:say "waits"
    kept:say "behind"
    kept:wait_for("both to wait", function()
      local list = assert(lists.messages(inside(kept.bot).store, { "queued" }, {}))
      return #list == 2 and inside(kept.bot).outbox:active() == 0 and list
    end)
    local ids = {}
    for i, message in ipairs(assert(kept:call "outbox.list").messages) do
      ids[i] = message.id
    end
    local result = assert(kept:call("outbox.drop", { ids = { ids[1], 99 } }))
    assert.same({ { ids[1] }, { 99 } }, { { table.unpack(result.dropped) }, { table.unpack(result.missing) } })
    kept:wait_for_messages("read", 1)
    assert.same({ "Re: behind" }, sent_texts())
  end)
end)
