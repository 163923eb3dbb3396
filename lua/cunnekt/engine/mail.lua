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

-- Webhooks of a page; seconds for which more is expected after there was some; seconds between looks, and then.
local page, expected, pace, quick_pace = 200, 1, 0.1, 0.01

---@class cunnekt.mail
---@param parts {store: cunnekt.open_store, accept: fun(body: string, done: fun(err: cunnekt.error?)): boolean?, cunnekt.error?}
---@return cunnekt.mail
function mail.new(parts)
  return setmetatable({ _store = parts.store, _accept = parts.accept, _is_stopped = true, _busy_until = -math.huge }, mail_mt)
end

-- Starts to accept the webhooks; gives the ids of those that are not to be read again, when the store has answered to all.
local function accept_page(self, letters)
  return task.await(function(done)
    local over, left = {}, 1
    local function one_less()
      left = left - 1
      if left == 0 then
        done(over)
      end
    end
    for _, letter in ipairs(letters) do
      left = left + 1
      local is_taken, err = self._accept(letter.body, function(problem)
        over[#over + 1] = not problem and letter.id or nil
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

-- True when there may be more.
local function read_page(self)
  local letters, err = stored.read(self._store, page)
  if letters and letters[1] then
    self._busy_until = clock.monotonic() + expected
    local over = accept_page(self, letters)
    local ok = true
    if over[1] then
      ok, err = stored.drop(self._store, over)
    end
    if ok then
      return #over == #letters and #letters == page
    end
  end
  if err and not self._is_stopped then
    log.warn("webhooks that other hosts have taken cannot be read now: %s", err.message)
  end
  return false
end

---Accepts what there is, if that is not under way.
function mail_methods:collect()
  self._is_wanted = true
  if self._is_collecting or self._is_stopped then
    return
  end
  self._is_collecting = true
  task.spawn(function()
    while self._is_wanted and not self._is_stopped do
      self._is_wanted = read_page(self)
    end
    self._is_collecting = false
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
  if self._timer then
    self._timer:close()
    self._timer = nil
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
