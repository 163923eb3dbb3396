-- SPDX-License-Identifier: MIT
-- Nothing of a webhook vanishes: over all bodies that the repository has, and combinations of them, there are as many events as
-- items. The items are counted here, by a walk that knows nothing of the parser.

local json = require "cunnekt.base.json"
local samples = require "cunnekt.sandbox.samples"
local webhook = require "cunnekt.provider.webhook"
local webhooks = require "spec.support.webhooks"

local lists = {
  "messages", "message_echoes", "statuses", "calls", "user_preferences", "user_id_update", "groups", "automatic_events", "history",
  "state_sync", "errors",
}

-- In a value every list of objects but the contacts holds items.
local function count_in_value(value)
  local count = 0
  for name, list in pairs(value) do
    if name ~= "contacts" and name ~= "entry" and type(list) == "table" and #list > 0 then
      for _, item in ipairs(list) do
        count = count + (type(item) == "table" and 1 or 0)
      end
    end
  end
  return count
end

local is_account = {}
for _, name in ipairs(webhook.account_types) do
  is_account[name] = true
end

local function count_items(body)
  if not body.entry then
    return math.max(1, count_in_value(body))
  end
  local count = 0
  for _, entry in ipairs(body.entry) do
    for _, change in ipairs(entry.changes or { {} }) do
      local is_one = is_account[change.field] or type(change.value) ~= "table"
      count = count + (is_one and 1 or math.max(1, count_in_value(change.value)))
    end
  end
  return count
end

local function kinds_of(events)
  local kinds = {}
  for i, event in ipairs(events) do
    kinds[i] = event.kind
  end
  return table.concat(kinds, " ")
end

local function assert_counted(body)
  local events = assert(webhook.parse(json.encode(body)))
  if #events ~= count_items(body) then
    error(("%d items, %s: %s"):format(count_items(body), kinds_of(events), json.encode(body)))
  end
  return events
end

-- All bodies: the provider's samples, those of the sandbox, each flat and in Meta's envelope.
local function all_bodies()
  local bodies = {}
  for _, name in ipairs(webhooks.sample_names) do
    bodies[#bodies + 1] = json.decode(webhooks.sample(name))
  end
  for _, names in ipairs { samples.types, samples.statuses, samples.events } do
    for _, name in ipairs(names) do
      bodies[#bodies + 1] = samples.build(name)
    end
  end
  return bodies
end

describe("as many events as items", function()
  it("come of every sample, as it is and in Meta's envelope", function()
    for _, body in ipairs(all_bodies()) do
      assert.equal(1, #assert_counted(body))
      assert_counted(body.entry and body or samples.envelope(body))
    end
  end)

  it("come of values that have the lists of several samples at once", function()
    math.randomseed(1701)
    local bodies = all_bodies()
    local most, has_mixed = 0, false
    for _ = 1, 2000 do
      local value = webhooks.value {}
      for _ = 1, math.random(6) do
        local other = bodies[math.random(#bodies)]
        for _, name in ipairs(lists) do
          for _, item in ipairs(other[name] or {}) do
            value[name] = value[name] or {}
            table.insert(value[name], item)
          end
        end
        value.contacts = value.contacts or other.contacts
      end
      if math.random(3) == 1 then
        value.holograms = { { id = "1" }, { id = "2" } }
      end
      if value.messages or value.statuses or not value.holograms then
        local events = assert_counted(math.random(2) == 1 and value or webhooks.envelope(value, bodies[1], value))
        most, has_mixed = math.max(most, #events), has_mixed or (value.calls and value.messages and value.errors ~= nil)
      end
    end
    assert.is_true(most > 10 and has_mixed)
  end)

  it("come in the documented order, and each gives itself again", function()
    local value = webhooks.value { contacts = { { wa_id = "919999999999", profile = { name = "Asha", username = "asha" } } } }
    for i = #lists, 1, -1 do
      value[lists[i]] = { { id = "1", from = "919999999999" }, { id = "2" } }
    end
    value.holograms = { { id = "3" } }
    local events = assert_counted(value)
    assert.equal(
      "message message echo echo status status call call user_preferences user_preferences user_id_update user_id_update group group "
        .. "automatic_event automatic_event history history state_sync state_sync error error unknown",
      kinds_of(events)
    )
    assert.are.same({ holograms = { { id = "3" } }, metadata = value.metadata }, events[#events].raw)
    for _, event in ipairs(events) do
      assert.are.same({ event }, webhook.parse(webhook.wrap(event)))
    end
  end)

  it("come of what stands beside messages and is no list", function()
    local events = assert(webhook.parse '{"messages":[{"id":"a"}],"calls":5,"history":"x","metadata":{"phone_number_id":"1"},"tags":["a"]}')
    assert.equal(3, #events)
    assert.equal("message unknown unknown", kinds_of(events))
  end)

  it("and a body of no known form stays whole, whatever its words mean elsewhere", function()
    local body = { event = "campaign.updated", groups = 12, history = "yes", calls = { a = 1 } }
    local events = webhook.parse(json.encode(body))
    assert.are.same({ { kind = "unknown", raw = body } }, events)
  end)
end)
