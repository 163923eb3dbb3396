-- SPDX-License-Identifier: MIT
-- One person is one conversation, by real webhooks: whatever ids they come with, their state, dialogs and messages follow them.

local bot_rig = require "spec.support.rigs.bot_rig"
local clock = require "cunnekt.time.clock"
local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of
local task = require "cunnekt.base.task"

local NUMBER, NEW_NUMBER, USER_ID, NEW_USER_ID = "919999999999", "918888888888", "IN.1349120865530274", "IN.77"

describe("a person", function()
  local rig, bot, heard, serial

  before_each(function()
    rig, heard, serial = bot_rig.new(), {}, 0
    bot = rig:new_bot()
    bot:dialog("order", function(chat)
      local answer = chat:ask "Size?"
      chat:reply_text("So " .. answer.text .. ", " .. chat.to .. "?")
      answer = chat:ask "Sure?"
      chat.state.size = answer.text
      chat:reply_text "Done"
    end)
    bot:on("text", "^order$", function(msg)
      msg:start "order"
    end)
    bot:on("text", "^look$", function(msg)
      local chat = bot:chat(USER_ID, "1")
      heard[#heard + 1] = ("%s %s %s %s"):format(chat.state.count, chat.number, chat.user_id, chat.name)
      msg:reply_text "looked"
    end)
    bot:on("text", function(msg)
      msg.chat.state.count = (msg.chat.state.count or 0) + 1
      heard[#heard + 1] = ("%s %d"):format(msg.text, msg.chat.state.count)
      msg:reply_text(msg.text .. "!")
    end)
    bot:on("status", function(status)
      heard[#heard + 1] = status.id == "wamid.other" and ("%s %s"):format(status.status, status.chat.state.count) or nil
    end)
  end)

  after_each(function()
    rig:close()
  end)

  local function post(value)
    value.messaging_product, value.metadata = "whatsapp", { phone_number_id = "1", display_phone_number = "15550000000" }
    local body = cunnekt.json.encode { object = "whatsapp_business_account",
      entry = { { id = "1", changes = { { field = "messages", value = value } } } } }
    local url = "http://" .. bot:address() .. "/webhook"
    local answer = assert(cunnekt.http.request { method = "POST", url = url, body = body })
    assert.equal(200, answer.status)
  end

  local function message(fields)
    serial = serial + 1
    fields.id, fields.timestamp = "wamid.in" .. serial, tostring(math.floor(clock.now()))
    return fields
  end

  -- They write, by number, user id or both.
  local function write(text, from, user_id)
    rig.fake.state:hear(NUMBER)
    rig.fake.state:hear(NEW_NUMBER)
    rig.fake.state:hear(USER_ID)
    local one = message { from = from, from_user_id = user_id, type = "text", text = { body = text } }
    post { messages = { one }, contacts = { { wa_id = from, user_id = user_id, profile = { name = "Asha" } } } }
  end

  local function tell(system, from)
    post { messages = { message { from = from, type = "system", system = system } } }
  end

  local function sent(count)
    local list = {}
    for i, entry in ipairs(rig:wait_for_messages(count)) do
      list[i] = entry.payload.text .. " to " .. entry.payload.mobile
    end
    return list
  end

  local function hears(...)
    local wanted = { ... }
    bot_rig.wait_for(function()
      return #heard >= #wanted and inside(bot).inbox:count() == 0
    end, "turns")
    assert.are.same(wanted, heard)
  end

  it("is the same by number and user id, and is answered at the number that is known", function()
    rig:start()
    write("a", NUMBER, USER_ID)
    write("b", nil, USER_ID)
    write("c", NUMBER)
    hears("a 1", "b 2", "c 3")
    assert.are.same({ "a! to " .. NUMBER, "b! to " .. NUMBER, "c! to " .. NUMBER }, sent(3))
  end)

  it("has one state when the number comes later", function()
    rig:start()
    write("a", nil, USER_ID)
    write("b", nil, USER_ID)
    hears("a 1", "b 2")
    write("c", NUMBER, USER_ID)
    hears("a 1", "b 2", "c 3")
    assert.are.same({ "a! to " .. USER_ID, "b! to " .. USER_ID, "c! to " .. NUMBER }, sent(3))
  end)

  it("is handled in order where one webhook has both, and says only at its end that they are one", function()
    bot:use(function(msg, next)
      task.sleep(msg.text == "a" and 0.02 or 0) -- not the end of a turn
      next()
    end)
    rig:start()
    for i = 1, 5 do
      local number, user_id = NUMBER:sub(1, -2) .. i, USER_ID .. i
      heard = {}
      local one, two = { from_user_id = user_id }, { from = number, from_user_id = user_id }
      for text, fields in pairs { a = one, b = two } do
        message(fields)
        fields.type, fields.text = "text", { body = text }
      end
      post { messages = { one, two }, contacts = { { user_id = user_id, profile = {} }, { wa_id = number, user_id = user_id } } }
      hears("a 1", "b 2")
    end
    assert.are.same({ "1:" .. NUMBER:sub(1, -2) .. 5 }, { inside(bot).store.persons:conversation_of("1:" .. USER_ID .. 5) })
  end)

  it("goes on with a dialog that began by another id, also when it is rebuilt", function()
    rig:start()
    write("order", nil, USER_ID)
    sent(1)
    write("XL", nil, USER_ID)
    sent(3)
    write("yes", NUMBER, USER_ID)
    assert.are.same({
      "Size? to " .. USER_ID, "So XL, " .. USER_ID .. "? to " .. USER_ID, "Sure? to " .. USER_ID, "Done to " .. NUMBER,
    }, sent(4))
    assert.are.same({}, heard)
  end)

  it("goes on with a dialog at the number of now, also where a hook looks at what is sent", function()
    local seen = {}
    bot:before_send(function(payload)
      seen[#seen + 1] = payload.mobile
    end)
    rig:start()
    write("order", nil, USER_ID)
    sent(1)
    write("XL", NUMBER, USER_ID)
    assert.equal("Sure? to " .. NUMBER, sent(3)[3])
    assert.are.same({ USER_ID, NUMBER, NUMBER }, seen)
  end)

  for name, system in pairs {
    ["as it is now"] = { type = "user_changed_number", wa_id = NEW_NUMBER, user_id = NEW_USER_ID, previous_user_id = USER_ID },
    ["in an older form"] = { type = "customer_changed_number", new_wa_id = NEW_NUMBER },
    ["in another older form"] = { type = "customer_changed_number", wa_id = NEW_NUMBER, customer = NUMBER },
  } do
    it("keeps the state and the dialog with a new number, " .. name, function()
      rig:start()
      write("a", NUMBER)
      hears "a 1"
      write("order", NUMBER)
      sent(2)
      tell(system, NUMBER)
      write("XL", NEW_NUMBER)
      assert.equal("So XL, " .. NUMBER .. "? to " .. NEW_NUMBER, sent(4)[3])
      write("yes", NEW_NUMBER)
      sent(5)
      write("b", NEW_NUMBER)
      hears("a 1", "b 2")
      assert.equal(2, bot:chat(NUMBER, "1").state.count)
      write("c", NUMBER) -- somebody else has the old number now
      hears("a 1", "b 2", "c 1")
      assert.are.same({ 1, 2 }, { bot:chat(NUMBER, "1").state.count, bot:chat(NEW_NUMBER, "1").state.count })
    end)
  end

  it("keeps the state with a new user id", function()
    rig:start()
    write("a", nil, USER_ID)
    hears "a 1"
    tell { type = "user_changed_user_id", user_id = NEW_USER_ID, previous_user_id = USER_ID }
    write("b", nil, NEW_USER_ID)
    hears("a 1", "b 2")
  end)

  it("is known by statuses, too", function()
    rig:start()
    write("a", NUMBER)
    hears "a 1"
    post { statuses = { { id = "wamid.x", status = "sent", timestamp = "1700000000", recipient_id = NUMBER, recipient_user_id = USER_ID } } }
    write("b", nil, USER_ID)
    hears("a 1", "b 2")
  end)

  local PARENT_ID = "IN.ENT.5"
  for name, value in pairs {
    ["a message"] = function()
      local one = message { from = NUMBER, from_user_id = USER_ID, from_parent_user_id = PARENT_ID, type = "text", text = { body = "x" } }
      return { messages = { one } }
    end,
    ["a message's contact"] = function()
      local contact = { wa_id = NUMBER, user_id = USER_ID, parent_user_id = PARENT_ID }
      return { messages = { message { from = NUMBER, type = "text", text = { body = "x" } } }, contacts = { contact } }
    end,
    ["a status"] = function()
      local contact = { wa_id = NUMBER, user_id = USER_ID, parent_user_id = PARENT_ID }
      local one = { id = "wamid.x", status = "read", timestamp = "1700000000", recipient_id = NUMBER, recipient_user_id = USER_ID }
      return { statuses = { one }, contacts = { contact } }
    end,
    ["a call"] = function()
      local one = { id = "wacid.1", from = NUMBER, from_user_id = USER_ID, from_parent_user_id = PARENT_ID, direction = "USER_INITIATED" }
      return { calls = { one } }
    end,
    ["a preference"] = function()
      local one = { wa_id = NUMBER, user_id = USER_ID, parent_user_id = PARENT_ID, category = "marketing_messages", value = "resume" }
      return { user_preferences = { one } }
    end,
  } do
    it("is known by all ids that are in " .. name, function()
      bot:on("user_preferences", function(event)
        event.chat.state.opted_out = event.value == "stop"
      end)
      rig:start()
      write("a", nil, USER_ID)
      post(value())
      post { messages = { message { from_user_id = "IN.9", from_parent_user_id = PARENT_ID, type = "text", text = { body = "b" } } } }
      write("c", NUMBER)
      write("d", nil, USER_ID)
      local preference = { user_id = PARENT_ID, category = "marketing_messages", value = "stop", timestamp = "1700000001" }
      post { user_preferences = { preference } }
      bot_rig.wait_for(function()
        return bot:chat(NUMBER, "1").state.opted_out
      end, "the preference")
      local count = name:find "message" and 5 or 4
      assert.equal("d " .. count, heard[#heard])
      for _, id in ipairs { NUMBER, USER_ID, "IN.9" } do
        local chat = bot:chat(id, "1")
        assert.are.same({ count, true }, { chat.state.count, chat.state.opted_out })
      end
    end)
  end

  it("is found by each id that a script types", function()
    rig:start()
    write("a", NUMBER, USER_ID)
    hears "a 1"
    write("look", NEW_NUMBER)
    hears("a 1", ("1 %s %s Asha"):format(NUMBER, USER_ID))
  end)

  for form, numbers in pairs {
    ["with Brazil's ninth digit"] = { "551187654321", "5511987654321" }, ["without Brazil's ninth digit"] = { "5511987654321", "551187654321" },
    ["with Mexico's 1"] = { "525512345678", "5215512345678" }, ["without Mexico's 1"] = { "+52 1 55 1234 5678", "525512345678" },
    ["with Argentina's 9"] = { "+54 11 1234-5678", "5491112345678" }, ["without Argentina's 9"] = { "+54 9 11 1234-5678", "541112345678" },
  } do
    it("answers a dialog that was begun with another form of the number, " .. form, function()
      rig:start()
      rig.fake.state.is_open = true
      assert(bot:start(numbers[1], "order", nil, { phone_number_id = "1" }))
      sent(1)
      write("XL", numbers[2])
      assert.matches("^So XL", sent(3)[2])
      write("yes", numbers[2])
      assert.matches("^Done", sent(4)[4])
      write("a", numbers[2])
      hears "a 1"
      assert.are.same({ 1, "yes" }, { bot:chat(numbers[1], "1").state.count, bot:chat(numbers[2], "1").state.size })
    end)
  end

  -- One message, by a number that differs from the one in the webhook's contact.
  local function write_as(wa_id, from, text, more, ids)
    rig.fake.state:hear(from)
    rig.fake.state:hear(wa_id)
    local contact = { wa_id = wa_id, profile = { name = "Asha" } }
    for name, id in pairs(ids or {}) do
      contact[name] = id
    end
    local messages = { message { from = from, from_user_id = more and more.from_user_id, type = "text", text = { body = text } } }
    table.move(more or {}, 1, #(more or {}), 2, messages)
    post { messages = messages, contacts = { contact } }
  end

  it("is the only contact of its only message, whose number is another one there", function()
    rig:start()
    write_as(NEW_NUMBER, NUMBER, "a", nil, { user_id = USER_ID })
    hears "a 1"
    write("b", NEW_NUMBER)
    write("c", NUMBER)
    write("d", nil, USER_ID)
    hears("a 1", "b 2", "c 3", "d 4")
    post { statuses = { { id = "wamid.other", status = "sent", timestamp = "1700000000", recipient_id = NEW_NUMBER } } }
    bot_rig.wait_for(function()
      return heard[5]
    end, "the status")
    assert.equal("sent 4", heard[5])
    for _, id in ipairs { NUMBER, NEW_NUMBER, USER_ID } do
      local chat = bot:chat(id, "1")
      assert.are.same({ 4, true, USER_ID }, { chat.state.count, chat:window() > 86000, chat.user_id })
    end
  end)

  it("goes on with a dialog by the other number", function()
    rig:start()
    write_as(NEW_NUMBER, NUMBER, "order")
    sent(1)
    write("XL", NEW_NUMBER)
    assert.matches("^So XL", sent(3)[2])
    write_as(NEW_NUMBER, NUMBER, "yes")
    assert.matches("^Done", sent(4)[4])
  end)

  it("is not the contact of a message whose ids say otherwise, or that is not the only one", function()
    rig:start()
    write_as(NEW_NUMBER, NUMBER, "a", { from_user_id = USER_ID }, { user_id = NEW_USER_ID })
    write_as(NEW_NUMBER, "917777777777", "b", { message { from = "916666666666", type = "text", text = { body = "c" } } })
    write("d", NEW_NUMBER)
    bot_rig.wait_for(function()
      return #heard == 4
    end, "turns")
    table.sort(heard)
    assert.are.same({ "a 1", "b 1", "c 1", "d 1" }, heard)
  end)

  it("says that two conversations were one person's, and shows no number", function()
    rig:start()
    write("a", NUMBER)
    write("b", nil, USER_ID)
    hears("a 1", "b 1")
    write("c", NUMBER, USER_ID)
    hears("a 1", "b 1", "c 2")
    local log = table.concat(rig.lines, "\n")
    assert.matches("two conversations are one person's: IN.1…74 is now part of 9199…99", log)
    assert.not_matches(NUMBER, log)
  end)
end)
