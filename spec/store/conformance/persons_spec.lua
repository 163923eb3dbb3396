-- SPDX-License-Identifier: MIT
-- The seam: persons. An event names all ids that it tells of its person; they are one conversation from then on, whatever
-- had each of them before.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now
local number, user_id, other = "1:919999999999", "1:IN.1349", "1:918888888888"

seam_rig.describe("a person", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  -- An event from or about somebody, with other ids of theirs.
  local function hear(contact, others, more)
    local event = seam:event(more)
    event.contact, event.others = contact, {}
    for i, id in ipairs(others or {}) do
      event.others[i] = type(id) == "table" and id or { key = id }
    end
    seam:accept { events = { event }, now = now }
    return event
  end

  local function write(contact, others, more)
    more = more or {}
    more.is_from_contact, more.inbound_at = true, more.inbound_at or now
    return hear(contact, others, more)
  end

  local function where(event)
    return event.conversation or event.contact
  end

  local function conversation(contact)
    return seam:row("conversation", { contact = contact })
  end

  describe("with several ids", function()
    it("is one conversation by each of them", function()
      assert.is_nil(write(number, { user_id }).conversation)
      assert.equal(number, write(user_id).conversation)
      assert.equal(number, hear(user_id).conversation)
      assert.is_nil(write(other).conversation)
      assert.are.same({ { id = user_id, is_left = 0 } }, seam:query("aliases_of", { contact = number }))
    end)

    it("is the same after a restart", function()
      write(number, { user_id })
      if seam_rig.is_kept(backend) then
        seam:reopen()
      end
      assert.equal(number, write(user_id).conversation)
      assert.equal(number, seam:row("conversation_of", { id = user_id }).contact)
    end)

    it("is found by the event that repeats them as by the first, and nothing is joined again", function()
      local first, second = write(number, { user_id }), write(number, { user_id })
      assert.equal(user_id, first.others[1].joined)
      assert.is_nil(second.others[1].joined)
    end)

    it("does not follow one that was a duplicate", function()
      hear(number, nil, { key = "k" })
      local again = hear(other, { number }, { key = "k" })
      assert.is_false(again.is_fresh)
      assert.is_nil(write(number).conversation)
    end)

    it("may become known by a chain of them", function()
      write(user_id, { "1:US.ENT.1" })
      write("1:IN.2", { "1:US.ENT.1" })
      local last = write(number, { "1:IN.2" })
      assert.equal("1:IN.2", last.others[1].joined)
      assert.is_nil(last.conversation)
      for _, id in ipairs { user_id, "1:US.ENT.1", "1:IN.2" } do
        assert.equal(number, where(write(id)), id)
      end
    end)
  end)

  describe("of whom an event about a message tells no number", function()
    it("is the message's receiver", function()
      seam:accepted_message("wamid.1", { contact = number })
      local event = hear("1:", nil, { message_id = "wamid.1" })
      assert.are.same({ number, nil, {} }, { event.contact, event.conversation, event.others })
      assert.equal("1:", hear("1:", nil, { message_id = "wamid.2" }).contact)
    end)

    it("gets the ids that it tells, with what they had", function()
      seam:accepted_message("wamid.1", { contact = number })
      seam:turn { states = { { contact = user_id, state = '{"a":1}' } } }
      local event = hear(user_id, { "1:US.ENT.1" }, { message_id = "wamid.1" })
      assert.are.same({ number, user_id }, { where(event), event.others[1].joined })
      assert.equal('{"a":1}', conversation(number).state)
      for _, id in ipairs { user_id, "1:US.ENT.1" } do
        assert.equal(number, where(write(id)), id)
      end
      assert.equal(number, where(hear(user_id, nil, { message_id = "wamid.1" })))
    end)

    it("is known by the id that the message went to, and by one that they have changed to", function()
      seam:accepted_message("wamid.1", { contact = user_id })
      assert.equal(user_id, where(hear(user_id, nil, { message_id = "wamid.1" })))
      seam:accepted_message("wamid.2", { contact = number })
      hear(other, { { key = number, is_left = true } })
      assert.equal(other, where(hear("1:", nil, { message_id = "wamid.2" })))
    end)
  end)

  describe("with a new number", function()
    it("keeps the old one until somebody else writes from it", function()
      write(number)
      assert.is_nil(hear(other, { { key = number, is_left = true } }).conversation)
      assert.equal(other, where(hear(number)), "a status of a message to the old number")
      assert.is_nil(write(number).conversation)
      assert.is_nil(hear(number).conversation)
      assert.is_nil(write(other).conversation)
    end)

    it("is still one person who has changed back", function()
      write(number)
      seam:turn { states = { { contact = number, state = '{"a":1}' } } }
      hear(other, { { key = number, is_left = true } })
      hear(number, { { key = other, is_left = true } })
      assert.equal(number, where(write(number)))
      assert.equal('{"a":1}', conversation(number).state)
      assert.equal(number, where(hear(other)))
      assert.are.same({ { id = other, is_left = 1 } }, seam:query("aliases_of", { contact = number }))
    end)

    it("keeps the messages that wait in memory when somebody else writes from the old one", function()
      seam:turn { messages = { seam:message { id = 1, contact = number }, seam:message { id = 2, contact = other } } }
      hear(other, { { key = number, is_left = true } })
      write(number)
      seam:turn { messages = { seam:message { id = 3, contact = number } } }
      local whose = {}
      for _, row in ipairs(seam:query("outgoing", { after = 0, parked = 1, limit = 10 })) do
        whose[row.id] = row.contact
      end
      assert.are.same({ other, other, number }, whose)
      assert.are.same({}, seam:query("aliases_of", { contact = number }))
    end)

    it("is still one person who has come back to the old number", function()
      write(number, { user_id })
      hear(other, { { key = number, is_left = true }, user_id })
      assert.is_nil(write(number, { user_id }).conversation)
      assert.equal(number, where(write(other)))
    end)
  end)

  describe("who had two conversations", function()
    local function state_of(contact)
      return conversation(contact).state
    end

    it("has the events of both, in order", function()
      local a, b, c = write(number), write(user_id), write(number)
      local d = write(number, { user_id })
      local rows = seam:query("pending", { after = 0, limit = 10 })
      table.sort(rows, function(x, y)
        return x.seq < y.seq
      end)
      local ids = {}
      for i, row in ipairs(rows) do
        assert.equal(number, row.contact)
        ids[i] = row.id
      end
      assert.are.same({ a.id, b.id, c.id, d.id }, ids)
      assert.equal(user_id, d.others[1].joined)
    end)

    it("has both states, key by key, and the one that was written last wins", function()
      seam:turn { states = { { contact = number, state = '{"a":1,"b":{"x":[1,2,"}"]}}' } } }
      seam:turn { states = { { contact = user_id, state = '{"b":2,"c":"\\"}","d":1e400}' } } }
      write(number, { user_id })
      assert.equal('{"b":2,"c":"\\"}","d":1e400,"a":1}', state_of(number))
      assert.are.same({}, seam:query("conversation", { contact = user_id }))
    end)

    it("has the state that was written last also where it was the one that stays", function()
      seam:turn { states = { { contact = user_id, state = '{"b":2,"c":3}' } } }
      seam:turn { states = { { contact = number, state = '{"a":1,"b":1}' } } }
      write(number, { user_id })
      assert.equal('{"a":1,"b":1,"c":3}', state_of(number))
    end)

    it("has the one state that there is, whole", function()
      for i, state in ipairs { '{}', '{"a":{"b":null}}' } do
        seam:turn { states = { { contact = "1:IN." .. i, state = state } } }
        write("1:91888888888" .. i, { "1:IN." .. i })
        assert.equal(state, state_of("1:91888888888" .. i))
      end
    end)

    it("has the later window, and is paused when one was", function()
      write(number, nil, { inbound_at = now - 50 })
      write(user_id, nil, { inbound_at = now - 5 })
      seam:turn { pauses = { { contact = user_id, is_paused = true } } }
      hear(number, { user_id })
      local row = conversation(number)
      assert.equal(now - 5, row.last_inbound)
      assert.is_true(row.paused ~= nil)
    end)

    it("has the dialogs of both, which replay as they began", function()
      local one, two = seam:waiting { contact = number }, seam:waiting { contact = user_id }
      write(number, { user_id })
      local rows = seam:query("dialogs_of", { contact = number })
      local origins = {}
      for _, row in ipairs(rows) do
        origins[row.id] = row.origin or "its own"
      end
      assert.are.same({ [one.id] = "its own", [two.id] = user_id }, origins)
    end)

    it("has the messages of both", function()
      local waiting = seam:sent { contact = user_id }
      local parked = seam:sent { contact = user_id, is_parked = true }
      local failed = seam:sent({ contact = user_id }, { state = "failed", attempts = 1 })
      seam:accepted_message("wamid.1", { contact = user_id })
      write(number, { user_id })
      for i, message in ipairs { waiting, parked, failed } do
        assert.equal(number, seam:row("message_details", { id = message.id }).contact, i)
        assert.equal(number, seam:row("message", { id = message.id }).contact, i)
      end
      assert.equal(number, seam:row("accepted_message", { message_id = "wamid.1" }).contact)
      assert.equal(number, seam:row("queued_message", { id = waiting.id }).contact)
      for _, row in ipairs(seam:query("outgoing", { after = 0, limit = 10, parked = 1 })) do
        assert.equal(number, row.contact)
      end
      local lane = seam:query("parked_of", { contact = number, is_bulk = 0, now = now, limit = 10 })
      assert.are.same({ parked.id }, { lane[1].id })
    end)

    it("has the messages of both that were under way, wherever they go from there", function()
      local states = { "unknown", "failed", "queued" }
      local messages = {}
      for i in ipairs(states) do
        messages[i] = seam:sent { contact = user_id }
      end
      local left = seam:sent { contact = user_id }
      write(number, { user_id })
      for i, state in ipairs(states) do
        seam:settle { outcomes = { { id = messages[i].id, state = state, attempts = 1, is_parked = state == "queued" } }, now = now }
      end
      local unknown = seam:query("unknown_messages", { contact = number, earliest = now - 1, latest = now + 1 })
      assert.are.same({ messages[1].id }, { unknown[1].id })
      seam:repair("park_message", { left.id })
      local lane = seam:column("parked_of", "id", { contact = number, is_bulk = 0, now = now, limit = 10 })
      table.sort(lane)
      assert.are.same({ messages[3].id, left.id }, lane)
    end)

    it("is listed by each id", function()
      seam:sent { contact = user_id }
      seam:accepted_message("wamid.1", { contact = user_id })
      write(number, { user_id }, { body = "{}" })
      for _, id in ipairs { number, user_id, "919999999999", "IN.1349" } do
        for _, list in ipairs { "outbox_messages", "accepted_messages", "pending_events" } do
          assert.equal(1, #seam:walk(list, { contact = id }), list .. " of " .. id)
        end
      end
    end)
  end)

  describe("of whom a turn knows less", function()
    local function joins()
      local accept = { events = { seam:event { contact = "1:5" } }, now = now }
      seam:accept(accept)
      return accept.joins
    end

    it("makes that turn run again where it writes to the conversation that is gone", function()
      local before = joins()
      write(number, { user_id })
      for _, change in ipairs {
        { messages = { seam:message { contact = user_id } } },
        { states = { { contact = user_id, state = "{}" } } },
        { pauses = { { contact = user_id, is_paused = true } } },
        { watches = { { contact = user_id, before = 60 } } },
        { run = seam:dialog { contact = user_id } },
      } do
        change.joins, change.now = before, now
        local _, _, code = seam:try("commit_turn", change)
        assert.equal("conflict", code)
      end
      seam:turn { joins = before, messages = { seam:message { contact = number } } }
      seam:turn { joins = joins(), messages = { seam:message { contact = number } } }
    end)

    it("makes it run again where it read the state of one of the two", function()
      seam:turn { states = { { contact = number, state = "{}" } } }
      seam:turn { states = { { contact = user_id, state = "{}" } } }
      local versions = {}
      for _, contact in ipairs { number, user_id } do
        versions[contact] = conversation(contact).version
      end
      write(number, { user_id })
      for contact, version in pairs(versions) do
        local read = { kind = "conversation", key = contact, version = version }
        local _, _, code = seam:try("commit_turn", { reads = { read }, joins = joins(), now = now })
        assert.equal("conflict", code, contact)
      end
    end)
  end)

  it("is remembered as they are now", function()
    write(number, { user_id }, { name = "Asha", user_id = "IN.1349" })
    write(number, nil, { username = "asha", number = "5511987654321" })
    local row = conversation(number)
    assert.are.same({ "Asha", "asha", "IN.1349", "5511987654321" }, { row.name, row.username, row.user_id, row.number })
  end)
end)
