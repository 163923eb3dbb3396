-- SPDX-License-Identifier: MIT
-- The checks that the builders use. Each raises a cunnekt.error of kind "invalid" with the path of the field; only
-- `check.attempt` catches it. It then runs the builder again, and the checks note what they find and give nil: so all mistakes of a
-- message are known at once, and a right one costs nothing. No error repeats a value, which may be a customer's text. The limits are in limits.lua.

local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"

local check = {}

-- Mistakes of one message that are told; who has more of them has read enough.
local max_mistakes = 10

-- What a second run finds, while there is one: errors, and by field, of which only the first counts.
---@type {[integer]: cunnekt.error, seen: table<string, boolean>}?
local noted

local function note(err)
  local field = err.field or ""
  if not noted.seen[field] then
    noted.seen[field], noted[#noted + 1] = true, err
  end
  if #noted == max_mistakes then
    error(err, 0)
  end
end

-- What else is wrong with a message. What cannot be checked behind a mistake ends the search.
local function others(fn, first, ...)
  noted = { seen = { [first.field or ""] = true } }
  pcall(fn, ...)
  local found = noted
  noted, found.seen = nil, nil
  return found[1] and found or nil
end

---Runs a function and turns the error of a check into `nil, err`; other errors are raised again. The function is run twice then, for
---`err.more`.
---@param fn function
---@param ... any
---@return any? result
---@return cunnekt.error? err
function check.attempt(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then
    return result
  end
  if errors.is(result) then
    if result.field then
      result.more = others(fn, result, ...)
    end
    return nil, result
  end
  error(result, 0)
end

---Raises an error of kind "invalid", or notes it. Callers give nil then, or go on with what they have.
---@param field string
---@param message string
function check.fail(field, message)
  local err = errors.new("invalid", message, { field = field })
  if noted then
    return note(err)
  end
  error(err, 0)
end

---Returns the value of a `value | nil, err`, or raises the error, or notes it.
---@generic T
---@param value T?
---@param err cunnekt.error?
---@return T?
function check.pass(value, err)
  if value == nil then
    if noted then
      return note(err)
    end
    error(err, 0)
  end
  return value
end

local function is_absent(value)
  return value == nil or value == json.null
end

---@param field string
---@param value any
---@return table
function check.table(field, value)
  if is_absent(value) then
    return check.fail(field, field .. " is missing")
  end
  if type(value) ~= "table" then
    return check.fail(field, ("%s must be a table, got %s"):format(field, type(value)))
  end
  return value
end

-- The lists are short.
local function is_among(list, wanted)
  for i = 1, #list do
    if list[i] == wanted then
      return true
    end
  end
  return false
end

---Raises for unknown keys.
---@param prefix string path of the table with its dot, or ""
---@param value table
---@param known string[]
function check.keys(prefix, value, known)
  for key in pairs(value) do
    if not is_among(known, key) then
      local path = prefix .. tostring(key)
      local near = type(key) == "string" and options.suggest(key, known)
      local hint = near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(known, ", ")
      check.fail(path, ("%s is unknown (%s)"):format(path, hint))
    end
  end
end

---A string that may be empty or absent.
---@param field string
---@param value any
---@param limit? string name of a limit of `limits.characters`
---@return string?
function check.optional_text(field, value, limit)
  if is_absent(value) then
    return nil
  end
  if type(value) ~= "string" then
    local is_message = type(value) == "table" and (getmetatable(value) or {}).__name == "cunnekt.message"
    return check.fail(field, ("%s must be a string, got %s"):format(field, is_message and "a message" or type(value)))
  end
  local rule = limits.characters[limit]
  if rule and (utf8.len(value) or rule.max) < (rule.warn or rule.max) then
    return value -- well within the limit
  elseif limit then
    check.pass(limits.check(limit, field, value))
  else
    check.pass(limits.length(field, value))
  end
  return value
end

---A string that is not blank.
---@param field string
---@param value any
---@param limit? string name of a limit of `limits.characters`
---@return string
function check.text(field, value, limit)
  local text = check.optional_text(field, value, limit)
  if not text then
    return check.fail(field, field .. " is missing")
  elseif not text:find "%S" then
    check.fail(field, field .. " is empty")
  end
  return text
end

---The id of a choice: a string that is not blank, and neither begins nor ends so.
---@param field string
---@param value any
---@param limit string name of a limit of `limits.characters`
---@return string
function check.id(field, value, limit)
  local text = check.text(field, value, limit)
  if text and text:find "%S" and (text:find "^%s" or text:find "%s$") then
    check.fail(field, field .. " begins or ends with a blank, which WhatsApp does not allow")
  end
  return text
end

-- Line breaks: of ASCII, and NEL, LINE SEPARATOR and PARAGRAPH SEPARATOR.
local breaks = { "[\n\v\f\r]", "\u{85}", "\u{2028}", "\u{2029}" }

local function has_break(text)
  for i = 1, #breaks do
    if text:find(breaks[i]) then
      return true
    end
  end
  return false
end

---A title, label or header: a string that is not blank and has one line only.
---@param field string
---@param value any
---@param limit? string name of a limit of `limits.characters`
---@return string
function check.line(field, value, limit)
  local text = check.text(field, value, limit)
  if text and text:find "[\n-\r\xC2\xE2]" and has_break(text) then
    check.fail(field, field .. " has a line break; WhatsApp allows one line")
  end
  return text
end

---A value for a variable of a template. WhatsApp refuses what would change the template's layout.
---@param field string
---@param value any
---@param limit? string name of a limit of `limits.characters`
---@return string
function check.parameter(field, value, limit)
  local text = check.text(field, value, limit)
  if not text then
    return nil
  elseif has_break(text) then
    check.fail(field, field .. " has a line break; WhatsApp allows none in a template's parameter")
  elseif text:find("\t", 1, true) then
    check.fail(field, field .. " has a tab; WhatsApp allows none in a template's parameter")
  elseif text:find((" "):rep(limits.parameter_blanks + 1), 1, true) then
    local most = limits.parameter_blanks
    check.fail(field, ("%s has more than %d blanks in a row, which WhatsApp allows in a template's parameter"):format(field, most))
  end
  return text
end

-- Endings of the files that WhatsApp shows; none of them is a domain's.
local is_ending = {
  png = true, jpg = true, jpeg = true, gif = true, webp = true, mp4 = true, ["3gp"] = true, mp3 = true, ogg = true, opus = true, aac = true,
  amr = true, m4a = true, wav = true, pdf = true, doc = true, docx = true, xls = true, xlsx = true, ppt = true, pptx = true, txt = true, csv = true,
}

-- Whether what has no scheme is a path: ./menu.png, /srv/menu.png, images/menu.png, menu.png.
local function is_path(url)
  local first, slash = url:match "^([^/?#]*)(/?)"
  if url:find "^[./~]" or url:find("\\", 1, true) or (slash == "/" and not first:find(".", 1, true)) then
    return true
  end
  local ending = slash == "" and first:match "%.(%w+)$"
  return ending and is_ending[ending:lower()] or false
end

---A web address. Only what no server accepts is refused, since the provider fetches it, not this program: another scheme than
---the web's, no host, a path of this machine. Cunnekt's own samples have words in place of addresses, so another one without any
---scheme is a warning.
---@param field string
---@param value any
---@return string
function check.url(field, value)
  local url = check.text(field, value)
  if not url then
    return nil
  end
  local bad = url:find "[%c ]"
  if bad then
    check.fail(field, ("%s holds a space or a control character at byte %d; write it as %%20"):format(field, bad))
  end
  local scheme = url:match "^(%a[%w+-]*):"
  if scheme and not url:find "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]" then
    check.fail(field, field .. " is not a web address, which begins with https:// or http:// and a host")
  elseif not scheme and is_path(url) then
    check.fail(field, field .. " is a path of this machine, not a web address")
  elseif not scheme then
    limits.warn_once("url_scheme", field .. " does not begin with https://; WhatsApp may refuse it")
  elseif url:find "^https?://drive%.google%.com/file/" then
    limits.warn_once("drive_link", field .. " is a page that shows a file, not the file itself; WhatsApp may refuse it")
  end
  return url
end

---Iterates over a list whose items are tables; others are passed over when they have been noted.
---@param field string
---@param value any
---@param limit string name of a limit of `limits.items`
---@return fun(): integer?, table? iterator
function check.list(field, value, limit)
  local count = check.sequence(field, value)
  check.pass(limits.check_items(limit, field, count))
  local i = 0
  return function()
    while i < count do
      i = i + 1
      local item = check.table(("%s[%d]"):format(field, i), value[i])
      if item then
        return i, item
      end
    end
  end
end

---The length of a list; raises for holes and other keys.
---@param field string
---@param value any
---@return integer
function check.sequence(field, value)
  local count = 0
  if not check.table(field, value) then
    return count
  end
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 then
      check.fail(field, ("%s must be a list, but has the key '%s'"):format(field, tostring(key)))
    end
    count = count + 1
  end
  if count ~= #value then
    check.fail(field, field .. " must be a list without holes")
  end
  return count
end

return check
