-- SPDX-License-Identifier: MIT
-- Services under a virtual clock: bots on one database, one after the other, whose provider the spec plays. Webhooks reach
-- them through their inbox, or by HTTP where that matters.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local fake_client = require "spec.support.fake_client"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local process = require "spec.support.process"
local service = require "cunnekt.service"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local service_rig = {}

local rig_methods = {}
local rig_mt = { __index = rig_methods }

service_rig.start = 1700000000
service_rig.customer = "919999999999"
service_rig.contact = "1:919999999999"

---@return table rig `clock`; `lines`: of the log; `delivered`: texts of messages
function service_rig.new()
  local self = setmetatable({
    folder = process.folder(),
    clock = clock.virtual(service_rig.start):install(),
    lines = {},
    delivered = {},
    number = 0,
    _write = log.write,
  }, rig_mt)
  log.write = function(line)
    self.lines[#self.lines + 1] = line
  end
  self.url = "sqlite:" .. self.folder.path .. "/bot.db"
  return self
end

---Makes a bot. It does not serve yet.
---@param opts? table of cunnekt.bot
---@return cunnekt.bot
---@return cunnekt.service
function rig_methods:new_bot(opts)
  local all = { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = self.url, rate = 0, pair_rate = 0 }
  for name, value in pairs(opts or {}) do
    all[name] = value
  end
  self.bot = cunnekt.bot(all)
  self.service = service.of(self.bot)
  fake_client.transmits(self.bot.client, function(_, payload)
    self.delivered[#self.delivered + 1] = payload.text
    return { message_id = "wamid.out" .. #self.delivered, status = 200 }
  end)
  return self.bot, self.service
end

---Makes a bot that serves.
---@param define? fun(bot: cunnekt.bot)
---@param opts? table
function rig_methods:serve(define, opts)
  local bot = self:new_bot(opts)
  if define then
    define(bot)
  end
  assert(bot:listen())
  return bot, self.service
end

---Steps the loop until `is_done` gives something; the clock stands still.
function rig_methods:step_until(is_done, what)
  return wire.step_until(function()
    self.clock:advance(0)
    return is_done()
  end, (what or "something") .. "\n" .. table.concat(self.lines, "\n"))
end

---Lets everything end that is under way.
function rig_methods:settle()
  local quiet = 0
  self:step_until(function()
    local is_quiet = self.service:is_idle() and self.service.engine.turns:count() == 0
    quiet = is_quiet and quiet + 1 or 0
    if not self.service.is_stopping then
      self.service.store:value "anything" -- the store works in order
    end
    return quiet > 3
  end, "quiet")
end

---Lets time pass, some seconds at a time.
function rig_methods:pass(seconds, step)
  step = step or seconds
  while seconds > 0 do
    self.clock:advance(math.min(step, seconds))
    seconds = seconds - step
    self:settle()
  end
end

---A webhook body of one text.
function rig_methods:body(text, from)
  self.number = self.number + 1
  return json.encode {
    metadata = { phone_number_id = "1" },
    messages = {
      {
        id = "wamid.in" .. self.number, from = from or service_rig.customer, timestamp = ("%d"):format(math.floor(clock.now())), type = "text",
        text = { body = text },
      },
    },
  }
end

---A customer writes; waits until the event is stored.
function rig_methods:say(text, from)
  local body, is_done = self:body(text, from), false
  self.service.inbox:accept(body, function(err)
    assert(not err, err)
    is_done = true
  end)
  self:step_until(function()
    return is_done
  end, "an event")
end

---Stops the bot, while time passes.
---@return boolean is_clean
function rig_methods:stop(grace)
  local t = task.spawn(self.bot.stop, self.bot, grace or 1)
  self:step_until(function()
    self.clock:advance(0.05)
    return t.is_done
  end, "the end")
  return task.join(t)
end

function rig_methods:close()
  if self.service and not self.service.is_stopping then
    self:stop(0)
  end
  self.clock:uninstall()
  log.write = self._write
  core.step(false)
end

return service_rig
