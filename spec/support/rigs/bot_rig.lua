-- SPDX-License-Identifier: MIT
-- A bot and a sandbox in the process of the spec, pointed at each other; what the bot logs is kept.

local clock = require "cunnekt.time.clock"
local cunnekt = require "cunnekt"
local log = require "cunnekt.base.log"
local samples = require "cunnekt.sandbox.samples"
local sandbox = require "cunnekt.sandbox"
local task = require "cunnekt.base.task"

local bot_rig = {}

local rig_methods = {}
local rig_mt = { __index = rig_methods }

---@return table rig `fake`: the sandbox; `lines`: what was logged; `bot`, once there is one
function bot_rig.new()
  local self = setmetatable({ lines = {}, _write = log.write }, rig_mt)
  log.write = function(line)
    self.lines[#self.lines + 1] = line
  end
  self.fake = assert(sandbox.new())
  return self
end

function rig_methods:close()
  if self.bot then
    self.bot:stop(1)
  end
  self.fake:close()
  log.write = self._write
end

function rig_methods:new_bot(opts)
  local all = { api_key = "key", base_url = self.fake.url .. "/v1", listen = "127.0.0.1:0", store = "memory:" }
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  self.bot = cunnekt.bot(all)
  return self.bot
end

function rig_methods:start()
  assert(self.bot:listen())
  self.fake:aim("http://" .. self.bot:address() .. "/webhook")
end

---A webhook body of one message.
function bot_rig.body_of(fields)
  local kind = fields.type
  fields.type = nil
  return cunnekt.json.encode((assert(samples.build(kind, fields))))
end

---Steps the loop until `fn` gives something, at most some seconds.
function bot_rig.wait_for(fn, what)
  local deadline = clock.monotonic() + 10
  while true do
    local value = fn()
    if value then
      return value
    elseif clock.monotonic() > deadline then
      error("waited in vain for " .. what, 2)
    end
    task.sleep(0.002)
  end
end

function rig_methods:outgoing()
  local list = {}
  for _, entry in ipairs(self.fake.state:since(0, nil, 10000)) do
    if entry.direction == "out" then
      list[#list + 1] = entry
    end
  end
  return list
end

function rig_methods:wait_for_messages(count)
  return bot_rig.wait_for(function()
    local list = self:outgoing()
    return #list >= count and list
  end, count .. " messages")
end

---The texts that customers got, when there are so many messages.
function rig_methods:texts(count)
  local list = {}
  for i, entry in ipairs(self:wait_for_messages(count)) do
    list[i] = entry.payload.text or entry.payload.body
  end
  return list
end

function rig_methods:say(text, from)
  return assert(self.fake:say { type = "text", text = text, from = from })
end

return bot_rig
