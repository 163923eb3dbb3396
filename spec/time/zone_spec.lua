-- SPDX-License-Identifier: MIT
local calendar = require "cunnekt.time.calendar"
local process = require "spec.support.process"
local zone = require "cunnekt.time.zone"
local zone_rule = require "cunnekt.time.zone_rule"

local lua = os.getenv "CUNNEKT_LUA" or "lua5.4"

local function utc(year, month, day, hour, min, sec)
  return calendar.seconds { year = year, month = month, day = day, hour = hour, min = min, sec = sec }
end

local function shown(it, at)
  local c = it:civil(at)
  return ("%04d-%02d-%02d %02d:%02d:%02d"):format(c.year, c.month, c.day, c.hour, c.min, c.sec)
end

-- What the C library shows at some moments under TZ, and what it calls the zone then.
local function ask_c_library(name, moments)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write "for line in io.lines(arg[1]) do print(os.date('%Y-%m-%d %H:%M:%S %Z', math.tointeger(line))) end\n"
  file:close()
  local list = os.tmpname()
  file = assert(io.open(list, "w"))
  file:write(table.concat(moments, "\n"), "\n")
  file:close()
  local pipe = assert(io.popen(("TZ='%s' %s %s %s"):format(name, lua, path, list)))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  pipe:close()
  os.remove(path)
  os.remove(list)
  return lines
end

-- Seconds at random in some years, and the seconds around each change of clocks among them.
local function moments_of(it, random)
  local moments = {}
  for _ = 1, 150 do
    moments[#moments + 1] = random(utc(1901, 1, 1), utc(2150, 1, 1))
  end
  local at = utc(random(1901, 2080), 1, 1)
  for _ = 1, 60 do
    at = it:change_after(at)
    if not at then
      break
    end
    for _, near in ipairs { at - 1, at, at + 1, at - 3600, at + 3599 } do
      moments[#moments + 1] = near
    end
  end
  return moments
end

describe("calendar", function()
  it("numbers days and finds them again, over thousands of years", function()
    local seed = 1
    local random = function(low, high)
      seed = (seed * 6364136223846793005 + 1442695040888963407)
      return low + (seed >> 33) % (high - low + 1)
    end
    for _ = 1, 5000 do
      local days = random(-1000000, 1000000)
      local year, month, day = calendar.date(days)
      assert.is_true(month >= 1 and month <= 12 and day >= 1 and day <= calendar.month_length(year, month))
      assert.equal(days, calendar.days(year, month, day))
    end
    assert.equal(0, calendar.days(1970, 1, 1))
    assert.equal(4, calendar.weekday(0)) -- a Thursday
    assert.equal(11017, calendar.days(2000, 3, 1))
    assert.equal(os.date("!%w %Y-%m-%d", 4107542400), ("%d %04d-%02d-%02d"):format(
      calendar.weekday(4107542400 // 86400), calendar.date(4107542400 // 86400)))
  end)
end)

describe("zone", function()
  -- Besides some at random: days skipped whole, negative and half-hour daylight saving, changes before midnight and
  -- beyond it, changes of the offset alone.
  local awkward = {
    "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Europe/Dublin", "Australia/Lord_Howe", "Pacific/Apia",
    "Africa/Casablanca", "America/Godthab", "Asia/Gaza", "Antarctica/Troll", "America/Sao_Paulo", "Asia/Tehran",
    "Africa/Cairo", "Pacific/Kwajalein", "Asia/Kathmandu", "America/St_Johns", "Europe/London", "Pacific/Chatham",
    "America/Havana", "Asia/Amman", "Africa/Monrovia", "EST5EDT", "Etc/GMT+12",
  }

  it("agrees with the C library in many zones and years", function()
    math.randomseed(20240331)
    local names = { table.unpack(awkward) }
    local all = {}
    for line in io.lines "/usr/share/zoneinfo/tzdata.zi" do
      all[#all + 1] = line:match "^Z ([^ ]+)"
    end
    for _ = 1, 60 do
      names[#names + 1] = all[math.random(#all)]
    end
    for _, name in ipairs(names) do
      local it = assert(zone.load(name))
      local moments = moments_of(it, math.random)
      for i, line in ipairs(ask_c_library(name, moments)) do
        local _, _, abbreviation = it:offset_at(moments[i])
        assert.equal(line, shown(it, moments[i]) .. " " .. abbreviation, name .. " at " .. moments[i])
      end
    end
  end)

  it("finds the moment of each time that a wall shows: the first one", function()
    math.randomseed(7)
    for _, name in ipairs(awkward) do
      local it = assert(zone.load(name))
      for _, at in ipairs(moments_of(it, math.random)) do
        local found = it:to_utc(it:civil(at))
        assert.is_true(found <= at, name)
        assert.equal(shown(it, at), shown(it, found), name)
        -- Shown twice: then by the earlier offset.
        assert.is_true(found == at or it:offset_at(found) > it:offset_at(at), name)
      end
    end
  end)

  it("runs a time that clocks jump over right after the jump", function()
    local berlin = assert(zone.load "Europe/Berlin")
    local at = berlin:to_utc { year = 2024, month = 3, day = 31, hour = 2, min = 30 }
    assert.equal("2024-03-31 03:00:00", shown(berlin, at))
    assert.equal(utc(2024, 3, 31, 1), at)
    -- The last second before, and the first after.
    assert.equal(utc(2024, 3, 31, 0, 59, 59), berlin:to_utc { year = 2024, month = 3, day = 31, hour = 1, min = 59, sec = 59 })
    assert.equal(utc(2024, 3, 31, 1), berlin:to_utc { year = 2024, month = 3, day = 31, hour = 3 })
    -- Half an hour, and a whole day.
    local lord_howe = assert(zone.load "Australia/Lord_Howe")
    at = lord_howe:to_utc { year = 2024, month = 10, day = 6, hour = 2, min = 15 }
    assert.equal("2024-10-06 02:30:00", shown(lord_howe, at))
    local apia = assert(zone.load "Pacific/Apia")
    at = apia:to_utc { year = 2011, month = 12, day = 30, hour = 9 }
    assert.equal("2011-12-31 00:00:00", shown(apia, at))
  end)

  it("takes the first of two", function()
    local new_york = assert(zone.load "America/New_York")
    local at = new_york:to_utc { year = 2024, month = 11, day = 3, hour = 1, min = 30 }
    assert.equal(utc(2024, 11, 3, 5, 30), at)
    assert.equal("2024-11-03 01:30:00", shown(new_york, at + 3600))
  end)

  it("goes by the rule at the file's end in years beyond the data", function()
    local berlin = assert(zone.load "Europe/Berlin")
    assert.equal(utc(2399, 7, 1, 7), berlin:to_utc { year = 2399, month = 7, day = 1, hour = 9 })
    assert.equal(utc(2399, 1, 1, 8), berlin:to_utc { year = 2399, month = 1, day = 1, hour = 9 })
    assert.is_true(select(2, berlin:offset_at(utc(2399, 7, 1))))
  end)

  it("reads every kind of rule", function()
    local function offset(text, at)
      return assert(zone_rule.parse(text), text):type_at(at).offset
    end
    assert.equal(-18000, offset("EST5EDT,M3.2.0,M11.1.0", utc(2024, 1, 15)))
    assert.equal(-14400, offset("EST5EDT", utc(2024, 7, 15)))
    assert.equal(19800, offset("IST-5:30", 0))
    assert.equal(-10800, offset("<-03>3", 0))
    -- Days of the year, with and without the leap day.
    assert.equal(3600, offset("AAA0BBB,J60/0,J61/0", utc(2024, 3, 1, 12)))
    assert.equal(0, offset("AAA0BBB,J60/0,J61/0", utc(2024, 2, 29, 12)))
    assert.equal(3600, offset("AAA0BBB,59/0,60/0", utc(2024, 2, 29, 12)))
    -- Daylight saving all year, and times beyond the day.
    assert.equal(-14400, offset("XXX3EDT4,0/0,J365/23", utc(2024, 1, 1, 3)))
    assert.equal(-14400, offset("XXX3EDT4,0/0,J365/23", utc(2024, 12, 31, 23)))
    assert.equal(10800, offset("EET-2EEST,M3.4.4/50,M10.4.4/50", utc(2024, 3, 30)))
    assert.equal(7200, offset("EET-2EEST,M3.4.4/50,M10.4.4/50", utc(2024, 3, 29, 23)))
    for _, bad in ipairs { "", "5", "ESTEDT", "EST5EDT,M3.2", "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.2.0,M11.1.0x",
      "AAA25", "AAA-999", "AAA5:60", "AAA5BBB25,M3.2.0,M11.1.0", "AAA5BBB,M3.2.0/168,M11.1.0", "AAA5BBB,J0,J366", "AAA5BBB,366,1" } do
      assert.is_nil(zone_rule.parse(bad), bad)
    end
  end)

  it("says which zone was meant", function()
    local function message(name)
      local found, err = zone.load(name)
      assert.is_nil(found)
      assert.equal("invalid", err.kind)
      return err.message
    end
    assert.truthy(message("asia/kolkata"):find("did you mean 'Asia/Kolkata'?", 1, true))
    assert.truthy(message("Asia/Kolkatta"):find("did you mean 'Asia/Kolkata'?", 1, true))
    assert.truthy(message("Berlin"):find("did you mean 'Europe/Berlin'?", 1, true))
    assert.truthy(message("America/New York"):find("did you mean 'America/New_York'?", 1, true))
    -- 'IST' was answered with 'EST', ten hours and a half away, and 'GMT+1' with 'Etc/GMT+1', which is behind UTC.
    assert.truthy(message("IST"):find("'IST' (write the place, such as 'Asia/Kolkata')", 1, true))
    for _, name in ipairs { "GMT+1", "UTC-5", "utc+05:30" } do
      local said = message(name)
      assert.truthy(said:find("(write the place, such as 'Asia/Kolkata', and not the difference: Etc/GMT+1 is an hour behind UTC)", 1, true), said)
    end
    assert.equal("no time zone is called 'Middle-earth/Shire'", message "Middle-earth/Shire")
    for _, name in ipairs { "", "Asia", "..", "../../etc/passwd", "/etc/localtime", "zone.tab", "Asia/Kolkata\0" } do
      message(name)
    end
  end)

  -- Runs a line of Lua in a process of its own, with this environment.
  local function run(environment, line)
    local pipe = assert(io.popen(("%s %s -e '%s' 2>&1"):format(environment, lua, line)))
    local output = pipe:read "a"
    pipe:close()
    return output
  end

  it("knows UTC without any data, and says when there is none", function()
    local folder = process.folder()
    local output = run("TZDIR=" .. folder.path, [[
      local zone = require "cunnekt.time.zone"
      print(zone.load("UTC"):offset_at(0), select(2, zone.load "Asia/Kolkata"))]])
    assert.truthy(output:find "^0%s")
    assert.truthy(output:find("there is no zone data in " .. folder.path .. ": install the package tzdata", 1, true))
  end)

  it("refuses damaged data, whatever is missing of it", function()
    local folder = process.folder()
    local whole = assert(io.open "/usr/share/zoneinfo/Europe/Berlin"):read "a"
    for _, length in ipairs { 0, 3, 10, 43, 44, 100, #whole // 2, #whole // 2 + 700, #whole - 200 } do
      local file = assert(io.open(folder.path .. "/Cut", "w"))
      file:write(whole:sub(1, length))
      file:close()
      local output = run("TZDIR=" .. folder.path, [[print(require("cunnekt.time.zone").load "Cut")]])
      assert.truthy(output:find "^nil%s+invalid: ", length .. ": " .. output)
    end
  end)

  -- A change to a type that is not there ended the process, changes out of order made it search for ever.
  it("refuses data that contradicts itself", function()
    local folder = process.folder()
    local function block(times, indexes, offsets)
      local parts = { "TZif2", ("\0"):rep(15), string.pack(">I4I4I4I4I4I4", 0, 0, 0, #times, #offsets, 4) }
      for _, at in ipairs(times) do
        parts[#parts + 1] = string.pack(">i8", at)
      end
      parts[#parts + 1] = string.char(table.unpack(indexes))
      for _, offset in ipairs(offsets) do
        parts[#parts + 1] = string.pack(">i4BB", offset, 0, 0)
      end
      return table.concat(parts) .. "ABC\0"
    end
    local function load(block_two, footer)
      local file <close> = assert(io.open(folder.path .. "/Odd", "wb"))
      file:write(block({}, {}, { 0 }), block_two, footer)
      file:close()
      return run("TZDIR=" .. folder.path, [[print(require("cunnekt.time.zone").load "Odd")]])
    end
    local rule = "\nABC-1\n"
    assert.equal("Odd\n", load(block({ 1, 2 }, { 0, 1 }, { 3600, 7200 }), rule))
    for _, odd in ipairs {
      { block({ 1, 2 }, { 0, 2 }, { 3600, 7200 }), rule }, -- no such type
      { block({ 2, 1 }, { 0, 1 }, { 3600, 7200 }), rule }, -- out of order
      { block({ 1, 1 }, { 0, 1 }, { 3600, 7200 }), rule },
      { block({}, {}, {}), rule }, -- no type at all
      { block({ 1 }, { 0 }, { 100 * 3600 }), rule }, -- farther than any zone
      { block({ 1 }, { 0 }, { 3600 }), "\nABC-99\n" }, { block({ 1 }, { 0 }, { 3600 }), "\nABC-1" }, { block({ 1 }, { 0 }, { 3600 }), "" },
    } do
      assert.matches("^nil%s+invalid: the data of the time zone 'Odd' is damaged", load(table.unpack(odd)))
    end
    local output = run("TZ=" .. folder.path .. "/Odd", [[print(require("cunnekt.time.zone").here())]])
    assert.matches("^nil%s+invalid: the data of the time zone 'local' is damaged", output)
  end)

  it("takes the computer's own zone from TZ", function()
    local line = [[
      local zone = require "cunnekt.time.zone"
      local here, err = zone.here()
      print(here and here:offset_at(1720000000) or err)]]
    assert.truthy(run("TZ=Asia/Kolkata", line):find "^19800%s")
    assert.truthy(run("TZ=:Europe/Berlin", line):find "^7200%s")
    assert.truthy(run("TZ=CET-1CEST,M3.5.0,M10.5.0/3", line):find "^7200%s")
    assert.truthy(run("TZ=", line):find "^0%s")
    assert.truthy(run("TZ=Asia/Kolkatta", line):find "did you mean")
    assert.truthy(run("env -u TZ", line):find "^%-?%d+%s")
  end)
end)
