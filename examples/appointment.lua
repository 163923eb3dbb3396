-- A clinic books appointments, sends a reminder an hour before each, and accepts "cancel" at any point.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local HOUR, DAY = 3600, 24 * 3600
local times = { "09:00", "11:00", "15:00", "17:00" }
local slot = cunnekt.action("slot", { "day:string", "time:string" })

-- The time of an appointment, in seconds since 1970; the local time zone applies.
local function when(day, time)
  local y, m, d = day:match "(%d+)-(%d+)-(%d+)"
  local hour, min = time:match "(%d+):(%d+)"
  return os.time { year = tonumber(y), month = tonumber(m), day = tonumber(d), hour = tonumber(hour), min = tonumber(min) }
end

local function free_slots(day)
  local rows = {}
  for _, time in ipairs(times) do
    if not bot.store:get("slot " .. day .. " " .. time) then
      rows[#rows + 1] = { id = slot:pack { day = day, time = time }, title = time, description = day }
    end
  end
  return rows
end

local function ask_slot(chat)
  local tomorrow = os.date("%Y-%m-%d", os.time() + DAY)
  local day = chat:ask("Which day, as 2030-12-31?", {
    check = function(msg)
      local is_day = msg.text:match "^%d%d%d%d%-%d%d%-%d%d$"
      if not is_day or msg.text < tomorrow then
        return false, ("Please write a day from %s on."):format(tomorrow)
      end
      return #free_slots(msg.text) > 0, "That day is full. Another one?"
    end,
  }).text
  local answer = chat:ask_list { body = "At what time?", list_title = "Times", list = free_slots(day) }
  return day, slot:unpack(answer.reply.id).time
end

bot:dialog("appointment", function(chat)
  local name = chat:ask("Whom is the appointment for?").text
  local day, time = ask_slot(chat)
  -- add returns true only for the first caller: no other customer has booked the slot in the meantime.
  while not bot.store:add("slot " .. day .. " " .. time, name) do
    chat:reply_text "That one has just gone. Let us look again."
    day, time = ask_slot(chat)
  end
  chat.state.appointment = { day = day, time = time }
  chat:reply_text(("Booked: %s, %s at %s. Write cancel to call it off."):format(name, day, time))
  bot:after(math.max(1, when(day, time) - HOUR - os.time()), { args = { to = chat.to, time = time } }, "remind " .. chat.to, "remind")
end)

bot:job("remind", function(job)
  local chat = bot:chat(job.args.to)
  chat:reply_text(("We expect you at %s."):format(job.args.time), {
    fallback = { template_id = "appointment_reminder", body = { job.args.time } },
  })
  chat.state.appointment = nil
end)

bot:global("cancel", function(msg)
  local booked = msg.chat.state.appointment
  msg.chat:cancel "appointment"
  if booked then
    bot.store:delete("slot " .. booked.day .. " " .. booked.time)
    bot:cancel_job("remind " .. msg.chat.to)
    msg.chat.state.appointment = nil
  end
  msg:reply_text(booked and "Your appointment is cancelled." or "All right.")
end)

bot:on("message", function(msg)
  msg:start "appointment"
end)

-- customer: hi
-- bot: Whom is the appointment for?
-- customer: Asha
-- bot: Which day, as 2030-12-31?
-- customer: soon
-- bot: Please write a day from …
-- customer: 2999-12-31
-- bot: At what time? [Times] …
-- customer: 11:00
-- bot: Booked: Asha, 2999-12-31 at 11:00. Write cancel to call it off.
-- customer: Cancel
-- bot: Your appointment is cancelled.
