-- SPDX-License-Identifier: MIT
-- What holds for files of time zones and for rules of daylight saving time: what is taken gives times that go on, in bounded
-- time; the rest is refused. The first byte of an input says what it is: "0" a file, "1" the text of a rule or a name.

local cron = require "cunnekt.time.cron"
local zone = require "cunnekt.time.zone"
local zone_rule = require "cunnekt.time.zone_rule"

local path = os.tmpname()
-- Few zones, among which a name is searched quickly.
local variables = { TZDIR = "/usr/share/zoneinfo/Etc" }
local getenv = os.getenv
rawset(os, "getenv", function(name)
  return variables[name] or getenv(name)
end)

local farthest = 26 * 3600
local moments = { 0, -2 ^ 31 // 1 | 0, (2 ^ 31 // 1 | 0) - 1, 1700000000, 4102444800, -5000000000, 253402300799 }
local hourly, daily = cron.parse "*/7 * * * *", cron.parse "30 2 * * *"

local function check_zone(it)
  for _, utc in ipairs(moments) do
    local offset, is_dst, name = it:offset_at(utc)
    assert(math.type(offset) == "integer" and math.abs(offset) < farthest, "an offset that no zone has")
    assert(type(is_dst) == "boolean" and type(name) == "string")
    local at = utc
    for _ = 1, 5 do
      local change = it:change_after(at)
      assert(change == nil or change > at, "a change that was before")
      at = change or at
    end
    local back = it:to_utc(it:civil(utc))
    assert(math.abs(back - utc) <= 2 * farthest, "a time that goes far away")
    assert(it:civil(back).year, "no date")
  end
  for _, line in ipairs { hourly, daily } do
    local at = line:next(1700000000, it)
    assert(at == nil or at > 1700000000, "a run in the past")
  end
end

local function check_here()
  local it, err = zone.here()
  assert(it or err.kind == "invalid")
  if it then
    check_zone(it)
  end
end

local function check(input)
  local kind, data = input:byte() or 0, input:sub(2)
  if kind % 2 == 0 then
    local file <close> = assert(io.open(path, "wb"))
    file:write(data)
    file:close()
    variables.TZ = path
  else
    variables.TZ = (data:gsub("%z", ""))
    zone_rule.parse(data)
    zone.load(data)
  end
  check_here()
  os.remove(path)
end

-- A fault: a change at no full hour is at the moment that was asked about.
local function plant()
  local utc = zone.load "UTC"
  local methods = getmetatable(utc).__index
  local change_after = methods.change_after
  function methods.change_after(self, at)
    local change = change_after(self, at)
    return change and change % 3600 ~= 0 and at or change
  end
end

return { check = check, plant = plant }
