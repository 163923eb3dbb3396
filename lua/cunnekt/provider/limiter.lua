-- SPDX-License-Identifier: MIT
-- The rate limits of a client, with the provider's numbers where nobody chose others; the limiter is the C core's
-- (src/engine/limiter.h). It only counts; the caller waits. The limits themselves are in limits.lua.

local core = require "cunnekt.core"
local limits = require "cunnekt.provider.limits"
local retry = require "cunnekt.provider.retry"

local limiter = {}

-- What each further penalty is, until they grow no more.
local function penalties()
  local list = {}
  repeat
    list[#list + 1] = retry.pair(#list)
  until list[#list] == retry.pair(#list)
  return list
end

---@class cunnekt.limiter.options
---@field rate? number messages a second for the number; 0: no limit; 80 by default
---@field burst? number how many at once; as many as go in a second by default
---@field pair_rate? number messages a second for one contact; 0: no limit; one in 6 s by default
---@field pair_burst? number how many at once to one contact; 45 by default

---Makes a limiter.
---@param opts? cunnekt.limiter.options
---@return cunnekt.limiter
function limiter.new(opts)
  opts = opts or {}
  local rate = opts.rate or limits.rate
  return core.limiter {
    rate = rate,
    burst = opts.burst or rate,
    pair_rate = opts.pair_rate or limits.pair_rate,
    pair_burst = opts.pair_burst or limits.pair_burst,
    penalties = penalties(),
  }
end

return limiter
