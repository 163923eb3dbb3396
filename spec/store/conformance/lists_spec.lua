-- SPDX-License-Identifier: MIT
-- The seam: the lists for operators. Each is walked through in small steps, by contact, time and state; what fits is found
-- once, however much there is that does not fit.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

-- How to make a row of each list at a time, and the ids of things that were made so.
local lists = {}

function lists.pending_events(seam, contacts, at)
  local events = {}
  for i, contact in ipairs(contacts) do
    events[i] = seam:event { contact = contact, body = "b" .. i }
  end
  seam:accept { events = events, now = at }
  return events
end

function lists.dead_events(seam, contacts, at)
  local events, ids = lists.pending_events(seam, contacts, at - 100), {}
  for i, event in ipairs(events) do
    ids[i] = event.id
  end
  seam:bury { events = ids, error = "x", attempts = 5, now = at }
  return events
end

function lists.outbox_messages(seam, contacts, at)
  local messages = {}
  for i, contact in ipairs(contacts) do
    messages[i] = seam:message { contact = contact }
  end
  seam:turn { messages = messages, now = at }
  return messages
end

function lists.accepted_messages(seam, contacts, at)
  local messages, outcomes = lists.outbox_messages(seam, contacts, at - 100), {}
  for i, message in ipairs(messages) do
    outcomes[i] = { id = message.id, state = "accepted", message_id = "wamid." .. message.id, contact = message.contact, rank = 0 }
  end
  seam:settle { outcomes = outcomes, now = at }
  return messages
end

function lists.dialogs(seam, contacts, at)
  local dialogs, turns = {}, {}
  for i, contact in ipairs(contacts) do
    dialogs[i] = seam:dialog { contact = contact }
    turns[i] = { run = dialogs[i], now = at }
  end
  seam:together("commit_turn", turns)
  return dialogs
end

local function ids_of(things)
  local ids = {}
  for i, thing in ipairs(things) do
    ids[i] = thing.id
  end
  table.sort(ids)
  return ids
end

local function sorted(ids)
  table.sort(ids)
  return ids
end

for name, make in pairs(lists) do
  seam_rig.describe("the list " .. name, function(open)
    local seam

    before_each(function()
      seam = open()
    end)

    local function found(more)
      return sorted(seam:ids(name, more))
    end

    it("of an empty store is over at once", function()
      local rows, steps = seam:walk(name)
      assert.are.same({ {}, 1 }, { rows, steps })
    end)

    it("has all of thousands, each once", function()
      local contacts = seam_rig.many(name == "dialogs" and 2100 or 4500, function(i)
        return "1:" .. i % 10
      end)
      local things = make(seam, contacts, now)
      local rows, steps = seam:walk(name)
      assert.are.same(ids_of(things), sorted(ids_of(rows)))
      assert.is_true(steps >= #contacts // 2000 + 1)
    end)

    it("is walked through in order, but for accepted messages", function()
      make(seam, { "1:2", "1:3", "1:2" }, now)
      local ids = seam:ids(name)
      if name ~= "accepted_messages" then
        assert.are.same(sorted { table.unpack(ids) }, ids)
      end
    end)

    it("goes on over thousands of which nothing fits, to the one that does", function()
      make(seam, seam_rig.many(2100, function()
        return "1:2"
      end), now)
      local wanted = make(seam, { "1:3" }, now)
      make(seam, { "1:2" }, now)
      local rows, steps = seam:walk(name, { contact = "1:3" })
      assert.are.same(ids_of(wanted), ids_of(rows))
      assert.is_true(steps >= 2)
      assert.are.same({}, found { contact = "1:4" })
      assert.are.same({}, found { after = now + 1 })
    end)

    it("is of a conversation, or of a customer with every number", function()
      local things = make(seam, { "1:2", "1:3", "2:2", "2", "12:22", "1:2:3" }, now)
      local ids = {}
      for i, thing in ipairs(things) do
        ids[i] = thing.id
      end
      assert.are.same(sorted { ids[1], ids[3], ids[4] }, found { contact = "2" })
      assert.are.same({ ids[1] }, found { contact = "1:2" })
      assert.are.same({ ids[6] }, found { contact = "2:3" })
      assert.are.same({}, found { contact = "" })
      assert.are.same({}, found { contact = "1" })
      assert.equal(6, #found())
    end)

    it("is of a time, from its first moment to before its last", function()
      local ids = {}
      for i = 1, 4 do
        ids[i] = make(seam, { "1:2" }, now + 10 * i)[1].id
      end
      assert.are.same(sorted { ids[2], ids[3] }, found { after = now + 20, before = now + 40 })
      assert.are.same({ ids[1] }, found { before = now + 20 })
      assert.are.same({ ids[4] }, found { after = now + 40 })
    end)
  end)
end

seam_rig.describe("a list", function(open)
  local seam

  before_each(function()
    seam = open()
  end)

  it("of events has bodies where they are wanted, but no large ones", function()
    local small, large = seam:accepted { body = "a\0" }, seam:accepted { body = ("x"):rep(16385) }
    local limit = seam:accepted { body = ("x"):rep(16384) }
    for _, name in ipairs { "pending_events", "dead_events" } do
      local bodies = {}
      for _, row in ipairs((seam:walk(name, { has_bodies = 1 }))) do
        bodies[row.id] = #(row.body or "none")
      end
      assert.are.same({ [small.id] = 2, [large.id] = 4, [limit.id] = 16384 }, bodies)
      for _, row in ipairs((seam:walk(name))) do
        assert.is_nil(row.body)
      end
      seam:bury { events = { small.id, large.id, limit.id }, error = ("y"):rep(1000), attempts = 5, now = now }
    end
    assert.equal(400, #seam:walk("dead_events")[1].error)
    assert.equal(1000, #seam:row("event", { id = large.id }).error)
    assert.equal(16385, #seam:row("event", { id = large.id }).body)
  end)

  it("of messages is of the states that are wanted", function()
    local ids = { [0] = seam:sent().id }
    for state, number in pairs { sending = 1, unknown = 2, rejected = 3, failed = 4 } do
      ids[number] = seam:sent(nil, { state = state, attempts = 1 }).id
    end
    for states = 0, 31 do
      local wanted = {}
      for number = 0, 4 do
        wanted[#wanted + 1] = states >> number & 1 == 1 and ids[number] or nil
      end
      assert.are.same(sorted(wanted), seam:ids("outbox_messages", { states = states }))
    end
  end)

  it("of accepted messages is of the ranks that are wanted", function()
    local ids = {}
    for _, rank in ipairs { 0, 1, 2, 3, 4, 9 } do
      ids[rank] = seam:accepted_message("wamid." .. rank, nil, { rank = rank }).id
    end
    assert.are.same({ ids[9] }, seam:ids("accepted_messages", { ranks = 1 << 9 }))
    assert.are.same(sorted { ids[0], ids[3] }, sorted(seam:ids("accepted_messages", { ranks = 1 | 1 << 3 })))
    assert.are.same({}, seam:ids("accepted_messages", { ranks = 1 << 7 }))
    assert.are.same({}, seam:ids("accepted_messages", { ranks = 0 }))
  end)

  it("of dialogs is of the open, of the broken, or of all", function()
    local opened, broken = seam:waiting(), seam:waiting()
    seam:break_dialog { id = broken.id, error = "no luck", now = now }
    assert.are.same({ opened.id }, seam:ids("dialogs", { is_broken = 0 }))
    assert.are.same({ broken.id }, seam:ids("dialogs", { is_broken = 1 }))
    assert.are.same({ opened.id, broken.id }, seam:ids "dialogs")
    assert.equal("no luck", seam:walk("dialogs", { is_broken = 1 })[1].error)
  end)

  it("of conversations gives one after the other, by all bytes of their keys", function()
    local states = {}
    for i, contact in ipairs { "1:2", "1:3", "10:2", "1:2\0", "2:2", "\xff" } do
      states[i] = { contact = contact, state = "{}" }
    end
    seam:turn { states = states }
    local seen, after = {}, ""
    repeat
      after = seam:row("next_contact", { after = after }).contact
      seen[#seen + 1] = after
    until not after
    assert.are.same({ "10:2", "1:2", "1:2\0", "1:3", "2:2", "\xff" }, seen)
  end)
end)
