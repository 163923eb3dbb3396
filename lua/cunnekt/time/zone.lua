-- SPDX-License-Identifier: MIT
-- Time zones, read from the system's data (tzdata in the format of RFC 8536), so a system update also updates scripts. For
-- years beyond the data, the rule at the end of the file applies; see zone_rule.lua.
--
-- Local times become UTC as people mean them: one that is skipped when clocks change is the moment right after the change,
-- and one that occurs twice is the first of the two.

local calendar = require "cunnekt.time.calendar"
local errors = require "cunnekt.base.errors"
local options = require "cunnekt.base.options"
local units = require "cunnekt.time.units"
local whole_file = require "cunnekt.base.whole_file"
local zone_rule = require "cunnekt.time.zone_rule"

local zone = {}

---@class cunnekt.zone
---@field name string
---@field private _times integer[] when clocks changed, in order
---@field private _types table[] what held from each of these on
---@field private _first table what held before
---@field private _rule cunnekt.zone_rule? what holds after the last
local zone_methods = {}
local zone_mt = { __index = zone_methods, __name = "cunnekt.zone" }

function zone_mt:__tostring()
  return self.name
end

-- Zones that were loaded, by folder and name.
local loaded = {}

-- No zone is, or ever was, farther from UTC.
local farthest = 26 * units.hour

-- ---- reading a file ----------------------------------------------------------------------------------------------

-- The sizes in a header at `at`: of the six parts of the block behind it, in the order of RFC 8536.
local function read_header(data, at)
  if data:sub(at, at + 3) ~= "TZif" or #data < at + 43 then
    return nil
  end
  local h = { version = data:byte(at + 4) }
  h.isut, h.isstd, h.leap, h.time, h.type, h.char = string.unpack(">I4I4I4I4I4I4", data, at + 20)
  return h
end

local function block_size(h, time_size)
  return h.time * (time_size + 1) + h.type * 6 + h.char + h.leap * (time_size + 4) + h.isstd + h.isut
end

local function read_types(data, at, h)
  local types, names = {}, at + h.type * 6
  for i = 1, h.type do
    local offset, is_dst, name_at = string.unpack(">i4BB", data, at + (i - 1) * 6)
    assert(math.abs(offset) < farthest)
    types[i] = { offset = offset, is_dst = is_dst == 1, name = string.unpack("z", data, names + name_at) }
  end
  return types
end

-- The changes in the block at `at`, and what follows the block. All else relies on their order and on their types.
local function read_block(data, at, h, time_format, time_size)
  local times, held = {}, {}
  local types = read_types(data, at + h.time * (time_size + 1), h)
  for i = 1, h.time do
    times[i] = string.unpack(time_format, data, at + (i - 1) * time_size)
    held[i] = assert(types[data:byte(at + h.time * time_size + i - 1) + 1])
    assert(i == 1 or times[i] > times[i - 1])
  end
  return { _times = times, _types = held, _first = assert(types[1]) }, at + block_size(h, time_size)
end

-- A zone from a file's bytes; nil when they are none. Raises on a file that is cut short or damaged.
local function read_zone(data)
  local h = read_header(data, 1)
  if not h then
    return nil
  end
  if h.version < 50 then -- "2"
    return (read_block(data, 45, h, ">i4", 4)), h
  end
  local second = 45 + block_size(h, 4)
  h = assert(read_header(data, second))
  local found, footer = read_block(data, second + 44, h, ">i8", 8)
  local text = assert(data:match("^\n([^\n]*)\n", footer))
  found._rule = text ~= "" and assert(zone_rule.parse(text)) or nil
  return found, h
end

-- ---- finding it --------------------------------------------------------------------------------------------------

local function folder()
  local named = os.getenv "TZDIR"
  return named and named ~= "" and named or "/usr/share/zoneinfo"
end

-- Every zone's name, as the data itself lists them.
local function all_names(dir)
  local names = {}
  for line in (whole_file.read(dir .. "/tzdata.zi") or ""):gmatch "[^\n]+" do
    names[#names + 1] = line:match "^Z ([^ ]+)" or line:match "^L [^ ]+ ([^ ]+)"
  end
  if #names == 0 then
    for line in (whole_file.read(dir .. "/zone.tab") or ""):gmatch "[^\n]+" do
      names[#names + 1] = line:match "^[^#\t]+\t[^\t]+\t([^\t]+)"
    end
  end
  table.sort(names)
  return names
end

-- The zone that was meant: the same but for capitals and spaces, the same city, or nearly the same.
local function suggest(dir, name)
  local wanted = name:lower():gsub(" ", "_")
  local names = all_names(dir)
  for _, known in ipairs(names) do
    if known:lower() == wanted then
      return known
    end
  end
  for _, known in ipairs(names) do
    if known:lower():match "[^/]*$" == wanted:match "[^/]*$" then
      return known
    end
  end
  return options.suggest(wanted, names)
end

-- What to write in place of a name that is none. What is near an abbreviation is another country's zone, as EST to IST, and the
-- signs of Etc/GMT+1 and its like are turned round.
local function advise(dir, name)
  local is_exact = false
  for _, known in ipairs(all_names(dir)) do
    is_exact = is_exact or known:lower() == name:lower()
  end
  if name:find "^%a+[+-]%d" then
    return " (write the place, such as 'Asia/Kolkata', and not the difference: Etc/GMT+1 is an hour behind UTC)"
  elseif not is_exact and name:find "^%u%u+$" then
    return " (write the place, such as 'Asia/Kolkata')"
  end
  local near = suggest(dir, name)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

local function not_known(dir, name)
  if not (whole_file.read(dir .. "/Etc/UTC") or whole_file.read(dir .. "/UTC")) then
    local message = "there is no zone data in %s: install the package tzdata, or set TZDIR"
    return errors.new("invalid", message:format(dir))
  end
  return errors.new("invalid", ("no time zone is called '%s'%s"):format(name, advise(dir, name)))
end

local function load_file(path, name)
  local data = whole_file.read(path)
  local ok, found, h = pcall(read_zone, data or "")
  if not data or (ok and not found) then
    return nil
  elseif not ok then
    return nil, errors.new("invalid", ("the data of the time zone '%s' is damaged"):format(name))
  elseif h.leap > 0 then
    -- The "right/" zones; a computer's clock does not count these seconds.
    return nil, errors.new("invalid", ("the time zone '%s' counts leap seconds; use the one without"):format(name))
  end
  found.name = name
  return setmetatable(found, zone_mt)
end

local function from_rule(rule, name)
  return setmetatable({ name = name, _times = {}, _types = {}, _first = rule.std, _rule = rule }, zone_mt)
end

---The zone of a name.
---@param name string as tzdata has it, such as "Asia/Kolkata"; "UTC" needs no data
---@return cunnekt.zone?
---@return cunnekt.error? err kind invalid: no such zone, or no data at all
function zone.load(name)
  if name == "UTC" then
    return from_rule(zone_rule.parse "UTC0", name)
  end
  local dir = folder()
  local key = dir .. "\0" .. name
  if loaded[key] then
    return loaded[key]
  end
  -- Only names below the folder, whatever the script was given.
  local is_name = name:find "^[%w_+/-]+$" and not name:find "^/"
  local found, err
  if is_name then
    found, err = load_file(dir .. "/" .. name, name)
  end
  if not found then
    return nil, err or not_known(dir, name)
  end
  loaded[key] = found
  return found
end

---The zone of this computer: what TZ says, or else the system's setting, or UTC.
---@return cunnekt.zone?
---@return cunnekt.error? err kind invalid: TZ names a zone that is not known
function zone.here()
  local text = os.getenv "TZ"
  if not text then
    return load_file("/etc/localtime", "local") or zone.load "UTC" -- where it is damaged, as the C library does
  elseif text == "" then
    return zone.load "UTC"
  end
  local name = text:gsub("^:", "")
  if name:find "^/" then
    local found, err = load_file(name, "local")
    if found or err then
      return found, err
    end
    return zone.load(name)
  end
  local found, err = zone.load(name)
  local rule = not found and zone_rule.parse(name)
  return rule and from_rule(rule, name) or found, err
end

-- ---- asking ------------------------------------------------------------------------------------------------------

-- How many changes came until a time.
local function count_until(times, utc)
  local low, high = 0, #times
  while low < high do
    local middle = (low + high + 1) // 2
    if times[middle] <= utc then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

---What clocks show beside UTC at a moment.
---@param utc number seconds since 1970
---@return integer offset seconds to add to UTC
---@return boolean is_dst
---@return string name such as "IST"
function zone_methods:offset_at(utc)
  utc = math.floor(utc)
  local n = count_until(self._times, utc)
  local held = n == 0 and self._first or self._types[n]
  if n == #self._times and self._rule then
    held = self._rule:type_at(utc)
  end
  return held.offset, held.is_dst or false, held.name
end

---The next moment at which clocks change, or may.
---@param utc number
---@return integer? at nil when they never do again
function zone_methods:change_after(utc)
  utc = math.floor(utc)
  local n = count_until(self._times, utc)
  if n < #self._times then
    return self._times[n + 1]
  end
  return self._rule and self._rule:change_after(utc)
end

---The date and time that clocks show at a moment.
---@param utc number seconds since 1970
---@return cunnekt.civil
function zone_methods:civil(utc)
  return calendar.civil(math.floor(utc) + self:offset_at(utc))
end

---The first moment at which clocks show so many seconds since 1970-01-01 00:00, or more.
---@param wall integer as calendar.seconds counts
---@return integer utc seconds since 1970
function zone_methods:to_utc_seconds(wall)
  local from = wall - farthest
  while true do
    local utc = wall - self:offset_at(from)
    local change = self:change_after(from)
    if utc < from then
      return from -- the clocks jumped over it
    elseif not change or utc < change then
      return utc
    end
    from = change
  end
end

---The moment of a date and time: of two the first; when clocks jump over it, right after that.
---@param civil cunnekt.civil
---@return integer utc seconds since 1970
function zone_methods:to_utc(civil)
  return self:to_utc_seconds(calendar.seconds(civil))
end

return zone
