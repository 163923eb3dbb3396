-- SPDX-License-Identifier: MIT
-- What a handler gets: the parsed event with the methods that a script calls on it. Its chat is made when it is asked for.

local chat = require "cunnekt.bot.chat"

local event = {}

local message_methods = {}

---@class cunnekt.message
---@field chat cunnekt.chat
local message_mt = { __name = "cunnekt.message" }

local function find_chat(self)
  local it = chat.new(self._scope, self._contact, self.from or self.user_id or self.recipient)
  rawset(self, "chat", it)
  return it
end

function message_mt.__index(self, key)
  if key == "chat" then
    return find_chat(self)
  end
  return message_methods[key]
end

-- Everything else that concerns one contact has the chat with it, and nothing more.
local about_mt = {
  __name = "cunnekt.event",
  __index = function(self, key)
    return key == "chat" and find_chat(self) or nil
  end,
}

for _, name in ipairs(chat.kinds) do
  local where = "reply_" .. name
  local reply = chat.methods[where]
  message_methods[where] = function(self, ...)
    return reply(rawget(self, "chat") or find_chat(self), ...)
  end
end

---Begins a dialog with this contact, once the handler has returned.
---@param name string
---@param args? any what JSON can hold
function message_methods:start(name, args)
  self._scope.dialogs:plan("msg:start", name, self._contact, self.from or self.user_id, args)
end

---Downloads the message's media; see cunnekt.client.download. The checksum of the webhook is checked unless another one
---is given. Happens at once, outside the turn's commit.
---@param opts table path or sink, max_bytes, on_progress
---@return table? result
---@return cunnekt.error? err
function message_methods:download(opts)
  if not self.media then
    error(("msg:download: a message of type '%s' has no media"):format(tostring(self.type)), 2)
  end
  local filled = { sha256 = self.media.sha256 }
  for key, value in pairs(opts or {}) do
    filled[key] = value
  end
  return self._scope.engine.client:download(self.id, filled)
end

---Gives a parsed event its methods.
---@param scope cunnekt.scope
---@param contact string
---@param parsed table taken
---@return table
function event.bind(scope, contact, parsed)
  parsed._scope, parsed._contact = scope, contact
  return setmetatable(parsed, parsed.kind == "message" and message_mt or about_mt)
end

return event
