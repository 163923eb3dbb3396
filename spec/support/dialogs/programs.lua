-- SPDX-License-Identifier: MIT
-- Dialogs made by chance: a seed gives a program of questions, waits, sleeps, loops and whatever else a script may do in a
-- dialog; it says what it learns, so that any difference shows in what the customer sees. Another seed gives what the
-- customer does, right or wrong, whatever the program asks.

local programs = {}

-- ---- chance of its own, the same everywhere ------------------------------------------------------------------------

local dice_methods = {}
local dice_mt = { __index = dice_methods }

---@param seed integer
function programs.dice(seed)
  return setmetatable({ state = (seed * 2654435761 + 12345) & 0xffffffff }, dice_mt)
end

---A number from 1 to n.
function dice_methods:roll(n)
  self.state = (self.state * 1664525 + 1013904223) & 0xffffffff
  return (self.state >> 8) % n + 1
end

function dice_methods:pick(list)
  return list[self:roll(#list)]
end

-- ---- programs ------------------------------------------------------------------------------------------------------

-- What a program is made of, and how often. Some hold a block.
local weights = {
  ask = 10, ask_number = 5, ask_buttons = 6, ask_list = 3, wait = 4, sleep = 4, say = 5, say_and_wait = 2, wait_sent = 2,
  state = 5, held_state = 3, set = 3, add = 2, increment = 4, random = 5, time = 4, pairs = 4, step = 4, step_raises = 2,
  call = 2, loop = 3, branch = 5, back = 2, unsent = 1, coroutine = 1, accept = 3, remind = 3, collect = 3, flush = 2, results = 2,
}

local bag = {}
for _, name in ipairs {
  "ask", "ask_number", "ask_buttons", "ask_list", "wait", "sleep", "say", "say_and_wait", "wait_sent", "state", "held_state",
  "set", "add", "increment", "random", "time", "pairs", "step", "step_raises", "call", "loop", "branch", "back", "unsent",
  "coroutine", "accept", "remind", "collect", "flush", "results",
} do
  for _ = 1, weights[name] do
    bag[#bag + 1] = name
  end
end

local has_block = { loop = true, branch = true }

-- What depends on the clock has no place where time is real: what is put there instead.
local timeless = { sleep = "say", time = "say", say_and_wait = "say", wait_sent = "say", wait = "ask", remind = "ask", collect = "accept" }

---Set: nothing in the programs depends on the clock.
programs.is_timeless = false

local function make_block(dice, size, depth)
  local block = {}
  for i = 1, size do
    local name = dice:pick(bag)
    if has_block[name] and depth >= 2 then
      name = "ask"
    end
    name = programs.is_timeless and timeless[name] or name
    block[i] = { name = name, place = ("%d%s"):format(depth, dice:roll(100000)), a = dice:roll(1000), b = dice:roll(3) }
    if has_block[name] then
      block[i].block = make_block(dice, dice:roll(3), depth + 1)
    end
  end
  return block
end

---@param seed integer
---@param size? integer
function programs.make(seed, size)
  local dice = programs.dice(seed)
  return make_block(dice, size or 6 + dice:roll(8), 0)
end

-- ---- running one ---------------------------------------------------------------------------------------------------

local act = {}
local run_block

local function show(self, ...)
  local words = table.pack(...)
  for i = 1, words.n do
    words[i] = tostring(words[i])
  end
  self.chat:reply_text(table.concat(words, " "))
end

local function show_answer(self, op, answer, err)
  self.last = answer and (answer.text or answer.type or "nothing") or err.kind
  self.count = self.count + #self.last
  show(self, op.place, "got", self.last, answer and answer.reply and answer.reply.id)
end

local function timeout_of(op)
  return op.b == 1 and not programs.is_timeless and 5 + op.a % 40 or nil
end

function act.ask(self, op)
  show_answer(self, op, self.chat:ask("ask " .. op.place, { timeout = timeout_of(op) }))
end

function act.ask_number(self, op)
  show_answer(self, op, self.chat:ask("number " .. op.place, {
    timeout = timeout_of(op),
    tries = op.b + 1,
    check = function(msg)
      return tonumber(msg.text) ~= nil, op.a % 2 == 0 and "no number" or nil
    end,
    otherwise = op.a % 3 == 0 and function(_, why)
      return ("%s (%d)"):format(why or "wrong", math.random(1000))
    end or nil,
  }))
end

function act.ask_buttons(self, op)
  show_answer(self, op, self.chat:ask_buttons {
    body = "buttons " .. op.place,
    buttons = { { id = "a", title = "Yes" }, { id = "b", title = "No" } },
    timeout = timeout_of(op),
    otherwise = op.a % 2 == 0 and "press one" or nil,
  })
end

function act.ask_list(self, op)
  show_answer(self, op, self.chat:ask_list {
    body = "list " .. op.place,
    list_title = "Pick",
    list = { { id = "a", title = "One" }, { id = "b", title = "Two" } },
    timeout = timeout_of(op),
  })
end

function act.wait(self, op)
  show(self, "wait", op.place)
  local wanted = ({ { any = true }, { reply = true, click = true }, { media = true, choice = true } })[op.b]
  wanted.timeout = 5 + op.a % 60
  show_answer(self, op, self.chat:wait(wanted))
end

function act.sleep(self, op)
  self.chat:sleep(op.a % 45)
  show(self, "slept", op.place)
end

function act.say(self, op)
  show(self, "say", op.place, self.count)
end

function act.say_and_wait(self, op)
  local sent = self.chat:reply_text("delivered? " .. op.place)
  local ok, err = sent:wait(op.b == 1 and "accepted" or "delivered", 30)
  show(self, op.place, ok and "yes" or err.kind)
end

function act.wait_sent(self, op)
  local sent = self.chat:reply_text("waiting " .. op.place)
  local it, err = self.chat:wait { sent = sent, reaches = op.b == 1 and "accepted" or "delivered", timeout = 50 }
  show(self, op.place, it and it.status ~= "unknown" and "arrived" or err and err.kind)
end

function act.state(self, op)
  local state = self.chat.state
  state.n = (state.n or 0) + op.a
  state["of " .. op.b] = { op.place }
  show(self, "state", state.n)
end

-- A table that the script keeps holding across waits.
function act.held_state(self, op)
  self.held = self.held or self.chat.state
  self.held.held = (self.held.held or 0) + 1
  show(self, "held", op.place, self.held.held, self.held.n)
end

function act.set(self, op)
  local key = self.chat.to .. " v" .. op.b
  self.bot.store:set(key, { list = { op.a, op.place }, x = op.a / 2 })
  local value = self.bot.store:get(key)
  value.list[1] = -1
  show(self, "store", self.bot.store:get(key).list[1], self.bot.store:get(key).x)
end

function act.add(self, op)
  show(self, "first", self.bot.store:add(self.chat.to .. " a" .. op.b, op.place))
end

function act.increment(self, op)
  show(self, "sum", self.bot.store:increment(self.chat.to .. " n" .. op.b, op.a % 2 == 0 and 1 or 0.5))
  self.bot.store:increment "all"
end

function act.random(self, op)
  show(self, "random", math.random(1000), math.random(-5, 5), math.random() < 0.5, op.place)
end

function act.time(self)
  show(self, "time", os.time(), os.date "!%H:%M:%S")
end

function act.pairs(self, op)
  local t, names = {}, {}
  for i = 1, 3 + op.a % 5 do
    t["key " .. (op.a * i * 7919) % 1000] = i
    t[i * op.b] = i
  end
  for key, value in pairs(t) do
    names[#names + 1] = key .. "=" .. value
  end
  show(self, "pairs", table.concat(names, ","), next(t))
end

function act.step(self, op)
  local given = self.chat:step("step " .. op.place, function()
    self.hooks.step(self.chat.to, op.place)
    return { n = op.a, f = op.a / 1, bytes = "\xff\0" .. op.place, list = {} }
  end)
  given.n = given.n + 1
  show(self, "step", given.n, math.type(given.f), #given.bytes, #given.list)
end

function act.step_raises(self, op)
  local ok, why = pcall(self.chat.step, self.chat, "raises " .. op.place, function()
    error("on purpose " .. op.a, 0)
  end)
  show(self, ok, why)
end

function act.call(self, op)
  show(self, "sub gives", self.chat:call("sub", { seed = op.a, depth = (self.depth or 0) + 1 }))
end

function act.loop(self, op)
  for i = 1, op.b do
    show(self, "round", i)
    run_block(self, op.block)
  end
end

function act.branch(self, op)
  local draw = math.random(3)
  if (#(self.last or "") + op.a + draw) % 2 == 0 then
    run_block(self, op.block)
  elseif self.count % 3 == 0 then
    show(self, "branch", op.place, draw)
  end
end

-- Once, or it would never end.
function act.back(self, op)
  local key = ("%s back %s"):format(self.chat.to, op.place)
  if self.last and not self.bot.store:get(key) then
    self.bot.store:set(key, true)
    show(self, "back", op.place, self.chat:back())
  end
end

-- A message that cannot be sent.
function act.unsent(self)
  local sent, err = self.chat:reply_text ""
  show(self, sent, err.kind, err.field)
end

function act.coroutine(self, op)
  local sum = 0
  for value in coroutine.wrap(function()
    for i = 1, 3 do
      coroutine.yield(math.random(100) + i)
    end
  end) do
    sum = sum + value
  end
  show(self, "coroutine", sum, op.place)
end

function act.accept(self, op)
  show_answer(self, op, self.chat:ask_buttons {
    body = "accept " .. op.place,
    buttons = { { id = "a", title = "Yes" } },
    accept = op.b == 1 and { "image", "list" } or { "text", "image" },
    timeout = timeout_of(op),
  })
end

function act.remind(self, op)
  local first = 1 + op.a % 12
  show_answer(self, op, self.chat:ask("remind " .. op.place, {
    remind = { { after = first, text = "one " .. op.place }, { after = first + 7 * op.b, text = "two " .. op.place } },
    timeout = op.a % 3 > 0 and first + 30 or nil,
    tries = op.a % 2 == 0 and 2 or nil,
  }))
end

function act.collect(self, op)
  show(self, "collect", op.place)
  local list, err = self.chat:collect { media = op.b == 1 or nil, quiet = 1 + op.a % 11, max = 1 + op.b, timeout = 5 + op.a % 40 }
  local words = {}
  for i, msg in ipairs(list or {}) do
    words[i] = msg.text or msg.type
  end
  show(self, op.place, list and table.concat(words, "+") or err.kind)
end

function act.flush(self, op)
  show(self, "flush", op.place)
  self.chat.state.flushed = (self.chat.state.flushed or 0) + 1
  self.chat:flush()
  show(self, "flushed", op.place, self.chat.state.flushed)
end

function act.results(self, op)
  show(self, "results", self.chat:step("results " .. op.place, function()
    return nil, op.a, "\xff" == "", nil
  end))
end

function run_block(self, block)
  for _, op in ipairs(block) do
    act[op.name](self, op)
  end
end

local function do_nothing() end

---Gives a bot the dialogs "program" and "sub", and the handlers beside them.
---@param bot cunnekt.bot
---@param hooks? table step(contact, place) hears each step that is done; wraps: with a function of bot:use that takes some messages
function programs.define(bot, hooks)
  hooks = hooks or { step = do_nothing }
  if hooks.wraps then
    bot:use(function(event, next)
      if event.kind ~= "message" then
        return next() -- when statuses come, differs
      end
      local state = event.chat.state
      state.uses = (state.uses or 0) + 1
      if state.uses % 7 == 0 then
        return event:reply_text "not now"
      end
      return next()
    end)
  end
  bot:dialog("program", function(chat, args)
    local self = { chat = chat, bot = bot, hooks = hooks, count = 0 }
    run_block(self, programs.make(args.seed, args.size))
    chat:reply_text "the end"
  end, { unexpected = "interrupt" })
  bot:dialog("queueing", function(chat, args)
    local self = { chat = chat, bot = bot, hooks = hooks, count = 0 }
    run_block(self, programs.make(args.seed, args.size))
    chat:reply_text "the end"
  end, { unexpected = "queue" })
  bot:dialog("sub", function(chat, args)
    local self = { chat = chat, bot = bot, hooks = hooks, count = 0, depth = args.depth }
    if args.depth < 3 then
      run_block(self, programs.make(args.seed, 2))
    end
    return self.last, math.random(10)
  end)
  bot:on("text", "^begin (%a+) (%d+)", function(msg)
    local name, seed = msg.text:match "^begin (%a+) (%d+)"
    msg:start(name, { seed = tonumber(seed) })
  end)
  bot:on("text", "^hello", function(msg)
    local answer = msg.chat:ask("who?", { timeout = not programs.is_timeless and 30 or nil })
    msg.chat.state.n = (msg.chat.state.n or 0) + 1
    msg:reply_text("hello " .. (answer and answer.text or "nobody"))
  end)
  bot:on("message", function(msg)
    msg.chat.state.others = (msg.chat.state.others or 0) + 1
    msg:reply_text(("other %s %d"):format(msg.type, msg.chat.state.others))
  end)
end

-- ---- customers -----------------------------------------------------------------------------------------------------

local replies = { "7", "12", "yes", "Yes", "no", "One", "two", "blue", "hello", "so much to say" }

local function text(dice, fields)
  local action = { type = "text", text = dice:pick(replies) }
  for name, value in pairs(fields or {}) do
    action[name] = value
  end
  return action
end

-- What answers nothing, alone or beside an answer; and taps on a question of before, which `is_stale` asks for.
local remarks = {
  function(dice)
    return { { type = "reaction", text = "👍" }, text(dice) }
  end,
  function(dice)
    return { text(dice), { type = "edit", text = dice:pick(replies) } }
  end,
  function()
    return { { type = "revoke" } }
  end,
  function(dice)
    return { text(dice, { set = { ["messages.0.group_id"] = "G" } }) }
  end,
  function()
    return { { type = "button", id = "a", title = "Yes", is_stale = true } }
  end,
  function()
    return { { type = "list", id = "a", title = "One", is_stale = true } }
  end,
}

---What a customer does in a round: a list of messages, as samples.message takes them, that come in one webhook. It may come twice.
---@param seed integer
---@param round integer
---@return table[] messages type, and fields
function programs.customer(seed, round)
  local dice = programs.dice(seed * 1000 + round)
  local chance = dice:roll(20)
  if chance <= 2 then
    return {}
  elseif chance <= 12 then
    return { { type = "text", text = dice:pick(replies) } }
  elseif chance <= 14 then
    return { { type = "button", id = dice:pick { "a", "b", "c" }, title = "Yes" } }
  elseif chance <= 16 then
    return { { type = "list", id = dice:pick { "a", "b" }, title = "One" } }
  elseif chance == 17 then
    return { { type = "image", text = dice:roll(2) == 1 and "7" or nil } }
  elseif chance <= 19 then
    return remarks[dice:roll(#remarks)](dice)
  end
  return { { type = "text", text = dice:pick(replies) }, { type = "text", text = dice:pick(replies) } }
end

return programs
