-- SPDX-License-Identifier: MIT
-- The seam: parked messages, which wait only in the store, as the outbox asks for them. Of a class in the order of commits or of times, page by
-- page; of one contact; and how many there are.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("a parked message", function(open)
  local seam

  before_each(function()
    seam = open()
  end)

  -- Stores queued messages in one turn; gives their ids.
  local function queued(list)
    local messages = {}
    for i, fields in ipairs(list) do
      messages[i] = seam:message(fields)
      messages[i].is_parked = true
    end
    seam:turn { messages = messages }
    local ids = {}
    for i, message in ipairs(messages) do
      ids[i] = message.id
    end
    return ids
  end

  -- All of a question, in pages of two.
  local function pages(what, more)
    local ids, at = {}, { due = -math.huge, seq = -1, id = 0 }
    repeat
      local parameters = { limit = 2, due = at.due, seq = at.seq, id = at.id }
      for name, value in pairs(more) do
        parameters[name] = value
      end
      local rows = seam:query(what, parameters)
      for _, row in ipairs(rows) do
        ids[#ids + 1], at = row.id, row
      end
    until #rows < 2
    return ids
  end

  it("is found in its class, in the order of the commits, which is not that of the ids", function()
    local second, first = seam:message(), seam:message()
    first.is_parked, second.is_parked = true, true
    first.id, second.id = math.max(first.id, second.id), math.min(first.id, second.id)
    seam:turn { messages = { first } }
    seam:turn { messages = { second } }
    local rest = queued { { contact = "1:3" }, {}, { is_bulk = true }, { due = now + 1 }, {} }
    seam:mark_sending { messages = { { id = rest[2], attempts = 1, is_parked = true } }, now = now }
    assert.are.same({ first.id, second.id, rest[1], rest[5] }, pages("parked_messages", { is_bulk = 0 }))
    assert.are.same({ rest[3] }, pages("parked_messages", { is_bulk = 1 }))
  end)

  it("is found when its time has come, in the order of the times", function()
    local ids = queued { { due = now + 3 }, { due = now + 1 }, { due = now + 2 }, { due = now + 1 }, { due = now + 1, is_bulk = true }, {} }
    assert.are.same({ ids[2], ids[4], ids[3] }, pages("due_messages", { is_bulk = 0, now = now + 2 }))
    assert.are.same({ ids[5] }, pages("due_messages", { is_bulk = 1, now = now + 2 }))
    assert.are.same({}, pages("due_messages", { is_bulk = 0, now = now }))
    assert.equal(now + 1, seam:row("next_due", { now = now }).due)
    assert.equal(now + 3, seam:row("next_due", { now = now + 2 }).due)
    assert.is_nil(seam:row("next_due", { now = now + 3 }).due)
  end)

  it("is found by its contact, with and without a time", function()
    local ids = queued { { due = now + 1 }, {}, { contact = "1:3" }, { is_bulk = true }, {}, { due = now + 9 } }
    local function of(limit)
      return seam:column("parked_of", "id", { contact = "1:2", is_bulk = 0, now = now + 1, limit = limit })
    end
    assert.are.same({ ids[1], ids[2], ids[5] }, of(10))
    assert.are.same({ ids[1], ids[2] }, of(2))
  end)

  it("may get another time", function()
    local ids = queued { {} }
    local in_memory = seam:sent()
    local function wait_until_later(id)
      seam:settle { outcomes = { { id = id, state = "queued", attempts = 0, due = now + 60, is_parked = true } }, now = now }
    end
    wait_until_later(ids[1])
    wait_until_later(in_memory.id)
    assert.are.same({ ids[1], in_memory.id }, pages("due_messages", { is_bulk = 0, now = now + 60 }))
    assert.are.same({}, pages("parked_messages", { is_bulk = 0 }))
    assert.equal(now + 60, seam:row("next_due", { now = now }).due)
    seam:settle { outcomes = { { id = ids[1], state = "queued", attempts = 0 } }, now = now }
    assert.equal(now + 60, seam:row("next_due", { now = now }).due)
  end)

  it("is counted by its class", function()
    queued { {}, {}, { is_bulk = true }, { due = now + 1 }, { due = now + 1, is_bulk = true } }
    seam:accepted_message "wamid.1"
    seam:sent()
    assert.are.same({ replies = 2, bulk = 1, timed = 2 }, seam:row "count_parked")
  end)

  it("was in a memory that is gone", function()
    local message, sending = seam:sent(), seam:sent { state = "sending" }
    seam:repair("park_message", { message.id, sending.id })
    assert.are.same({ message.id }, pages("parked_messages", { is_bulk = 0 }))
    assert.are.same({ sending.id }, seam:column("outgoing", "id", { parked = 0, after = 0, limit = 10 }))
  end)

  it("that was dropped cannot be marked as being sent", function()
    local ids = queued { {} }
    seam:repair("drop_message", ids)
    local ok, _, code = seam:try("mark_sending", { messages = { { id = ids[1], attempts = 1 } }, now = now })
    assert.are.same({ nil, "conflict" }, { ok, code })
  end)
end)
