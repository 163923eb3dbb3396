-- SPDX-License-Identifier: MIT
-- What holds for cron lines and for dates: what is taken gives times that go on, in bounded time; the rest is refused. The
-- first byte of an input says what it is: "0" a cron line or a time of day, "1" a date or an age.

local calendar = require "cunnekt.time.calendar"
local cron = require "cunnekt.time.cron"
local format = require "cunnekt.time.format"
local zone = require "cunnekt.time.zone"

local here = {
  zone.load "UTC", assert(zone.load "Europe/Berlin"), assert(zone.load "Australia/Lord_Howe"), assert(zone.load "America/New_York"),
}

local ways = {
  function(text)
    local line, err = cron.parse(text)
    assert(line or err.kind == "invalid")
    for i = 1, line and #here or 0 do
      local at = 1700000000 + #text * 86400 * 30
      for _ = 1, 3 do
        local next_at = line:next(at, here[i])
        assert(next_at == nil or (next_at > at and math.type(next_at) == "integer"), "a run in the past")
        at = next_at or at
      end
    end
    cron.daily(text)
  end,
  function(text)
    local at = format.read_http_date(text)
    assert(at == nil or math.type(at) == "integer" or math.type(at) == "float")
    format.read_age(text)
    local year, month, day = text:match "^(%d%d?%d?%d?)-(%d%d?)-(%d%d?)"
    if year then
      local days = calendar.days(tonumber(year), tonumber(month) % 12 + 1, tonumber(day))
      assert(calendar.days(calendar.date(days)) == days, "a day that is another")
    end
  end,
}

local function check(input)
  ways[((input:byte() or 0) - ("0"):byte()) % #ways + 1](input:sub(2))
end

-- A fault: steps begin anew at an hour that the clocks skip, so that a run is in the past.
local function plant()
  local parse = cron.parse
  function cron.parse(line)
    local found, err = parse(line)
    if found and line:find("/", 1, true) then
      found.next = function(_, after)
        return after
      end
    end
    return found, err
  end
end

return { check = check, plant = plant }
