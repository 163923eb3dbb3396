-- SPDX-License-Identifier: MIT
-- The history of many generated conversations, undisturbed or with a bot that is let go of, stopped and cut off between
-- any two steps; and the comparison of two of them: what the customers saw must be the same.

local inside = require("cunnekt.service").of
local lives = require "spec.support.dialogs.lives"
local programs = require "spec.support.dialogs.programs"

local history = {}

local function outbox_id_of(seed)
  return ("91%010d"):format(seed)
end

-- What happens to the bot: at a moment of rest, or in the middle of its work.
local function disturb(all, dice)
  local chance = dice:roll(5)
  if chance <= 2 then
    all:kill()
  elseif chance == 3 then
    all:restart()
  else
    inside(all.bot).dialogs:evict_all()
  end
end

-- The last message with something to tap before the newest of these; nil if there are no two.
local function older_choice(seen)
  local newest
  for i = #seen, 1, -1 do
    if seen[i]:find("[a]", 1, true) and seen[i] ~= newest then
      if newest then
        return seen[i]
      end
      newest = seen[i]
    end
  end
  return nil
end

local function act(all, dice, seed, round)
  local actions = programs.customer(seed, round)
  if round == 0 then
    local name = seed % 3 == 0 and "queueing" or "program"
    actions = { { type = "text", text = ("begin %s %d"):format(name, seed) } }
  end
  if #actions == 0 then
    return
  end
  local number = outbox_id_of(seed)
  for _, action in ipairs(actions) do
    action.on, action.is_stale = action.is_stale and older_choice(all.seen[number] or {}) or nil, nil
  end
  local body = all:act(number, table.unpack(actions))
  if dice:roll(10) == 1 then
    all:post(body) -- the provider repeats itself
  end
end

---@class spec.history
---@field seen table<string, string[]> number → what the customer saw
---@field steps table<string, integer> how often each chat:step was done
---@field restarts integer
---@field lines string[] of the log

---@param opts table first, last: seeds of the conversations; rounds; disturbed: boolean; seed: of the disturbance; bot: options; wraps: with a function of bot:use; prepare(lives); on_wheel(lives) is called again and again
---@return spec.history
function history.run(opts)
  local steps = {}
  local all = lives.new(function(bot)
    programs.define(bot, {
      step = function(contact, place)
        local key = contact .. " " .. place
        steps[key] = (steps[key] or 0) + 1
      end,
      wraps = opts.wraps,
    })
  end, opts.bot)
  local ok, failure = xpcall(function()
    if opts.prepare then
      opts.prepare(all)
    end
    all:start()
    local dice, fate = programs.dice(4711), programs.dice(opts.seed or 1)
    for round = 0, opts.rounds do
      for seed = opts.first, opts.last do
        act(all, dice, seed, round)
      end
      local left = fate:roll(120)
      all:settle(function()
        left = left - 1
        if left == 0 and opts.disturbed then
          left = fate:roll(120)
          disturb(all, fate)
        end
        if opts.on_wheel then
          opts.on_wheel(all)
        end
      end)
      if opts.disturbed then
        disturb(all, fate)
      end
      all:pass(9, opts.on_wheel and function()
        opts.on_wheel(all)
      end)
    end
  end, debug.traceback)
  all:close()
  assert(ok, failure)
  return { seen = all.seen, steps = steps, restarts = all.restarts, lines = all.lines }
end

-- Where two lists differ.
local function difference(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then
      return ("message %d was '%s', and is '%s'"):format(i, tostring(a[i]), tostring(b[i]))
    end
  end
  return nil
end

---The conversations that went otherwise.
---@param reference spec.history
---@param other spec.history
---@param first integer
---@param last integer
---@return string[] differences one for each conversation, with its seed
function history.compare(reference, other, first, last)
  local differences = {}
  for seed = first, last do
    local number = outbox_id_of(seed)
    local what = difference(reference.seen[number] or {}, other.seen[number] or {})
    if what then
      differences[#differences + 1] = ("seed %d: %s"):format(seed, what)
    end
  end
  return differences
end

---How many conversations came to the end of their dialog.
---@param one spec.history
---@return integer
function history.count_ended(one)
  local count = 0
  for _, seen in pairs(one.seen) do
    for _, text in ipairs(seen) do
      if text == "the end" then
        count = count + 1
        break
      end
    end
  end
  return count
end

return history
