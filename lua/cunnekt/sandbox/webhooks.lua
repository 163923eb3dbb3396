-- SPDX-License-Identifier: MIT
-- Posts the sandbox's webhooks to the bot: in order per contact, contacts concurrently, with retries at growing intervals
-- until the bot answers 2xx, as the provider does. A refused webhook delays its contact only. It owns the queues and timers;
-- in the transcript it only notes statuses.
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local ids = require "cunnekt.sandbox.ids"
local json = require "cunnekt.base.json"
local retry = require "cunnekt.provider.retry"
local samples = require "cunnekt.sandbox.samples"
local status_names = require "cunnekt.provider.status"
local task = require "cunnekt.base.task"

local webhooks = {}

-- Meta retries for a week; these attempts take about an hour, which is enough for trials.
local ATTEMPTS = 20

-- Concurrent requests to the bot: below the bot's limit for one address.
local WORKERS = 32

-- Waiting webhooks of all contacts. Beyond it, new ones are dropped and counted: the bot has been away too long.
local MAX_WAITING = 200000

local webhooks_methods = {}
local webhooks_mt = { __index = webhooks_methods, __name = "cunnekt.sandbox_webhooks" }

---@param opts { state: table, faults: table, url: string|nil, secret: string|nil, statuses: boolean, read: boolean, delay: number, retry: number, on_event: fun(event: table), deliver: cunnekt.sandbox_deliver|nil, url_of: (fun(entry: table): string?, string?)|nil }
---@return table webhooks
function webhooks.new(opts)
  return setmetatable({
    url = opts.url,
    statuses = opts.statuses,
    read = opts.read,
    delay = opts.delay,
    counts = { posted = 0, refused = 0, given_up = 0, dropped = 0 },
    waiting = 0,
    _secret = opts.secret,
    _retry = opts.retry,
    _state = opts.state,
    _faults = opts.faults,
    _on_event = opts.on_event,
    _deliver = opts.deliver,
    _url_of = opts.url_of or function() end,
    _queues = {}, -- contact → list of jobs, the first one in progress; a queue is in at most one of: ready, worker, pause
    _ready = {},
    _ready_first = 1,
    _ready_last = 0,
    _workers = 0,
    _pauses = {},
  }, webhooks_mt)
end

---The headers of a webhook: with a secret, signed as Meta signs its own.
---@param body string
---@param secret string|nil
---@return table<string, string>
function webhooks.headers(body, secret)
  local headers = { ["Content-Type"] = "application/json" }
  if secret then
    headers["X-Hub-Signature-256"] = "sha256=" .. core.hex(core.hmac_sha256(secret, body))
  end
  return headers
end

local function push_ready(self, queue)
  self._ready_last = self._ready_last + 1
  self._ready[self._ready_last] = queue
end

local function pop_ready(self)
  local queue = self._ready[self._ready_first]
  if queue then
    self._ready[self._ready_first] = nil
    self._ready_first = self._ready_first + 1
  end
  return queue
end

local function pause(self, queue, seconds)
  if queue.is_gone then
    return
  end
  local timer
  timer = clock.after(seconds, function()
    self._pauses[timer] = nil
    push_ready(self, queue)
    self:_start()
  end)
  self._pauses[timer] = true
end

local function status_of(self, job, status)
  local entry = job.entry
  return samples.status(status, {
    id = entry.id,
    from = entry.contact,
    conversation = self:_conversation(entry.contact),
    category = entry.endpoint == "sendnotification" and "utility" or "service",
    timestamp = self._state:now(),
    code = job.code,
    title = job.title,
  })
end

-- The body of a status is made when it is posted, so a long queue holds no text, and its time is right.
local function body_of(self, job)
  if job.body then
    return job.body
  end
  local body = status_of(self, job, job.status)
  for _, status in ipairs(job.more or {}) do
    table.insert(body.statuses, status_of(self, job, status).statuses[1])
  end
  return json.encode(body)
end

local function note(self, entry, status, code)
  self._state:note_status(entry.id, status)
  self._on_event { kind = "status", status = status, entry = entry, code = code }
end

local function note_first(self, job)
  if job.status and not job.is_noted then
    job.is_noted = true
    note(self, job.entry, job.status, job.code)
    for _, status in ipairs(job.more or {}) do
      note(self, job.entry, status)
    end
  end
end

local function post_body(self, body, job)
  if self._deliver then
    return { status = self._deliver(body, job.entry, job.status ~= nil) }
  end
  local url, secret = self._url_of(job.entry)
  return http.request {
    method = "POST",
    url = url or self.url,
    headers = webhooks.headers(body, url and secret or not url and self._secret or nil),
    body = body,
    timeout = 15,
    connect_timeout = 5,
    max_bytes = 65536,
  }
end

-- Posts once; returns whether the bot accepted it.
local function post(self, job)
  job.attempts = (job.attempts or 0) + 1
  local answer, err = post_body(self, body_of(self, job), job)
  local is_taken = answer and answer.status >= 200 and answer.status < 300
  local outcome = { attempts = job.attempts, status = answer and answer.status, error = err and err.kind }
  job.entry.webhook = outcome
  if job.on_outcome then
    job.on_outcome(outcome)
    job.on_outcome = nil
  end
  if not is_taken then
    self.counts.refused = self.counts.refused + 1
    self._on_event { kind = "webhook_refused", entry = job.entry, status = outcome.status, error = err, attempts = job.attempts }
    return false
  end
  self.counts.posted = self.counts.posted + 1
  return true
end

local function finish(self, queue)
  if queue.is_gone then
    return
  end
  queue.first = queue.first + 1
  self.waiting = self.waiting - 1
  queue[queue.first - 1] = nil
  if queue[queue.first] then
    push_ready(self, queue)
  else
    self._queues[queue.contact] = nil
  end
end

local function serve(self, queue)
  local job = queue[queue.first]
  if job.wait then
    local seconds = job.wait
    job.wait = nil
    return pause(self, queue, seconds)
  end
  note_first(self, job)
  if not self.url or post(self, job) then
    job.copies = job.copies - 1
    if job.copies > 0 and self.url and not queue.is_gone then
      return push_ready(self, queue)
    end
  elseif job.attempts < ATTEMPTS then
    return pause(self, queue, retry.webhook(job.attempts, self._retry))
  else
    self.counts.given_up = self.counts.given_up + 1
  end
  return finish(self, queue)
end

local function work(self)
  local queue = pop_ready(self)
  while queue and not self._is_closed do
    serve(self, queue)
    queue = pop_ready(self)
  end
  self._workers = self._workers - 1
end

function webhooks_methods:_start()
  local most = self.url and WORKERS or 1
  if self._workers < most and self._ready[self._ready_first] then
    self._workers = self._workers + 1
    if self.url then
      task.spawn(work, self)
    else
      work(self)
    end
  end
end

function webhooks_methods:_conversation(number)
  local contact = self._state:contact(number)
  contact.conversation = contact.conversation or ids.conversation()
  return contact.conversation
end

local function enqueue(self, contact, job)
  if self.waiting >= MAX_WAITING then
    self.counts.dropped = self.counts.dropped + 1
    return
  end
  job.copies = 1 + (self.url and self._faults:duplicates() or 0)
  self.waiting = self.waiting + 1
  local queue = self._queues[contact]
  if not queue then
    queue = { contact = contact, first = 1, last = 0 }
    self._queues[contact] = queue
    push_ready(self, queue)
  end
  queue.last = queue.last + 1
  queue[queue.last] = job
end

---Posts a customer's message.
---@param entry table the message, as in the transcript
---@param body string the webhook's JSON
---@param on_outcome fun(outcome: { status: integer|nil, error: string|nil })|nil gets the bot's first answer
function webhooks_methods:message(entry, body, on_outcome)
  enqueue(self, entry.contact, { entry = entry, body = body, on_outcome = on_outcome })
  self:_start()
end

---Posts one status of a message.
---@param entry table
---@param status string
---@param more { code: integer|nil, title: string|nil, wait: number|nil, body: string|nil, on_outcome: function|nil, more: string[]|nil }|nil
---wait: seconds before it; body: the webhook's JSON, when it is not to be made here; on_outcome: as in `message`; more: statuses that
---come with it
function webhooks_methods:status(entry, status, more)
  local job = more or {}
  job.entry, job.status = entry, status
  if job.wait and job.wait <= 0 then
    job.wait = nil
  end
  enqueue(self, entry.contact, job)
  self:_start()
end

local ORDER = status_names.usual
local REVERSED = { ORDER[3], ORDER[2], ORDER[1] }
-- What follows the first one where they come together.
local ORDER_BEHIND, UNREAD_BEHIND = { ORDER[2], ORDER[3] }, { ORDER[2] }

---Posts the statuses of an accepted message: sent, delivered, read, or those of a fault.
---@param entry table
---@param fault table|nil of kind failed or reorder
function webhooks_methods:announce(entry, fault)
  if not self.statuses then
    return
  end
  if fault and fault.kind == "failed" then
    return self:status(entry, "failed", { code = fault.code, title = fault.title, wait = self.delay })
  end
  if self._deliver and self.url and not fault and self.delay == 0 then
    return self:status(entry, ORDER[1], { more = self.read and ORDER_BEHIND or UNREAD_BEHIND })
  end
  local is_instant = not self.url and self.delay == 0 -- without a bot, as in load tests, nothing is queued
  for _, status in ipairs(fault and fault.kind == "reorder" and REVERSED or ORDER) do
    if status == "read" and not self.read then
      goto continue
    elseif is_instant then
      note(self, entry, status)
    else
      self:status(entry, status, { wait = self.delay })
    end
    ::continue::
  end
end

---Sets the bot's webhook URL.
---@param url string|nil nil: none, and webhooks count as posted
function webhooks_methods:aim(url)
  if url and not url:match "^https?://[^/%s]+" then
    error("webhook: the URL must begin with http:// or https://", 0)
  end
  self.url = url
  self:_start()
end

---Deletes all waiting webhooks. A request in progress ends by itself, and is not retried.
function webhooks_methods:clear()
  for _, queue in pairs(self._queues) do
    queue.is_gone = true
  end
  for timer in pairs(self._pauses) do
    timer:close()
  end
  self._pauses, self._queues, self._ready, self.waiting = {}, {}, {}, 0
  self._ready_first, self._ready_last = 1, 0
end

---Stops posting for good.
function webhooks_methods:close()
  self._is_closed = true
  self:clear()
end

return webhooks
