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
local log_pace = require "cunnekt.time.log_pace"
local stored = require "cunnekt.store.mail"
local task = require "cunnekt.base.task"
local webhook = require "cunnekt.provider.webhook"

local mail = {}

local mail_methods = {}
local mail_mt = { __index = mail_methods, __name = "cunnekt.mail" }

-- Seconds for which more is expected after there was some; seconds between looks, and then.
local expected, pace, quick_pace = 1, 0.1, 0.005
-- Seconds until the next look where something has failed.
local failure_pause = 1
-- Bytes of webhooks that are held; more of them are refused.
local most_held = 64 << 20

---@class cunnekt.mail
---@param parts {store: cunnekt.open_store, accept: fun(body: string, done: fun(err: cunnekt.error?), letter: integer|false?): boolean?, boolean|cunnekt.error} `letter`: the webhook's id; false: of this host, all that came before is accepted; nil: it fails with the code "mail" while any waits. Gives whether it is removed with its events
---@return cunnekt.mail
function mail.new(parts)
  return setmetatable({
    _store = parts.store,
    _accept = parts.accept,
    _is_stopped = true,
    _busy_until = -math.huge,
    _log_pace = log_pace.new(),
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
          failure = more.kind ~= "busy" and more or failure
          break -- it and those behind it wait, for room where there is none
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
  self._busy_until = math.huge -- until it is done
  local over, failure = accept_page(self, letters)
  self._busy_until = clock.monotonic() + expected
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

-- Gives the oldest ones, which are held no more.
local function take_held(self, count)
  local taken = table.move(self._held, 1, count, 1, {})
  self._held = table.move(self._held, count + 1, #self._held, 1, {})
  for _, held in ipairs(taken) do
    self._held_bytes = self._held_bytes - #held.body
  end
  return taken
end

-- A host that stops looks no more, so a webhook waits for the next one, as one that a host takes which stands by.
local function post(self, held)
  local events, err = webhook.parse_bounded(held.body)
  if not events then
    return held.done(err, held.subject)
  end
  stored.post(self._store, held.body, function(ok, problem)
    held.done(not ok and problem or nil, held.subject)
  end)
end

local function post_held(self)
  for _, held in ipairs(take_held(self, #self._held)) do
    post(self, held)
  end
end

local function hold(self, body, done, subject)
  if self._held_bytes + #body > most_held then
    return nil, errors.new("busy", "too many webhooks wait for those that other hosts have taken")
  end
  self._held[#self._held + 1] = { body = body, done = done, subject = subject }
  self._held_bytes = self._held_bytes + #body
  if self._is_stopped then
    post_held(self)
  else
    self:collect()
  end
  return true
end

-- Accepts one, unless there is mail: then it is held.
local function try(self, body, done, subject)
  return self._accept(body, function(err)
    if not (err and err.code == "mail") then
      return done(err, subject)
    end
    local is_held, problem = hold(self, body, done, subject)
    if not is_held then
      done(problem, subject)
    end
  end)
end

local function accept_behind(self, body, done, subject)
  return self._accept(body, function(err)
    done(err, subject)
  end, false)
end

local function accept_each(self, list, accept)
  for _, held in ipairs(list) do
    local is_taken, err = accept(self, held.body, held.done, held.subject)
    if not is_taken then
      held.done(err, held.subject)
    end
  end
end

-- Accepts those that came before a look, `count`, if all that came before them is accepted: it is up to the id `last`, and `newest` was
-- the newest that the look saw. Others wait for more, but not for all that comes meanwhile.
local function accept_held(self, count, last, newest)
  local ready = 0
  for i = 1, math.min(count, #self._held) do
    local held = self._held[i]
    held.behind = held.behind or newest
    ready = held.behind <= last and i or ready
  end
  accept_each(self, take_held(self, ready), accept_behind)
end

-- ---- looks -----------------------------------------------------------------------------------------------------------

local function warn_of(self, err)
  if not self._is_stopped and self._log_pace:note "mail" then
    log.warn("webhooks that other hosts have taken cannot be stored now: %s", err.message)
  end
end

-- True when there may be more at once; and for how long to wait before that.
local function read_page(self)
  local held = #self._held
  local letters, more = stored.read(self._store)
  local count, failure = 0, not letters and more or nil
  if letters and letters[1] then
    count, failure = take_page(self, letters)
  end
  local has_room = not failure and count == #letters
  if has_room and not self._is_stopped then
    local last = more and letters[#letters] or { id = math.huge }
    accept_held(self, held, last.id, last.newest or 0)
    if not letters[1] and clock.monotonic() >= self._busy_until then -- no more of it is expected
      accept_each(self, take_held(self, #self._held), try)
    end
  end
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
      self._is_wanted = false
      local is_read, is_more, its_pause = pcall(read_page, self)
      if not is_read then -- otherwise nobody would ever look again
        warn_of(self, errors.new("store", tostring(is_more)))
        is_more, its_pause, self._busy_until = true, failure_pause, clock.monotonic() + expected
      end
      self._is_wanted, pause = self._is_wanted or is_more, its_pause
    end
    self._is_collecting = false
    if pause and not self._is_stopped then
      rest(self, pause)
    end
  end)
end

-- Whether other hosts have taken webhooks just now.
local function is_coming(self)
  return clock.monotonic() < self._busy_until
end

local function look(self)
  self:collect()
  self._timer = clock.after(is_coming(self) and quick_pace or pace, function()
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

---Accepts a webhook of this host behind those that wait.
---@param body string
---@param done fun(err: cunnekt.error?, subject: any) `err`: of kind store, or one of those below
---@param subject any
---@return boolean? is_taken nil: nothing is stored, and `done` is not called
---@return cunnekt.error? err kind busy, invalid or too_large
function mail_methods:accept(body, done, subject)
  local accept = (is_coming(self) or self._held[1]) and hold or try
  return accept(self, body, done, subject)
end

return mail
