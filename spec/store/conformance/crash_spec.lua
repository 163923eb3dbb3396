-- SPDX-License-Identifier: MIT
-- The seam: a process that is killed in the middle. Each turn is whole or absent, and what was acknowledged is there.

local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"

local writer = "spec/store/conformance/writer.lua"
local kills = 8

-- Lets the writer work on a store until it has said so many bytes, and kills it. What it had acknowledged: the numbers of the
-- last event and the last turn.
local function work_and_die(url, life, bytes, breakage)
  local running = process.start { process.lua, writer, url, tostring(life), breakage }
  process.wait_until("some commits", function()
    return #running:out() > bytes
  end)
  running:signal "KILL"
  local result = running:wait()
  assert(result.err == "" or result.err:find "Killed", result.err)
  local event, turn = 0, 0
  for kind, n in result.out:gmatch "(%l+) (%d+)\n" do
    event = kind == "event" and math.max(event, tonumber(n)) or event
    turn = kind == "turn" and math.max(turn, tonumber(n)) or turn
  end
  return event, turn
end

-- What is wrong with the store, as a sentence; and the number of its last turn. `dropped`: events that were removed again.
local function judge(seam, event, turn, dropped)
  local last = tonumber(seam:value("n").value or "0")
  local dialog, counts = seam:row("dialog", { id = 1 }) or { steps = 0 }, seam:counts()
  local found = {
    state = tonumber(seam:conversation("1:2").state or "0"), steps = dialog.steps, journal = counts.steps, messages = counts.messages,
  }
  for what, number in pairs(found) do
    if number ~= last then
      return ("%s says %d, the value %d"):format(what, number, last)
    end
  end
  if last < turn then
    return ("turn %d was acknowledged, the last is %d"):format(turn, last)
  end
  -- Of the events of the customer those of later turns are pending, without a gap; those of our own are all.
  local own, pending = 0, 0
  for _, row in ipairs((seam:walk "pending_events")) do
    own, pending = own + (row.contact == "1:3" and 1 or 0), pending + (row.contact == "1:2" and 1 or 0)
  end
  if own ~= last then
    return ("%d events of turns, the last turn is %d"):format(own, last)
  elseif last + pending < event then
    return ("event %d was acknowledged, the last is %d"):format(event, last + pending)
  elseif counts.seen ~= own + last + pending + dropped then
    return ("%d keys of %d events"):format(counts.seen, own + last + pending + dropped)
  end
  return nil, last
end

-- Kills writers of one store, one after the other. The first sentence of what is wrong, and the number of the last turn.
local function run(backend, breakage)
  local url, owner = backend.url()
  local failure, last, dropped = nil, 0, 0
  for life = 1, kills do
    local event, turn = work_and_die(url, life, math.random(200, 8000), breakage)
    local seam = assert(seam_rig.open_at(url))
    failure, last = judge(seam, event, turn, dropped)
    -- The next writer makes these events anew.
    local pending = seam:ids("pending_events", { contact = "1:2" })
    seam:repair("drop_pending_event", pending)
    dropped = dropped + #pending
    seam:close()
    if failure then
      break
    end
  end
  return failure, last, owner
end

seam_rig.describe("a writer that is killed", function(_, backend)
  it("leaves each turn whole or absent, and loses nothing that was acknowledged", function()
    local failure, last = run(backend)
    assert.is_nil(failure)
    assert.is_true(last > 100)
  end)

  -- Negative controls.
  -- A kill has to meet an instant, so they are tried more often on a slow machine.
  local function find_out(breakage)
    local failure
    for _ = 1, 6 do
      failure = failure or run(backend, breakage)
    end
    return failure
  end

  it("is found out where it acknowledges a turn before it is committed", function()
    assert.matches("was acknowledged", find_out "early")
  end)

  it("is found out where it commits a turn in two halves", function()
    assert.matches("says", find_out "halves")
  end)
end, seam_rig.is_kept)
