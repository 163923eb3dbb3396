---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- What core.lua leaves to this file: messages of the outbox, their handles, and bare turns (src/bind/engine/row.h, outbox.h, turn.h).

---@class cunnekt.core
---@field bulk_lane string what the keys of lanes of bulk messages begin with
local core = {}

-- ---- messages ----------------------------------------------------------------------------------------------------------

---A message of the outbox, of these fields.
---@param fields table
---@return cunnekt.outbox.row
function core.row(fields) end

---Sets what reads the JSON of messages, for their `payload` and that of their handles.
---@param decode fun(text: string): any
function core.read_payloads(decode) end

---A handle, as a reply returns it.
---@param payload table
---@return cunnekt.sent
function core.sent(payload) end

---Sets what handles can do.
---@param methods table<string, function>
---@param tostring fun(handle: cunnekt.sent): string
---@param read fun(handle: cunnekt.sent, name: "state"|"message_id"|"err"): any gives scripts a field that changes by itself
function core.sent_methods(methods, tostring, read) end

---A field as it is now, whoever reads it.
---@param handle cunnekt.sent
---@param name "state"|"message_id"|"err"
---@return any
function core.sent_now(handle, name) end

-- ---- the outbox --------------------------------------------------------------------------------------------------------

---What each message needs of the outbox. It owns the lanes. `parts`: the user values that outbox.h names, of which the functions are
---asked in rare cases; the function `on_outcome` of delivery.c is set in them.
---@param parts table
---@return cunnekt.core_outbox outbox
---@return table<integer, cunnekt.sent> by_id handles that somebody holds, by their messages' ids
---@return table<string, cunnekt.sent> by_message_id the same by the provider's ids
function core.outbox(parts) end

---@class cunnekt.core_outbox
local outbox = {}

---A row and a handle for the usual message: a text without options.
---@param contact string
---@param id integer
---@param to string
---@param text string the payload as JSON
---@param event? integer whose turn sends it
---@return cunnekt.outbox.row
---@return cunnekt.sent
function outbox:new_text(contact, id, to, text, event) end

---The same for any other payload.
---@param contact string
---@param id integer
---@param payload table
---@return cunnekt.outbox.row
function outbox:new_row(contact, id, payload) end

---Lets a row pass the gate of the lanes: takes its permit.
---@param row cunnekt.outbox.row
---@return number? seconds until there may be one; nil: it may go
---@return boolean? is_for_all
function outbox:pass(row) end

---Decides about the rows of a turn, see engine/outbox.lua.
---@param rows cunnekt.outbox.row[]
function outbox:mark(rows) end

---Takes the rows of a committed turn.
---@param rows cunnekt.outbox.row[]
function outbox:enqueue(rows) end

---Sends a row that was started, and waits for nothing else.
---@param row cunnekt.outbox.row
function outbox:send(row) end

---Ends a row's request, if it is C's.
---@param row cunnekt.outbox.row
---@return boolean has_ended
function outbox:cancel(row) end

---The handle of a contact's last message, if that is one of the recent ones.
---@param contact string
---@return cunnekt.sent?
function outbox:last_of(contact) end

---What was sent to one contact was sent to the other.
---@param from string
---@param to string
function outbox:join_recent(from, to) end

---From now on nothing is written.
function outbox:stop() end

-- ---- the inbox ---------------------------------------------------------------------------------------------------------

---Webhooks on their way into the store, and new events into their lanes. `parts`: the user values that inbox.c names, of which the
---functions are asked in rare cases; `capacity`: maximum of waiting events; `accept`: core.accept_webhook; `minds_mail`: whether other hosts
---may take webhooks, which come first.
---@param parts table
---@return cunnekt.core_inbox
function core.inbox(parts) end

---@class cunnekt.core_inbox
local inbox = {}

---Stores the events of a webhook, then queues the new ones.
---@param body string
---@param done fun(err: cunnekt.error?, subject: any)
---@param subject any
---@param mail? integer|false the id of the letter that it is, if another host has taken it; false: it came after all mail that waits
---@return boolean? is_taken nil: nothing is stored, and `done` is not called
---@return boolean|string is_whole whether its letter goes with its events, for they are stored as a whole; or a message
---@return string? code as of core.accept_webhook
function inbox:accept(body, done, subject, mail) end

---Queues stored records.
---@param records cunnekt.inbox.record[] in order of acceptance
function inbox:enqueue(records) end

---How many more events may be accepted.
---@return integer
function inbox:room() end

---Notes that so many events are there by now, or were not stored.
---@param count integer
function inbox:ended(count) end

-- ---- bare turns --------------------------------------------------------------------------------------------------------

---Runs the turns of events that need nothing but their handlers and usual replies; the others stay with the function of
---lanes:connect. `parts`: the user values that turn.h names; `most_characters`, `least_digits`, `most_digits` and `window` (seconds) of
---such replies.
---@param parts table
---@return cunnekt.bare_turns
function core.bare_turns(parts) end

---@class cunnekt.bare_turns
local bare_turns = {}

---Replies with a text in the running turn.
---@param contact string
---@param to string
---@param text any
---@return cunnekt.sent? handle nil where that turn is no bare one of this contact, or the text is not as usual
function bare_turns:say(contact, to, text) end

---The number of bare turns that are open.
---@return integer
function bare_turns:count() end

return core
