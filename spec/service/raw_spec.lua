-- SPDX-License-Identifier: MIT
-- `raw`, the original item of an event: it is made when a script looks at it, and must be there wherever one does.

local inside = require("cunnekt.service").of
local cunnekt = require "cunnekt"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local service_rig = require "spec.support.rigs.service_rig"
local webhooks = require "spec.support.webhooks"
local webhook = require "cunnekt.provider.webhook"

describe("an event's raw", function()
  local rig

  before_each(function()
    rig = service_rig.new()
  end)

  after_each(function()
    rig:close()
  end)

  local function post(body)
    local is_done = false
    rig.service.inbox:accept(body, function(err)
      is_done = not err
    end)
    rig:step_until(function()
      return is_done
    end, "the events")
    rig:settle()
  end

  local function text(words, id)
    return { id = id or "wamid.1", from = service_rig.customer, timestamp = "1700000000", type = "text", text = { body = words }, odd = { json.null } }
  end

  it("is the original item in filters, wrappers, handlers and bot:on_error", function()
    local seen = {}
    rig:serve(function(bot)
      bot:use(function(msg, go_on)
        seen.wrapper = msg.raw
        return go_on()
      end)
      bot:on("text", function(msg)
        seen.filter = msg.raw
        return true
      end, function(msg)
        seen.handler, seen.again = msg.raw, msg.raw
        error("no luck", 0)
      end)
      bot:on_error(function(_, about)
        seen.failure = about.raw
      end)
    end, { attempts = 1 })
    local item = text "hi"
    post(json.encode { metadata = { phone_number_id = "1" }, messages = { item } })
    for _, where in ipairs { "wrapper", "filter", "handler", "again", "failure" } do
      assert.are.same(item, seen[where], where)
    end
    assert.equal(seen.handler, seen.again, "made once")
  end)

  it("is there in the events of all kinds, alone in their bodies and together", function()
    local seen = {}
    rig:serve(function(bot)
      bot:on("any", function(event)
        seen[#seen + 1] = event.raw
      end)
    end)
    local items = { messages = { text "a", 5 }, statuses = { { id = "wamid.2", status = "read", recipient_id = "918888888888" } }, errors = { { code = 1 } } }
    local expected = {}
    for part, list in pairs(items) do
      for _, item in ipairs(list) do
        post(json.encode { metadata = { phone_number_id = "1" }, [part] = { item } })
        expected[#expected + 1] = item
      end
    end
    assert.are.same(expected, seen)
  end)

  it("is there in each event of a webhook with several", function()
    local seen, items = {}, { text("a", "wamid.1"), text("b", "wamid.2"), text("c", "wamid.3") }
    rig:serve(function(bot)
      bot:on("text", function(msg)
        seen[#seen + 1] = msg.raw
      end)
    end)
    post(json.encode { metadata = { phone_number_id = "1" }, messages = items })
    assert.are.same(items, seen)
  end)

  it("is not what a handler has made of the event", function()
    local seen
    rig:serve(function(bot)
      bot:use(function(msg, go_on)
        msg.text, msg.context = "changed", nil
        return go_on()
      end)
      bot:on("text", function(msg)
        seen = msg.raw
      end)
    end)
    local item = text "hi"
    item.context = { id = "wamid.0" }
    post(json.encode { metadata = { phone_number_id = "1" }, messages = { item } })
    assert.are.same(item, seen)
  end)

  it("is there in the answers of a dialog, also of one that comes back after a stop", function()
    local seen = {}
    local function define(bot)
      bot:dialog("two", function(chat)
        local first = chat:ask "One?"
        local second = chat:ask "Two?"
        seen[#seen + 1] = { first.raw.text.body, second.raw.text.body }
      end)
      bot:on("text", function(msg)
        seen[#seen + 1] = msg.raw.text.body
        msg:start "two"
      end)
    end
    rig:serve(define)
    rig:say "go"
    rig:settle()
    rig:say "first"
    rig:settle()
    rig:stop()
    rig:serve(define)
    rig:say "second"
    rig:settle()
    assert.are.same({ "go", { "first", "second" } }, seen)
  end)

  it("is there in each of the texts that are joined, and for the matcher that joins them", function()
    local seen, matched
    rig:serve(function(bot)
      bot:on("text", function(msg)
        matched = msg.raw.text.body
        return true
      end, function(msg)
        seen = {}
        for i, one in ipairs(msg.joined) do
          seen[i] = one.raw.text.body
        end
      end, { debounce = 5 })
    end)
    rig:say "one"
    rig:say "two"
    rig:step_until(function()
      rig.clock:advance(1)
      return seen
    end, "the handler")
    assert.are.same({ "one", "two" }, seen)
    assert.is_string(matched)
  end)

  it("of an unknown event holds what may not be logged", function()
    rig:serve(function(bot)
      bot:on("unknown", function(event)
        error("cannot read " .. event.raw.secret, 0)
      end)
    end, { attempts = 1 })
    post '{"secret":"Blaubeeren und Sahne"}'
    local log = table.concat(rig.lines, "\n")
    assert.matches("cannot read …", log)
    assert.is_nil(log:find "Blaubeeren")
  end)

  it("is what the export of a contact shows", function()
    rig:serve(function(bot)
      bot:on("text", function()
        error("no luck", 0)
      end)
    end, { attempts = 1 })
    local item = text "hi"
    post(json.encode { metadata = { phone_number_id = "1" }, messages = { item } })
    local contacts = require "cunnekt.operate.contacts"
    local target = { store = inside(rig.bot).store, service = rig.service }
    local shown = assert(contacts.operations["contacts.export"].run(target, { contact = service_rig.customer }))
    assert.are.same(item, shown.contacts[1].events[1].event)
    assert.equal(1, lists.count_dead_letters(inside(rig.bot).store).dead)
  end)

  it("is at once in what webhook.parse gives, and for pairs", function()
    for _, name in ipairs(webhooks.sample_names) do
      local event = cunnekt.webhook.parse(webhooks.sample(name))[1]
      assert.is_not_nil(rawget(event, "raw"), name)
      assert.is_nil(rawget(event, "_body"), name)
    end
  end)

  it("made later is the same, of every sample", function()
    for _, name in ipairs(webhooks.sample_names) do
      local body = webhooks.sample(name)
      local at_once, later = webhook.parse(body)[1], webhook.parse_bounded(body)[1]
      assert.is_nil(rawget(later, "raw"), name)
      assert.equal(webhook.wrap(at_once), webhook.wrap(later))
      assert.are.same(at_once, later)
    end
  end)
end)
