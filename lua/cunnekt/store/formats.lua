-- SPDX-License-Identifier: MIT
-- Every persisted format: the names and forms that databases of customers hold. None may be renamed or given another
-- meaning without a migration (src/store/sql/schema.sql), because an older version wrote what this one reads. A new one is added
-- here. It writes and reads nothing itself; spec/store/formats_spec.lua compares it with the code, and pins the bytes.

local core = require "cunnekt.core"
local status = require "cunnekt.provider.status"

local formats = {}

---The version of the store. What each column holds is said in src/store/sql/schema.sql.
formats.schema_version = core.store_version

-- ---- events: event.body, dead.body, kept.bodies, kept_event.body, and journals -------------------------------------------------------

---The first byte of the body of an event of our own; JSON follows. No webhook begins with it.
formats.own_mark = "\1"

---The `kind` of such an event.
formats.own_kind = "own"

---Its `status`, and the other fields that are read again. Those that a script can hear are public names as well.
---@type table<string, string[]>
formats.own_events = {
  accepted = { "id", "recipient", "track", "payload" },
  rejected = { "recipient", "track", "payload", "err" },
  unknown_outcome = { "recipient", "track", "payload", "err" },
  expired = { "recipient", "track", "payload", "err" },
  window_closing = { "recipient", "ends_at" },
  dialog_start = { "name", "to", "args", "replace" },
  dialog_again = { "run", "seed", "from" },
  dialog_signal = { "name", "value", "expires" },
  dialog_timeout = { "run", "seed", "n" },
  dialog_sent = { "run", "sent" },
  dialog_unsent = { "sent", "err" },
  dialog_resume = { "run", "seed" },
  dialog_retry = { "run", "seed" },
}

-- The body of every other event is a webhook with this event alone (provider/webhook.lua, `wrap`). The table `seen` holds
-- digests of `webhook.dedupe_key`, and all tables name a conversation as provider/identity.lua writes its key.

-- ---- dialogs: dialog.name, dialog.args, dialog.waiting, dialog.error, dialog.code ------------------------------------

---The run of an event through the handlers, as long as no handler of it is known to be the one that waits.
formats.handler_run = "on:event"

---The name of a handler: its place among those of bot:on, and what it hears.
formats.handler_name = "on:%d:%s"

---The name of a handler of bot:global: the word in small letters.
formats.global_name = "global:%s"

---Tells these names from those of dialogs, which may not begin with letters and a colon.
formats.handler_pattern = "^%a+:"

---The fields of JSON objects. A handler's args, instead of the list of one value that a dialog's are:
formats.handler_args = { "bodies", "track", "stale", "rules" }
---What a dialog waits for. `due` is read by SQL, too (src/store/sql/writes.sql, resume_dues). No part of the wait's mark are
---`question`, the message that asks; `asked`, the messages of a question that may be answered by a tap; and `expires`, which is true
---where the dialog ends when it is due.
formats.waiting = { "types", "signal", "sent", "reaches", "due", "from", "question", "n", "asked", "expires" }
---Why a dialog was set aside; and with which script it is to go on: "new" or "own", if an operator wants it to.
formats.broken = { "message", "shown", "step", "was", "is_now", "seq", "mend" }

---Digests of what the dialog does and of its script's files (dialog/engine/code.lua). The second one is the key of the
---table `code`, which holds a script as JSON with these fields (dialog/engine/source.lua).
formats.code = "%s.%s"
formats.source = { "main", "files", "modules" }

-- ---- journals: step.mark, step.result ------------------------------------------------------------------------------

---Kinds of steps, each the first word of a mark: what was done. The rest of a mark is canonical text (base/canonical.lua)
---of what the step was about; the text of a long one is cut, and its digest follows (dialog/engine/run.lua).
---@type table<string, string>
formats.step_kinds = {
  add = "bot.store:add",
  back = "chat:back of somebody else than the dialog",
  cancel = "chat:cancel",
  client = "a call of cunnekt.client",
  download = "a download",
  each = "bot.store:each, a page",
  flush = "chat:flush",
  get = "bot.store:get",
  getenv = "os.getenv",
  http = "a request of cunnekt.http",
  increment = "bot.store:increment",
  job = "bot:after, every, daily or cron",
  ["job off"] = "bot:cancel_job",
  keys = "bot.store:keys",
  mended = "no step of the script: the journal was cut here for a new script",
  known = "bot:chat, start or signal with a number that may be two: whether one of them has written",
  pause = "chat:pause",
  person = "chat.number, user_id, name, username",
  resume = "chat:resume",
  resumed = "no step of the script: it went on here after a crash or chat:back, at the time that this is",
  send = "a reply: a message for the outbox",
  sent = "sent:wait",
  ["sent field"] = "a field of what a reply returned that changes by itself was read",
  set = "bot.store:set and delete",
  signal = "bot:signal",
  sleep = "cunnekt.sleep",
  start = "bot:start",
  state = "the state of a conversation was read",
  step = "chat:step",
  wait = "chat:wait, chat:sleep, and the wait of a question",
  watch = "chat:watch_window",
  window = "chat:window",
}

---The keys of what came of a step: its value, or what it raised; the time after it; whether the turn was committed with it.
formats.outcome = { value = "v", raised = "e", at = "at", is_commit = "c" }

---The only key of an object that stands for bytes which are not UTF-8, in base64.
formats.bytes_key = "\1base64"

---The only key of an object that stands for several results of a chat:step: a list with an entry for each, which is a list of the
---value, an empty list for nil, or an object with this key for an error. One result is itself.
formats.results_key = "\1results"
formats.result_error = "err"

---The values of those steps that the engine reads again, by kind: their fields.
---@type table<string, string[]>
formats.step_results = {
  each = { "rows", "next" },
  send = { "id", "err" },
  sent = { "state", "message_id", "err" },
  ["sent field"] = { "v", "err" },
  wait = { "bodies", "from", "state", "message_id", "unsent", "again", "rules" },
}

---The rules by which the script first handled the event of a handler's args, or of a wait's value: a replay handles it alike.
---Without a number they are the first ones: words are compared in small letters of ASCII alone, and bot:use wraps no bot:global.
---Since 3 a command may have signs around it, as "Stop!".
formats.rules, formats.first_rules, formats.sign_rules = 3, 1, 3

---The value of a step that asked something outside (client, download, http, sleep); and an error in a journal, which is a
---failure of a known kind, or any other value.
formats.call_result = { "v", "err" }
formats.packed_error = { "err", "value" }

---The seed of a run's chance: chance, time and id. Its draws are digests of their number and the seed.
formats.seed = "%.17g %.17g %d"
formats.draw = "%d %s"

-- ---- messages: outbox.state, sent.rank, policies ----------------------------------------------------------------------

---Owned by provider/status.lua: the states of a message in the outbox, and how far an accepted one is, whose state is -1
---there as long as its content is kept.
formats.outbox_states = status.outbox_numbers
formats.ranks = status.ranks

---outbox.unknown, what to do when the delivery is uncertain; outbox.follows, what the message before must have reached.
formats.unknown_policies = { "hold", "resend", "fail" }
formats.follows = { "accepted", "delivered" }

-- ---- jobs: job.spec, job.catch_up ------------------------------------------------------------------------------------

---Owned by jobs/timing.lua: the timing of a job as text, by which it is known again. The last one names a zone, or "here".
formats.timings = { after = "after %.17g", every = "every %.17g", cron = "cron %s @ %s" }

---outbox.hours: the hours of the day in which a message may be sent.
formats.hours = { "from", "to", "tz" }

---What is done about due times that were missed.
formats.catch_up = { "skip", "once", "all" }

return formats
