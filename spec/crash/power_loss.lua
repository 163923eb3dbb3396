-- SPDX-License-Identifier: MIT
-- Power loss: commits turns on a recording file system, makes images of what the disk may hold when the power goes at some
-- moment, and looks into each with plain SQLite. Nothing that was acknowledged before that moment may be missing.
--
-- Turns change the store in a known way and are committed in order, so a right image is the state after some number
-- of turns, not fewer than were acknowledged and not more than were begun. power.lua runs it at length.

local core = require "cunnekt.core"
local recorder = require "recorder"

local power_loss = {}

local modes = { "all", "nothing", "prefix", "ops", "sectors", "pages", "garbage" }
-- So many events stay; older ones are deleted as newer ones come, as finished work is.
local kept = 300

local defaults = {
  images = 2000, -- how many
  turns = 1500,
  in_flight = 24, -- at most; it varies
  seed = 1,
  synchronous = "full", -- controls: "normal", "off"
  lying = false, -- control: the database's syncs do nothing
  sync_delay = 2, -- milliseconds that a sync of the database takes: commits go on meanwhile
  failing_syncs = 0, -- so many syncs of the database fail meanwhile
  wal_pages = 12, -- short, so that there are many checkpoints
}

-- ---- the work ------------------------------------------------------------------------------------------------------

local function body_of(n)
  return ("%d/"):format(n):rep(n * 37 % 400 + 1)
end

-- Turn n adds event n, counts, and finishes an old event.
local function turn_of(n)
  return {
    now = n,
    events = { { id = n, contact = "1:2", body = body_of(n) } },
    values = { { key = "total", value = tostring(n) } },
    event = n > kept and n - kept or nil,
  }
end

local function step_until(is_done)
  while not is_done() do
    core.step(true)
  end
end

local function open(path, options)
  return assert(core.store_open("sqlite:" .. path, {
    vfs = "recorder", synchronous = options.synchronous, wal_pages = options.wal_pages,
  }))
end

local function close(db)
  local is_closed = false
  db:close(function()
    is_closed = true
  end)
  step_until(function()
    return is_closed
  end)
end

-- Commits all turns, with a restart in the middle. Returns what was acknowledged when: a list of {moment, n}.
local function work(path, options)
  local acknowledged, begun_at, acknowledged_until = {}, {}, 0
  begun_at[0] = recorder.count()
  local db = open(path, options)
  acknowledged[1] = { recorder.mark(), 0 }
  local function run(n, turn)
    begun_at[n] = recorder.count()
    local function note(ok, message)
      -- A turn that failed is tried again, as its owner would.
      if not ok and options.failing_syncs == 0 then
        error(message)
      elseif not ok then
        return db:commit_turn(turn, note)
      end
      acknowledged_until = n
      acknowledged[#acknowledged + 1] = { recorder.mark(), n }
    end
    assert(db:commit_turn(turn, note))
  end
  for n = 1, options.turns do
    run(n, turn_of(n))
    local wanted = n % 97 < 3 and 0 or math.random(0, options.in_flight)
    step_until(function()
      return n - acknowledged_until <= wanted
    end)
    if n == options.turns // 2 then
      close(db)
      db = open(path, options)
    end
    if options.failing_syncs > 0 and n % 100 == 50 and recorder.failed() == 0 then
      recorder.faults { sync = true, database_only = true, after = 2, times = options.failing_syncs, code = "io",
        sync_delay = options.sync_delay }
    end
  end
  close(db)
  return acknowledged, begun_at
end

-- ---- the judge -----------------------------------------------------------------------------------------------------

-- The number of turns that an image holds, or nil and what is wrong with it.
local function read_image(path)
  local file = io.open(path)
  if not file then
    return -1
  end
  file:close()
  local tables, message = recorder.query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
  if not tables then
    return nil, message
  elseif #tables == 0 then
    return -1
  end
  local check, problem = recorder.query(path, "PRAGMA integrity_check")
  if not check or check[1][1] ~= "ok" then
    return nil, problem or check[1][1]
  end
  local total = recorder.query(path, "SELECT value FROM value WHERE key = CAST('total' AS BLOB)")
  if not total then
    return nil, "the tables were made by half"
  end
  local count = total[1] and math.tointeger(tonumber(total[1][1])) or 0
  local events = assert(recorder.query(path, "SELECT id, body FROM event ORDER BY id"))
  local first = math.max(1, count - kept + 1)
  if #events ~= count - first + 1 then
    return nil, ("half a turn: %d events at turn %d"):format(#events, count)
  end
  for i, row in ipairs(events) do
    local n = first + i - 1
    if row[1] ~= n or row[2] ~= body_of(n) then
      return nil, ("event %d is not what was written"):format(n)
    end
  end
  return count
end

local function pick_moments(count, from, to)
  local moments = {}
  for i = 1, count do
    moments[i] = math.random(from, to)
  end
  table.sort(moments)
  return moments
end

local function scratch()
  local pipe = assert(io.popen "mktemp -d -p /dev/shm 2> /dev/null || mktemp -d")
  local folder = pipe:read "l"
  pipe:close()
  return folder
end

-- Looks into images at growing moments; `tell(image, problem)` hears of the bad ones.
local function judge(options, acknowledged, begun_at, folder, tell)
  local imager = recorder.imager(options.seed)
  local path = folder .. "/work.db"
  local next_acknowledged, owed, begun = 1, -1, -1
  local result = { images = 0, lost = 0, corrupt = 0 }
  for i, moment in ipairs(pick_moments(options.images, 1, recorder.count())) do
    while acknowledged[next_acknowledged] and acknowledged[next_acknowledged][1] <= moment do
      owed = acknowledged[next_acknowledged][2]
      next_acknowledged = next_acknowledged + 1
    end
    while begun_at[begun + 1] and begun_at[begun + 1] <= moment do
      begun = begun + 1
    end
    local mode = modes[i % #modes + 1]
    imager:write(moment, mode, options.seed + i, folder)
    local held, problem = read_image(path)
    if not held then
      result.corrupt = result.corrupt + 1
      tell(("image %d (%s, moment %d): %s"):format(i, mode, moment, problem))
    elseif held < owed or held > begun then
      result.lost = result.lost + 1
      tell(("image %d (%s, moment %d): holds %d turns, %d were acknowledged"):format(i, mode, moment, held, owed))
    end
    result.images = i
    os.remove(path .. "-shm")
  end
  return result
end

---@param given table see `defaults` above
---@param tell? fun(message: string) hears of each bad image
---@return {images: integer, lost: integer, corrupt: integer, operations: integer, checkpoints: integer}
function power_loss.run(given, tell)
  local options = setmetatable(given, { __index = defaults })
  math.randomseed(options.seed)
  local folder, images = scratch(), scratch()
  recorder.begin()
  recorder.faults { lying = options.lying, sync_delay = options.sync_delay }
  local acknowledged, begun_at = work(folder .. "/work.db", options)
  local failed = recorder.failed()
  recorder.faults {}
  local result = judge(options, acknowledged, begun_at, images, tell or function() end)
  result.operations, result.failed_syncs = recorder.count(), failed
  recorder.begin()
  os.execute("rm -rf " .. folder .. " " .. images)
  return result
end

return power_loss
