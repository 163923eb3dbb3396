-- SPDX-License-Identifier: MIT
-- The generator: acts as Meta does, and notes what was acknowledged. Each customer sends numbered texts; a body that got
-- no 200 is sent again until it gets one, for it may or may not have been taken. Some bodies hold several events, and
-- some that were acknowledged are sent once more on purpose.
--
-- A customer's next text leaves after the one before it was acknowledged, so the order of acceptance is known.

local clock = require "cunnekt.time.clock"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local task = require "cunnekt.base.task"

local load = {}

local load_methods = {}
local load_mt = { __index = load_methods, __name = "load" }

-- How much of it is done how, out of 1.
local share_of_batches, share_of_duplicates = 0.2, 0.1

---@param opts {url: string, workers: integer, contacts: integer?, seed: integer, pause: number?, timeout: number?, prefix: string?, identify: function?, contacts_of: function?} identify: sets the ids of a message; contacts_of: makes the contacts of a body; contacts: of each worker (4); pause: seconds between two bodies of a worker, at most
function load.new(opts)
  local self = setmetatable({
    url = opts.url,
    timeout = opts.timeout or 10,
    identify = opts.identify,
    contacts_of = opts.contacts_of,
    pause = opts.pause or 0,
    contacts = {},
    counts = { posts = 0, acknowledged = 0, events = 0, lost = 0, refused = 0, duplicates = 0 },
    statuses = {},
    _workers = {},
    _seed = opts.seed,
  }, load_mt)
  for worker = 1, opts.workers do
    local own = {}
    for i = 1, opts.contacts or 4 do
      own[i] = { number = ("%s%05d"):format(opts.prefix or "9190000", #self.contacts + 1), said = 0, acknowledged = 0 }
      table.insert(self.contacts, own[i])
    end
    self._workers[worker] = { contacts = own }
  end
  math.randomseed(opts.seed)
  return self
end

---The text of a customer's k-th message.
function load.text(number, k)
  return ("%s-%d"):format(number, k)
end

---What the bot is to answer to a customer's k-th message, in order; see bots/counter.lua.
function load.replies(number, k)
  local first = ("%s #%d"):format(load.text(number, k), k)
  if k % 3 == 0 then
    return { first, first .. " and more" }
  end
  return { first }
end

local function message(self, contact, k)
  local one = {
    from = contact.number,
    id = ("wamid.%s.%d"):format(contact.number, k),
    timestamp = ("%d"):format(clock.now() // 1),
    type = "text",
    text = { body = load.text(contact.number, k) },
  }
  if self.identify then
    self.identify(one, contact, k)
  end
  return one
end

---A webhook's body with these messages.
---@param contacts? table[] the only one is who wrote the first message, by default
function load.body(messages, contacts)
  return json.encode {
    messaging_product = "whatsapp",
    metadata = { display_phone_number = "919873617805", phone_number_id = "123456789" },
    contacts = contacts or { { profile = { name = "Torture" }, wa_id = messages[1].from } },
    messages = messages,
  }
end

---Posts a body once.
---@return boolean is_acknowledged
---@return integer? status nil when there was no answer
function load_methods:post(body)
  self.counts.posts = self.counts.posts + 1
  local answer = http.request {
    method = "POST",
    url = self.url,
    body = body,
    headers = { ["Content-Type"] = "application/json" },
    timeout = self.timeout,
  }
  local status = answer and answer.status
  if status == 200 then
    self.counts.acknowledged = self.counts.acknowledged + 1
  elseif status then
    self.counts.refused = self.counts.refused + 1
  else
    self.counts.lost = self.counts.lost + 1
  end
  self.statuses[status or 0] = (self.statuses[status or 0] or 0) + 1
  return status == 200, status
end

-- Posts a body until it is acknowledged.
local function insist(self, body)
  while not self:post(body) do
    if self._is_abandoned then
      return false
    end
    task.sleep(0.002 + math.random() * 0.01)
  end
  return true
end

-- The messages of the next body: one, or several of several customers.
local function next_messages(self, worker)
  local contacts, messages, touched = worker.contacts, {}, {}
  local count = math.random() < share_of_batches and math.random(2, 8) or 1
  for i = 1, count do
    local contact = contacts[math.random(#contacts)]
    contact.said = contact.said + 1
    messages[i] = message(self, contact, contact.said)
    touched[contact] = contact.said
  end
  return messages, touched
end

local function repeat_an_old_one(self, worker)
  local contact = worker.contacts[math.random(#worker.contacts)]
  if contact.acknowledged > 0 then
    self.counts.duplicates = self.counts.duplicates + 1
    -- Not far back, so that it meets turns that are under way.
    local k = math.random(math.max(1, contact.acknowledged - 20), contact.acknowledged)
    local messages = { message(self, contact, k) }
    self:post(load.body(messages, self.contacts_of and self.contacts_of(messages)))
  end
end

local function work(self, worker)
  while not self._is_stopping do
    local messages, touched = next_messages(self, worker)
    if not insist(self, load.body(messages, self.contacts_of and self.contacts_of(messages))) then
      return
    end
    for contact, k in pairs(touched) do
      contact.acknowledged = k
    end
    self.counts.events = self.counts.events + #messages
    if math.random() < share_of_duplicates then
      repeat_an_old_one(self, worker)
    end
    if self.pause > 0 then
      task.sleep(math.random() * self.pause)
    end
  end
end

---Begins to send.
function load_methods:start()
  self._is_stopping = false
  for _, worker in ipairs(self._workers) do
    worker.task = task.spawn(work, self, worker)
  end
end

---Sends nothing new, and waits until everything that was sent is acknowledged.
function load_methods:stop()
  self._is_stopping = true
  for _, worker in ipairs(self._workers) do
    task.join(worker.task)
  end
end

---Ends without waiting for what is not acknowledged.
function load_methods:abandon()
  self._is_abandoned = true
  self:stop()
end

return load
