-- SPDX-License-Identifier: MIT
-- Many conversations with one bot that lives several lives over one store on disk, under a virtual clock. The provider is
-- played here: it takes each message at once, and repeats a webhook until it was answered. Between any two moments the
-- bot may be stopped, or be cut off as by kill -9: from that instant on nothing that it does has an effect but what it
-- had handed to the store.

local inside = require("cunnekt.service").of
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local fake_client = require "spec.support.fake_client"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local process = require "spec.support.process"
local run = require "cunnekt.dialog.engine.run"
local samples = require "cunnekt.sandbox.samples"
local source = require "cunnekt.dialog.engine.source"
local task = require "cunnekt.base.task"
local world = require "cunnekt.dialog.engine.world"

local lives = {}

-- When every history begins, in seconds since 1970.
lives.began = 1700000000

-- Seconds of real time for anything that is waited for.
local patience = 60

local lives_methods = {}
local lives_mt = { __index = lives_methods }

local run_methods = getmetatable(run.new { at = 0, id = 0 }).__index
local find_seed = run_methods.find_seed

-- The same chance in each history that a conversation has.
local function find_seed_of_conversation(self)
  self.seed = self.seed or ("%s %s %.17g"):format(self.contact, self.name, self.at)
  return self.seed
end

---@param define fun(bot: cunnekt.bot) what the script holds
---@param opts? table of cunnekt.bot
function lives.new(define, opts)
  local self = setmetatable({
    folder = process.folder(),
    clock = clock.virtual(lives.began):install(),
    define = define,
    opts = opts or {},
    seen = {}, -- number → what the customer saw
    ids = {}, -- number and what they saw → the provider's id of the newest message
    posts = { first = 1, last = 0 },
    hops = {},
    lines = {},
    restarts = 0,
    message_number = 0,
    write = log.write,
  }, lives_mt)
  log.write = function(line)
    self.lines[#self.lines + 1] = line
  end
  run_methods.find_seed = find_seed_of_conversation
  return self
end

---For lives.new: loads a script's file in each life, as the host does.
---@param path string
---@param environment? table<string, string> what os.getenv gives it
---@return fun(bot: cunnekt.bot) define
function lives.script(path, environment)
  return function(bot)
    local public = setmetatable({
      bot = function()
        return bot
      end,
    }, { __index = cunnekt })
    bot.run = function() end
    local env = world.new(setmetatable({
      require = function(name)
        return name == "cunnekt" and public or require(name)
      end,
    }, { __index = _G }))
    function env.os.getenv(name)
      return environment and environment[name]
    end
    assert(source.load(path, env))()
  end
end

-- ---- the provider --------------------------------------------------------------------------------------------------

local function describe(payload)
  local words = { payload.templateid or payload.text or payload.body or payload.type }
  for _, button in ipairs(payload.buttons or payload.list or {}) do
    words[#words + 1] = ("[%s]"):format(button.id or button.reply and button.reply.id or button.title)
  end
  return table.concat(words, " ")
end

---Posts a webhook, again and again until it is acknowledged.
function lives_methods:post(body)
  local posts = self.posts
  posts.last = posts.last + 1
  posts[posts.last] = type(body) == "string" and body or json.encode(body)
end

-- Takes a message, and tells of it later: statuses come in any order.
function lives_methods:take(payload)
  local to = payload.mobile
  local seen = self.seen[to] or {}
  self.seen[to] = seen
  seen[#seen + 1] = describe(payload)
  self.message_number = self.message_number + 1
  local id, text = "wamid.out" .. self.message_number, seen[#seen]
  self.ids[to .. " " .. text] = id
  local statuses = { "sent", "delivered" }
  if #text % 3 == 0 then
    statuses = { "delivered", "sent" }
  elseif not text:find "deliver" and not text:find "wait" then
    statuses = {}
  end
  for _, status in ipairs(statuses) do
    self:post(samples.status(status, { from = to, id = id }))
  end
  return { message_id = id, status = 200 }
end

local function replace_client(self, bot)
  fake_client.transmits(bot.client, function(_, payload)
    task.await(function(done)
      table.insert(self.hops, { bot = bot, go = done })
    end)
    return self:take(payload)
  end)
end

-- ---- lives ---------------------------------------------------------------------------------------------------------

---Begins a life.
function lives_methods:start()
  local opts = {
    api_key = "key",
    base_url = "http://127.0.0.1:9/v1",
    listen = "127.0.0.1:0",
    store = "sqlite:" .. self.folder.path .. "/dialogs.db",
    unknown = "resend",
    rate = 0,
    pair_rate = 0,
  }
  for name, value in pairs(self.opts) do
    opts[name] = value
  end
  self.bot = cunnekt.bot(opts)
  self.bot:on_error(function(err)
    self.lines[#self.lines + 1] = tostring(err.traceback or err)
  end)
  replace_client(self, self.bot)
  self.define(self.bot)
  assert(self.bot:listen())
end

---Cuts the bot off: nothing more comes of what it does.
function lives_methods:kill()
  local bot = self.bot
  self.bot, self.hops, self.posts.next = nil, {}, self.posts.first
  inside(bot).webhook_server:close()
  inside(bot).inbox:stop()
  inside(bot).outbox:stop()
  inside(bot).schedule:stop(false)
  inside(bot).dialogs.due:stop()
  inside(bot).maintenance:stop()
  if inside(bot).admin_server then
    inside(bot).admin_server:close()
  end
  inside(bot).store:close() -- what was handed to it is written, as by a system that goes on when a program is killed
  inside(bot).dialogs:evict_all()
  self.restarts = self.restarts + 1
  self:start()
end

-- Runs something that waits; time goes on only when nothing else helps.
function lives_methods:finish(fn)
  local deadline, t, rounds = core.real_monotonic() + patience, task.spawn(fn), 0
  while not t.is_done do
    assert(core.real_monotonic() < deadline, "something never ends")
    self:turn_wheel()
    rounds = rounds + 1
    if rounds % 1000 == 0 then
      self.clock:advance(1)
    end
  end
end

---Stops the bot as SIGTERM does, and starts it again.
function lives_methods:restart()
  self:finish(function()
    self.bot:stop(0)
  end)
  self.hops, self.posts.next = {}, self.posts.first
  self.restarts = self.restarts + 1
  self:start()
end

-- ---- time ----------------------------------------------------------------------------------------------------------

-- Posts what is to be posted, in order. They are answered in order as well; what was not is posted again to the next life.
local function post_all(self)
  local posts, life = self.posts, self.bot
  posts.next = math.max(posts.next or 1, posts.first)
  while life and not inside(life).is_stopping and posts.next <= posts.last do
    local number = posts.next
    posts.next = number + 1
    inside(life).inbox:accept(posts[number], function(err)
      if self.bot == life and not err and posts.first == number then
        posts[number] = nil
        posts.first = number + 1
      elseif self.bot == life then
        posts.next = posts.first
      end
    end)
  end
end

---Lets the loop go round once. How far that brings what goes through the store depends on how busy the machine is.
function lives_methods:turn_wheel()
  post_all(self)
  local hops = self.hops
  self.hops = {}
  for _, hop in ipairs(hops) do
    if hop.bot == self.bot and not inside(hop.bot).store._is_closed then
      hop.go()
    end
  end
  self.clock:advance(0)
  core.real_timer(0.0002, function() end)
  core.step(true)
end

---Lets everything go on for some rounds, where something is under way that does not end. In each the store, which works in order, does what
---it was given before.
---@param rounds integer
function lives_methods:go_round(rounds)
  for _ = 1, rounds do
    self:turn_wheel()
    inside(self.bot).store:value "anything"
  end
end

function lives_methods:is_busy()
  local bot = self.bot
  return self.posts.first <= self.posts.last or #self.hops > 0 or inside(bot).inbox:active() > 0
    or inside(bot).outbox:active() > 0 or inside(bot).engine.turns:count() > 0
end

-- Rounds in which nothing is under way: looking for what is due takes several trips to the store, of which nothing shows.
local quiet_rounds = 6

---Lets everything that is under way end, while the clock stands still.
---@param wheel? fun() called in each round
function lives_methods:settle(wheel)
  local deadline, quiet = core.real_monotonic() + patience, 0
  while quiet < quiet_rounds do
    if core.real_monotonic() > deadline then
      error("it is never quiet:\n" .. table.concat(self.lines, "\n"))
    end
    self:turn_wheel()
    if wheel then
      wheel()
    end
    if self:is_busy() then
      quiet = 0
    else
      inside(self.bot).store:value "anything" -- what was to be written before is written now
      quiet = quiet + 1
    end
  end
end

---Lets time pass.
function lives_methods:pass(seconds, wheel)
  self.clock:advance(seconds)
  self:settle(wheel)
end

---The provider's id of a message, if the customer saw it.
---@param number string
---@param text string as in `seen`; the newest one counts
---@return string? id
function lives_methods:id_of(number, text)
  return self.ids[number .. " " .. text]
end

-- The webhook of something that a customer does; `on` is the message, as in `seen`, on which they tap.
local function build(self, from, action)
  self.act_number = (self.act_number or 0) + 1
  local fields = { from = from, message_id = action.message_id or ("wamid.in" .. self.act_number), timestamp = math.floor(clock.now()) }
  for name, value in pairs(action) do
    fields[name] = name ~= "type" and name ~= "on" and value or nil
  end
  fields.context = action.on and assert(self:id_of(from, action.on), action.on) or action.context
  return assert(samples.build(action.type, fields))
end

---A customer does something, or several things that come in one webhook: then each but the first was stored before the bot
---has said anything to it.
---@param from string
---@param action table type, and fields of samples.build
---@param ... table
---@return table body
function lives_methods:act(from, action, ...)
  local body = build(self, from, action)
  for _, more in ipairs { ... } do
    table.insert(body.messages, build(self, from, more).messages[1])
  end
  self:post(body)
  return body
end

function lives_methods:close()
  if self.bot then
    self:finish(function()
      self.bot:stop(1)
    end)
  end
  self.clock:uninstall()
  run_methods.find_seed = find_seed
  log.write = self.write
end

return lives
