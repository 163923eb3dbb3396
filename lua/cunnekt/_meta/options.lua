---@meta
-- SPDX-License-Identifier: MIT
-- The options of what scripts call, and the events that handlers get, as classes: for editors, and for `cunnekt check`, which
-- knows no others. Never loaded. spec/cli/check/public_spec.lua compares them with what the code takes.

-- ---- the client and the bot ----------------------------------------------------------------------------------------

---What turns are stopped beyond.
---@class cunnekt.budget_options
---@field seconds? number seconds of CPU time for a turn, 0.1 to 3600; 5 by default
---@field memory? string of all of Lua, 32MB or more; "256MB" by default

---Every setting, every option of the client, and the bot's own.
---@class cunnekt.bot.options: cunnekt.client.options
---@field phone_number_id? string|integer id of the business number to write first from
---@field listen? string HOST:PORT for webhooks; "127.0.0.1:8080" by default
---@field admin? string HOST:PORT for /healthz, /readyz and /metrics; none by default
---@field webhook_path? string "/webhook" by default
---@field webhook_secret? string serves webhooks at /webhook/SECRET and nowhere else
---@field app_secret? string checks the signature of each webhook
---@field verify_token? string answers the GET handshake
---@field store? string "sqlite:FILE", "memory:" or "postgres://…"; "sqlite:cunnekt.db" by default
---@field take_over? number seconds without a sign of life after which a host that stands by takes over its database; 15 by default
---@field concurrency? integer events handled concurrently; 1000 by default
---@field queue? integer maximum of waiting events; 100000 by default
---@field grace? number seconds to finish work at a stop; 10 by default
---@field unknown? "hold"|"resend"|"fail" what to do with a message whose delivery is uncertain; "hold" by default
---@field attempts? integer per event before it becomes a dead letter; 5 by default
---@field on_failure? "wait"|"pass" whether the contact's later events wait for a retry; "wait" by default
---@field keep_days? integer days to keep dead letters and undelivered messages; 30 by default
---@field parked? integer maximum of waiting dialogs in memory; 1000 by default
---@field parked_seconds? number seconds that it is idle before a waiting dialog is evicted; 600 by default
---@field replies? "return"|"raise" what a refused reply does: returns `nil, err` (default), or raises
---@field budget? false|cunnekt.budget_options of a turn; false: none

---@class cunnekt.on_options
---@field debounce? number seconds of quiet after which a contact's texts are handled as one

---@class cunnekt.global_options
---@field even_paused? boolean it runs also while a person has taken over (chat:pause); false by default

---@class cunnekt.dialog_options
---@field unexpected? "interrupt"|"ignore"|"queue"|fun(msg: cunnekt.message) where messages go that the dialog does not wait for: to the handlers ("interrupt", default), nowhere ("ignore"), to its later waits ("queue"), or to a function
---@field expires? number seconds after which it ends when no answer comes
---@field on_change? "keep"|"restart" when the script's code changed: open dialogs go on with the old one ("keep", default) or restart
---@field migrate? fun(past: table): any gives the args with which they restart; past has name, args, answers (messages), and event, the current one

-- ---- messages ------------------------------------------------------------------------------------------------------

---The template that is sent instead when the service window is closed.
---@class cunnekt.fallback: cunnekt.template_message
---@field template_id string as shown on the dashboard

---Delivery options of a reply.
---@class cunnekt.delivery
---@field unknown? "hold"|"resend"|"fail" what to do when its delivery is uncertain; the bot's own option by default
---@field track? table returned as `status.track` with its statuses
---@field after? "accepted"|"delivered" is sent when the previous message is so far
---@field fallback? cunnekt.fallback
---@field priority? "normal"|"bulk" "bulk": all other messages pass it; "normal" by default
---@field expires? number seconds after which it is not sent any more
---@field not_before? number time in seconds since 1970
---@field send_between? cunnekt.send_hours

-- ---- questions and waits -------------------------------------------------------------------------------------------

---@alias cunnekt.answer_type "text"|"button"|"list"|"quick_reply"|"form"|"image"|"video"|"audio"|"document"|"sticker"|"location"|"contacts"|"order"|"request_welcome"|"call_permission_reply"|"unsupported"

---@class cunnekt.reminder
---@field after number seconds
---@field text string
---@field fallback? cunnekt.fallback

---What every question takes beside its content.
---@class cunnekt.question
---@field timeout? number seconds
---@field check? fun(msg: cunnekt.message): any, any whether an answer is valid: true, or false and the reply
---@field otherwise? string|fun(msg: cunnekt.message, why: any): any the reply to an invalid answer
---@field tries? integer maximum of answers
---@field accept? cunnekt.answer_type[] types of messages that answer as well; of chat:ask instead of text
---@field remind? cunnekt.reminder|cunnekt.reminder[] what is sent while there is no answer

---@class cunnekt.ask_options: cunnekt.question, cunnekt.delivery
---@class cunnekt.buttons_question: cunnekt.buttons_reply, cunnekt.question
---@class cunnekt.list_question: cunnekt.list_reply, cunnekt.question
---@class cunnekt.form_question: cunnekt.form_reply, cunnekt.question
---@class cunnekt.template_question: cunnekt.template_reply, cunnekt.question

---What a wait is for; one of these, or several.
---@class cunnekt.wait_options
---@field reply? boolean a text
---@field click? boolean of a button, also of a template's
---@field choice? boolean from a list
---@field form? boolean
---@field media? boolean image, video, audio, document or sticker
---@field any? boolean any message
---@field signal? string the name of a signal
---@field sent? cunnekt.sent a handle, until it `reaches` a state or fails
---@field reaches? "accepted"|"sent"|"delivered"|"read" "delivered" by default
---@field timeout? number seconds

---@class cunnekt.collect_options
---@field media? boolean files are collected; both by default
---@field text? boolean texts are collected; both by default
---@field quiet? number seconds without a message that end it; 5 by default
---@field max? integer of messages; 100 by default, which is the most
---@field timeout? number seconds for the first one

-- ---- what handlers get ---------------------------------------------------------------------------------------------

---@alias cunnekt.event_name "text"|"button"|"list"|"quick_reply"|"form"|"image"|"video"|"audio"|"document"|"sticker"|"location"|"contacts"|"reaction"|"order"|"system"|"edit"|"revoke"|"request_welcome"|"call_permission_reply"|"unsupported"|"sent"|"delivered"|"read"|"played"|"failed"|"account_alerts"|"account_review_update"|"account_settings_update"|"account_update"|"business_capability_update"|"business_status_update"|"business_username_update"|"flows"|"message_template_components_update"|"message_template_quality_update"|"message_template_status_update"|"messaging_handovers"|"partner_solutions"|"payment_configuration_update"|"phone_number_name_update"|"phone_number_quality_update"|"security"|"template_category_update"|"template_correct_category_detection"|"tracking_events"|"accepted"|"rejected"|"unknown_outcome"|"expired"|"window_closing"|"message"|"status"|"echo"|"call"|"payment"|"user_preferences"|"user_id_update"|"group"|"automatic_event"|"history"|"state_sync"|"account"|"error"|"unknown"|"any"

---What a bot adds to every event.
---@class cunnekt.handled
---@field chat cunnekt.chat the customer's conversation

---@class cunnekt.event.message: cunnekt.message
---@class cunnekt.event.echo: cunnekt.webhook.echo, cunnekt.handled
---@class cunnekt.event.status: cunnekt.webhook.status, cunnekt.handled
---@field track? table the option of the message

---@class cunnekt.event.payment: cunnekt.webhook.payment, cunnekt.handled
---@class cunnekt.event.call: cunnekt.webhook.call, cunnekt.handled
---@class cunnekt.event.user_preferences: cunnekt.webhook.user_preferences, cunnekt.handled
---@class cunnekt.event.user_id_update: cunnekt.webhook.user_id_update, cunnekt.handled
---@class cunnekt.event.group: cunnekt.webhook.group, cunnekt.handled
---@class cunnekt.event.automatic_event: cunnekt.webhook.automatic_event, cunnekt.handled
---@class cunnekt.event.history: cunnekt.webhook.history, cunnekt.handled
---@class cunnekt.event.state_sync: cunnekt.webhook.state_sync, cunnekt.handled
---@class cunnekt.event.account: cunnekt.webhook.account, cunnekt.handled
---@class cunnekt.event.error: cunnekt.webhook.error, cunnekt.handled
---@class cunnekt.event.unknown: cunnekt.webhook.unknown, cunnekt.handled

---The outcome of a message, and a service window that ends soon: created by the bot itself.
---@class cunnekt.event.own: cunnekt.handled
---@field kind "own"
---@field status "accepted"|"rejected"|"unknown_outcome"|"expired"|"window_closing"
---@field id? string the provider's id of the message
---@field recipient? string
---@field payload? table
---@field track? table the option of the message
---@field err? cunnekt.error
---@field ends_at? number window_closing: when it ends, in seconds since 1970

---An event of any kind, as middleware gets it.
---@class cunnekt.event.any: cunnekt.event.message, cunnekt.event.echo, cunnekt.event.status, cunnekt.event.payment, cunnekt.event.call, cunnekt.event.user_preferences, cunnekt.event.user_id_update, cunnekt.event.group, cunnekt.event.automatic_event, cunnekt.event.history, cunnekt.event.state_sync, cunnekt.event.account, cunnekt.event.error, cunnekt.event.unknown, cunnekt.event.own
