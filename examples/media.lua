-- Saves every file that customers send, in one folder per customer, and replies with a picture.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

local function keep(msg)
  -- Many files are called scan.pdf: the message's id tells them apart.
  local path = ("files/%s/%s %s"):format(msg.chat.to, msg.id:gsub("%W", ""), msg.media.safe_filename)
  local file, err = msg:download { path = path, sha256 = msg.media.sha256, max_bytes = 100 * 1024 * 1024 }
  if not file then
    print("not kept:", path, err)
    return msg:reply_text "That did not reach us whole. Would you send it again?"
  end
  msg:reply_image("https://www.cunnekt.com/wp-content/themes/twentytwenty-child/images/wts_4.jpg", "We have it!")
end

for _, kind in ipairs { "image", "video", "audio", "document", "sticker" } do
  bot:on(kind, keep)
end

-- customer: /document
-- bot: … We have it!
