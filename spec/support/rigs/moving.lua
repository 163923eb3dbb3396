-- SPDX-License-Identifier: MIT
-- A store that has worked, what is in it row for row, and its move by the command line, which can be killed at any point.

local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"
local sql = require "spec.support.sql"

local moving = {}

local now = seam_rig.now
local phone = "1:919999999999"

-- Ends itself, as by a crash, when it has noted the state of a move, or has begun a table: killed.lua FROM TO POINT.
local killed = [[
local core = require "cunnekt.core"
local move = require "cunnekt.operate.move"
local store = require "cunnekt.store"
local from, to, point = table.unpack(arg)
local function pass(name)
  if name == point then
    os.execute("kill -9 " .. core.pid())
  end
end
local open = store.open
function store.open(...)
  local opened, err = open(...)
  if opened then
    local repair = opened.repair
    function opened:repair(what, request)
      local changed = repair(self, what, request)
      pass(what .. " " .. (request.state or ""))
      return changed
    end
  end
  return opened, err
end
print(move.run(from, to, pass))
]]

---Runs `cunnekt store move`.
---@return {code: integer, out: string, err: string}
function moving.move(from, to, opts)
  return process.cunnekt({ "store", "move", from, to }, opts)
end

---Where a move can be killed: after what it has noted, in the middle of tables, and between the notes of both stores at its end.
moving.points = { "note_move 1", "note_move 3", "alias", "conversation", "step", "value", "raise_counter ", "note_move 4" }

---Runs a move that is killed at a point.
function moving.kill_at(point, from, to, folder)
  local script = process.write(folder .. "/killed.lua", killed)
  local result = process.cunnekt { "run", script, from, to, point }
  assert(result.code == 137, result.out .. result.err)
end

-- ---- a store that has worked -------------------------------------------------------------------------------------------

local function fill_events(seam)
  local ids = { key = "1:IN.ab\0cd" }
  seam:accepted { contact = phone, key = "wamid.1", others = { ids }, is_from_contact = true, inbound_at = now, name = "Zoë", number = "919999999999" }
  seam:accepted { key = "wamid.2", body = ("x"):rep(3000) }
  local events = seam_rig.many(3000, function(i)
    return { contact = "1:" .. i, body = "", key = "key " .. i, is_from_contact = true, inbound_at = now + i / 7 }
  end)
  seam:accept { events = events, now = now }
  seam:post_mail { body = "{}", now = now }
  seam:post_mail { body = "", now = now }
  seam:bury { events = { events[7].id }, error = "broken\0", attempts = 3, now = now }
  seam:turn { pauses = { { contact = phone, is_paused = true } } }
  seam:turn { kept_events = { { contact = phone, body = "while away", max = 5 } } }
end

local function fill_messages(seam)
  seam:sent { contact = phone }
  seam:sent({ is_parked = true, is_bulk = true, due = now + 60, expires = now + 0.125, hours = "09:00-20:00", fallback = "f" })
  seam:sent({ track = '{"order":1}' }, { state = "unknown", attempts = 2, error = "timeout", at = now })
  seam:accepted_message("wamid.out", { contact = phone, track = "t" })
end

local function fill_dialogs(seam)
  local dialog = seam:waiting { contact = "1:5", after = 3, args = "[1]", digest = "d", source = "return 1", due = now + 99 }
  seam:waiting { contact = "1:6", signal = "paid" }
  seam:turn { kept = { { dialog = dialog.id, bodies = '["a"]' }, { dialog = dialog.id, bodies = "" } } }
  seam:turn { kept_events = { { contact = "1:7", name = "paid", body = "yes", expires = now + 1, max = 5 } } }
  seam:break_dialog { id = seam:waiting({ contact = "1:8" }).id, error = '{"message":"no"}', now = now }
end

---Fills a store with something of every kind.
function moving.fill(url)
  local seam = assert(seam_rig.open_at(url))
  fill_events(seam)
  fill_messages(seam)
  fill_dialogs(seam)
  seam:turn {
    states = { { contact = phone, state = '{"n":1}' } },
    values = { { key = "seats", value = "5" }, { key = "a\0b\255", value = "" } },
    jobs = { { kind = "put", name = "nightly", spec = "daily", catch_up = "one", due = now + 0.1 } },
    watches = { { contact = phone, before = 3600 } },
  }
  seam:close()
end

---The first id that a store would give next; ids of the block that was begun are lost.
function moving.next_id(url)
  local seam = assert(seam_rig.open_at(url))
  local first = seam:reserve_ids({ count = 1 }).first
  seam:close()
  return first
end

---All rows of a file, by table; every kind of thing must be there.
function moving.content(path)
  local db <close> = sql.open(path)
  local content = {}
  for _, found in ipairs(db:rows "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('counter', 'move', 'folded', 'seen_key', 'sent_key') ORDER BY name") do
    content[found[1]] = db:rows(("SELECT * FROM %s ORDER BY 1, 2"):format(found[1]))
    assert(#content[found[1]] > 0, "there is nothing in " .. found[1])
  end
  return content
end

---What a host says that is started with a store.
function moving.refusal(url, folder)
  local script = process.write(folder .. "/bot.lua", 'local bot = require("cunnekt").bot() bot:on("text", print)')
  local result = process.cunnekt({ "run", "--store", url, script }, { env = { CUNNEKT_API_KEY = "k", CUNNEKT_LISTEN = "127.0.0.1:0" } })
  assert(result.code == 1, result.out .. result.err)
  return result.err
end

return moving
