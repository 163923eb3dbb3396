-- SPDX-License-Identifier: MIT
-- The sandbox's control API, JSON under /control/: write as a customer, read messages, advance the clock, inject faults. It
-- needs no key, since pages of other sites are refused (base/local_page.lua). Each call is described at its function.
local choices = require "cunnekt.sandbox.choices"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local options = require "cunnekt.base.options"
local samples = require "cunnekt.sandbox.samples"
local state = require "cunnekt.sandbox.state"
local webhook = require "cunnekt.provider.webhook"

local control = {}

local JSON = { "Content-Type: application/json" }

-- Messages in one answer, and seconds of one wait: below the timeouts of common HTTP clients.
local MOST = 1000
local LONGEST_WAIT = 60

local control_methods = {}
local control_mt = { __index = control_methods, __name = "cunnekt.sandbox_control" }

---@param opts { state: table, faults: table, webhooks: table, on_event: fun(event: table) }
---@return table control
function control.new(opts)
  return setmetatable({
    _state = opts.state,
    _faults = opts.faults,
    _webhooks = opts.webhooks,
    _on_event = opts.on_event,
    _polls = {},
  }, control_mt)
end

local function answer(exchange, status, value)
  exchange:answer(status, json.encode(value), JSON)
end

-- A customer's number or user id.
local function customer(field, text)
  local number, err = identity.normalise(text, nil, field)
  return number or error(err.message, 0)
end

-- Whether a message can be tapped so.
local function offers(entry, kind, id)
  local payload = entry.payload
  if not payload then
    return false
  elseif kind == "form" then
    return payload.type == "flow"
  elseif kind == "quick_reply" then
    return payload.templateid ~= nil
  end
  return choices.find(entry, kind, id) ~= nil
end

-- The message on which a customer taps: the one that is given, or the newest with this choice, or else the last one.
local function find_tapped(self, kind, opts, contact)
  if opts.context then
    return self._state:find(opts.context)
  end
  for _, entry in ipairs(choices.recent(self._state, opts.from)) do
    if offers(entry, kind, opts.id) then
      return entry
    end
  end
  return contact.last_sent and self._state:find(contact.last_sent)
end

local IS_TAP = { button = true, list = true, quick_reply = true, form = true }

-- Adds what a real client adds: the message that is answered, and the title of the choice.
local function complete(self, kind, opts, contact)
  if IS_TAP[kind] then
    local tapped = find_tapped(self, kind, opts, contact)
    local choice = choices.find(tapped, kind, opts.id)
    if choice then
      opts.id, opts.title = choice.id, opts.title or opts.text or choice.title
      opts.description = opts.description or choice.description
    end
    opts.context = opts.context or tapped and tapped.id
  elseif kind == "reaction" then
    opts.id = opts.id or contact.last_sent
  elseif kind == "edit" or kind == "revoke" then
    opts.id = opts.id or contact.last_heard
  end
  opts.name = opts.name or contact.name
  opts.timestamp = opts.timestamp or self._state:now()
end

---A customer writes: the message is added to the transcript, and its webhook posted to the bot. Raises for wrong fields.
---@param o table the fields of POST /control/messages, without `wait`; taken
---@param on_outcome fun(outcome: table)|nil gets the bot's first answer
---@return cunnekt.sandbox_entry entry
function control_methods:say(o, on_outcome)
  local kind, in_envelope = o.type or "text", o.envelope
  if not samples.is_message(kind) then
    error(("there is no message type '%s'"):format(kind), 0)
  end
  o.type, o.envelope = nil, nil
  local number = customer("from", o.from or samples.NUMBER)
  o.from = number
  complete(self, kind, o, self._state:contact(number))
  local body, about = samples.build(kind, o)
  local message = type(body.messages) == "table" and body.messages[1] or {}
  local entry = self._state:add {
    direction = "in", contact = number, id = type(message.id) == "string" and message.id or about.id, type = kind,
    name = o.name or "Asha", message = message, file = about.file,
  }
  if webhook.is_addressed { kind = "message", type = kind, group_id = message.group_id } then
    self._state:hear(number, entry.name, entry.id)
  end
  self._on_event { kind = "in", entry = entry }
  self._webhooks:message(entry, json.encode(in_envelope and samples.envelope(body) or body), on_outcome)
  return entry
end

---POST /control/messages: a customer writes. Fields: type, from, name, text, id, message_id, title, description,
---context, data (base64), filename, mime_type, form, set, envelope, and wait = true to get the bot's answer.
function control_methods:post_message(exchange, request)
  local o = request.json
  local waits = o.wait and self._webhooks.url
  o.wait = nil
  o.data = o.data and (core.base64_decode(o.data) or error("field 'data' is not base64", 0))
  local id
  local entry = self:say(o, waits and function(outcome)
    answer(exchange, 200, { id = id, webhook = outcome })
  end)
  id = entry.id
  if not waits then
    answer(exchange, 200, { id = id })
  end
end

-- A function that returns what a reader asked for, and whether there is anything yet.
local function reader(self, query)
  local number = query.contact or query.to or query.from
  local direction = query.direction or query.to and "out" or query.from and "in"
  local contact = number and customer(query.contact and "contact" or query.to and "to" or "from", number)
  local after = math.tointeger(tonumber(query.after or 0)) or 0
  local limit = math.min(MOST, math.tointeger(tonumber(query.limit)) or MOST)
  return function()
    local found, last = {}, math.max(after, self._state.last)
    for _, entry in ipairs(self._state:since(after, contact, math.huge)) do
      if not direction or entry.direction == direction then
        found[#found + 1] = state.view(entry)
        if #found == limit then
          last = entry.n
          break
        end
      end
    end
    after = found[1] and after or last -- what did not match is not read again
    return { messages = json.array(found), last = last }, found[1] ~= nil
  end
end

local function status_reader(self, query)
  return function()
    local entry = self._state:find(query.id)
    local is_there = entry ~= nil and not query.status
    for _, status in ipairs(entry and entry.statuses or {}) do
      is_there = is_there or status.status == query.status
    end
    return { messages = json.array { entry and state.view(entry) }, last = self._state.last }, is_there
  end
end

-- Answers when `read` finds something, or when the time is up.
local function poll(self, exchange, read, seconds)
  local result, is_there = read()
  if is_there or seconds <= 0 then
    return answer(exchange, 200, result)
  end
  local timer, on_change
  local function finish(value)
    self._state:unwatch(on_change)
    self._polls[exchange] = nil
    timer:close()
    answer(exchange, 200, value)
  end
  on_change = function()
    local value, has_come = read()
    if has_come then
      finish(value)
    end
  end
  timer = clock.after(seconds, function()
    finish((read()))
  end)
  self._polls[exchange] = function()
    finish((read()))
  end
  self._state:watch(on_change)
end

---GET /control/messages?after=N&to=NUMBER|from=NUMBER|contact=NUMBER&limit=N&wait=SECONDS: the messages after N; `wait`
---waits for one. ?id=ID&status=STATUS&wait=SECONDS: one message, when it has that status.
function control_methods:get_messages(exchange, request)
  local query = request.query
  local read = query.id and status_reader(self, query) or reader(self, query)
  poll(self, exchange, read, math.min(LONGEST_WAIT, tonumber(query.wait) or 0))
end

---DELETE /control/messages: deletes messages, contacts, files, faults and waiting webhooks.
function control_methods:delete_messages(exchange)
  self._state:clear()
  self._faults:clear()
  self._webhooks:clear()
  answer(exchange, 200, { last = self._state.last })
end

local STATUS = {
  id = "string", status = "string", from = "string", code = "integer", errors = "table", set = "table", envelope = "boolean",
  wait = "boolean",
}

local function outcome_answer(exchange, id)
  return function(outcome)
    answer(exchange, 200, { id = id, webhook = outcome })
  end
end

---POST /control/statuses {id, status, code?, errors?, set?, wait?}: posts a status of a message, known or not.
function control_methods:post_status(exchange, request)
  local o = options.check("statuses", request.json, STATUS)
  if not o.id or not o.status then
    error("statuses: 'id' and 'status' are needed", 0)
  end
  local entry = self._state:find(o.id) or { id = o.id, contact = customer("from", o.from or samples.NUMBER), statuses = {} }
  local changes = o.set or {}
  changes["statuses.0.errors"] = changes["statuses.0.errors"] or o.errors
  local kind = o.status
  if not samples.is_status(kind) then -- a status of the future: has the form of a plain one
    kind, changes["statuses.0.status"] = "read", o.status
  end
  local body = samples.build(kind, {
    id = o.id, from = entry.contact, code = o.code, timestamp = self._state:now(), set = changes, envelope = o.envelope,
  })
  local waits = o.wait and self._webhooks.url
  self._webhooks:status(entry, o.status, {
    body = json.encode(body), code = o.code, on_outcome = waits and outcome_answer(exchange, o.id) or nil,
  })
  if not waits then
    answer(exchange, 200, { id = o.id })
  end
end

---POST /control/events {type, …}: posts the webhook of what is neither a message nor a status: an echo, a call, a change of the
---account, … Fields: type, from, name, text, id, title, code, set, envelope, wait.
function control_methods:post_event(exchange, request)
  local o = request.json
  local kind, waits = o.type, o.wait and self._webhooks.url
  if type(kind) ~= "string" or not samples.is_event(kind) then
    error(("events: there is no type '%s'"):format(tostring(kind)), 0)
  end
  o.type, o.wait, o.timestamp = nil, nil, o.timestamp or self._state:now()
  o.from = o.from and customer("events.from", o.from)
  local body, about = samples.build(kind, o)
  local entry = { id = about.id, contact = about.from, statuses = {} }
  local text = json.encode(body)
  if webhook.inbound_at(webhook.parse(text)[1]) then
    self._state:hear(about.from, o.name)
  end
  self._webhooks:message(entry, text, waits and outcome_answer(exchange, about.id) or nil)
  if not waits then
    answer(exchange, 200, { id = about.id })
  end
end

---POST /control/clock {advance = seconds}: advances the sandbox's clock, and with it the service windows.
function control_methods:post_clock(exchange, request)
  local o = options.check("clock", request.json, { advance = "number" })
  self._state:advance(o.advance or 0)
  answer(exchange, 200, { now = self._state:now() })
end

local SETTINGS = { webhook = "string", open = "boolean", statuses = "boolean", read = "boolean", delay = "number" }

---POST /control/settings {webhook, open, statuses, read, delay}: changes options of `cunnekt sandbox`.
function control_methods:post_settings(exchange, request)
  local o = options.check("settings", request.json, SETTINGS)
  local webhooks = self._webhooks
  if o.open ~= nil then
    self._state.is_open = o.open
  end
  if o.webhook then
    webhooks:aim(o.webhook ~= "" and o.webhook or nil)
  end
  for _, name in ipairs { "statuses", "read", "delay" } do
    if o[name] ~= nil then
      webhooks[name] = o[name]
    end
  end
  self:get_state(exchange, { query = {} })
end

---GET /control/state?contact=NUMBER: counts, settings, and the window of a contact.
function control_methods:get_state(exchange, request)
  local webhooks, number = self._webhooks, request.query.contact
  answer(exchange, 200, {
    now = self._state:now(),
    last = self._state.last,
    messages = self._state.counts,
    webhooks = { counts = webhooks.counts, waiting = webhooks.waiting, url = webhooks.url },
    open = self._state.is_open,
    statuses = webhooks.statuses,
    read = webhooks.read,
    delay = webhooks.delay,
    faults = #self._faults:list(),
    window = number and self._state:window(customer("contact", number)) or nil,
  })
end

---POST /control/faults {kind, count, after, …}: see faults.lua.
function control_methods:post_fault(exchange, request)
  answer(exchange, 200, self._faults:add(request.json))
end

---GET /control/faults: the rules that still apply.
function control_methods:get_faults(exchange)
  answer(exchange, 200, { faults = json.array(self._faults:list()) })
end

---DELETE /control/faults
function control_methods:delete_faults(exchange)
  self._faults:clear()
  answer(exchange, 200, { faults = json.array {} })
end

local ROUTES = {
  messages = { POST = "post_message", GET = "get_messages", DELETE = "delete_messages" },
  statuses = { POST = "post_status" },
  events = { POST = "post_event" },
  clock = { POST = "post_clock" },
  settings = { POST = "post_settings" },
  state = { GET = "get_state" },
  faults = { POST = "post_fault", GET = "get_faults", DELETE = "delete_faults" },
}

local function read_request(method, query, body)
  local request = { query = http.parse_query(query or "") }
  if method == "POST" then
    local value, err = json.decode(body or "")
    if type(value) ~= "table" then
      return nil, "the body must be a JSON object" .. (err and ": " .. err.message or "")
    end
    request.json = value
  end
  return request
end

---Answers a request under /control/.
---@param exchange userdata
---@param method string
---@param name string what follows /control/
---@param query string|nil
---@param body string|nil
function control_methods:handle(exchange, method, name, query, body)
  local route = ROUTES[name]
  if not route then
    return answer(exchange, 404, { error = { message = "there is no such control call" } })
  elseif not route[method] then
    return answer(exchange, 405, { error = { message = "this control call does not take " .. method } })
  end
  local request, problem = read_request(method, query, body)
  if not request then
    return answer(exchange, 400, { error = { message = problem } })
  end
  -- Mistakes in the fields raise, as for any Lua caller; here they become the client's errors.
  local ok, mistake = pcall(self[route[method]], self, exchange, request)
  if not ok then
    local sentence = tostring(mistake):gsub("^[^%s:]+:%d+: ", "") -- without the position in this file
    answer(exchange, 400, { error = { message = sentence } })
  end
end

---Answers all waiting readers.
function control_methods:close()
  for _, finish in pairs(self._polls) do
    finish()
  end
end

return control
