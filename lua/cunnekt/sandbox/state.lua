-- SPDX-License-Identifier: MIT
-- The sandbox's memory: the last messages both ways, the customers' service windows, and their files. No network and no
-- policy. A customer is the same in each form of a number. It is bounded: messages are in a ring, files are dropped with their message or when they are too large together,
-- and contacts are dropped about a day after their window closed.
local clock = require "cunnekt.time.clock"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"

local state = {}

local WINDOW = limits.service_window

-- Bytes of all files together: one document of the largest size, and some pictures.
local MAX_MEDIA = limits.media_bytes.document + 60 * 1024 * 1024

---@class cunnekt.sandbox_entry
---@field n integer position in the transcript, counted from 1
---@field direction "in"|"out" in: the customer wrote; out: the business did
---@field contact string the customer's number, digits only
---@field name string|nil the customer's name
---@field id string the message's id
---@field type string
---@field endpoint string|nil of an outgoing message: sendnotification or sendreplymessage
---@field key string|nil of an outgoing message: the API key that it came with; not shown
---@field payload table|nil of an outgoing message: what the business posted
---@field message table|nil of an incoming message: as in the webhook
---@field statuses { status: string, time: number }[]
---@field webhook { status: integer|nil, attempts: integer, error: string|nil }|nil the bot's answer to the last webhook about it
---@field time number Unix seconds

local state_methods = {}
local state_mt = { __index = state_methods, __name = "cunnekt.sandbox_state" }

---@param opts { history: integer, is_open: boolean }
---@return table state
function state.new(opts)
  return setmetatable({
    is_open = opts.is_open,
    last = 0,
    counts = { ["in"] = 0, out = 0, refused = 0 },
    _history = opts.history,
    _offset = 0,
    _ring = {},
    _by_id = {},
    _contacts = {},
    _old_contacts = {},
    _turned = nil,
    _media_bytes = 0,
    _oldest_media = 1,
    _watchers = {},
  }, state_mt)
end

---The sandbox's time, which the control API can advance.
---@return number
function state_methods:now()
  return clock.now() + self._offset
end

---@param seconds number
function state_methods:advance(seconds)
  self._offset = self._offset + seconds
end

---A message as the control API shows it: without the bytes of a file.
---@param entry cunnekt.sandbox_entry
---@return table view
function state.view(entry)
  local file = entry.file
  return {
    n = entry.n, direction = entry.direction, contact = entry.contact, name = entry.name, id = entry.id, type = entry.type,
    endpoint = entry.endpoint, payload = entry.payload, message = entry.message, statuses = json.array(entry.statuses),
    webhook = entry.webhook, time = entry.time,
    media = file and { size = #file.data, sha256 = file.sha256, mime_type = file.mime_type } or nil,
  }
end

-- Two generations: a contact that was not used for two days is dropped with the older one.
local function turn_generations(self)
  local now = self:now()
  self._turned = self._turned or now
  if now - self._turned > WINDOW then
    local is_stale = now - self._turned > 2 * WINDOW
    self._old_contacts = is_stale and {} or self._contacts
    self._contacts, self._turned = {}, now
  end
end

---The record of a customer; created when new.
---@param number string digits
---@return table contact `{name, heard, last_heard, last_sent}`
function state_methods:contact(number)
  number = identity.canonical(number)
  turn_generations(self)
  local contact = self._contacts[number]
  if not contact then
    contact = self._old_contacts[number] or {}
    self._contacts[number], self._old_contacts[number] = contact, nil
  end
  return contact
end

---Notes that the customer wrote or called: the service window opens.
---@param number string digits
---@param name string|nil
---@param id string|nil of the message
function state_methods:hear(number, name, id)
  local contact = self:contact(number)
  contact.heard, contact.name, contact.last_heard = self:now(), name or contact.name, id or contact.last_heard
end

---Seconds left of a customer's service window.
---@param number string digits
---@return number seconds 0 when closed
function state_methods:window(number)
  if self.is_open then
    return WINDOW
  end
  number = identity.canonical(number)
  local contact = self._contacts[number] or self._old_contacts[number]
  local heard = contact and contact.heard
  return heard and math.max(0, heard + WINDOW - self:now()) or 0
end

local function drop_media(self, entry)
  if entry.file then
    self._media_bytes = self._media_bytes - #entry.file.data
    entry.file = nil
  end
end

local function forget(self, entry)
  drop_media(self, entry)
  if self._by_id[entry.id] == entry then
    self._by_id[entry.id] = nil
  end
end

local function trim_media(self)
  while self._media_bytes > MAX_MEDIA and self._oldest_media < self.last do
    local entry = self._ring[self._oldest_media % self._history]
    if entry and entry.n == self._oldest_media then
      drop_media(self, entry)
    end
    self._oldest_media = self._oldest_media + 1
  end
end

---Adds a message to the transcript and calls the watchers.
---@param entry cunnekt.sandbox_entry without n, statuses and time; taken
---@return cunnekt.sandbox_entry entry
function state_methods:add(entry)
  local n = self.last + 1
  local slot = n % self._history
  local old = self._ring[slot]
  if old then
    forget(self, old)
  end
  entry.n, entry.statuses, entry.time = n, {}, self:now()
  self.last, self._ring[slot], self._by_id[entry.id] = n, entry, entry
  self.counts[entry.direction] = self.counts[entry.direction] + 1
  if entry.file then
    self._media_bytes = self._media_bytes + #entry.file.data
    trim_media(self)
  end
  if entry.direction == "out" then
    self:contact(entry.contact).last_sent = entry.id
  end
  self:wake()
  return entry
end

---Notes a status of a message, if it is still kept.
---@param id string
---@param status string
---@return cunnekt.sandbox_entry|nil entry
function state_methods:note_status(id, status)
  local entry = self._by_id[id]
  if entry then
    table.insert(entry.statuses, { status = status, time = self:now() })
    self:wake()
  end
  return entry
end

---@param id string
---@return cunnekt.sandbox_entry|nil
function state_methods:find(id)
  return self._by_id[id]
end

---The messages after a position, as far as they are kept.
---@param after integer
---@param contact string|nil only this customer's
---@param most integer how many at most
---@return cunnekt.sandbox_entry[]
function state_methods:since(after, contact, most)
  local found = {}
  contact = contact and identity.canonical(contact)
  for n = math.max(after + 1, self.last - self._history + 1, 1), self.last do
    local entry = self._ring[n % self._history]
    if entry and (not contact or identity.canonical(entry.contact) == contact) then
      found[#found + 1] = entry
      if #found == most then
        break
      end
    end
  end
  return found
end

---Deletes all messages, files and contacts. Positions continue, so that a reader's `after` stays valid.
function state_methods:clear()
  self._ring, self._by_id, self._contacts, self._old_contacts = {}, {}, {}, {}
  self._media_bytes, self._oldest_media = 0, self.last + 1
end

---Calls a function on every change, until `unwatch`.
---@param fn fun()
function state_methods:watch(fn)
  self._watchers[fn] = true
end

---@param fn fun()
function state_methods:unwatch(fn)
  self._watchers[fn] = nil
end

---Calls the watchers.
function state_methods:wake()
  if not next(self._watchers) then
    return
  end
  local woken = {}
  for fn in pairs(self._watchers) do
    woken[#woken + 1] = fn
  end
  for _, fn in ipairs(woken) do
    fn()
  end
end

return state
