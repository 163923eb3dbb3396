---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- JSON and webhooks in `cunnekt.core`: for base/json.lua and provider/webhook.lua alone. See core.lua.

---@class cunnekt.core
local core = {}

---JSON around lua-cjson's two functions, mended: see cunnekt.json.
---@param cjson_decode fun(text: string): any
---@param new_error fun(kind: string, message: string): cunnekt.error
---@return fun(text: string): any, cunnekt.error? decode
---@return fun(text: string, most: integer): any, cunnekt.error? decode_bounded
function core.json_codec(cjson_decode, new_error) end

---@return fun(value: any): string encode see cunnekt.base.json
function core.json_encoder() end

---The last four are the names that the members of an outcome have in its text.
---@param bytes_key string
---@param value string
---@param raised string
---@param at string
---@param is_commit string
---@return fun(value: any): string write see cunnekt.engine.journal
---@return fun(outcome: cunnekt.dialog.outcome): string encode
function core.journal_encoder(bytes_key, value, raised, at, is_commit) end

---@param value any
---@return string text see cunnekt.base.canonical
function core.canonical(value) end

---@param kind string
---@param subject any
---@return string mark see formats.step_kinds
function core.step_mark(kind, subject) end

---The mark of a step about `{ value, false }`, where `text` is the value as JSON.
---@param kind string
---@param text string
---@return string mark
function core.step_mark_of_json(kind, text) end

---@param body string
---@param is_raw_later? boolean an event that is alone in the body has `_body` instead of `raw`
---@param is_bounded? boolean as for a body from outside: see src/webhook/webhook.h
---@return cunnekt.webhook.event[]? events
---@return "invalid"|"too_large"|nil kind "invalid": the body is not JSON; "too_large": a bound is broken
---@return string? message as json.decode_bounded says it
function core.parse_webhook(body, is_raw_later, is_bounded) end

---Reads a body, within its bounds, and gives its events to the store: a call of the store for each thousand of them. `done` is called
---for each call, after its commit: with the records of its new events, in order, and the verb's `joins`; or with nil, and what the
---store's function for failures makes of the failure.
---@param store cunnekt.store
---@param body string
---@param room integer more events are refused
---@param describe fun(event: cunnekt.webhook.event, batch: table?): string?, string?, string? asked only of an event that is known by its content, that is a failure, or that is one of several: its key, its body (of one of several) and the reason of the failure. `batch` is a table of that body's own where there are several
---@param is_same fun(a: string, b: string): boolean whether two numbers, which differ, are one customer's; seldom asked
---@param done fun(fresh: cunnekt.inbox.record[]?, joins: integer|any)
---@param is_heard? fun(status: string): boolean asked of each status but "failed": whether anybody hears of it; where nobody does, and the message is found, nothing is stored of it but that, and its record has the id 0
---@param mail? boolean|integer true: the calls fail with the code "mail" while webhooks that other hosts have taken wait; the id of such a one, which goes with its events where they are one call
---@return integer? events nil: nothing is stored, and `done` is not called
---@return integer|string calls taken by the store, or why none was
---@return string? message why the next call was not taken, or the code
---@return string? code "invalid", "too_large", "no_room", "no_memory", "busy", "closed"
function core.accept_webhook(store, body, room, describe, is_same, done, is_heard, mail) end

---The key by which an event is known when it comes again, of a kind that has ids.
---@param event cunnekt.webhook.event
---@return string? key nil: it has no id, or is known by its content
function core.webhook_key(event) end

---Whether a customer wrote to the business alone something new, at a time that is known.
---@param event cunnekt.webhook.event
---@return boolean
function core.webhook_is_inbound(event) end

---The fields of webhooks that are about the account.
---@return string[]
function core.account_types() end

---Types of messages with which a customer says nothing new.
---@return string[]
function core.remark_types() end

---How far an accepted message is, by the name of its state.
---@return table<string, integer>
function core.status_ranks() end

---@param name? string
---@param mime_type? string
---@param id? string
---@return string
function core.safe_filename(name, mime_type, id) end

return core
