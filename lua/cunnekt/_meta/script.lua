---@meta
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- Stubs for what the sources create in loops (reply_* of a chat and of a message), and for classes without a source file.
-- Never loaded. spec/project/stubs_spec.lua compares it with the code.

---@class cunnekt.json
local json = {}

---Decodes a JSON text (RFC 8259; a leading byte order mark is skipped, at most 128 levels).
---@param text string
---@return any value nil only together with an error: null is `json.null`
---@return cunnekt.error? err kind invalid, with the byte position
function json.decode(text) end

---As json.decode, for a text from outside: one with more values costs little.
---@param text string
---@param most integer values: scalars, lists and objects, all counted
---@return any value
---@return cunnekt.error? err kind invalid, or too_large for more values
function json.decode_bounded(text, most) end

---Encodes a value as JSON. Raises, with the path, for a value that JSON cannot represent.
---@param value any
---@return string text
function json.encode(value) end

---@class cunnekt.sandbox
---@field url string base URL, without /v1 and /control
---@field port integer
---@field state table

---@class cunnekt.buttons_reply: cunnekt.buttons_message, cunnekt.delivery
---@class cunnekt.list_reply: cunnekt.list_message, cunnekt.delivery
---@class cunnekt.form_reply: cunnekt.form_message, cunnekt.delivery
---@class cunnekt.cta_url_reply: cunnekt.cta_url_message, cunnekt.delivery
---@class cunnekt.template_reply: cunnekt.template_message, cunnekt.delivery

---@class cunnekt.chat
local chat = {}

---Replies with a template; allowed outside the service window.
---@param template_id string as shown on the dashboard
---@param message? cunnekt.template_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_template(template_id, message) end

---Replies with a text.
---@param text string at most 4096 characters
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_text(text, delivery) end

---Replies with reply buttons.
---@param message cunnekt.buttons_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_buttons(message) end

---Replies with a list to choose from.
---@param message cunnekt.list_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_list(message) end

---Replies with a form to fill in.
---@param message cunnekt.form_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_form(message) end

---Replies with an image.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_image(url, caption, delivery) end

---Replies with a video.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_video(url, caption, delivery) end

---Replies with a document.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_document(url, caption, delivery) end

---Replies with audio.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_audio(url, caption, delivery) end

---Replies with a button that opens a web page.
---@param message cunnekt.cta_url_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function chat:reply_cta_url(message) end

---An incoming message with methods, as a handler gets it.
---@class cunnekt.message: cunnekt.webhook.message
---@field action? table<string, string|number|boolean> the values of the button, if a cunnekt.action matched it
local message = {}

---Replies with a template; allowed outside the service window.
---@param template_id string as shown on the dashboard
---@param message? cunnekt.template_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_template(template_id, message) end

---Replies with a text.
---@param text string at most 4096 characters
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_text(text, delivery) end

---Replies with reply buttons.
---@param message cunnekt.buttons_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_buttons(message) end

---Replies with a list to choose from.
---@param message cunnekt.list_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_list(message) end

---Replies with a form to fill in.
---@param message cunnekt.form_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_form(message) end

---Replies with an image.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_image(url, caption, delivery) end

---Replies with a video.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_video(url, caption, delivery) end

---Replies with a document.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_document(url, caption, delivery) end

---Replies with audio.
---@param url string of the file itself
---@param caption? string|cunnekt.delivery at most 1024 characters; without one, the options of the delivery may stand here
---@param delivery? cunnekt.delivery
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_audio(url, caption, delivery) end

---Replies with a button that opens a web page.
---@param message cunnekt.cta_url_reply
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid, window_closed or cancelled
function message:reply_cta_url(message) end
