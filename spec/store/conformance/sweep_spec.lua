-- SPDX-License-Identifier: MIT
-- The seam: the removal of old rows, step by step: what goes, what stays, and that it ends.

local seam_rig = require "spec.support.rigs.seam_rig"

local now, day = seam_rig.now, 86400

seam_rig.describe("the sweep", function(open)
  local seam

  before_each(function()
    seam = open()
  end)

  -- Sweeps to the end; the number of steps.
  local function sweep(more)
    local request, steps = { day = now - 8 * day, before = now - 30 * day, stage = 0, at = 0 }, 0
    for name, value in pairs(more or {}) do
      request[name] = value
    end
    repeat
      seam:sweep(request)
      steps = steps + 1
      assert(steps < 1000, "it does not end")
    until request.is_done
    return steps
  end

  local function count(what)
    return seam:counts()[what]
  end

  it("ends on an empty store, and may begin again", function()
    sweep()
    sweep()
  end)

  it("forgets keys of more than eight days ago", function()
    for i, age in ipairs { 0, 7, 8, 9.1, 100 } do
      seam:accept { events = { seam:event { key = "k" .. i } }, now = now - age * day }
    end
    sweep()
    assert.equal(3, count "seen")
    assert.equal(5, count "events")
  end)

  it("forgets accepted messages as old as that, however far they came", function()
    for i, age in ipairs { 0, 7, 8, 9.1, 100 } do
      local message = seam:sent()
      local outcome = { id = message.id, state = "accepted", message_id = "wamid." .. i, contact = "1:2", rank = i }
      seam:settle { outcomes = { outcome }, now = now - age * day }
    end
    sweep()
    assert.equal(3, count "accepted")
    assert.is_table(seam:row("accepted_message", { message_id = "wamid.3" }))
    assert.is_nil(seam:row("accepted_message", { message_id = "wamid.4" }))
  end)

  it("forgets their content with them, also where the provider gave an id twice", function()
    local messages = {}
    for i, age in ipairs { 100, 100, 9.1, 8, 0 } do
      messages[i] = seam:sent()
      local message_id = "wamid." .. math.max(2, i)
      seam:settle { now = now - age * day, outcomes = { { id = messages[i].id, state = "accepted", message_id = message_id, contact = "1:2", rank = 0 } } }
    end
    sweep()
    -- What is left of a message shows when it is accepted once more.
    for i, message in ipairs(messages) do
      seam:settle { now = now, outcomes = { { id = message.id, state = "accepted", message_id = "again." .. i, contact = "1:2", rank = 0 } } }
      assert.equal(i > 3 and message.payload or nil, seam:row("accepted_message_details", { message_id = "again." .. i }).payload, i)
    end
  end)

  it("goes through thousands of keys in steps of which each is small, and other calls come in between", function()
    for i = 0, 4 do
      seam:accept { events = seam_rig.many(1000, function(k)
        return seam:event { key = ("k%d %d"):format(i, k), body = "" }
      end), now = i % 2 == 0 and now or now - 100 * day }
    end
    local request, steps, least = { day = now - 8 * day, before = now - 30 * day, stage = 0, at = 0 }, 0, 5000
    repeat
      local before = count "seen"
      seam:sweep(request)
      assert.is_true(before - count "seen" <= 1000, "a large step")
      least = math.min(least, count "seen")
      seam:accepted { key = "new " .. steps }
      steps = steps + 1
    until request.is_done
    assert.is_true(steps >= 5)
    assert.is_true(least <= 3000 + steps)
    assert.equal(3000 + steps, count "seen")
  end)

  it("keeps dead letters and messages that were given up for as long as it is told", function()
    for _, age in ipairs { 31, 29 } do
      local event = seam:accepted()
      seam:bury { events = { event.id }, error = "x", attempts = 1, now = now - age * day }
      for _, state in ipairs { "unknown", "rejected", "failed" } do
        seam:sent(nil, { state = state, attempts = 1, at = now - age * day })
      end
    end
    sweep()
    local counts = seam:counts()
    assert.are.same({ 1, 3 }, { counts.dead, counts.messages })
    sweep { before = now - 28 * day }
    counts = seam:counts()
    assert.are.same({ 0, 0 }, { counts.dead, counts.messages })
  end)

  it("removes nothing that is unfinished, however old", function()
    seam:accept { events = { seam:event() }, now = 1000 }
    seam:turn {
      now = 1000, messages = { seam:message(), seam:message { state = "sending" } }, states = { { contact = "1:2", state = "{}" } },
      values = { { key = "a", value = "1" } },
      jobs = { { kind = "put", name = "tick", spec = "every 60", due = 1, catch_up = "once", attempts = 0 } },
    }
    local dialog = seam:dialog { after = 2 }
    seam:turn { run = dialog, now = 1000 }
    seam:turn { kept = { { dialog = dialog.id, bodies = "a" } }, now = 1000 }
    local before = seam:counts()
    sweep()
    assert.are.same(before, seam:counts())
  end)

  describe("of broken dialogs", function()
    local function broken(age)
      local dialog = seam:waiting { after = 2 }
      seam:turn { kept = { { dialog = dialog.id, bodies = "a" } } }
      seam:break_dialog { id = dialog.id, error = "x", now = now - age * day }
      return dialog
    end

    it("takes their journals and what was kept for them along", function()
      broken(31)
      local young = broken(29)
      sweep()
      local counts = seam:counts()
      assert.are.same({ 1, 2, 1 }, { counts.dialogs, counts.steps, counts.kept })
      assert.are.same({ young.id }, seam:ids "dialogs")
    end)

    it("removes many of them in as many sweeps as that takes, each whole", function()
      local list, breaks, kept = seam:all_waiting(450, function()
        return { after = 2 }
      end), {}, {}
      for i, dialog in ipairs(list) do
        breaks[i] = { id = dialog.id, error = "x", now = now - 31 * day }
        kept[i] = { dialog = dialog.id, bodies = "a" }
      end
      seam:turn { kept = kept }
      seam:together("break_dialog", breaks)
      for _ = 1, 20 do
        sweep()
        local counts = seam:counts()
        assert.are.same({ 2 * counts.dialogs, counts.dialogs }, { counts.steps, counts.kept })
      end
      assert.equal(0, seam:counts().dialogs)
    end)
  end)
end)
