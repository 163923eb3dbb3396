-- SPDX-License-Identifier: MIT
-- webhook.wrap, and what must hold for every body there is: parse never fails, drops nothing, and undoes wrap.

local event_types = require "spec.support.event_types"
local json = require "cunnekt.base.json"
local samples = require "cunnekt.sandbox.samples"
local webhook = require "cunnekt.provider.webhook"
local webhooks = require "spec.support.webhooks"

-- Equality that is fast enough for ten thousand bodies: tables by content, everything else by value.
local function equals(a, b)
  if a == b then
    return true
  end
  if type(a) ~= "table" or type(b) ~= "table" then
    return false
  end
  for key, value in pairs(a) do
    if not equals(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function has_null(event)
  for name, value in pairs(event) do
    if value == json.null or (type(value) == "table" and name ~= "raw" and has_null(value)) then
      return not (name == "raw" and event.kind == "unknown")
    end
  end
  return false
end

-- What must hold for every body there is.
local function check_body(body)
  local events, err = webhook.parse(body)
  if not events then
    assert.equal("invalid", err.kind)
    assert.is_nil((json.decode(body)))
    return 0
  end
  assert.is_true(#events >= 1)
  for _, event in ipairs(events) do
    local again = webhook.parse(webhook.wrap(event))
    if not (#again == 1 and equals(event, again[1])) then
      assert.are.same({ event }, again, body)
    end
    assert.is_false(has_null(event), body)
    local wrong = event_types.wrong_field(event)
    if wrong then
      error(("%s.%s has a wrong type: %s"):format(event.kind, wrong, body))
    end
    assert.is_string(webhook.key(event))
    webhook.dedupe_key(event)
  end
  return #events
end

describe("webhook.wrap", function()
  it("gives a body of its own to each event of a batch", function()
    local value = webhooks.value {
      contacts = { { wa_id = "1", profile = { name = "One" } }, { user_id = "IN.2", profile = { name = "Two" } } },
      messages = { { from = "1", id = "a" }, { from_user_id = "IN.2", id = "b", note = json.null }, 5 },
      statuses = { { id = "c", status = "sent" } },
      errors = { { code = 1 } },
    }
    local body = json.encode(webhooks.envelope(value, { event = "x" }))
    assert.equal(6, check_body(body))
    local second = json.decode(webhook.wrap(webhook.parse(body)[2]))
    assert.are.same({ { from_user_id = "IN.2", id = "b", note = json.null } }, second.messages)
    assert.are.same({ { user_id = "IN.2", profile = { name = "Two" } } }, second.contacts)
  end)

  it("brings back each sample and each spelling of an unknown body", function()
    for _, name in ipairs(webhooks.sample_names) do
      assert.equal(1, check_body(webhooks.sample(name)))
    end
    for _, body in ipairs { "null", "1.0", "[[]]", '{"entry":[{"messages":[{}]},{"entry":[{"value":{}}]}]}', '{"value":{"messages":[]},"messages":[{}]}' } do
      check_body(body)
    end
  end)

  it("and parse hold for twenty thousand bodies that something went wrong with", function()
    math.randomseed(1701)
    local seeds = {}
    for _, name in ipairs(webhooks.sample_names) do
      seeds[#seeds + 1] = webhooks.sample(name)
      seeds[#seeds + 1] = json.encode(webhooks.envelope(json.decode(webhooks.sample(name)), { event = "x" }))
    end
    seeds[#seeds + 1] = webhooks.body(webhooks.message("interactive", { type = "nfm_reply", nfm_reply = { response_json = '{"a":[null,[]]}' } }))
    seeds[#seeds + 1] = json.encode(webhooks.value { errors = { { code = 1, details = json.null } }, statuses = { { errors = { { code = 5 } } } } })
    seeds[#seeds + 1] = webhooks.body(webhooks.message("contacts", { { name = { first = json.null } } }, { context = { id = json.null } }))
    for _, names in ipairs { samples.types, samples.events } do
      for _, name in ipairs(names) do
        seeds[#seeds + 1] = json.encode((samples.build(name, { envelope = #seeds % 2 == 0 })))
      end
    end
    local understood = 0
    for i = 1, 20000 do
      understood = understood + check_body(webhooks.mutate(seeds[i % #seeds + 1]))
    end
    assert.is_true(understood > 10000)
  end)

  it("and parse hold for bodies of any depth", function()
    for _, pair in ipairs { { '{"entry":[', "]}" }, { '{"value":', "}" }, { '{"changes":[{"value":', "}]}" }, { "[", "]" } } do
      for _, depth in ipairs { 1, 10, 30, 60, 63, 64, 65, 128, 129, 5000 } do
        check_body(pair[1]:rep(depth) .. '{"messages":[{"context":{}}]}' .. pair[2]:rep(depth))
        check_body('{"messages":[{"type":"order","order":' .. pair[1]:rep(depth) .. "null" .. pair[2]:rep(depth) .. "}]}")
      end
    end
  end)
end)
