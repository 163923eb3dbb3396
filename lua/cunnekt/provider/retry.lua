-- SPDX-License-Identifier: MIT
-- How long to wait before something is tried again: what a server asked for, or exponential backoff with full jitter
-- (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Nothing here waits.

local calendar = require "cunnekt.time.calendar"
local clock = require "cunnekt.time.clock"

local retry = {}

local months = {
  Jan = 1,
  Feb = 2,
  Mar = 3,
  Apr = 4,
  May = 5,
  Jun = 6,
  Jul = 7,
  Aug = 8,
  Sep = 9,
  Oct = 10,
  Nov = 11,
  Dec = 12,
}

-- RFC 9110 has two-digit years of the obsolete form mean the nearest past or near future.
local function full_year(text)
  local year = math.tointeger(tonumber(text))
  if #text > 2 then
    return year
  end
  return year < 70 and 2000 + year or 1900 + year
end

---Reads an HTTP date in any of its three forms.
---@param text string
---@return integer? seconds since 1970; nil when it is none
function retry.parse_date(text)
  local day, name, year, hour, minute, second =
    text:match "^%a+, (%d%d?)[ -](%a%a%a)[ -](%d%d%d?%d?) (%d%d):(%d%d):(%d%d) GMT$"
  if not day then
    name, day, hour, minute, second, year = text:match "^%a%a%a (%a%a%a) +(%d%d?) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$"
  end
  local month = name and months[name]
  if not month then
    return nil
  end
  local days = calendar.days(full_year(year), month, math.tointeger(tonumber(day)))
  return math.tointeger(days * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second))
end

---What an answer's Retry-After asks for.
---@param headers? table<string, string> with lower-case names
---@return number? seconds to wait from now; nil when there is none that can be read
function retry.after(headers)
  local value = headers and headers["retry-after"]
  if type(value) ~= "string" then
    return nil
  end
  value = value:match "^%s*(.-)%s*$"
  if value:find "^%d+$" then
    return tonumber(value)
  end
  local date = retry.parse_date(value)
  return date and math.max(0, date - clock.now())
end

-- The first wait is drawn from up to half a second, then from twice that each time; half a minute is the most.
local FIRST, MOST = 0.5, 30

---Draws the wait before the next attempt.
---@param attempt integer how many attempts were made, from 1
---@return number seconds
function retry.backoff(attempt)
  return math.min(MOST, FIRST * 2 ^ (attempt - 1)) * clock.random()
end

return retry
