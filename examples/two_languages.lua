-- A menu in two languages that remembers the customer's language; "back" returns to the previous question.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local language = cunnekt.action("language", { "code:string" })
local dish = cunnekt.action("dish", { "id:string" })

local words = {
  en = {
    menu = "What would you like?", title = "Menu", tea = "Tea", samosa = "Samosa", how_many = "How many?",
    number = "Please write a number from 1 to 20.", done = "%d × %s, it is being made.", back = "Write back to change it.",
  },
  hi = {
    menu = "आप क्या लेंगे?", title = "मेनू", tea = "चाय", samosa = "समोसा", how_many = "कितने?",
    number = "कृपया 1 से 20 तक कोई संख्या लिखें।", done = "%d × %s, बन रहा है।", back = "बदलने के लिए back लिखें।",
  },
}

local function ask_language(chat)
  local answer = chat:ask_buttons {
    body = "Hello! नमस्ते!",
    buttons = {
      { id = language:pack { code = "en" }, title = "English" }, { id = language:pack { code = "hi" }, title = "हिन्दी" },
    },
  }
  return language:unpack(answer.reply.id).code
end

bot:dialog("menu", function(chat)
  chat.state.language = chat.state.language or ask_language(chat)
  local say = words[chat.state.language]
  local choice = chat:ask_list {
    body = say.menu, list_title = say.title,
    list = {
      { id = dish:pack { id = "tea" }, title = say.tea, description = "₹ 20" },
      { id = dish:pack { id = "samosa" }, title = say.samosa, description = "₹ 15" },
    },
  }
  local name = say[dish:unpack(choice.reply.id).id]
  local count = chat:ask(("%s – %s\n%s"):format(name, say.how_many, say.back), {
    check = function(msg)
      local number = math.tointeger(tonumber(msg.text))
      return number ~= nil and number >= 1 and number <= 20, say.number
    end,
  })
  chat:reply_text(say.done:format(math.tointeger(tonumber(count.text)), name))
end)

bot:global("back", function(msg)
  if not msg.chat:back() then
    msg:start "menu"
  end
end)

bot:global("language", function(msg)
  msg.chat.state.language = nil
  msg:start("menu", nil, { replace = true })
end)

bot:on("message", function(msg)
  msg:start "menu"
end)

-- customer: hi
-- bot: Hello! नमस्ते! [English] [हिन्दी]
-- customer: हिन्दी
-- bot: आप क्या लेंगे? [मेनू] …
-- customer: चाय
-- bot: चाय – कितने? …
-- customer: back
-- bot: आप क्या लेंगे? …
-- customer: समोसा
-- bot: समोसा – कितने? …
-- customer: 3
-- bot: 3 × समोसा, बन रहा है।
