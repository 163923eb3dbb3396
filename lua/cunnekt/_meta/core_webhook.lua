---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- JSON and webhooks in `cunnekt.core`: for base/json.lua and provider/webhook.lua alone. See core.lua.

---@class cunnekt.core
local core = {}

---JSON around lua-cjson's two functions, mended: see cunnekt.json.
---@param cjson_decode fun(text: string): any
---@param cjson_encode fun(value: any): string
---@param new_error fun(kind: string, message: string): cunnekt.error
---@return fun(text: string): any, cunnekt.error? decode
---@return fun(value: any): string encode
---@return fun(text: string, most: integer): any, cunnekt.error? decode_bounded
function core.json_codec(cjson_decode, cjson_encode, new_error) end

---@param body string
---@param accounts table<string, true> the fields whose changes are of kind "account"
---@param new_error fun(kind: string, message: string): cunnekt.error
---@param is_raw_later? boolean an event that is alone in the body has `_body` instead of `raw`
---@param most_values? integer in the body, and again in the answers of all its forms; no bound by default
---@param most_events? integer no bound by default
---@return cunnekt.webhook.event[]? events nil without an error: there are more events, or more values in forms
---@return cunnekt.error? err the body is not JSON, or has more values: as json.decode_bounded says it
function core.parse_webhook(body, accounts, new_error, is_raw_later, most_values, most_events) end

---@param name? string
---@param mime_type? string
---@param id? string
---@return string
function core.safe_filename(name, mime_type, id) end

return core
