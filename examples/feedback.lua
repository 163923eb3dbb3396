-- A shop asks for feedback on an order: buttons, a list, a form, a document, and a template at the end.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

bot:on("text", { "^[Hh]i", "^[Hh]ello" }, function(msg)
  msg:reply_buttons {
    header = "Asha's Tea House",
    body = ("Hello %s! How was your order?"):format(msg.name or "friend"),
    buttons = { { id = "good", title = "Good" }, { id = "bad", title = "Not good" } },
  }
end)

bot:on("button", "good", function(msg)
  msg:reply_text "We are glad. See you soon!"
end)

bot:on("button", "bad", function(msg)
  msg:reply_list {
    body = "Sorry to hear that. What went wrong?", list_title = "Choose",
    list = { { id = "late", title = "It came late" }, { id = "wrong", title = "The wrong thing" } },
  }
end)

bot:on("list", function(msg)
  msg:reply_text(("Noted: %s."):format(msg.reply.title))
  msg:reply_form { body = "Tell us more, it takes a minute.", form_cta = "Open form", form_id = "925610928478879" }
end)

bot:on("form", function(msg)
  msg:reply_text(("Thank you for your %s of 5. Please send us the bill."):format(msg.form.rating))
end)

bot:on("document", function(msg)
  local file, err = msg:download { path = ("inbox/%s %s"):format(msg.id:gsub("%W", ""), msg.media.safe_filename), sha256 = msg.media.sha256 }
  if not file then
    return msg:reply_text("That did not arrive: " .. err.message)
  end
  msg:reply_template("refund_on_its_way", { body = { msg.name or "friend", msg.media.filename } })
end)

bot:on("failed", function(status)
  print("not delivered:", status.id, status.errors[1].title)
end)

-- customer: hi
-- bot: … Hello Asha! How was your order? [Good] [Not good]
-- customer: /button good
-- bot: We are glad. See you soon!
-- customer: /button bad
-- bot: Sorry to hear that. What went wrong? [Choose] …
-- customer: /list late
-- bot: Noted: It came late.
-- bot: Tell us more…
-- customer: /form {"rating":"2"}
-- bot: Thank you for your 2 of 5. Please send us the bill.
-- customer: /document
-- bot: … refund_on_its_way …
