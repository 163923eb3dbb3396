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

---Ends it all; nothing happens when it has ended.
function talk.finish()
  local all = talk.all
  talk.all = nil
  if all then
    all:close()
  end
end

---The customer writes, and everything that comes of it happens.
---@param what string|table a text, or a message as samples.message takes it
function talk.say(what)
  talk.all:act(talk.customer, type(what) == "table" and what or { type = "text", text = what })
  talk.all:settle()
end

local function do_nothing() end

-- What may happen to the bot between two steps.
local ways = {
  undisturbed = do_nothing,
  evicted = function(all)
    inside(all.bot).dialogs:evict_all()
  end,
  stopped = function(all)
    all:restart()
  end,
  killed = function(all)
    all:kill()
  end,
}

---Plays steps with a bot that is undisturbed, and with one that is evicted from memory, stopped or killed between any two
---of them. Raises when the customer does not see the same.
---@param define fun(bot: cunnekt.bot)
---@param steps any[] what the customer writes, as for `say`; a number: seconds in which nothing happens
---@param opts? table of cunnekt.bot
---@return string[] said what the customer saw
function talk.play(define, steps, opts)
  local function play(disturb)
    talk.begin(define, opts)
    for _, step in ipairs(steps) do
      if type(step) == "number" then
        talk.all:pass(step)
      else
        talk.say(step)
      end
      disturb(talk.all)
      talk.all:settle()
    end
    local said = talk.said()
    talk.finish()
    return said
  end
  local said = play(ways.undisturbed)
  for _, way in ipairs { "evicted", "stopped", "killed" } do
    local other = table.concat(play(ways[way]), "\n")
    assert(table.concat(said, "\n") == other, ("%s, the customer sees:\n%s"):format(way, other))
  end
  return said
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
