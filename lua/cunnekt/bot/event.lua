-- SPDX-License-Identifier: MIT
-- The event that a handler gets: the parsed event with methods. Its chat is created on first use, and so is `raw`. Parsing is
-- provider/webhook.lua's; reply_* of a message are those of its chat.

local chat = require "cunnekt.bot.chat"
local identity = require "cunnekt.provider.identity"
local receiver = require "cunnekt.base.receiver"
local reply = require "cunnekt.bot.reply"
local webhook = require "cunnekt.provider.webhook"

local late_fields, metatable_of = webhook.late_fields, receiver.metatable_of

local event = {}

local message_methods = {}

---@class cunnekt.message
---@field chat cunnekt.chat
---@field joined? cunnekt.message[] the texts of which a joined one is made, in order
---@field stale true? a tap that would have answered a dialog's question, but is on an older message
local message_mt = { __name = "cunnekt.message" }

local function find_chat(self)
  -- By an alias the number may be known where the event has none.
  local to = self.from or identity.number(self._contact) or self.user_id or self.recipient
  local it = chat.new(self._scope, self._contact, to, rawget(self, "_origin"))
  rawset(self, "chat", it)
  return it
end

-- Asked for each field that an event does not have: few of them are late.
function message_mt.__index(self, key)
  local method = message_methods[key]
  if method then
    return method
  elseif key == "chat" then
    return find_chat(self)
  elseif late_fields[key] then
    return webhook.late(self, key)
  end
  return nil
end

-- Events that are not messages have only `chat`, and what is late.
local about_mt = {
  __name = "cunnekt.event",
  __index = function(self, key)
    if key == "chat" then
      return find_chat(self)
    end
    return late_fields[key] and webhook.late(self, key) or nil
  end,
}

for _, name in ipairs(chat.kinds) do
  local where = "reply_" .. name
  local in_chat = chat.methods[where]
  message_methods[where] = function(self, ...)
    if metatable_of(self) ~= message_mt then
      receiver.refuse("msg", where, self)
    end
    return in_chat(rawget(self, "chat") or find_chat(self), ...)
  end
end

local reply_text = message_methods.reply_text

---Answers with a text: the chat's reply_text. The usual one, without options, needs no chat.
---@param text string
---@param ... any options, see cunnekt.chat
---@return cunnekt.sent?
---@return cunnekt.error? err
function message_methods.reply_text(self, text, ...)
  local is_usual = metatable_of(self) == message_mt and select("#", ...) == 0 and not rawget(self, "_origin")
  local handle = is_usual and reply.at_once(self._scope, self._contact, self.from, text) or nil
  if handle then
    return handle
  end
  return reply_text(self, text, ...)
end

---Starts a dialog with this contact when the handler returns. While one of this name waits there, it goes on, and asks its
---question again; after a reaction, an edit and other remarks, and a message in a group, it goes on without a word.
---@param name string
---@param args? any JSON value
---@param opts? cunnekt.start_options
function message_methods:start(name, args, opts)
  if metatable_of(self) ~= message_mt then
    receiver.refuse("msg", "start", self)
  end
  local plan = { name = name, contact = self._contact, to = self.chat.to, args = args, is_remark = not webhook.is_addressed(self) }
  self._scope.dialogs:plan("msg:start", plan, opts)
end

---Downloads the message's media; see cunnekt.client.download. By default it verifies the webhook's checksum. An immediate
---effect, outside the turn's commit.
---@param opts? cunnekt.download.options
---@return cunnekt.download.result? result
---@return cunnekt.error? err
function message_methods:download(opts)
  if metatable_of(self) ~= message_mt then
    receiver.refuse("msg", "download", self)
  elseif not self.media then
    error(("msg:download: a message of type '%s' has no media"):format(tostring(self.type)), 2)
  elseif type(opts or {}) ~= "table" then
    error(("msg:download: options must be a table, got %s; write msg:download { path = \"photo.jpg\" }"):format(type(opts)), 2)
  end
  local filled = { sha256 = self.media.sha256 }
  for key, value in pairs(opts or {}) do
    filled[key] = value
  end
  return self._scope.engine.client:download(self.id, filled)
end

---Adds the methods to a parsed event.
---@param scope cunnekt.scope
---@param contact string
---@param parsed table becomes the event
---@param origin? string the contact that its run began with, if that has become part of another one since
---@return table
function event.bind(scope, contact, parsed, origin)
  parsed._scope, parsed._contact, parsed._origin = scope, contact, origin
  return setmetatable(parsed, parsed.kind == "message" and message_mt or about_mt)
end

return event
