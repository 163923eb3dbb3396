-- SPDX-License-Identifier: MIT
-- The seam: blocks of ids. None is given twice, whoever asks and whatever happens to the store.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("blocks of ids", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  -- Notes a block, and that none of it was given before. Blocks are kept as their first and last id.
  local function new_blocks()
    local blocks = {}
    return function(first, count)
      assert(math.type(first) == "integer" and first > 0, "no id")
      for _, block in ipairs(blocks) do
        if first <= block[2] and first + count - 1 >= block[1] then
          error "an id was given twice"
        end
      end
      blocks[#blocks + 1] = { first, first + count - 1 }
    end
  end

  it("do not overlap, whatever their size", function()
    local note = new_blocks()
    for _, count in ipairs { 1, 1, 5, 1000, 1, 1000000, 3 } do
      note(seam:reserve_ids({ count = count }).first, count)
    end
  end)

  it("do not overlap where many ask together, in between other calls", function()
    local note, answered = new_blocks(), 0
    for i = 1, 200 do
      local request = { count = i % 7 + 1 }
      seam:begin("reserve_ids", request, function(ok)
        assert(ok)
        note(request.first, request.count)
        answered = answered + 1
      end)
      seam:begin("commit_turn", { now = now, values = { { key = "a", value = "1" } }, reads = i % 2 == 0 and { { kind = "value", key = "b", version = 7 } } or nil },
        function() end)
    end
    seam_rig.wait(function()
      return answered == 200
    end)
  end)

  it("are nobody's where a call beside them failed", function()
    local note, taken, answered = new_blocks(), seam:accepted(), 0
    for _ = 1, 50 do
      local request = { count = 10 }
      seam:begin("reserve_ids", request, function(ok)
        assert(ok)
        note(request.first, 10)
        answered = answered + 1
      end)
      seam:begin("accept", { events = { seam_rig.many(1, function()
        return { id = taken.id, contact = "1:2", body = "x" }
      end)[1] }, now = now }, function(ok)
        assert(not ok)
        answered = answered + 1
      end)
    end
    seam_rig.wait(function()
      return answered == 100
    end)
  end)

  -- Calls that fail may have taken ids by then, and others that are in the queue beside them take some as well.
  it("are the store's own as well, for events that have none, in whatever call", function()
    local note, conflict, taken = new_blocks(), { { kind = "value", key = "b", version = 7 } }, seam:accepted()
    local function nameless(count)
      return seam_rig.many(count, function()
        return { contact = "1:2", body = "x" }
      end)
    end
    local answered, started = 0, 0
    local function start(verb, request, see)
      started = started + 1
      seam:begin(verb, request, function(ok)
        answered = answered + 1
        see(ok)
      end)
    end
    local function note_all(events)
      for _, event in ipairs(events) do
        assert.is_true(event.is_fresh)
        note(event.id, 1)
      end
    end
    for i = 1, 150 do
      local events, lost = nameless(i % 5 + 1), nameless(3)
      lost[4] = i % 3 == 0 and { id = taken.id, contact = "1:2", body = "x" } or nil
      start("accept", { events = events, now = now }, function(ok)
        assert(ok)
        note_all(events)
      end)
      start("commit_turn", { events = lost, reads = i % 3 == 1 and conflict or nil, now = now }, function(ok)
        assert.equal(i % 3 == 2 or nil, ok)
        note_all(ok and lost or {})
      end)
      local block = { count = 700 }
      start("reserve_ids", block, function()
        note(block.first, 700)
      end)
      local told = nameless(1)
      start("settle", { outcomes = { { id = 1, state = "failed", attempts = 1, events = told } }, now = now }, function()
        note_all(told)
      end)
    end
    seam_rig.wait(function()
      return answered == started
    end)
    local dialog, event = seam:waiting { due = now }, nameless(1)[1]
    seam:fire { timers = { { dialog = dialog.id, due = now, steps = 0, event = event } }, now = now }
    note_all { event }
    assert.equal(event.body, seam:row("event_body", { id = event.id }).body)
  end)

  -- The conflict comes before anything is written, so nothing is undone after it.
  it("are not taken from others by a turn that conflicts before the store has reserved any", function()
    local conflict = { { kind = "value", key = "b", version = 7 } }
    for _ = 1, 3 do
      local ok, _, code = seam:try("commit_turn", { events = { { contact = "1:2", body = "x" } }, reads = conflict, now = now })
      assert.are.same({ nil, "conflict" }, { ok, code })
    end
    local note = new_blocks()
    note(seam:reserve_ids({ count = 700 }).first, 700)
    for i = 1, 1100 do
      local event = { contact = "1:2", body = "x" }
      seam:accept { events = { event }, now = now }
      note(event.id, 1)
      if i % 100 == 0 then
        note(seam:reserve_ids({ count = 700 }).first, 700)
      end
    end
  end)

  it("are not taken by events that are duplicates", function()
    seam:accepted { key = "k" }
    local event = { contact = "1:2", body = "x", key = "k" }
    seam:accept { events = { event }, now = now }
    assert.is_false(event.is_fresh)
    assert.is_true((event.id or 0) == 0)
  end)

  it("name what is stored, in any order", function()
    local first = seam:reserve_ids({ count = 3 }).first
    for _, id in ipairs { first + 2, first, first + 1 } do
      seam:accepted { id = id }
    end
    assert.are.same({ first, first + 1, first + 2 }, seam:column("pending", "id", { after = 0, limit = 10 }))
  end)

  if backend.is_kept then
    it("do not overlap with those from before a restart, used or not", function()
      local note = new_blocks()
      for _ = 1, 4 do
        note(seam:reserve_ids({ count = 100 }).first, 100)
        seam:reopen()
        note(seam:reserve_ids({ count = 10 }).first, 10)
        local event = { contact = "1:2", body = "x" }
        seam:accept { events = { event }, now = now }
        note(event.id, 1)
      end
    end)
  end
end)
