-- SPDX-License-Identifier: MIT
-- Latencies of requests, and what stands at which share of them.

local clock = require "cunnekt.time.clock"
local http = require "cunnekt.provider.http"

local gauge = {}

local gauge_methods = {}
local gauge_mt = { __index = gauge_methods, __name = "gauge" }

function gauge.new()
  return setmetatable({}, gauge_mt)
end

---Posts a body, and notes how long the answer took if it was a 200.
---@return integer? status
function gauge_methods:post(url, body, timeout)
  local began = clock.monotonic()
  local answer = http.request {
    method = "POST", url = url, body = body, timeout = timeout or 30, headers = { ["Content-Type"] = "application/json" },
  }
  if answer and answer.status == 200 then
    self[#self + 1] = clock.monotonic() - began
  end
  return answer and answer.status
end

---The latency that this share of the requests did not exceed.
---@param share number such as 0.99
---@return number seconds 0 when there was none
function gauge_methods:at(share)
  table.sort(self)
  return self[math.max(1, math.ceil(#self * share))] or 0
end

---In words.
function gauge_methods:describe()
  return ("%d answers, p50 %.1f ms, p99 %.1f ms, longest %.1f ms"):format(#self, self:at(0.5) * 1000, self:at(0.99) * 1000,
    self:at(1) * 1000)
end

return gauge
