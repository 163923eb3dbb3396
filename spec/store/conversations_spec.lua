-- SPDX-License-Identifier: MIT
-- The cache of conversations: what is read from it is what the store holds, whatever is under way.

local core = require "cunnekt.core"
local rig = require "spec.support.rigs.store_rig"
local seam_rig = require "spec.support.rigs.seam_rig"
local task = require "cunnekt.base.task"

local contact = "1:919999999999"

describe("a conversation in the cache", function()
  local store, asked

  rig.open_for_each(function(its_store)
    store, asked = its_store, 0
    -- Counts the questions that reach the seam.
    store._db = seam_rig.break_face(store._db, {
      query = function(pass, name, ...)
        asked = asked + (name == "conversation" and 1 or 0)
        pass(name, ...)
      end,
    })
  end)

  local function put(state, more)
    local turn = { states = { { contact = contact, state = state } } }
    for name, value in pairs(more or {}) do
      turn[name] = value
    end
    return rig.commit(store, turn)
  end

  local function found()
    return store:conversation(contact)
  end

  -- Runs both in tasks of their own, side by side.
  local function side_by_side(...)
    local tasks = {}
    for i, run in ipairs { ... } do
      tasks[i] = task.spawn(run)
    end
    for _, one in ipairs(tasks) do
      while not one.is_done do
        core.step(true)
      end
    end
  end

  it("that never was has no state, version or time", function()
    assert.are.same({ version = 0, is_paused = false }, found())
  end)

  it("is read once, and follows what is committed", function()
    found()
    assert(put '{"n":1}')
    local first = found()
    assert.equal('{"n":1}', first.state)
    local version = first.version
    assert(put '{"n":2}')
    assert.is_true(found().version ~= version)
    assert.equal('{"n":2}', found().state)
    for _, is_paused in ipairs { true, false, true } do
      assert(rig.commit(store, { pauses = { { contact = contact, is_paused = is_paused } } }))
      assert.equal(is_paused, found().is_paused)
    end
    assert.equal(1, asked)
  end)

  it("has the version of the store, so that the next turn does not conflict", function()
    found()
    for i = 1, 5 do
      assert(put(tostring(i), { reads = { { kind = "conversation", key = contact, version = found().version } } }))
    end
    assert.equal("5", found().state)
  end)

  it("knows when the customer wrote last", function()
    found()
    for _, at in ipairs { 1000, 3000, 2000 } do
      rig.accept(store, { rig.record(contact, "x", { inbound_at = at, key = "k" .. at }) })
    end
    assert.equal(3000, found().last_inbound)
    rig.accept(store, { rig.record(contact, "x", { inbound_at = 4000, key = "k1000" }) })
    assert.are.same({ 3000, 1 }, { found().last_inbound, asked })
  end)

  it("is read again after a conflict", function()
    assert(put "1")
    found()
    -- Somebody else, who shares the store.
    local is_done
    store._db:commit_turn({ now = 1, states = { { contact = contact, state = "2" } } }, function(ok)
      is_done = ok
    end)
    seam_rig.wait(function()
      return is_done
    end)
    assert.equal("1", found().state)
    local ok, err = put("lost", { reads = { { kind = "conversation", key = contact, version = found().version } } })
    assert.are.same({ nil, "conflict" }, { ok, err.kind })
    assert.equal("2", found().state)
    assert(put("3", { reads = { { kind = "conversation", key = contact, version = found().version } } }))
  end)

  -- What memory has is old while a commit is under way.
  it("is read as it will be while it is being written", function()
    assert(put "1")
    found()
    local seen
    side_by_side(function()
      put "2"
    end, function()
      seen = found().state
    end)
    assert.are.same({ "2", "2" }, { seen, found().state })
  end)

  it("is read as it was where the commit that writes it fails", function()
    local message = rig.message(store, contact, "hi")
    assert(put("1", { sends = { message } }))
    found()
    local seen
    side_by_side(function()
      put("2", { sends = { message } })
    end, function()
      seen = found().state
    end)
    assert.are.same({ "1", "1" }, { seen, found().state })
  end)

  it("keeps a state of 3 MB", function()
    local state = ('{"a":"%s"}'):format(("x"):rep(3 * 1024 * 1024))
    assert(put(state))
    assert.is_true(found().state == state)
  end)
end)
