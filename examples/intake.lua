-- A school registers a pupil: a form, then a document, with a reminder after a day without an answer.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local FORM = os.getenv "INTAKE_FORM" or "925610928478879"
local FOLDER = os.getenv "INTAKE_FOLDER" or "intake"
local DAY = 24 * 3600

-- Waits a day, sends one reminder, waits another day.
local function ask_twice(chat, ask, reminder)
  local answer = ask()
  if answer then
    return answer
  end
  chat:reply_text(reminder, { fallback = { template_id = "intake_reminder" } })
  return chat:wait { form = true, media = true, timeout = DAY }
end

-- Saves the document in the pupil's folder; asks again until the download succeeds.
local function keep_document(chat, msg, folder)
  while msg do
    if msg.media then
      local name = ("%s %s"):format(msg.id:gsub("%W", ""), msg.media.safe_filename) -- two files may have one name
      local file, err = msg:download { path = ("%s/%s"):format(folder, name), max_bytes = 10 << 20 }
      if file then
        return file
      end
      chat:reply_text(("That did not arrive (%s). Please send it again."):format(err.kind))
    else
      chat:reply_text "Please send a photo or a PDF."
    end
    msg = chat:wait { any = true, timeout = DAY }
  end
end

bot:dialog("intake", function(chat)
  local form = ask_twice(chat, function()
    return chat:ask_form { body = "Welcome! Please tell us about your child.", form_cta = "Open form", form_id = FORM, timeout = DAY }
  end, "The form is still open. It takes a minute.")
  if not form or not form.form then
    return chat:reply_text("We will leave it at that. Write to begin again.", { fallback = { template_id = "intake_closed" } })
  end
  chat.state.pupil = form.form.name
  chat:reply_text(("Thank you. Now send us the birth certificate of %s."):format(form.form.name or "your child"))
  local first = ask_twice(chat, function()
    return chat:wait { any = true, timeout = DAY }
  end, "Only the birth certificate is missing.")
  local file = keep_document(chat, first, FOLDER .. "/" .. chat.to)
  if not file then
    return chat:reply_text("We keep what we have. Send the document any time.", { fallback = { template_id = "intake_closed" } })
  end
  bot.store:increment "pupils"
  chat:reply_text(("All done: %d bytes arrived. We will write to you."):format(file.size))
end, {
  -- What comes while the form is awaited.
  unexpected = function(msg)
    msg:reply_text "Please open the form with the button in our message."
  end,
})

bot:on("message", function(msg)
  msg:start "intake"
end)

-- customer: hi
-- bot: Welcome! Please tell us about your child. …
-- customer: /form {"name":"Asha"}
-- bot: Thank you. Now send us the birth certificate of Asha.
-- customer: which?
-- bot: Please send a photo or a PDF.
-- customer: /document
-- bot: All done: …
