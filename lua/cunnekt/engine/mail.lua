-- SPDX-License-Identifier: MIT
-- Webhooks that other hosts have taken for this one, which has the database: their events are accepted in the order in which they
-- came. A webhook of this host that comes while there are such ones goes behind them, through the store as well: a customer's
-- second message must not overtake the first one.
--
-- A webhook is removed when its events are stored. What a crash leaves in between is accepted again, and its events are known.

local clock = require "cunnekt.time.clock"
local log = require "cunnekt.base.log"
local stored = require "cunnekt.store.mail"
local task = require "cunnekt.base.task"

local mail = {}

local mail_methods = {}
local mail_mt = { __index = mail_methods, __name = "cunnekt.mail" }

-- Seconds for which more is expected after there was some; seconds between looks, and then.
local expected, pace, quick_pace = 1, 0.1, 0.01
-- Seconds until the next look where something has failed, and between log lines about it.
local failure_pause, warn_pace = 1, 60

---@class cunnekt.mail
---@param parts {store: cunnekt.open_store, accept: fun(body: string, done: fun(err: cunnekt.error?)): boolean?, cunnekt.error?}
---@return cunnekt.mail
function mail.new(parts)
  return setmetatable({ _store = parts.store, _accept = parts.accept, _is_stopped = true, _busy_until = -math.huge, _warned_at = -math.huge }, mail_mt)
end

-- Starts to accept the webhooks; gives the ids of those that are not to be read again, when the store has answered to all; and why one
-- was not stored.
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
      local is_taken, err = self._accept(letter.body, function(problem)
        over[#over + 1] = not problem and letter.id or nil
        failure = failure or problem
        one_less()
      end)
      if not is_taken then
        left = left - 1
        if err.kind ~= "invalid" and err.kind ~= "too_large" then
          break -- there is no room: it and those behind it wait
        end
        log.error("a webhook that another host has taken cannot be read, and is dropped: %s", err.message)
        over[#over + 1] = letter.id
      end
    end
    one_less()
  end)
end

-- Gives the number of those that are over, and why others are not.
local function take_page(self, letters)
  self._busy_until = clock.monotonic() + expected
  local over, failure = accept_page(self, letters)
  if over[1] then
    local ok, err = stored.drop(self._store, over)
    failure = not ok and err or failure
  end
  return #over, failure
end

local function warn_of(self, err)
  local now = clock.monotonic()
  if now >= self._warned_at + warn_pace and not self._is_stopped then
    self._warned_at = now
    log.warn("webhooks that other hosts have taken cannot be stored now: %s", err.message)
  end
end

-- True when there may be more at once; and for how long to wait before that.
local function read_page(self)
  local letters, more = stored.read(self._store)
  local count, failure = 0, not letters and more or nil
  if letters and letters[1] then
    count, failure = take_page(self, letters)
  end
  if failure then
    warn_of(self, failure --[[@as cunnekt.error]])
    return true, failure_pause
  end
  local has_room = count == #letters
  return more == true or not has_room, not has_room and pace or nil
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
end

---Whether other hosts have taken webhooks just now. Then one of this host had better go behind them at once.
---@return boolean
function mail_methods:is_coming()
  return clock.monotonic() < self._busy_until
end

---Stores a webhook of this host behind those that wait.
---@param body string
---@param done fun(err: cunnekt.error?, subject: any)
---@param subject any
function mail_methods:post(body, done, subject)
  stored.post(self._store, body, function(ok, err)
    done(not ok and err or nil, subject)
    self:collect()
  end)
end

return mail
