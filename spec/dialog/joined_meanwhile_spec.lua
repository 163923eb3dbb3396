-- SPDX-License-Identifier: MIT
-- A dialog whose conversation becomes part of another one while it is in a turn goes on as that one's, and loses nothing.

local bot_rig = require "spec.support.rigs.bot_rig"
local clock = require "cunnekt.time.clock"
local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of
local task = require "cunnekt.base.task"

local NUMBER, USER_ID = "919999999999", "IN.1349120865530274"

describe("a dialog that is in a turn while its conversation is joined to another one", function()
  local rig, bot, serial

  before_each(function()
    rig, serial = bot_rig.new(), 0
    bot = rig:new_bot()
    rig.fake.state:hear(NUMBER)
    rig.fake.state:hear(USER_ID)
  end)

  after_each(function()
    rig:close()
  end)

  local function write(text, number)
    serial = serial + 1
    local value = {
      messaging_product = "whatsapp", metadata = { phone_number_id = "1", display_phone_number = "15550000000" },
      contacts = { { wa_id = number, user_id = USER_ID, profile = { name = "Asha" } } },
      messages = { {
        from = number, from_user_id = USER_ID, id = "wamid.in" .. serial, timestamp = tostring(math.floor(clock.now())), type = "text",
        text = { body = text },
      } },
    }
    local body = cunnekt.json.encode { object = "whatsapp_business_account",
      entry = { { id = "1", changes = { { field = "messages", value = value } } } } }
    assert.equal(200, assert(cunnekt.http.post("http://" .. bot:address() .. "/webhook", body)).status)
  end

  it("keeps its state, and is found by who they are now", function()
    local open_gate, passes = nil, 0
    bot:dialog("it", function(chat)
      chat.state.kept = "yes"
      chat:ask "Size?"
      chat:step("slow", function()
        passes = passes + 1
        if passes == 1 then
          task.await(function(done)
            open_gate = done
          end)
        end
        return 1
      end)
      chat:sleep(0.1) -- a commit without a message
      chat.state.order = "XL"
      chat:reply_text("kept " .. tostring(chat.state.kept))
    end)
    bot:on("text", "^order$", function(msg)
      msg:start "it"
    end)
    bot:on("text", "^show$", function(msg)
      msg:reply_text(("order %s, kept %s"):format(msg.chat.state.order, msg.chat.state.kept))
    end)
    bot:on("text", function() end)
    rig:start()
    write("order", nil)
    rig:wait_for_messages(1)
    write("XL", nil)
    bot_rig.wait_for(function()
      return open_gate
    end, "the step")
    write("hello", NUMBER)
    bot_rig.wait_for(function()
      return inside(bot).store.joins > 0
    end, "the join")
    open_gate()
    rig:wait_for_messages(2)
    write("show", NUMBER)
    rig:wait_for_messages(3)
    local texts = {}
    for i, entry in ipairs(rig:outgoing()) do
      texts[i] = entry.payload.text
    end
    assert.are.same({ "Size?", "kept yes", "order XL, kept yes" }, texts)
  end)
end)
