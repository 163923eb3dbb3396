-- SPDX-License-Identifier: MIT
-- What an earlier process left, as a start finds it: everything, and in order within each conversation.

local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"

local contact = "1:919999999999"

describe("what an earlier process left", function()
  local store

  rig.open_for_each(function(its_store)
    store = its_store
  end)

  local function field(list, name)
    local values = {}
    for i, one in ipairs(list) do
      values[i] = one[name]
    end
    return values
  end

  it("is its events, in the order of each conversation, without their bodies", function()
    local list = { rig.record(contact, "a"), rig.record("1:2", "b"), rig.record(contact, "c") }
    rig.accept(store, list)
    list[2].attempts = 3
    store:note_attempt(list[2])
    local found = recovery.events(store)
    assert.are.same({ list[1].id, list[2].id, list[3].id }, field(found, "id"))
    assert.are.same({ id = list[2].id, seq = list[2].seq, contact = "1:2", attempts = 3 }, found[2])
  end)

  -- Ids name and do not order: another process may have reserved the block before.
  it("is in the order of acceptance, whatever order the ids have", function()
    local ids = { 900005, 900001, 900009, 900003 }
    for i, id in ipairs(ids) do
      assert(store._db:accept({ now = 1, events = { { id = id, contact = i == 3 and "1:2" or contact, body = "x" } } }, function() end))
      assert(store._db:commit_turn({
        now = 1, messages = { { id = id, contact = i == 3 and "1:2" or contact, payload = "{}", state = "queued", unknown = "hold" } },
      }, function() end))
    end
    local function of_contact(list)
      local found = {}
      for _, one in ipairs(list) do
        found[#found + 1] = one.contact == contact and one.id or nil
      end
      return found
    end
    assert.are.same({ 900005, 900001, 900003 }, of_contact(recovery.events(store)))
    assert.are.same({ 900005, 900001, 900003 }, of_contact(recovery.messages(store)))
  end)

  it("is all of it, however much there is", function()
    local list, sends = {}, {}
    for i = 1, 12000 do
      list[i] = rig.record("1:" .. i % 50, "")
    end
    rig.accept(store, list)
    for i = 1, 2500 do
      sends[i] = rig.message(store, contact, "x")
    end
    assert(rig.commit(store, { sends = sends }))
    assert.equal(12000, #recovery.events(store))
    assert.are.same(field(sends, "id"), field(recovery.messages(store), "id"))
  end)

  it("is its messages, with all that they have", function()
    local row = rig.message(store, contact, "a", { track = { n = 1 }, unknown = "resend", after = "delivered", fallback = { templateid = "t" } })
    assert(rig.commit(store, { sends = { row, rig.message(store, contact, "b", { is_marked = true }) } }))
    local found = recovery.messages(store)
    assert.are.same({
      id = row.id, seq = found[1].seq, contact = contact, payload = row.payload, state = "queued", unknown = "resend", track = { n = 1 },
      attempts = 0, after = "delivered", fallback = { templateid = "t" }, changed_at = 1700000000,
    }, found[1])
    assert.equal("sending", found[2].state)
  end)

  describe("is its jobs,", function()
    local function put(...)
      local jobs = {}
      for i, name in ipairs { ... } do
        jobs[i] = { kind = "put", name = name, spec = "every 60", due = 100, catch_up = "once", attempts = 0 }
      end
      assert(rig.commit(store, { jobs = jobs }))
      return jobs
    end

    it("by their names", function()
      put("tock", "tick")
      assert.are.same({ "tick", "tock" }, field(recovery.jobs(store), "name"))
    end)

    it("thousands of them", function()
      local names = {}
      for i = 1, 2500 do
        names[i] = "job " .. i
      end
      put(table.unpack(names))
      assert.equal(2500, #recovery.jobs(store))
    end)

    it("each by its name", function()
      local names = { "a", "a\0", "a\0b", "ab", "b", "\0", "tick 919999999999", "ä" }
      local jobs = put(table.unpack(names))
      for i, name in ipairs(names) do
        local row = recovery.job(store, name)
        assert.are.same({ name, jobs[i].version }, { row.name, row.version })
      end
      for _, name in ipairs { "c", "aa", "a\0a", "tick", "\0\0" } do
        assert.is_nil(recovery.job(store, name), name)
      end
    end)
  end)

  it("cannot be read from a store that is closed", function()
    store:close()
    for _, name in ipairs { "events", "messages", "jobs", "job" } do
      local list, err = recovery[name](store, "x")
      assert.are.same({ nil, "store" }, { list, err.kind }, name)
    end
  end)
end)
