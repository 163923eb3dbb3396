-- SPDX-License-Identifier: MIT
-- How long to wait before something is tried again, for everything that is: one function or constant a policy, in seconds.
-- How often it is tried is up to the caller. Nothing here waits. Jitter keeps those that failed together from coming back
-- together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

local clock = require "cunnekt.time.clock"
local format = require "cunnekt.time.format"
local words = require "cunnekt.base.words"

local retry = {}

-- Half of the pause is fixed, half is random.
local function half_jitter(seconds)
  return seconds * (0.5 + clock.random() / 2)
end

-- `first` seconds, doubled for each attempt after the first. The exponent is bounded, since attempts are not.
local function doubled(first, attempts, most)
  return math.min(most, first * 2 ^ math.min(attempts - 1, 16))
end

---Seconds that a call waits by itself at most. When it would have to wait longer, it fails with `retry_after`, and its
---caller decides.
retry.max_wait = 60

---A request that surely was not accepted: up to 0.5 s, doubled to 30 s, all of it random.
---@param attempts integer how many were made, from 1
---@return number seconds
function retry.request(attempts)
  return doubled(0.5, attempts, 30) * clock.random()
end

---A message in the outbox that surely was not accepted: a second, doubled to 5 minutes.
---@param attempts integer
---@return number seconds
function retry.message(attempts)
  return half_jitter(doubled(1, attempts, 300))
end

---A turn whose handler failed, of an event or a job: a second, then four times longer each time.
---@param attempts integer
---@return number seconds
function retry.turn(attempts)
  return half_jitter(4 ^ (attempts - 1))
end

---A change that the store could not write. The pause is fixed: a full disk is no better after a long one.
retry.store = 1

---A webhook that the sandbox's bot refused: `first` seconds, doubled to 5 minutes, a quarter more or less.
---@param attempts integer
---@param first number seconds
---@return number seconds
function retry.webhook(attempts, first)
  return doubled(first, attempts, 300) * (0.75 + 0.5 * clock.random())
end

-- 4^6 seconds is over an hour.
local most_penalties = 6

---A contact for whom WhatsApp accepts no more messages (error 131056): 4^n seconds, as Meta asks.
---@param penalties integer how many came before, from 0, without a message that got through
---@return number seconds
function retry.pair(penalties)
  return 4.0 ^ math.min(penalties, most_penalties)
end

---What a sender of webhooks is told to wait (Retry-After) when the queue is full or the store cannot write.
retry.sender = 5

-- Seconds that an answer can ask for at most. A longer wait is a mistake, theirs or of one of the two clocks, and would hold
-- up a contact's messages for as long.
local max_asked = 3600

-- Longer numbers are no waits; RFC 9110 has no limit of its own.
local max_digits = 10

---What an answer's Retry-After asks for (RFC 9110, 10.2.3): whole seconds, or a date of HTTP.
---@param headers? table<string, string> with lower-case names
---@return number? seconds to wait from now, from 0 to an hour; nil when there is none that can be read
function retry.after(headers)
  local value = headers and headers["retry-after"]
  if type(value) ~= "string" then
    return nil
  end
  value = words.trim(value)
  local seconds
  if value:find "^%d+$" then
    seconds = #value <= max_digits and tonumber(value) or nil
  else
    local date = format.read_http_date(value)
    seconds = date and date - clock.now()
  end
  return seconds and math.max(0, math.min(seconds, max_asked))
end

return retry
