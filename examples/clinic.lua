-- A clinic asks its patients in the evening whether they come tomorrow, and tells them to be there an hour before.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local HOUR = 3600
local zone = { tz = os.getenv "CLINIC_ZONE" or "Asia/Kolkata" }

-- The clinic's own program writes the appointments: cunnekt values set "visit 919999999999" '{"name":"Asha","time":"11:00"}'
local function visits()
  return bot.store:each "visit "
end

local yes_or_no = { yes = "yes", y = "yes", no = "no", n = "no" }

-- A tap, or a word that stands alone: neither "Nice, thank you" nor "no problem" is a no.
local function answer_of(msg)
  return msg.payload or yes_or_no[(msg.text:lower() .. "."):match "^%s*(%a+)%s*[%.,!]" or ""]
end

bot:dialog("confirm", function(chat, visit)
  -- The patient may not have written for days, so the question is a template. It has two buttons, or they write.
  local answer = chat:ask_template("visit_tomorrow", {
    body = { visit.name, visit.time },
    buttons = { { index = 0, type = "quick_reply", payload = "yes" }, { index = 1, type = "quick_reply", payload = "no" } },
    check = function(msg)
      return answer_of(msg) ~= nil, "Please answer yes or no."
    end,
    remind = {
      after = 2 * HOUR, text = "Do you come tomorrow? Please answer yes or no.",
      fallback = { template_id = "visit_reminder", body = { visit.time } }, -- who has not answered may not have written for days
    },
    timeout = 12 * HOUR,
  })
  if not answer then
    bot.store:set("unsure " .. chat.to, visit)
  elseif answer_of(answer) == "no" then
    bot.store:delete("visit " .. chat.to)
    chat:reply_text "We have cancelled it. Write to us when you need another appointment."
  else
    chat:reply_text(("Thank you, %s. See you at %s."):format(visit.name, visit.time))
    bot:after(12 * HOUR, { args = { to = chat.to, time = visit.time } }, "soon " .. chat.to, "soon")
  end
end)

bot:job("soon", function(job)
  bot:chat(job.args.to):reply_text(("We expect you at %s. Please bring your papers."):format(job.args.time), {
    fallback = { template_id = "visit_soon", body = { job.args.time } },
  })
end)

bot:daily("19:00", zone, "ask for tomorrow", function()
  for key, visit in visits() do
    bot:start(key:match "^visit (.+)$", "confirm", visit)
  end
end)

bot:global({ "cancel", "रद्द" }, function(msg)
  local is_booked = bot.store:get("visit " .. msg.chat.to) ~= nil
  bot.store:delete("visit " .. msg.chat.to)
  msg.chat:cancel "confirm"
  bot:cancel_job("soon " .. msg.chat.to)
  msg:reply_text(is_booked and "Your appointment is cancelled." or "You have no appointment.")
end)

bot:on("message", function(msg)
  local visit = bot.store:get("visit " .. msg.chat.to)
  msg:reply_text(visit and ("We expect you at %s. Write cancel if you cannot come."):format(visit.time)
    or "Please call us for an appointment.")
end)

-- customer: hello
-- bot: Please call us for an appointment.
-- customer: CANCEL
-- bot: You have no appointment.
