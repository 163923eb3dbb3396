-- SPDX-License-Identifier: MIT
-- The replies of a chat: which payload is sent to whom, as a step of the run and with the commit of the turn.

local build = require "cunnekt.provider.build"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local identity = require "cunnekt.provider.identity"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"
local receiver = require "cunnekt.base.receiver"
local refusals = require "cunnekt.bot.refusals"
local send_times = require "cunnekt.engine.send_times"
local storable = require "cunnekt.base.storable"
local task = require "cunnekt.base.task"

local reply = {}

local metatable_of = receiver.metatable_of
local window_seconds, digits = limits.service_window, limits.number_digits

---@type table<string, string|string[]> the delivery options of a reply; the other fields of its table are content
reply.delivery_types = {
  unknown = { "hold", "resend", "fail" },
  track = "table",
  after = { "accepted", "delivered" },
  fallback = "table",
  priority = { "normal", "bulk" },
  expires = "number",
  not_before = "number",
  send_between = "table",
}

-- ---- the window ---------------------------------------------------------------------------------------------------

---When the customer last wrote: from the store, or the message of this turn.
---@param self cunnekt.chat
---@return number? at seconds since 1970
function reply.last_inbound(self)
  local kept = self._scope.engine.store:conversation(self.contact).last_inbound
  local current = self._scope.engine.turns:current()
  local record = current and current.record
  if record and record.contact == self.contact and record.inbound_at then
    return math.max(kept or 0, record.inbound_at)
  end
  return kept
end

-- ---- replies ---------------------------------------------------------------------------------------------------

-- Splits the delivery options from the last argument, without changing the script's table.
local function split_delivery(where, args)
  local last = args[args.n]
  local delivery, content
  for name in pairs(reply.delivery_types) do
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
    options.check(where, delivery, reply.delivery_types, 4)
    delivery.track = storable.copy(where, "option 'track'", delivery.track, 3)
  end
  return delivery
end

-- Whether this turn's message keeps the window open; saves a query.
local function is_just_opened(scope, contact, its_turn)
  local record = its_turn and its_turn.record
  local at = record and record.contact == contact and record.inbound_at
  return at and at + window_seconds > scope.engine.wall_clock:now()
end

-- A customer who is not in this store may have an open window: then the provider decides.
local function is_window_closed(self, payload, its_turn)
  if payload.templateid or is_just_opened(self._scope, self.contact, its_turn) then
    return false
  end
  return reply.last_inbound(self) and self:window() == 0
end

-- A payload that was built, with this chat's recipient. bot:chat has checked it, or a webhook gave it: whoever wrote must get
-- an answer, even where a country has numbers by now that provider/number_plans.lua does not know.
local function addressed(self, payload, err)
  if not payload then
    return nil, err
  end
  local to = self.to
  if not core.is_number(to, digits.min, digits.max) then
    to, err = identity.normalise(to)
  end
  payload.mobile = to
  return to and payload, err
end

-- The template to send instead when the window is closed.
local function build_fallback(self, fallback)
  local message = {}
  for name, value in pairs(fallback) do
    message[name] = value
  end
  message.template_id = nil
  if fallback.template_id == nil then
    return nil, errors.new("invalid", "fallback.template_id is missing", { field = "fallback.template_id" })
  end
  return addressed(self, build.send_template(build.set_later, fallback.template_id, message))
end

-- The payload to send, and the one to send if the provider finds the window closed.
local function choose_payload(self, payload, delivery, its_turn)
  local fallback, err
  if delivery and delivery.fallback then
    fallback, err = build_fallback(self, delivery.fallback)
    if not fallback then
      return nil, err
    end
  end
  if not is_window_closed(self, payload, its_turn) then
    return payload, fallback
  elseif fallback then
    return fallback
  end
  return nil, errors.new("window_closed", "the customer has not written for 24 hours; only a template can be sent")
end

-- A dialog goes on with the identity of its customer that it began with; what it sends goes to the one that they have now. Another
-- form of the same number stays as it was written.
local function readdressed(self, payload)
  local _, customer = identity.parts(self.contact)
  if identity.canonical(customer) == identity.canonical(payload.mobile) then
    return payload
  end
  local ready = {}
  for name, value in pairs(payload) do
    ready[name] = value
  end
  ready.mobile = customer
  return ready
end

-- A message and its fallback as bot:before_send lets them go. The provider may find the window closed when no script runs any more: so
-- the fallback passes now.
local function pass_hooks(self, payload, fallback)
  local its_hooks = self._scope.hooks
  local ready, err = its_hooks:before_send(payload, self)
  if not ready or not fallback then
    return ready, err
  end
  fallback, err = its_hooks:before_send(fallback, self)
  if not fallback and err.kind ~= "cancelled" then
    return nil, err
  end
  return ready, fallback
end

-- Adds a message to the running turn, or outside of turns to a new one. `text`: the payload as JSON, if already encoded.
local function send_now(self, payload, delivery, text, its_turn)
  local scope = self._scope
  local chosen, fallback = choose_payload(self, payload, delivery, its_turn)
  if not chosen then
    return nil, fallback
  end
  local times, problem = nil, nil
  if delivery then
    times, problem = send_times.read(delivery)
  end
  if problem then
    return nil, problem
  end
  local engine, ready = scope.engine, rawget(self, "_name") and readdressed(self, chosen) or chosen
  if scope.hooks.senders[1] then
    ready, fallback = pass_hooks(self, ready, fallback)
    if not ready then
      return nil, fallback
    end
    text = nil
  end
  -- As it is now: the script may change the tables before the turn is committed.
  local text_now, fallback_now = ready == payload and text or json.encode(ready), fallback and journal.snapshot(fallback)
  local function add(current)
    local row = engine.outbox:new_row(self.contact, ready, delivery, times)
    row.text, row.fallback = text_now, fallback_now
    current:send(row)
    return row.handle
  end
  if its_turn then
    return add(its_turn)
  end
  return engine.turns:within(add)
end

local send_step, send_step_as_json = { is_internal = true }, { is_internal = true, is_json = true }
-- Of one in which bot:before_send may change states.
local watched_step, watched_step_as_json = { is_internal = true, changes_states = true }, { is_internal = true, changes_states = true, is_json = true }

-- Adds a payload to the outbox of this contact, as a step of the run.
local function send(self, payload, delivery)
  local running, handle = task.running(), nil
  local current, its_turn = running and running.run, running and running.turn
  its_turn = its_turn and its_turn.turns == self._scope.engine.turns and its_turn or nil
  if not current then
    local err
    handle, err = send_now(self, payload, delivery, nil, its_turn)
    if handle and running and running.is_listener then
      self._scope.hooks:note_sent(handle)
    end
    return handle, err
  end
  local reads_state = self._scope.hooks.senders[1] ~= nil
  if current.replay then
    reads_state = current:comes_next "state" -- as it did then: the script may have had no bot:before_send, or has none by now
  end
  if reads_state then
    local _ = self.state -- loaded: bot:before_send may read it, inside the step
  end
  local text = json.encode(payload)
  local in_parts = reads_state and watched_step or send_step
  local as_json = reads_state and watched_step_as_json or send_step_as_json
  local result, is_replayed = current:step("send", delivery and { payload, delivery } or text, function()
    local err
    handle, err = send_now(self, payload, delivery, text, its_turn)
    return { id = handle and handle.id, err = err and journal.pack_error(err) }
  end, delivery and in_parts or as_json)
  if result.err then
    return nil, journal.unpack_error(result.err)
  elseif is_replayed then
    handle = self._scope.engine.outbox:handle_of(result.id, payload)
    handle.track = delivery and delivery.track
  end
  return handle
end

-- How many arguments are content; what follows is the table of options.
local content_arguments = { template = 2, image = 2, video = 2, document = 2, audio = 2 }
local is_table = { buttons = true, list = true, form = true, cta_url = true }

-- What builders take there is without effect in a reply, and no mistake.
local of_builders = { mobile_format = true, default_country = true }

-- Behind the content there are only options of a reply, so what is left of them there has a name that none of them has.
local function refuse_left(where, left)
  for name, value in pairs(left) do
    if not of_builders[name] then
      options.check(where, { [name] = value }, reply.delivery_types, 4)
    end
  end
end

local function general_reply(name, metatable)
  local builder = build["send_" .. name]
  local most = content_arguments[name] or 1
  local where = "reply_" .. name
  return function(self, ...)
    if metatable_of(self) ~= metatable then
      receiver.refuse("chat", where, self)
    end
    local count = select("#", ...)
    local delivery, payload, err
    if count > 0 and type((select(count, ...))) == "table" then
      local args = table.pack(...)
      delivery = split_delivery(where, args)
      if is_table[name] and type(args[1]) ~= "table" then
        args.n = 1 -- the builder says that it must be a table
      elseif args.n > most then
        refuse_left(where, args[args.n] or {})
      end
      payload, err = addressed(self, builder(build.set_later, table.unpack(args, 1, args.n)))
    elseif count > most and (select(count, ...)) ~= nil then
      error(("%s: options must be a table, got %s"):format(where, type((select(count, ...)))), 2)
    else
      payload, err = addressed(self, builder(build.set_later, ...))
    end
    if not payload then
      return refusals.note(self._scope, where, err)
    end
    local handle, problem = send(self, payload, delivery)
    if not handle and problem then
      return refusals.note(self._scope, where, problem)
    end
    return handle, problem
  end
end

---All kinds of `reply_<kind>`.
reply.kinds = { "template", "text", "buttons", "list", "form", "image", "video", "document", "audio", "cta_url" }

---The usual reply: a text without options to the message that is being handled. Nothing in it can wait or be refused, so it is no call
---of its run's, and is only noted there. Nil for any other one.
---@param scope cunnekt.scope
---@param contact string
---@param to string?
---@param text any
---@return cunnekt.sent?
function reply.at_once(scope, contact, to, text)
  local turns = scope.engine.turns
  local sent = turns and turns.bare and turns.bare:say(contact, to, text)
  if sent then
    return sent
  end
  local running = task.running()
  local its_turn, current = running and running.turn, running and running.run
  if not its_turn or its_turn.turns ~= turns or scope.hooks.senders[1] or (current and not current:is_live())
    or not is_just_opened(scope, contact, its_turn) then
    return nil
  end
  local json_text = core.text_message(text, to, limits.characters.text.max, digits.min, digits.max)
  local id = json_text and scope.engine.store:take_id()
  if not id then
    return nil
  end
  local row, handle = scope.engine.outbox:new_text(contact, id, to, json_text, its_turn.record.id)
  its_turn:send_usual(row)
  if current then
    current:note_send(json_text, id)
  end
  return handle
end

---Gives chats their methods.
---@param methods table
---@param metatable table of the chats
function reply.add_to(methods, metatable)
  for _, name in ipairs(reply.kinds) do
    methods["reply_" .. name] = general_reply(name, metatable)
  end
  local in_general = methods.reply_text
  function methods.reply_text(self, text, ...)
    local is_usual = metatable_of(self) == metatable and select("#", ...) == 0 and not rawget(self, "_name")
    local handle = is_usual and reply.at_once(self._scope, self.contact, self.to, text) or nil
    if handle then
      return handle
    end
    return in_general(self, text, ...)
  end
end

return reply
