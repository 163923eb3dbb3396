-- SPDX-License-Identifier: MIT
-- The removal of old rows: what goes, what stays, and in which steps.

local rig = require "spec.support.rigs.store_rig"

local day = 86400
local now = 1700000000
local today = now // day

describe("the sweep of the store", function()
  local store

  before_each(function()
    store = rig.open()
  end)

  after_each(function()
    store:close()
  end)

  -- Sweeps until it is done; gives the number of steps.
  local function sweep(keep_days, at)
    local steps = 0
    repeat
      local is_done, err = store:clear_old(keep_days or 30, at or now)
      assert(is_done ~= nil, err)
      steps = steps + 1
    until is_done
    return steps
  end

  local function count(name)
    return rig.value(store, "SELECT count(*) FROM " .. name)
  end

  it("ends on an empty store, and may begin again", function()
    sweep()
    sweep()
  end)

  it("forgets what was seen more than eight days ago", function()
    rig.run(store, { "INSERT INTO seen VALUES (1, 0, ?), (2, 0, ?), (-3, 0, ?)", today - 9, today - 8, today - 9 })
    sweep()
    assert.are.same({ { 2 } }, rig.rows(store, "SELECT hash FROM seen"))
  end)

  it("forgets accepted messages as old as that", function()
    rig.run(store, {
      "INSERT INTO sent (hash, message_id, contact, rank, day) VALUES (1, 'a', 'b', 0, ?), (2, 'c', 'd', 0, ?)",
      today - 9, today - 8,
    })
    sweep()
    assert.are.same({ { 2 } }, rig.rows(store, "SELECT hash FROM sent"))
  end)

  it("goes through thousands of rows a thousand at a time", function()
    rig.run(store, {
      [[WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
        INSERT INTO seen SELECT (i * 7919) % 5003 - 2500, 0, CASE WHEN i % 2 THEN ? ELSE ? END FROM n]],
      today, today - 100,
    })
    assert.is_true(sweep() >= 5)
    assert.equal(2250, count "seen")
  end)

  it("keeps dead letters and ended messages for the days that it is told", function()
    for i, age in ipairs { 31, 29 } do
      local at = now - age * day
      rig.run(store,
        { "INSERT INTO dead (seq, contact, body, attempts, error, failed_at) VALUES (?, 'a', 'b', 1, 'c', ?)", i, at },
        { "INSERT INTO outbox (id, contact, payload, state, unknown, changed_at) VALUES (?, 'a', '{}', 3, 'hold', ?)", i, at })
    end
    sweep(30)
    assert.are.same({ { 2 } }, rig.rows(store, "SELECT seq FROM dead"))
    assert.are.same({ { 2 } }, rig.rows(store, "SELECT id FROM outbox"))
    sweep(28)
    assert.are.same({ 0, 0 }, { count "dead", count "outbox" })
  end)

  it("removes no message that waits or is being sent, and no event, however old", function()
    rig.run(store,
      { "INSERT INTO outbox (id, contact, payload, state, unknown, changed_at) VALUES (1, 'a', '{}', 0, 'hold', 0), (2, 'a', '{}', 1, 'hold', 0)" },
      { "INSERT INTO event (seq, contact, body, accepted_at) VALUES (1, 'a', 'b', 0)" })
    sweep()
    assert.are.same({ 2, 1 }, { count "outbox", count "event" })
  end)

  describe("of dialogs that were set aside", function()
    local function put_dialog(id, changed_at, problem)
      rig.run(store,
        { "INSERT INTO dialog (id, contact, name, seed, started_at, changed_at, error) VALUES (?, 'a', 'it', '', 0, ?, ?)", id, changed_at, problem },
        { "INSERT INTO step VALUES (?, 1, 'send x', '{}')", id },
        { "INSERT INTO kept (dialog, bodies) VALUES (?, '[\"x\"]')", id })
    end

    it("takes their journals along", function()
      put_dialog(1, now - 31 * day, '{"message":"x"}')
      put_dialog(2, now - 29 * day, '{"message":"x"}')
      sweep()
      assert.are.same({ { 2 } }, rig.rows(store, "SELECT id FROM dialog"))
      assert.are.same({ { 2 } }, rig.rows(store, "SELECT dialog FROM step"))
    end)

    it("leaves those that wait, however long", function()
      put_dialog(1, 0, nil)
      sweep()
      assert.are.same({ 1, 1, 1 }, { count "dialog", count "step", count "kept" })
    end)

    -- They stayed for ever; and numbers of dialogs are given anew after a restart, so that another customer's dialog would
    -- have been given them.
    it("takes the messages along that were kept for them", function()
      put_dialog(7, now - 31 * day, '{"message":"x"}')
      sweep()
      assert.equal(0, count "kept")
      assert.are.same({}, store:kept_for(7))
    end)

    it("removes many of them in several sweeps", function()
      for i = 1, 450 do
        put_dialog(i, i, '{"message":"x"}')
      end
      local sweeps = 0
      repeat
        sweep()
        sweeps = sweeps + 1
        assert.are.same({ count "dialog", count "dialog" }, { count "step", count "kept" })
      until count "dialog" == 0
      assert.equal(3, sweeps)
    end)
  end)

  it("stops where the store cannot be written", function()
    store:close()
    local is_done, err = store:clear_old(30, now)
    assert.are.same({ nil, "store" }, { is_done, err.kind })
  end)
end)
