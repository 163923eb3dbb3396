-- SPDX-License-Identifier: MIT
-- For wrk: webhooks of 473 bytes, no two with the same message id; and one line of figures at the end.
local size = 473
local head = '{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":{"messaging_product":'
  .. '"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"contacts":['
  .. '{"profile":{"name":"Asha Rao"},"wa_id":"91%010d"}],"messages":[{"from":"91%010d","id":"wamid.%08x%012d",'
  .. '"timestamp":"%d","type":"text","text":{"body":"order #%010d# '
local tail = '"}}]},"field":"messages"}]}]}'
local headers = { ["Content-Type"] = "application/json" }
local count, run = 0, os.time()
math.randomseed(run)

function request()
  count = count + 1
  local contact = math.random(0, 9999)
  local body = head:format(contact, contact, run, count, run, count)
  return wrk.format("POST", "/webhook", headers, body .. ("."):rep(size - #body - #tail) .. tail)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(("rate=%.0f requests=%d p50_ms=%.3f p99_ms=%.3f p999_ms=%.3f refused=%d "):format(
    summary.requests / summary.duration * 1e6, summary.requests, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, latency:percentile(99.9) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
