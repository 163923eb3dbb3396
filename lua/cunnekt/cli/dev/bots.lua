-- SPDX-License-Identifier: MIT
-- The bots of a script in `cunnekt dev`: each has an address and a key of its own, so that the sandbox knows who sends, and a customer
-- writes to one of them. The first has the address of the settings.

local settings = require "cunnekt.provider.settings"

local bots = {}

local bots_methods = {}
local bots_mt = { __index = bots_methods, __name = "cunnekt.dev.bots" }

local key_of = "sandbox-%d"

---@class cunnekt.dev.bots
---@field target integer the bot that customers write to
---@param opts {state: table, overrides: table<string, any>, folder: string?} the sandbox's `state`; settings of all bots: `listen` is the first one's, and has the host of all
---@return cunnekt.dev.bots
function bots.new(opts)
  local self = setmetatable({ target = 1, _state = opts.state, _overrides = opts.overrides, _folder = opts.folder, _services = {} }, bots_mt)
  self:_prepare()
  return self
end

-- Sets the settings of the next bot that the script makes.
function bots_methods:_prepare()
  local overrides, n = {}, #self._services + 1
  for name, value in pairs(self._overrides) do
    overrides[name] = value
  end
  overrides.api_key = key_of:format(n)
  overrides.listen = n == 1 and overrides.listen or overrides.listen:gsub(":%d+$", ":0")
  settings.set_host { folder = self._folder, overrides = overrides }
end

---Notes a bot that the script has made.
---@param service cunnekt.service
function bots_methods:note(service)
  table.insert(self._services, service)
  self:_prepare()
end

---@return integer
function bots_methods:count()
  return #self._services
end

---Whether all have their address.
---@return boolean
function bots_methods:are_ready()
  for _, one in ipairs(self._services) do
    if not one:address() and not one.is_stopping then
      return false
    end
  end
  return true
end

-- The number of the bot that has sent a message, or that gets one: who taps answers who asked.
local function number_of(self, entry)
  if entry.direction == "out" then
    return math.tointeger(tonumber((entry.key or ""):match "^sandbox%-(%d+)$")) or 1
  end
  local context = entry.message and entry.message.context
  local asked = type(context) == "table" and context.id and self._state:find(context.id)
  return asked and asked.direction == "out" and number_of(self, asked) or self.target
end

---Where a webhook about a message goes.
---@param entry cunnekt.sandbox_entry
---@return string? url nil: the usual one
---@return string? secret
function bots_methods:url_of(entry)
  entry.bot = entry.bot or number_of(self, entry) -- also when it is posted again
  local its = self._services[entry.bot]
  local at = its and its:address()
  if not at then
    return nil
  end
  local chosen = its.settings
  return ("http://%s%s"):format(at, chosen.webhook_secret and "/webhook/" .. chosen.webhook_secret or chosen.webhook_path), chosen.app_secret
end

---What the sender of a message is called.
---@param entry cunnekt.sandbox_entry
---@return string
function bots_methods:name_of(entry)
  return #self._services > 1 and ("bot %d"):format(number_of(self, entry)) or "bot"
end

---Chooses the bot that customers write to.
---@param text string its number, or nothing
---@return string? sentence
---@return string? problem
function bots_methods:choose(text)
  local n = text == "" and self.target or math.tointeger(tonumber(text))
  if not n or not self._services[n] then
    return nil, #self._services > 1 and ("the script has the bots 1 to %d"):format(#self._services) or "the script has one bot"
  end
  self.target = n
  return ("you write to bot %d of %d"):format(n, #self._services)
end

return bots
