-- SPDX-License-Identifier: MIT
-- Parked messages: those that wait only in the store. Memory holds some of what waits, and asks for more as they leave. Of a
-- contact it holds a few; its lane knows when the store has more, and is filled again when it is empty. Contacts without a lane
-- are found in pages, in the order of the commits, and messages that have a time when that has come.
--
-- What comes from the store comes without its content, which is read again right before it is sent, and only while the message
-- is queued. So an answer that is a little old makes nothing be sent twice.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local log = require "cunnekt.base.log"
local log_pace = require "cunnekt.time.log_pace"
local recovery = require "cunnekt.store.recovery"
local retry = require "cunnekt.provider.retry"
local task = require "cunnekt.base.task"

local backlog = {}

local backlog_methods = {}
local backlog_mt = { __index = backlog_methods, __name = "cunnekt.backlog" }

-- Messages of a contact, and of all contacts (replies and bulk messages each), that memory holds; and rows of a page.
local of_contact, of_class, page = 20, 2000, 1000
backlog.of_contact = of_contact
-- Lanes that are opened, and filled, at once.
local most_openings = 100

-- Two for each class: where the next page begins; `has_more`: there may be messages behind it that memory does not know.
local function source(what)
  return { what = what, has_more = false, due = -math.huge, seq = -1, id = 0 }
end

local function class(is_bulk)
  return {
    is_bulk = is_bulk,
    waiting = source "parked_messages",
    due = source "due_messages",
    stored = 0, -- messages without a time that are not in memory
    lanes = 0, -- of which the store has more
  }
end

---@class cunnekt.backlog.class replies, or bulk messages
---@field waiting {has_more: boolean} whether the store may have messages of contacts without a lane
---@field stored integer messages without a time that are only in the store

---@class cunnekt.backlog
---@field replies cunnekt.backlog.class
---@field bulk cunnekt.backlog.class
---@param parts {store: cunnekt.open_store, lanes: cunnekt.lanes, prepare: fun(stored: table): cunnekt.outbox.row} `prepare`: makes a row of the store one of a lane
---@return cunnekt.backlog
function backlog.new(parts)
  local self = setmetatable({
    replies = class(false),
    bulk = class(true),
    _store = parts.store,
    _lanes = parts.lanes,
    _prepare = parts.prepare,
    _next_due = math.huge,
    _log_pace = log_pace.new(),
    _openings = 0,
    _is_stopped = false,
  }, backlog_mt)
  parts.lanes:on_empty_lane(function(lane)
    self:_fill_lane(lane)
  end)
  return self
end

---Asks for no more.
function backlog_methods:stop()
  self._is_stopped = true
  if self._timer then
    self._timer:close()
  end
end

---The number of messages without a time that are only in the store.
---@return integer
function backlog_methods:count()
  return self.replies.stored + self.bulk.stored
end

function backlog_methods:_class_of(row)
  return row.is_bulk and self.bulk or self.replies
end

-- Messages of a class in memory.
function backlog_methods:_held(its_class)
  local lanes = self._lanes
  local bulk = lanes:background_count()
  return its_class.is_bulk and bulk or lanes:count() - bulk
end

-- ---- what memory takes -----------------------------------------------------------------------------------------------

-- Notes that the store has more of a lane, if there is one, or no more. Gives whether that was not known.
function backlog_methods:_flag(its_class, key, has_more)
  local is_news = self._lanes:set_more(key, has_more)
  if is_news then
    its_class.lanes = its_class.lanes + (has_more and 1 or -1)
  end
  return is_news
end

-- Nothing is left that memory does not know: the count, which operators' repairs may have put wrong, is right again.
local function settle_count(its_class)
  if not its_class.waiting.has_more and its_class.lanes == 0 then
    its_class.stored = 0
  end
end

-- The place of a source is the beginning again; `now`: of messages with a time, those that are due then.
local function rewind(its_source, now)
  its_source.has_more, its_source.due, its_source.seq, its_source.id = true, -math.huge, -1, 0
  its_source.now = now
end

---Whether a message that is about to be stored, as queued, must be parked. It has no time and no lane: of others must_park in
---src/bind/engine/outbox.c knows it.
---@param row cunnekt.outbox.row
---@param ahead integer messages of its lane that the same turn stores before it
---@param beside integer all messages that the same turn stores before it
---@return boolean
function backlog_methods:must_park(row, ahead, beside)
  local its_class = self:_class_of(row)
  return its_class.waiting.has_more or ahead >= of_contact or self:_held(its_class) + beside >= of_class
end

---Takes note of a message that was parked.
---@param row cunnekt.outbox.row
function backlog_methods:add(row)
  if row.due then
    return self:note_due(row.due)
  end
  local its_class = self:_class_of(row)
  its_class.stored = its_class.stored + 1
  if self._lanes:lane(row.lane) then
    return self:_flag(its_class, row.lane, true)
  end
  if not its_class.waiting.has_more then
    rewind(its_class.waiting)
    self:_watch()
    self:_fill(its_class)
  end
  -- Contacts take turns: one that had nothing in memory does not wait for all that others have in the store.
  local may_open = not its_class.is_bulk and self._openings < most_openings and self:_held(its_class) < 2 * of_class
  if may_open and not self._lanes:lane(row.lane) then
    self._lanes:open_empty(row.lane)
    its_class.lanes = its_class.lanes + 1
  end
end

---Puts a message into memory whatever else waits; of its contact the store may have more.
---@param row cunnekt.outbox.row
---@param push fun() puts it into its lane
function backlog_methods:push_with(row, push)
  local its_class, is_new = self:_class_of(row), self._lanes:lane(row.lane) == nil
  push()
  if is_new and its_class.waiting.has_more then
    self:_flag(its_class, row.lane, true)
  end
end

local function is_row(id)
  return function(row)
    return row.id == id
  end
end

local function count_taken(its_class, row)
  if not row.due then
    its_class.stored = math.max(0, its_class.stored - 1)
  end
end

-- Takes a row of a page, where its lane does not know it.
function backlog_methods:_take(its_class, stored, may_be_more)
  local row = self._prepare(stored)
  local count, has_parked = self._lanes:lane(row.lane)
  if count and (has_parked or self._lanes:find(row.lane, is_row(row.id))) then
    return false
  elseif count and count > of_contact then
    self:_flag(its_class, row.lane, true)
    return false
  end
  count_taken(its_class, row)
  self._lanes:push(row.lane, row, row.is_bulk)
  if not count and may_be_more then
    self:_flag(its_class, row.lane, true)
  end
  return true
end

-- ---- pages -----------------------------------------------------------------------------------------------------------

-- Takes rows while there is room for them.
function backlog_methods:_take_page(its_class, its_source, rows)
  local room = of_class // 2
  for _, row in ipairs(rows) do
    if room == 0 then
      return
    end
    its_source.due, its_source.seq, its_source.id = row.due or -math.huge, row.seq, row.id
    if self:_take(its_class, row, its_source == its_class.waiting) then
      room = room - 1
    end
  end
  its_source.has_more = #rows == page
end

local function warn_of(self, err)
  if self._log_pace:note(err.code or "store") then
    log.warn("messages that wait cannot be read (%s); trying again", err.message)
  end
end

-- Asks for the next page of a source. False when it cannot be read now.
function backlog_methods:_read_page(its_class, its_source)
  local rows, err = recovery.page(self._store, its_source.what, {
    is_bulk = its_class.is_bulk and 1 or 0, now = its_source.now, limit = page, due = its_source.due, seq = its_source.seq,
    id = its_source.id,
  })
  if self._is_stopped then
    return false
  elseif not rows then
    warn_of(self, err)
    return false
  end
  self:_take_page(its_class, its_source, rows)
  return true
end

function backlog_methods:_has_room(its_class)
  return not self._is_stopped and self:_held(its_class) <= of_class // 2
end

function backlog_methods:_read_pages(its_class)
  local is_read = true
  for _, its_source in ipairs { its_class.due, its_class.waiting } do
    while is_read and its_source.has_more and self:_has_room(its_class) do
      is_read = self:_read_page(its_class, its_source)
    end
  end
  settle_count(its_class)
  return is_read
end

function backlog_methods:_later(fn)
  if not self._is_stopped then
    clock.after(retry.store, fn)
  end
end

-- Whether something of a class may be in the store that memory does not know.
local function has_more(its_class)
  return its_class.waiting.has_more or its_class.due.has_more
end

-- Whoever leaves makes room, while there is more.
function backlog_methods:_watch()
  local is_needed = has_more(self.replies) or has_more(self.bulk)
  self._lanes:on_advance(is_needed and function()
    self:refill()
  end or nil)
end

-- Reads pages of a class while there is room.
function backlog_methods:_fill(its_class)
  if its_class.is_filling or not has_more(its_class) or not self:_has_room(its_class) then
    return
  end
  its_class.is_filling = true
  task.spawn(function()
    local is_read = self:_read_pages(its_class)
    its_class.is_filling = false
    self:_watch()
    if not is_read then
      self:_later(function()
        self:_fill(its_class)
      end)
    end
  end)
end

---Asks for more where there is room again: an item has left its lane.
function backlog_methods:refill()
  self:_fill(self.replies)
  self:_fill(self.bulk)
end

-- ---- one lane --------------------------------------------------------------------------------------------------------

local function lane_rows(self, its_class, lane)
  local contact = its_class.is_bulk and lane.key:sub(#backlog.bulk_prefix + 1) or lane.key
  return recovery.page(self._store, "parked_of", {
    contact = contact, is_bulk = its_class.is_bulk and 1 or 0, now = clock.now(), limit = of_contact,
  })
end

---Makes the messages of a lane those of another one, in memory and as far as the store has them.
---@param from string key of a lane
---@param to string
---@param is_bulk boolean
---@param comes_before fun(a: cunnekt.outbox.row, b: cunnekt.outbox.row): boolean
---@param on_move fun(row: cunnekt.outbox.row)
function backlog_methods:join(from, to, is_bulk, comes_before, on_move)
  local its_class = is_bulk and self.bulk or self.replies
  local has_parked = self:_flag(its_class, from, false)
  self._lanes:join(from, to, comes_before, on_move)
  if self._lanes:lane(to) and (has_parked or its_class.waiting.has_more) then
    self:_flag(its_class, to, true)
  elseif has_parked then
    rewind(its_class.waiting)
    self:_watch()
    self:_fill(its_class)
  end
end

-- An operator may have put one of the rows into the lane meanwhile, or another conversation may have taken it over.
function backlog_methods:_take_lane(its_class, lane, rows)
  if not self._lanes:is_unfilled(lane) then
    return
  end
  local new = {}
  for _, stored in ipairs(rows) do
    local row = self._prepare(stored)
    if not self._lanes:find(lane.key, is_row(row.id)) then
      count_taken(its_class, row)
      new[#new + 1] = row
    end
  end
  self:_flag(its_class, lane.key, #rows == of_contact)
  self._lanes:fill_empty(lane, new)
  settle_count(its_class)
end

-- Fills a lane that is empty, of which the store has more.
function backlog_methods:_fill_lane(lane)
  local its_class = lane.is_background and self.bulk or self.replies
  self._openings = self._openings + 1
  task.spawn(function()
    local rows, err = lane_rows(self, its_class, lane)
    self._openings = self._openings - 1
    if self._is_stopped then
      return
    elseif not rows then
      warn_of(self, err)
      return self:_later(function()
        self:_fill_lane(lane)
      end)
    end
    self:_take_lane(its_class, lane, rows)
    self:refill()
  end)
end

---What keys of lanes of bulk messages begin with.
backlog.bulk_prefix = core.bulk_lane

-- ---- messages with a time --------------------------------------------------------------------------------------------

function backlog_methods:_arm()
  if self._is_stopped or self._next_due == math.huge or (self._timer and self._timer_at <= self._next_due) then
    return
  elseif self._timer then
    self._timer:close()
  end
  self._timer_at = self._next_due
  local pause = math.max(0, math.min(clock.longest_wait, self._next_due - clock.now()))
  self._timer = clock.after(pause, function()
    self._timer = nil
    if self._next_due <= clock.now() then
      self:_read_due()
    else
      self:_arm()
    end
  end)
end

-- Messages have become due: they are looked for, and then the next time.
function backlog_methods:_read_due()
  local now = clock.now()
  self._next_due = math.huge
  rewind(self.replies.due, now)
  rewind(self.bulk.due, now)
  self:_watch()
  self:refill()
  task.spawn(function()
    local rows = self._store:query("next_due", { now = now })
    if not rows then
      return self:_later(function()
        self:_read_due()
      end)
    end
    self:note_due(rows[1].due or math.huge)
  end)
end

---Notes that the store has a message that waits for this time.
---@param due number seconds since 1970
function backlog_methods:note_due(due)
  self._next_due = math.min(self._next_due, due)
  self:_arm()
end

---Begins with what an earlier process has left.
---@param counts {replies: integer, bulk: integer, timed: integer} see recovery.count_parked
function backlog_methods:begin(counts)
  for _, its_class in ipairs { self.replies, self.bulk } do
    local count = its_class.is_bulk and counts.bulk or counts.replies
    its_class.stored, its_class.waiting.has_more = count, count > 0
  end
  self:_watch()
  self:refill()
  if counts.timed > 0 then
    self:note_due(clock.now())
  end
end

return backlog
