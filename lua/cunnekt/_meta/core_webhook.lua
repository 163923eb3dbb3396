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

---@param body any a decoded body
---@param decode fun(text: string): any json.decode
---@param accounts table<string, true> the fields whose changes are of kind "account"
---@param most_events? integer no bound by default
---@param most_form_values? integer in the answers of all forms together; no bound by default
---@return cunnekt.webhook.event[]? events nil: there are more
function core.parse_webhook(body, decode, accounts, most_events, most_form_values) end

---@param name? string
---@param mime_type? string
---@param id? string
---@return string
function core.safe_filename(name, mime_type, id) end

return core
