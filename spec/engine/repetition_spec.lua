-- SPDX-License-Identifier: MIT
-- A webhook that the provider sends again gives no event again, of whatever kind its events are; what only looks alike does. With
-- the samples of the sandbox, and a real store.

local canonical = require "cunnekt.base.canonical"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local counts = require "cunnekt.engine.counts"
local inbox = require "cunnekt.engine.inbox"
local json = require "cunnekt.base.json"
local rig = require "spec.support.rigs.store_rig"
local samples = require "cunnekt.sandbox.samples"
local webhook = require "cunnekt.provider.webhook"
local webhooks = require "spec.support.webhooks"

describe("a webhook that comes again", function()
  local store, time, its_inbox, numbers

  before_each(function()
    time = clock.virtual(1700000000):install()
    store, numbers = rig.open(), counts.new()
    its_inbox = inbox.new {
      store = store, counts = numbers, concurrency = 10, capacity = 10000, has_to_wait = true,
      outbox = { replies = { stored = 0 }, on_status = function() end }, wall_clock = { witness = function() end },
    }
    its_inbox:connect(function() end)
  end)

  after_each(function()
    its_inbox:stop()
    store:close()
    time:uninstall()
  end)

  -- The number of events that a body adds.
  local function accept(body)
    body = type(body) == "table" and json.encode(body) or body
    local before, is_done = numbers.events_accepted, false
    its_inbox:accept(body, function(err)
      assert.is_nil(err)
      is_done = true
    end)
    while not is_done do
      core.step(true)
    end
    return numbers.events_accepted - before
  end

  -- The same value with the keys of its tables in another order: a body that says the same in other bytes.
  local function shuffled(value)
    if type(value) ~= "table" then
      return json.encode(value)
    elseif #value > 0 then
      local items = {}
      for i, item in ipairs(value) do
        items[i] = shuffled(item)
      end
      return "[" .. table.concat(items, ", ") .. "]"
    end
    local parts, keys = {}, canonical.keys(value)
    for i = #keys, 1, -1 do
      parts[#parts + 1] = ("%s : %s"):format(json.encode(keys[i]), shuffled(value[keys[i]]))
    end
    return "{" .. table.concat(parts, ", ") .. "}"
  end

  for _, names in ipairs { samples.types, samples.statuses, samples.events } do
    for _, name in ipairs(names) do
      for _, envelope in ipairs { false, true } do
        it(("gives no second event of %s%s"):format(name, envelope and ", in Meta's envelope" or ""), function()
          local body = assert(samples.build(name, { envelope = envelope, timestamp = 1700000000 }))
          local is_known = webhook.parse(json.encode(body))[1].kind ~= "unknown"
          assert.equal(1, accept(body))
          assert.equal(is_known and 0 or 1, accept(body))
          assert.equal(is_known and 0 or 1, accept(shuffled(body)))
        end)
      end
    end
  end

  local function envelope(field, value, at)
    return { object = "x", entry = { { id = "1", time = at, changes = { { field = field, value = value } } } } }
  end

  it("is another one at another time, or with something else in it", function()
    local item = { type = "contact", action = "add", contact = { phone_number = "919999999999" }, metadata = { timestamp = "1700000000" } }
    for _, change in ipairs {
      function() end,
      function() item.action = "remove" end,
      function() item.metadata.timestamp = "1700000001" end,
      function() item.contact.phone_number = "918888888888" end,
    } do
      change()
      assert.are.same({ 1, 0 }, { accept(webhooks.value { state_sync = { item } }), accept(webhooks.value { state_sync = { item } }) })
    end
    for at = 1700000000, 1700000002 do
      for _, event in ipairs { "FLAGGED", "UNFLAGGED" } do
        local body = envelope("phone_number_quality_update", { event = event }, at)
        assert.are.same({ 1, 0 }, { accept(body), accept(body) })
        body = envelope("messages", webhooks.value { errors = { { code = 1, title = event } } }, at)
        assert.are.same({ 1, 0 }, { accept(body), accept(body) })
      end
    end
    local update = { wa_id = "919999999999", user_id = { previous = "IN.1", current = "IN.2" }, timestamp = "1700000000" }
    assert.are.same({ 1, 0 }, { accept(webhooks.value { user_id_update = { update } }), accept(webhooks.value { user_id_update = { update } }) })
    update.user_id.current = "IN.3"
    assert.equal(1, accept(webhooks.value { user_id_update = { update } }))
    local line = webhooks.value { user_id_update = { update } }
    line.metadata.phone_number_id = "2"
    assert.equal(1, accept(line))
  end)

  -- Their id is that of the message: the second was lost.
  it("is another one where one message gives a lead and a purchase in one second", function()
    local lead = { id = "wamid.1", event_name = "LeadSubmitted", timestamp = 1700000000 }
    local purchase = { id = "wamid.1", event_name = "Purchase", timestamp = 1700000000, custom_data = { value = 5 } }
    local body = webhooks.value { automatic_events = { lead, purchase } }
    assert.are.same({ 2, 0 }, { accept(body), accept(body) })
    purchase.custom_data.value = 6
    assert.equal(1, accept(body))
  end)

  it("is each part of a history once", function()
    local function chunk(order, id)
      local thread = { id = "919999999999", messages = { { id = id }, { id = "wamid.last" } } }
      return webhooks.value { history = { { metadata = { phase = 0, chunk_order = order, progress = 10 }, threads = { thread } } } }
    end
    for _, body in ipairs { chunk(1, "wamid.1"), chunk(2, "wamid.1"), chunk(1, "wamid.2") } do
      assert.are.same({ 1, 0 }, { accept(body), accept(body) })
    end
    local file = webhooks.message("image", { id = "1" })
    local body = { field = "history", value = webhooks.value { messages = { file } } }
    assert.are.same({ 1, 0 }, { accept(body), accept(body) })
    assert.equal(1, accept(webhooks.value { messages = { file } })) -- a message of that id is no history
  end)

  it("has each of its items that say the same, as often as it has them", function()
    local errors = { { code = 1 }, { code = 1 }, { code = 2 }, { code = 1 } }
    assert.are.same({ 4, 0 }, { accept(webhooks.value { errors = errors }), accept(webhooks.value { errors = errors }) })
  end)

  it("is a new one on another day, where it has neither id nor time", function()
    local body = webhooks.value { errors = { { code = 130429, title = "Rate limit hit" } } }
    assert.are.same({ 1, 0 }, { accept(body), accept(body) })
    time:advance(24 * 3600)
    assert.are.same({ 1, 0 }, { accept(body), accept(body) })
    local dated = envelope("account_update", { event = "FLAGGED" }, 1700000000)
    assert.equal(1, accept(dated))
    time:advance(3 * 24 * 3600)
    assert.equal(0, accept(dated))
  end)

  it("is recognised in a history of megabytes without being read through", function()
    local messages = {}
    for i = 1, 20000 do
      messages[i] = { id = "wamid." .. i, text = { body = ("x"):rep(100) } }
    end
    local event = webhook.parse(json.encode(webhooks.value { history = { { threads = { { id = "1", messages = messages } } } } }))[1]
    assert.is_true(#webhook.dedupe_key(event) < 200)
  end)
end)
