-- SPDX-License-Identifier: MIT
-- Negative controls: the seam, broken on purpose by a decorator, must be found out by the checks of this suite. Each check
-- passes on the store as it is.

local schedules = require "spec.store.conformance.schedules"
local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

local function copy(request)
  local other = {}
  for name, value in pairs(request) do
    other[name] = value
  end
  return other
end

-- A decorator that drops fields of a verb's request.
local function dropping(...)
  local names = { ... }
  return function(pass, request, done)
    local other = copy(request)
    for _, name in ipairs(names) do
      other[name] = nil
    end
    pass(other, done)
  end
end

-- Versions of values that count how often a value was written since it was made: one that was deleted and made again has
-- a version that was there before.
local function counting_versions()
  local real, count, broken = {}, {}, {}
  function broken.query(pass, name, parameters, done)
    pass(name, parameters, function(rows, ...)
      if name == "value" and rows and rows[1] then
        rows[1].version = count[parameters.key]
      end
      done(rows, ...)
    end)
  end
  function broken.commit_turn(pass, request, done)
    local other = copy(request)
    other.reads = {}
    for i, read in ipairs(request.reads or {}) do
      local is_current = read.kind == "value" and read.version == (count[read.key] or 0)
      other.reads[i] = is_current and { kind = "value", key = read.key, version = real[read.key] or 0 } or read
    end
    pass(other, function(ok, ...)
      for _, value in ipairs(ok and request.values or {}) do
        count[value.key] = value.value and (count[value.key] or 0) + 1 or 0
        real[value.key] = value.value and value.version or 0
      end
      done(ok, ...)
    end)
  end
  return broken
end

seam_rig.describe("the checks of this suite", function(open, backend)
  local count = backend.is_kept and 300 or 2000

  local function run(seam, kind)
    return schedules.run(seam, { count = count, seed = 7, kind = kind or "plain", is_quick = true })
  end

  describe("find a store that", function()
    it("does not look at what was read, in schedules", function()
      assert.is_string((run(open():breaking { commit_turn = dropping "reads" })))
    end)

    it("does not look at what was read, where a conflict is expected", function()
      local seam = open():breaking { commit_turn = dropping "reads" }
      seam:turn { values = { { key = "a", value = "1" } } }
      assert.is_table((seam:try_turn { reads = { { kind = "value", key = "a", version = 0 } } }))
      assert.is_table((seam:try_turn { reads = { { kind = "conversation", key = "1:2", version = 5 } } }))
    end)

    it("gives a value that was deleted and made again a version that it had before", function()
      assert.matches("the sum is", (run(open():breaking(counting_versions()), "moving")))
    end)

    it("leaves the event of a turn, which is handled twice then", function()
      assert.is_string((run(open():breaking { commit_turn = dropping "event" })))
    end)
  end)

  -- Senders that are killed at any moment: what was marked is not sent again.
  local function count_sent_twice(seam)
    local sent = {}
    seam:turn { messages = seam_rig.many(40, function()
      return seam:message()
    end) }
    for life = 1, 5 do
      for i, row in ipairs(seam:query("outgoing", { parked = 1, after = 0, limit = 100 })) do
        if row.state == 0 then
          seam:mark_sending { messages = { { id = row.id, attempts = 1 } }, now = now }
          sent[row.id] = (sent[row.id] or 0) + 1
          if (i + life) % 3 > 0 then
            seam:settle { outcomes = { { id = row.id, state = "accepted" } }, now = now }
          end
        end
        if i == 11 * life then
          break
        end
      end
    end
    local twice = 0
    for _, times in pairs(sent) do
      twice = twice + (times > 1 and 1 or 0)
    end
    return twice
  end

  it("find a store that forgets the mark of a message, which is sent twice then", function()
    assert.equal(0, count_sent_twice(open()))
    assert.is_true(count_sent_twice(open():breaking {
      mark_sending = function(pass, _, done)
        pass({ messages = {}, now = now }, done)
      end,
    }) > 0)
  end)

  -- Webhooks that are repeated, also while the first is under way.
  local function count_accepted(seam)
    local answered, fresh = 0, 0
    for i = 1, 90 do
      local event = seam:event { key = "m" .. i % 30 }
      seam:begin("accept", { events = { event }, now = now }, function(ok)
        assert(ok)
        answered, fresh = answered + 1, fresh + (event.is_fresh and 1 or 0)
      end)
    end
    seam_rig.wait(function()
      return answered == 90
    end)
    return fresh
  end

  it("find a store that forgets keys, and accepts an event twice then", function()
    assert.equal(30, count_accepted(open()))
    assert.is_true(count_accepted(open():breaking {
      accept = function(pass, request, done)
        for i, event in ipairs(request.events) do
          request.events[i].key = i < 0 and event.key or nil
        end
        pass(request, done)
      end,
    }) > 30)
  end)
end)
