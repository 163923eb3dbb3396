-- SPDX-License-Identifier: MIT
-- Promise 1 on a disk that fails: each write and sync of the store fails once, at the start and under load; then all of
-- them, as on a full disk, and on a small file system that is really full. No 200 for what is not kept, and all is well
-- again by itself when the disk is. Then the bot is killed and looked at from outside.
--
--   cunnekt run spec/crash/disk.lua [--points 200] [--start-points 40] [--seed N]

local clock = require "cunnekt.time.clock"
local faults = require "faults"
local load = require "load"
local oracle = require "oracle"
local report = require "report"
local rig = require "rig"
local task = require "cunnekt.base.task"

local points = report.option("points", 200)
local start_points = report.option("start-points", 40)
local seed = report.option("seed", os.time())

local function drained(r, opts, seconds)
  local deadline = clock.monotonic() + seconds
  repeat
    r:start_ready_bot(opts)
    local last, since = -1, clock.monotonic()
    repeat
      task.sleep(0.05)
      local count = r:collect()
      if count ~= last then
        last, since = count, clock.monotonic()
      end
    until clock.monotonic() - since > 0.5
    r:stop_bot()
    local events, messages = r:waiting()
  until events + messages == 0 or clock.monotonic() > deadline
  r:collect()
end

-- Kills the bot and judges what it kept, with a disk that works.
local function judge(r, orders, loaded)
  r:kill_bot()
  orders:clear()
  drained(r, {}, 60)
  return oracle.judge(loaded, r.received, (r:outbox()).unknown, r:ever_held())
end

local function error_of(point)
  return point % 2 == 0 and faults.ENOSPC or faults.EIO
end

-- One burst: a body from each worker, sent until it is acknowledged.
local function burst(loaded, seconds)
  loaded:start()
  task.sleep(seconds)
  loaded:stop()
end

-- ---- while it starts -----------------------------------------------------------------------------------------------

-- Returns whether the bot, at the latest when it was started again, took events.
local function start_with_fault(point)
  local r <close> = rig.new()
  local orders = faults.new(r.folder)
  r.orders = orders
  r.api = "http://127.0.0.1:1/v1" -- nobody: what is said stays in the outbox
  orders:set("disk_errno", error_of(point))
  orders:set("disk_after", point)
  local opts = { env = orders.env }
  if not r:start_ready_bot(opts) then
    if r.end_how ~= "exit" then
      return false, ("point %d: %s %d"):format(point, r.end_how, r.end_code)
    end
    r:start_ready_bot(opts)
  end
  local is_hit = orders:get "disk_failed" > 0
  local loaded = load.new { url = r.url, workers = 1, seed = point }
  local ok = rig.wait(10, function()
    return (loaded:post(load.body { { from = "919", id = "wamid.1", type = "text", text = { body = "x" } } }))
  end)
  r:kill_bot()
  local rows = r:rows "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM outbox WHERE state >= 0)"
  if not ok or rows[1][1] < 1 then
    return false, ("point %d: %s"):format(point, ok and "acknowledged and lost" or "does not take events")
  end
  return true, nil, is_hit
end

local function fail_starts()
  local bad, hits = {}, 0
  for point = 1, start_points do
    local ok, problem, is_hit = start_with_fault(point)
    bad[#bad + 1] = not ok and problem or nil
    hits = hits + (is_hit and 1 or 0)
  end
  report.check(("each of %d first writes of a new store fails once"):format(hits), #bad == 0, bad[1])
end

-- ---- under load ----------------------------------------------------------------------------------------------------

local function new_rig(env)
  local r = rig.new()
  local orders = faults.new(r.folder)
  r.orders = orders -- closed with it
  r:start_sandbox { "--no-statuses" }
  for name, value in pairs(env or {}) do
    orders.env[name] = value
  end
  assert(r:start_ready_bot { env = orders.env })
  return r, orders, load.new { url = r.url, workers = 8, contacts = 3, seed = seed, pause = 0.01 }
end

local function fail_points(count, env)
  local r <close>, orders, loaded = new_rig(env)
  local hits = 0
  for point = 1, count do
    orders:set("disk_errno", error_of(point))
    orders:set("disk_after", point)
    local before = orders:get "disk_failed"
    rig.wait(5, function()
      burst(loaded, 0.03)
      return orders:get "disk_failed" > before
    end)
    hits = hits + orders:get "disk_failed" - before
    if r:has_ended() then
      break
    end
  end
  local end_how, end_code = r:has_ended()
  return judge(r, orders, loaded), hits, loaded, end_how and ("%s %s"):format(end_how, end_code)
end

-- ---- full ----------------------------------------------------------------------------------------------------------

-- Loads while `is_full` holds; returns how many 200s came then, and how long the first one took afterwards.
local function load_while_full(loaded, make_full, make_free)
  loaded:start()
  task.sleep(0.2)
  make_full()
  task.sleep(0.2)
  local before = loaded.counts.acknowledged
  local refused_before = loaded.counts.refused
  task.sleep(1)
  local false_ones, refused = loaded.counts.acknowledged - before, loaded.counts.refused - refused_before
  make_free()
  local began = clock.monotonic()
  before = loaded.counts.acknowledged
  rig.wait(10, function()
    return loaded.counts.acknowledged > before
  end)
  local seconds = clock.monotonic() - began
  loaded:stop()
  return { false_ones = false_ones, refused = refused, seconds = seconds }
end

local function say_full(name, result, verdict)
  report.check(name .. ": refused while it is full", result.refused > 0 and result.false_ones == 0,
    ("%d refused, %d acknowledged"):format(result.refused, result.false_ones))
  report.check(name .. ": well again by itself", result.seconds < 5, ("after %.1f s"):format(result.seconds))
  report.check(name .. ": nothing acknowledged is lost", verdict.total == 0, verdict:describe())
end

local function fill_by_orders()
  local r <close>, orders, loaded = new_rig()
  local result = load_while_full(loaded, function()
    orders:set("disk_errno", faults.ENOSPC)
    orders:set("disk_full", 1)
  end, function()
    orders:set("disk_full", 0)
  end)
  say_full("every write fails", result, judge(r, orders, loaded))
end

-- A file that takes all the room there is.
local function fill(path)
  local file = assert(io.open(path, "wb"))
  file:setvbuf "no"
  for _, size in ipairs { 65536, 4096, 512, 1 } do
    while file:write(("x"):rep(size)) do
    end
  end
  file:close()
end

local function fill_small_file_system()
  local folder = rig.run "mktemp -d"
  if not os.execute(("mount -t tmpfs -o size=8m tmpfs '%s' 2>/dev/null"):format(folder)) then
    os.remove(folder)
    return report.say "no right to mount a small file system: that part is left out"
  end
  local mounted <close> = setmetatable({}, {
    __close = function()
      os.execute(("umount '%s' && rmdir '%s'"):format(folder, folder))
    end,
  })
  local r <close> = rig.new { folder = folder }
  r:start_sandbox { "--no-statuses" }
  assert(r:start_ready_bot())
  local loaded = load.new { url = r.url, workers = 8, contacts = 3, seed = seed, pause = 0.01 }
  local result = load_while_full(loaded, function()
    fill(folder .. "/filler")
  end, function()
    os.remove(folder .. "/filler")
  end)
  r:kill_bot()
  drained(r, {}, 60)
  say_full("full file system", result, oracle.judge(loaded, r.received, (r:outbox()).unknown, r:ever_held()))
  return mounted
end

local function main()
  math.randomseed(seed)
  report.say("disk, seed %d", seed)
  fail_starts()
  local verdict, hits, loaded, ended = fail_points(points)
  report.check(("each of %d writes and syncs under load fails once"):format(hits), verdict.total == 0 and not ended,
    ("%s; %d refused%s"):format(verdict:describe(), loaded.counts.refused, ended and "; the host ended: " .. ended or ""))
  fill_by_orders()
  fill_small_file_system()
  report.control("deaf_to_failures", { "lost" }, function()
    return (fail_points(30, { CRASH_BREAK = "deaf_to_failures" }))
  end)
  report.finish()
end

main()
