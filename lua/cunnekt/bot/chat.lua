-- SPDX-License-Identifier: MIT
-- A conversation with one contact: its replies, its kept state and its service window. A message's reply_* are its
-- chat's; both gather in the running turn.

local build = require "cunnekt.provider.build"
local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.dialog.engine.journal"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"
local run = require "cunnekt.dialog.engine.run"
local sent = require "cunnekt.bot.sent"
local turn = require "cunnekt.engine.turn"
local units = require "cunnekt.time.units"

local chat = {}

local asking = require "cunnekt.dialog.flow.asking"

local window_seconds = limits.service_window

---@type table<string, string|string[]> what a send may say about its delivery; the rest of its table is content
chat.delivery_types = {
  unknown = { "hold", "resend", "fail" },
  track = "table",
  after = { "accepted", "delivered" },
  fallback = "table",
}

local chat_methods = {}
for name, method in pairs(asking.methods) do
  chat_methods[name] = method
end

---@class cunnekt.chat
---@field contact string the conversation's key: the business number's id and the customer
---@field to string the customer's number, or user id where there is none
---@field state table kept for the conversation; changes hold with the turn
local chat_mt = { __name = "cunnekt.chat" }

function chat_mt.__index(self, key)
  if key == "state" then
    return self:_load_state()
  end
  return chat_methods[key]
end

function chat_mt.__newindex(self, key, value)
  if key ~= "state" then
    error(("a chat has no field '%s' to set; keep your own in chat.state"):format(tostring(key)), 2)
  elseif type(value) ~= "table" then
    error(("chat.state must be a table, got %s"):format(type(value)), 2)
  end
  self:_load_state()
  rawset(self, "_state", value)
end

---@param bot table
---@param contact string
---@param to string?
function chat.new(bot, contact, to)
  return setmetatable({ _bot = bot, contact = contact, to = to }, chat_mt)
end

-- ---- state -----------------------------------------------------------------------------------------------------

-- The text of the state as this turn has left it so far, or else as the store has it; a run learns it once in each of its
-- turns.
local function read_state(self, is_changing)
  return run.within("state", self.contact, function()
    return is_changing and (self:_encode_state()) or self._bot._store:state(self.contact) or false
  end)
end

-- Fills the table that the script may be holding with what the text says.
local function fill_state(self, text)
  local state = self._state or {}
  for key in pairs(state) do
    state[key] = nil
  end
  for key, value in pairs(text and json.decode(text) or {}) do
    state[key] = value
  end
  rawset(self, "_state_text", text)
  rawset(self, "_state", state)
end

-- What was read holds until the next commit of the run, or of the turn where there is no run; elsewhere for the moment.
local function reading_of(its_run, current)
  return its_run and its_run.epoch or current or {}
end

-- A run reads the states that it holds anew after each commit, in this order each time that it is rebuilt.
local function note_holder(self, its_run)
  local holders = its_run.state_holders or {}
  its_run.state_holders = holders
  for _, holder in ipairs(holders) do
    if holder == self then
      return
    end
  end
  holders[#holders + 1] = self
end

function chat_methods:_load_state()
  local current, its_run = turn.current(self._bot), run.current()
  -- Several chat objects may stand for one contact; within a turn the first one holds the state.
  local holder = current and current.states[self.contact]
  if holder and holder ~= self then
    return holder:_load_state()
  end
  local reading = reading_of(its_run, current)
  if not self._state or self._reading ~= reading then
    rawset(self, "_reading", reading)
    if current then
      current:note_read("state " .. self.contact)
    end
    -- A dialog that begins in the turn of a handler finds what that has changed, which is still to be kept.
    local is_changing, kept = holder ~= nil and self._state ~= nil, self._state_text
    fill_state(self, read_state(self, is_changing))
    if is_changing then
      rawset(self, "_state_text", kept)
    end
  end
  if current then
    current:gather("states")[self.contact] = self
  end
  if its_run and not its_run.is_in_step then
    note_holder(self, its_run)
  end
  return self._state
end

---The state as text, and whether it differs from what is kept. Raises when it holds what cannot be kept.
function chat_methods:_encode_state()
  local ok, text = pcall(json.encode, self._state)
  if not ok then
    error(errors.new("invalid", "chat.state cannot be kept: " .. tostring(text), { field = "state" }), 0)
  end
  if next(self._state) == nil and not self._state_text then
    return text, false
  end
  return text, text ~= self._state_text
end

function chat_methods:_keep_state(text)
  rawset(self, "_state_text", text)
end

function chat_methods:_forget_state()
  rawset(self, "_state", nil)
end

-- ---- window ----------------------------------------------------------------------------------------------------

-- When the customer last wrote: as it is kept, or the message that this very turn handles.
local function last_inbound(self)
  local kept = self._bot._store:last_inbound(self.contact)
  local current = turn.current(self._bot)
  local record = current and current.record
  if record and record.contact == self.contact and record.inbound_at then
    return math.max(kept or 0, record.inbound_at)
  end
  return kept
end

---Asks for an event "window_closing" before the service window ends; once, counted from the customer's last message.
---@param before? number seconds before the end; an hour by default
function chat_methods:watch_window(before)
  before = before or units.hour
  if type(before) ~= "number" or before <= 0 or before >= window_seconds then
    error(("chat:watch_window: seconds must be a number between 0 and %d"):format(window_seconds), 2)
  end
  run.within("watch", { self.contact, before }, function()
    turn.within(self._bot, function(current)
      current:gather("watches")[self.contact] = before
    end)
  end)
end

---How long free-form messages may still be sent.
---@return number seconds 0 when the window is closed, or the customer never wrote
function chat_methods:window()
  return run.within("window", self.contact, function()
    local at = last_inbound(self)
    return at and math.max(0, math.min(window_seconds, at + window_seconds - self._bot._wall:now())) or 0
  end)
end

-- ---- replies ---------------------------------------------------------------------------------------------------

-- Takes the delivery options out of the last argument, without touching the script's own table.
local function split_delivery(where, args)
  local last = args[args.n]
  if type(last) ~= "table" then
    return nil
  end
  local delivery, content
  for name in pairs(chat.delivery_types) do
    if last[name] ~= nil then
      delivery = delivery or {}
      delivery[name] = last[name]
    end
  end
  if delivery then
    content = {}
    for key, value in pairs(last) do
      if delivery[key] == nil then
        content[key] = value
      end
    end
    args[args.n] = next(content) ~= nil and content or nil
    options.check(where, delivery, chat.delivery_types, 5)
  end
  return delivery
end

-- Whether the message that this turn handles keeps the window open, whatever else is kept of the conversation.
local function is_just_opened(self)
  local current = turn.current(self._bot)
  local record = current and current.record
  local at = record and record.contact == self.contact and record.inbound_at
  return at and at + window_seconds > self._bot._wall:now()
end

-- A customer whom this store has never heard may still have a window open; then the provider decides.
local function is_window_closed(self, payload)
  if payload.templateid or is_just_opened(self) then
    return false
  end
  return last_inbound(self) and self:window() == 0
end

-- The template that goes instead of a free-form message when the window is closed.
local function build_fallback(self, fallback)
  local message = {}
  for name, value in pairs(fallback) do
    message[name] = value
  end
  message.template_id = nil
  if fallback.template_id == nil then
    return nil, errors.new("invalid", "fallback.template_id is missing", { field = "fallback.template_id" })
  end
  return build.send_template(self.to, fallback.template_id, message)
end

-- The payload that goes now, and the one that goes when the provider finds the window closed.
local function choose_payload(self, payload, delivery)
  local fallback, err
  if delivery and delivery.fallback then
    fallback, err = build_fallback(self, delivery.fallback)
    if not fallback then
      return nil, err
    end
  end
  if not is_window_closed(self, payload) then
    return payload, fallback
  elseif fallback then
    return fallback
  end
  return nil, errors.new("window_closed", "the customer has not written for 24 hours; only a template can be sent")
end

-- `text`: the payload as JSON, where that is known already.
local function send_now(self, payload, delivery, text)
  local bot = self._bot
  local chosen, fallback = choose_payload(self, payload, delivery)
  if not chosen then
    return nil, fallback
  end
  local ready, err = bot:_before_send(chosen, self)
  if not ready then
    return nil, err
  end
  local handle = sent.new(ready)
  handle.track = delivery and delivery.track
  local row = bot._outbox:new_row(self.contact, ready, handle, delivery)
  row.fallback = fallback
  row.text = ready == payload and #bot._senders == 0 and text or nil
  return turn.within(bot, function(current)
    current:send(row)
    return handle
  end)
end

local said, said_as_json = { is_internal = true }, { is_internal = true, is_json = true }

---Adds a payload to the outbox of this contact.
---@param payload table the provider's form, as cunnekt.build makes it
---@param delivery table? unknown: what becomes of it when its outcome is unknown; track: comes back with its statuses; after: waits until the message before it is "accepted" or "delivered"; fallback: {template_id=, …} goes when the window is closed
---@return cunnekt.sent? handle
---@return cunnekt.error? err kind invalid or window_closed
function chat_methods:_send(payload, delivery)
  local current, handle = run.current(), nil
  if not current then
    return send_now(self, payload, delivery)
  end
  if #self._bot._senders > 0 then
    self:_load_state() -- bot:before_send may look at it, within the step
  end
  -- What was said is what it was now, whatever the script does to the tables afterwards.
  local text = not delivery and json.encode(payload) or nil
  local result, is_recalled = current:step("send", text or { payload, delivery }, function()
    local err
    handle, err = send_now(self, payload, delivery, text)
    return { id = handle and handle.id, err = err and journal.pack_error(err) }
  end, text and said_as_json or said)
  if result.err then
    return nil, journal.unpack_error(result.err)
  elseif is_recalled then
    handle = self._bot._outbox:recall(result.id, payload)
    handle.track = delivery and delivery.track
  end
  return handle
end

local function add_reply(name)
  local builder = build["send_" .. name]
  local where = "reply_" .. name
  chat_methods[where] = function(self, ...)
    local args = table.pack(...)
    local delivery = split_delivery(where, args)
    local payload, err = builder(self.to, table.unpack(args, 1, args.n))
    if not payload then
      return nil, err
    end
    return self:_send(payload, delivery)
  end
end

---Every kind of message, as `reply_<kind>` of a chat and of a message.
chat.kinds = { "template", "text", "buttons", "list", "form", "image", "video", "document", "audio", "cta_url" }
for _, name in ipairs(chat.kinds) do
  add_reply(name)
end

return chat
