-- SPDX-License-Identifier: MIT
-- What the provider's answer to a send means. No format is documented, so this reads every one that was seen: the message
-- id in several places, a failure inside a 200, a forwarded error of Meta's, text that is not JSON, and an empty body. A
-- code decides, if there is one, otherwise the HTTP status.
--
-- A 2xx means accepted, not delivered. An answer that may mean either is "unknown_outcome": the message is not sent again.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local retry = require "cunnekt.provider.retry"
local units = require "cunnekt.time.units"
local words = require "cunnekt.base.words"

local answer = {}

-- Bytes of the body and of the provider's message that an error keeps.
local BODY_KEPT, TEXT_KEPT = 2048, 500

-- Meta's codes (https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/).
local RATE_CODES = { [130429] = true, [131056] = true, [4] = true, [80007] = true }
local RETRYABLE_CODES = { [1] = true, [2] = true, [131000] = true, [131016] = true, [131057] = true, [133004] = true }
local WINDOW_CODE = 131047
-- Meta limits marketing messages to this user: not again before a day has passed.
local HELD_BACK_CODE = 131049
-- Meta refused the provider's access token.
local TOKEN_CODE = 190

-- ---- parts of a decoded body ----------------------------------------------------------------------------------------

local function object(value)
  return type(value) == "table" and value or nil
end

-- The value at a path of up to four keys.
local function at(value, key, ...)
  value = type(value) == "table" and value[key] or nil
  if value == nil or ... == nil then
    return value
  end
  return at(value, ...)
end

local function as_id(value)
  if math.type(value) == "integer" then
    return tostring(value)
  end
  return type(value) == "string" and value ~= "" and value or nil
end

local function message_id(raw)
  return as_id(at(raw, "messages", 1, "id"))
    or as_id(at(raw, "data", "messages", 1, "id"))
    or as_id(at(raw, "data", "id"))
    or as_id(at(raw, "data", "messageId"))
    or as_id(at(raw, "data", "message_id"))
    or as_id(at(raw, "data", 1, "id"))
    or as_id(at(raw, "messageId"))
    or as_id(at(raw, "message_id"))
    or as_id(at(raw, "id"))
end

---Whether an id of a message is WhatsApp's, as webhooks have it. It is not documented that the one in an answer is.
---@param id string
---@return boolean
function answer.is_wamid(id)
  return id:sub(1, 6) == "wamid."
end

-- Whether an error field reports one: `"error": false`, `""`, `0`, `null` and `[]` mean none.
local function holds_error(value)
  if type(value) == "table" then
    return next(value) ~= nil
  end
  return value ~= nil and value ~= json.null and value ~= false and value ~= "" and value ~= 0 and value ~= "false"
end

local FAILED = { error = true, errors = true, failed = true, fail = true, failure = true, ["false"] = true }

local function says_failed(status)
  if type(status) == "string" then
    return FAILED[status:lower()] or false
  end
  return status == false or (type(status) == "number" and status >= 400 and status < 600)
end

-- The object that reports the failure: the body itself, or the `data` in it.
local function reports_failure(part)
  return says_failed(part.status)
    or part.success == false
    or part.success == "false"
    or holds_error(part.error)
    or holds_error(part.errors)
end

local function failure_part(raw)
  if reports_failure(raw) then
    return raw
  end
  local data = object(raw.data)
  return data and reports_failure(data) and data or nil
end

local function as_code(value)
  return math.tointeger(tonumber(value))
end

-- Some gateways forward Meta's error as a string of JSON.
local function opened(value)
  if type(value) == "string" and value:find "^%s*{" then
    local inner = json.decode(value)
    return object(inner) and (object(inner.error) or inner) or value
  end
  return value
end

local function first_text(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "string" and value:find "%S" then
      return value
    end
  end
end

-- The code and the text of a failure, from all places where they were seen.
local function explained(part)
  local inner = opened(holds_error(part.error) and part.error or at(part, "errors", 1) or part.message)
  local from = object(inner) or {}
  local code = as_code(from.code) or as_code(part.error_code) or as_code(part.code)
  local text = first_text(
    from.message,
    from.title,
    from.msg,
    type(inner) == "string" and inner or nil,
    part.message,
    part.msg,
    part.errors,
    type(part.error) == "string" and part.error or nil
  )
  local details = first_text(at(from, "error_data", "details"), from.details)
  if details and details ~= text then
    text = text and text .. ": " .. details or details
  end
  return code, text
end

-- ---- what a failure is ----------------------------------------------------------------------------------------------

local function is_auth_text(text)
  local lower = text and text:lower() or ""
  -- Not the bare word "authentication", which is also a category of templates.
  return lower:find "authentication%s+error" or lower:find "authentication%s+fail" or lower:find "api[ _-]?key"
    or lower:find "unauthori[sz]ed"
end

-- Codes below 1000 can be an HTTP status repeated in the body; only Meta's own small ones count.
local function is_metas(code)
  return code and (code >= 1000 or RATE_CODES[code] or RETRYABLE_CODES[code] or code == TOKEN_CODE)
end

-- The kind, whether a retry may succeed, and seconds to wait where the code implies them.
local function by_code(code)
  if RATE_CODES[code] then
    return "rate_limited", true
  elseif RETRYABLE_CODES[code] then
    return "rejected", true
  elseif code == WINDOW_CODE then
    return "window_closed", false
  elseif code == TOKEN_CODE then
    return "auth", false
  elseif code == HELD_BACK_CODE then
    return "rejected", false, units.day
  end
  return "rejected", false
end

---The kind of a failure that a status reports: the provider had accepted the message, and WhatsApp did not deliver it.
---@param code integer?
---@return "window_closed"|"rejected"
function answer.kind_of_failure(code)
  return code == WINDOW_CODE and "window_closed" or "rejected"
end

-- What browsers are shown: a maintenance page, or one of a proxy that has not asked the API.
local function is_page(body)
  return body:find "^%s*<" ~= nil
end

local function by_status(status, is_of_page)
  if status == 401 or status == 403 then
    return "auth", false
  elseif status == 429 then
    return "rate_limited", true
  elseif status == 503 then
    -- "Temporarily unable": the one 5xx that says that the request was not handled.
    return "http", true
  elseif status >= 500 or status == 408 or status == 303 then
    -- The request was written completely. The provider may have forwarded the message before it failed, or may still
    -- forward it after a proxy gave up; 303 says where the result of a request is that was handled.
    return "unknown_outcome", false
  elseif status < 400 or (is_of_page and (status == 404 or status == 405)) then
    -- Sent elsewhere, or to nobody: it is the address that was refused, and no message. A web server that has only a page
    -- answers 405 to a POST.
    return "http", false
  end
  return "rejected", false
end

local function shortened(text, most)
  if #text <= most then
    return text
  end
  -- Not in the middle of a character.
  return text:sub(1, (utf8.offset(text, 0, most + 1) or most + 1) - 1)
end

-- The status of a failure: its own, or the one that the body of a 200 repeats as a code.
local function status_meant(status, code)
  if status >= 300 then
    return status
  end
  return code and code >= 400 and code < 600 and code or 400
end

-- The error, and what the provider says, which it may hold only after `fitted`.
local function refusal(status, headers, body, raw, code, text)
  local kind, is_retryable, wait
  if is_metas(code) then
    kind, is_retryable, wait = by_code(code)
  elseif is_auth_text(text) then
    kind, is_retryable = "auth", false
  else
    kind, is_retryable = by_status(status_meant(status, code), not raw and is_page(body))
  end
  return errors.new(kind, ("the provider answered with HTTP status %d"):format(status), {
    status = status,
    code = code,
    retryable = is_retryable,
    retry_after = retry.after(headers) or wait,
    body = body,
    raw = raw,
  }), text
end

---How an answer becomes fit for an error, which is logged. It may repeat what was sent: the key in a header, the
---recipient's number and the words of the message.
---@class cunnekt.answer.cleaner
---@field without_key fun(value: any): any of a text, or of all texts in a table
---@field sentence fun(text: string, subject: any): string a text without what is the customer's

-- Cleaned first and shortened afterwards: the half of a key is found by nobody. A sentence without its escapes may show a
-- key that was behind them.
local function fitted(err, text, cleaner, subject)
  if cleaner then
    text = text and cleaner.without_key(cleaner.sentence(cleaner.without_key(text), subject))
    err.body, err.raw = cleaner.without_key(err.body), cleaner.without_key(err.raw)
  end
  err.body = shortened(err.body, BODY_KEPT)
  err.message = text and shortened(text, TEXT_KEPT) or err.message
  if err.kind == "unknown_outcome" then
    err.message = err.message .. "; the message may have been accepted all the same, and is not sent again"
  end
  return err
end

-- ---- reading --------------------------------------------------------------------------------------------------------

-- Plain text that is short and begins as an error does.
local function text_failure(body)
  local text = words.trim(body)
  local lower = text:lower()
  if #text <= 200 and (is_auth_text(text) or lower:find "^error" or lower:find "^fail" or lower:find "^invalid") then
    return text
  end
end

-- A page, or truncated JSON: a 2xx, but no confirmation that the provider has the message.
local function is_doubtful(body)
  if is_page(body) then
    return "a page"
  elseif body:find "^%s*[{%[]" and (body:find('"error', 1, true) or body:find('"fail', 1, true)) then
    return "truncated JSON"
  end
end

local function read_text(status, headers, body)
  local text = text_failure(body)
  if text or status >= 300 then
    return nil, refusal(status, headers, body, nil, nil, text)
  end
  local doubt = is_doubtful(body)
  if doubt then
    local fields = { status = status, retryable = false, body = body }
    return nil, errors.new("unknown_outcome", "the provider answered with " .. doubt, fields)
  end
  return { status = status, body = body }
end

-- The failure that a decoded body reports, and what the provider says of it; nil when it reports none.
local function failure(status, headers, body, raw)
  -- A list of answers, one for the one message.
  local whole = object(raw[1]) or raw
  local part = failure_part(whole)
  local id = message_id(whole)
  if not part and not id then
    local code, text = explained(whole)
    if is_metas(code) or (code and code >= 400 and code < 600) or is_auth_text(text) then
      part = whole
    end
  end
  if not part and status < 300 then
    return nil
  end
  local code, text = explained(part or whole)
  -- {"status": 401, "message": …} with HTTP status 200.
  code = code or (part and as_code(part.status))
  return refusal(status, headers, body, raw, code, text)
end

---The failure that a decoded body reports, whatever the HTTP status is.
---@param status integer
---@param headers table<string, string>
---@param body string
---@param raw table the decoded body
---@param cleaner? cunnekt.answer.cleaner
---@return cunnekt.error? err nil when it reports none
function answer.failure(status, headers, body, raw, cleaner)
  local err, text = failure(status, headers, body, raw)
  return err and fitted(err, text, cleaner)
end

---@class cunnekt.sent_answer
---@field message_id? string absent when the provider gave none
---@field status integer HTTP status
---@field body string
---@field raw? any the decoded body, when it is JSON
---@field attempts? integer how often it was tried, set by the client

---Reads the usual answer: the one of Meta to a message that it took.
---@param status integer HTTP status
---@param body string
---@return cunnekt.sent_answer? sent nil: it is another one, for `answer.read`
function answer.read_usual(status, body)
  local id, raw = nil, nil
  if status < 300 then
    id, raw = core.accepted_id(body, true)
  end
  return id and { message_id = id, status = status, body = body, raw = raw } or nil
end

---Reads the answer to a send.
---@param status integer HTTP status
---@param headers? table<string, string> with lower-case names
---@param body? string
---@param cleaner? cunnekt.answer.cleaner
---@param subject? any for the cleaner: what was sent
---@return cunnekt.sent_answer? sent
---@return cunnekt.error? err `message` is fit for a log; `body` and `raw` are what the provider said, but for the key
function answer.read(status, headers, body, cleaner, subject)
  headers, body = headers or {}, body or ""
  local raw = body:find "^[\xEF\xBB\xBF%s]*[{%[]" and json.decode(body) or nil
  if not object(raw) then
    local sent, err, text = read_text(status, headers, body)
    return sent, err and fitted(err, text, cleaner, subject)
  end
  local err, text = failure(status, headers, body, raw)
  if err then
    return nil, fitted(err, text, cleaner, subject)
  end
  return { message_id = message_id(object(raw[1]) or raw), status = status, body = body, raw = raw }
end

return answer
