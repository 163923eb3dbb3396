-- SPDX-License-Identifier: MIT
-- Webhooks that other hosts have taken for this one, which has the database: their events are accepted in the order in which they
-- came. A webhook of this host that comes while there are such ones is held until those are accepted that a look finds which began
-- after it came: a customer's second message must not overtake the first one.
--
-- A webhook is removed with the commit that stores its events. One with too many for one commit is removed after all of them: what a
-- crash leaves in between is accepted again, and its events are known.

local clock = require "cunnekt.time.clock"
local errors = require "cunnekt.base.errors"
local log = require "cunnekt.base.log"
local stored = require "cunnekt.store.mail"
local task = require "cunnekt.base.task"

local mail = {}

local mail_methods = {}
local mail_mt = { __index = mail_methods, __name = "cunnekt.mail" }

-- Seconds for which more is expected after there was some; seconds between looks, and then.
local expected, pace, quick_pace = 1, 0.1, 0.005
-- Seconds until the next look where something has failed, and between log lines about it.
local failure_pause, warn_pace = 1, 60
-- Bytes of webhooks that are held; more of them are refused.
local most_held = 64 << 20

---@class cunnekt.mail
---@param parts {store: cunnekt.open_store, accept: fun(body: string, done: fun(err: cunnekt.error?), letter: integer|false): boolean?, boolean|cunnekt.error} `letter`: the webhook's id, false for one of this host; gives whether it is removed with its events
---@return cunnekt.mail
function mail.new(parts)
  return setmetatable({
    _store = parts.store,
    _accept = parts.accept,
    _is_stopped = true,
    _busy_until = -math.huge,
    _warned_at = -math.huge,
    _held = {}, -- webhooks of this host, in order
    _held_bytes = 0,
  }, mail_mt)
end

-- Starts to accept the webhooks; gives those that are not to be read again, when the store has answered to all, and are removed
-- (`is_gone`) or not; and why one was not stored.
local function accept_page(self, letters)
  return task.await(function(done)
    local over, failure, left = {}, nil, 1
    local function one_less()
      left = left - 1
      if left == 0 then
        done(over, failure)
      end
    end
    for _, letter in ipairs(letters) do
      left = left + 1
      local is_taken, more = self._accept(letter.body, function(problem)
        over[#over + 1] = not problem and letter or nil
        failure = failure or problem
        one_less()
      end, letter.id)
      if is_taken then
        letter.is_gone = more
      else
        left = left - 1
        if more.kind ~= "invalid" and more.kind ~= "too_large" then
          break -- there is no room: it and those behind it wait
        end
        log.error("a webhook that another host has taken cannot be read, and is dropped: %s", more.message)
        over[#over + 1] = letter
      end
    end
    one_less()
  end)
end

-- Gives the number of those that are over, and why others are not.
local function take_page(self, letters)
  self._busy_until = clock.monotonic() + expected
  local over, failure = accept_page(self, letters)
  local left = {}
  for _, letter in ipairs(over) do
    left[#left + 1] = not letter.is_gone and letter.id or nil
  end
  if left[1] then
    local ok, err = stored.drop(self._store, left)
    failure = not ok and err or failure
  end
  return #over, failure
end

-- ---- webhooks of this host -------------------------------------------------------------------------------------------

local function post(self, webhook)
  stored.post(self._store, webhook.body, function(ok, err)
    webhook.done(not ok and err or nil, webhook.subject)
  end)
end

local function accept(self, webhook)
  local is_taken, err = self._accept(webhook.body, function(problem)
    webhook.done(problem, webhook.subject)
  end, false)
  if not is_taken then
    webhook.done(err, webhook.subject)
  end
end

-- Accepts those before which all is accepted, when that is so up to the id `last`, and `newest` was the newest there was. Gives the
-- others, which wait for more, but not for all that comes meanwhile.
local function accept_held(self, held, last, newest)
  local others = {}
  for _, webhook in ipairs(held) do
    webhook.behind = webhook.behind or newest
    if webhook.behind <= last then
      accept(self, webhook)
    else
      others[#others + 1] = webhook
    end
  end
  return others
end

local function take_held(self)
  local held = self._held
  self._held, self._held_bytes = {}, 0
  return held
end

-- A host that stops looks no more, so they wait for the next one.
local function post_held(self)
  for _, webhook in ipairs(take_held(self)) do
    post(self, webhook)
  end
end

local function hold(self, webhook)
  self._held[#self._held + 1] = webhook
  self._held_bytes = self._held_bytes + #webhook.body
  if self._is_stopped then
    post_held(self)
  end
end

-- They wait for another look, before those that have come meanwhile.
local function hold_again(self, webhooks)
  local later = take_held(self)
  for _, webhook in ipairs(table.move(later, 1, #later, #webhooks + 1, webhooks)) do
    hold(self, webhook)
  end
end

-- ---- looks -----------------------------------------------------------------------------------------------------------

local function warn_of(self, err)
  local now = clock.monotonic()
  if now >= self._warned_at + warn_pace and not self._is_stopped then
    self._warned_at = now
    log.warn("webhooks that other hosts have taken cannot be stored now: %s", err.message)
  end
end

-- True when there may be more at once; and for how long to wait before that.
local function read_page(self)
  local held = take_held(self)
  local letters, more = stored.read(self._store)
  local count, failure = 0, not letters and more or nil
  if letters and letters[1] then
    count, failure = take_page(self, letters)
  end
  local has_room = not failure and count == #letters
  if has_room and not self._is_stopped then
    local last = more and letters[#letters] or { id = math.huge }
    held = accept_held(self, held, last.id, last.newest or 0)
  end
  hold_again(self, held)
  if failure then
    warn_of(self, failure --[[@as cunnekt.error]])
    return true, failure_pause
  end
  return count > 0 or not has_room, not has_room and pace or nil
end

-- Accepts nothing for some seconds, and then goes on.
local function rest(self, seconds)
  self._rest = clock.after(seconds, function()
    self._rest = nil
    self:collect()
  end)
end

---Accepts what there is, if that is not under way.
function mail_methods:collect()
  self._is_wanted = true
  if self._is_collecting or self._is_stopped or self._rest then
    return
  end
  self._is_collecting = true
  task.spawn(function()
    local pause
    while self._is_wanted and not self._is_stopped and not pause do
      self._is_wanted, pause = read_page(self)
    end
    self._is_collecting = false
    if pause and not self._is_stopped then
      rest(self, pause)
    end
  end)
end

local function look(self)
  self:collect()
  self._timer = clock.after(self:is_coming() and quick_pace or pace, function()
    look(self)
  end)
end

---Accepts what there is, and then what comes.
---@param has_company boolean whether other hosts may take webhooks; otherwise it looks once
function mail_methods:start(has_company)
  self._is_stopped = false
  if has_company then
    look(self)
  else
    self:collect()
  end
end

---Accepts no more of it.
function mail_methods:stop()
  self._is_stopped = true
  for _, name in ipairs { "_timer", "_rest" } do
    if self[name] then
      self[name]:close()
      self[name] = nil
    end
  end
  post_held(self)
end

---Whether other hosts have taken webhooks just now. Then one of this host had better go behind them at once.
---@return boolean
function mail_methods:is_coming()
  return clock.monotonic() < self._busy_until
end

---Accepts a webhook of this host behind those that wait.
---@param body string
---@param done fun(err: cunnekt.error?, subject: any) `err`: of kind store, or why it cannot be taken
---@param subject any
---@return boolean? is_held nil: nothing is stored, and `done` is not called
---@return cunnekt.error? err kind busy
function mail_methods:hold(body, done, subject)
  if self._held_bytes + #body > most_held then
    return nil, errors.new("busy", "too many webhooks wait for those that other hosts have taken")
  end
  hold(self, { body = body, done = done, subject = subject })
  self:collect()
  return true
end

return mail
