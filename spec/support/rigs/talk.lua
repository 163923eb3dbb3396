-- SPDX-License-Identifier: MIT
-- One customer, one bot, and a dialog called "it" that begins with "go": for specs that cut the bot off in between.

local inside = require("cunnekt.service").of
local lives = require "spec.support.dialogs.lives"
local samples = require "cunnekt.sandbox.samples"
local stored_dialogs = require "cunnekt.store.dialogs"

local talk = {}

talk.customer = "919999999999"
talk.contact = samples.PHONE_NUMBER_ID .. ":" .. talk.customer

---Begins a bot with what `define` gives it; `talk.all` are its lives, `talk.bot` is the one that lives now.
---@param define fun(bot: cunnekt.bot)
---@param opts? table of cunnekt.bot
function talk.begin(define, opts)
  talk.all = lives.new(function(bot)
    talk.bot = bot
    define(bot)
    bot:on("text", "^go$", function(msg)
      msg:start "it"
    end)
    bot:on("message", function(msg)
      msg:reply_text("handler: " .. (msg.text or msg.type))
    end)
  end, opts)
  talk.all:start()
end

---Ends it all.
function talk.finish()
  talk.all:close()
end

---The customer writes, and everything that comes of it happens.
---@param text string
function talk.say(text)
  talk.all:act(talk.customer, { type = "text", text = text })
  talk.all:settle()
end

---The customer does something else, and everything that comes of it happens.
---@param kind string a type of message
---@param fields? table as samples.build takes them
function talk.act(kind, fields)
  local action = { type = kind }
  for name, value in pairs(fields or {}) do
    action[name] = value
  end
  talk.all:act(talk.customer, action)
  talk.all:settle()
end

---What may happen to a dialog that waits: it goes on from memory, or is rebuilt from its journal.
---@type table<string, fun()>
talk.fates = {
  ["in memory"] = function() end,
  ["evicted"] = function()
    inside(talk.bot).dialogs:evict_all()
  end,
  ["after a restart"] = function()
    talk.all:restart()
  end,
  ["after a kill"] = function()
    talk.all:kill()
  end,
}

---What the customer saw.
---@return string[]
function talk.said()
  return talk.all.seen[talk.customer] or {}
end

---What was logged.
---@return string
function talk.logged()
  return table.concat(talk.all.lines, "\n")
end

---The dialogs in the store.
---@return cunnekt.store.dialog[]
function talk.stored()
  return stored_dialogs.of(inside(talk.bot).store, talk.contact)
end

return talk
