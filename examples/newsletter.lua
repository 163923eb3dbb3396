-- Sends an offer to many customers without delaying anybody's answer, and talks with those who reply.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local STAFF = os.getenv "STAFF_NUMBER" or "918888888888"
local DAY = 24 * 3600
local offer = cunnekt.action("offer", { "name:string", "answer:string" })

-- A number a line; the file may be edited while the bot runs.
local function customers()
  local numbers, file = {}, io.open(os.getenv "CUSTOMERS" or "customers.txt")
  for line in file and file:lines() or function() end do
    numbers[#numbers + 1] = line:match "^%s*(%S.-)%s*$"
  end
  if file then
    file:close()
  end
  return numbers
end

-- Staff write: send summer. Each name goes to each number once, however often it is said.
bot:on("text", cunnekt.filter.from(STAFF) & cunnekt.filter.text "^send %w+$", function(msg)
  local name, count = msg.text:match "^send (%w+)$", 0
  for _, number in ipairs(customers()) do
    local chat, problem = bot:chat(number)
    if not chat then
      msg:reply_text(("%s: %s"):format(number, problem.message))
    elseif bot.store:add(("offer %s %s"):format(name, chat.to), "sent") then
      count = count + 1
      chat:reply_template("offer_" .. name, {
        buttons = { { index = 0, type = "quick_reply", payload = offer:pack { name = name, answer = "yes" } } },
        priority = "bulk", expires = DAY, track = { offer = name },
      })
    end
  end
  msg:reply_text(("The offer %s goes to %d customers."):format(name, count))
end)

bot:on("failed", function(status)
  if status.track and status.track.offer then
    bot.store:increment(("failed %s"):format(status.track.offer))
  end
end)

bot:dialog("reservation", function(chat, args)
  local many = chat:ask("Very good! How many shall we keep for you?", {
    check = function(msg)
      return math.tointeger(tonumber(msg.text)) ~= nil, "A number, please."
    end,
    tries = 3, timeout = 23 * 3600, -- what is said then still arrives
  })
  if not many then
    return chat:reply_text "Tell us another time."
  end
  chat:reply_text(("We keep %s of the %s offer for you."):format(many.text, args.name))
  bot:chat(STAFF):reply_text(("%s wants %s of %s."):format(chat.to, many.text, args.name), {
    fallback = { template_id = "reservation", body = { chat.to, many.text, args.name } }, -- staff wrote nothing for a day
  })
end)

bot:on("quick_reply", offer, function(msg)
  msg:start("reservation", { name = msg.action.name })
end)

bot:on("message", function(msg)
  msg:reply_text "Hello! We write to you when there is something new."
end)

-- customer: hello
-- bot: … We write to you when there is something new.
-- customer: /reply offer:summer:yes
-- bot: Very good! How many shall we keep for you?
-- customer: a few
-- bot: A number, please.
-- customer: 3
-- bot: We keep 3 of the summer offer for you.
-- bot: template reservation 919999999999 3 summer
