-- SPDX-License-Identifier: MIT
-- Takes numbers, ids, known texts and secrets out of sentences that others wrote: a provider that repeats what it refuses,
-- a script's error. What we write ourselves is never searched; it is built without them. Which texts are a customer's is
-- provider/personal.lua's business.

local readable = require "cunnekt.base.readable"
local words = require "cunnekt.base.words"

local redact = {}

-- A run of this many digits may be a telephone number, the shortest of which have seven. Of one up to `max_hidden` no digit
-- is shown.
local min_digits, max_hidden = 7, 8
-- Bytes: a shorter text also occurs in words that are not the customer's, and a shorter secret is one that protects nothing.
local min_text, min_secret = 4, 8
-- Bytes of a run that a sentence has in common with a text, which may have been cut off or continued.
local min_run = 12
-- Bytes of a sentence that are looked at; what is longer is a page, and nothing of the rest is kept.
local max_sentence = 4096

---@param number string a telephone number or user id
---@return string
function redact.number(number)
  if #number <= max_hidden then
    return "…"
  end
  return number:sub(1, 4) .. "…" .. number:sub(-2)
end

---@param id string the provider's id of a message
---@return string
function redact.id(id)
  return #id > 12 and "…" .. id:sub(-6) or "…"
end

-- ---- whole tokens ---------------------------------------------------------------------------------------------------

local function is_in_word(byte)
  return byte and (byte >= 0x80 or string.char(byte):find "%w" ~= nil)
end

-- Whether something that ends here can be followed by a word's first byte: an escape of JSON, or of a URL.
local function ends_with_escape(before)
  return before:find "\\[nrtbf]$" or before:find "\\u%x%x%x%x$" or before:find "%%%x%x$"
end

-- Whether a find is no part of a longer word.
local function is_token(text, from, to)
  local starts = is_in_word(text:byte(from)) and is_in_word(text:byte(from - 1))
  if starts and from > 1 and not ends_with_escape(text:sub(math.max(1, from - 6), from - 1)) then
    return false
  end
  return not (is_in_word(text:byte(to)) and is_in_word(text:byte(to + 1)))
end

-- Replaces a part wherever it is a token; `folded` is the text that is searched, of the same length.
local function replace(text, folded, part, by)
  local pieces, at, from, to = {}, 1, folded:find(part, 1, true)
  while from do
    if is_token(folded, from, to) then
      pieces[#pieces + 1] = text:sub(at, from - 1)
      pieces[#pieces + 1] = by
      at, from = to + 1, to
    end
    from, to = folded:find(part, from + 1, true)
  end
  if at == 1 then
    return text
  end
  pieces[#pieces + 1] = text:sub(at)
  return table.concat(pieces)
end

-- ---- secrets --------------------------------------------------------------------------------------------------------

local function percent_encoded(text, format)
  return (text:gsub("[^%w%-._~]", function(byte)
    return format:format(byte:byte())
  end))
end

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- A secret in the ways in which a text may hold it, the longest first: one may be within another.
local function forms_of(secret)
  local escaped = secret:gsub('["\\%c]', escapes)
  local forms, seen = {}, {}
  for _, form in ipairs {
    secret,
    escaped,
    (escaped:gsub("/", "\\/")),
    percent_encoded(secret, "%%%02X"),
    percent_encoded(secret, "%%%02x"),
    (secret:gsub("[&<>\"']", entities)),
  } do
    if not seen[form] then
      seen[form], forms[#forms + 1] = true, form
    end
  end
  table.sort(forms, function(a, b)
    return #a > #b
  end)
  return forms
end

---A function that takes a secret out of a text, or out of all texts in a table, in place. For texts of others only, and the
---last resort there: it finds whole tokens, and nothing of a secret of fewer than 8 bytes, which may be any word.
---@param secret string
---@param by string what stands there instead
---@return fun(value: any): any
function redact.remover(secret, by)
  local forms = #secret >= min_secret and forms_of(secret) or {}
  local function without(value)
    if type(value) == "string" then
      for _, form in ipairs(forms) do
        value = replace(value, value, form, by)
      end
    elseif type(value) == "table" then
      local cleaned = {}
      for name, item in pairs(value) do
        cleaned[without(name)] = without(item)
        value[name] = nil
      end
      for name, item in pairs(cleaned) do
        value[name] = item
      end
    end
    return value
  end
  return without
end

-- ---- our own secrets ------------------------------------------------------------------------------------------------

-- Bytes of a secret of our own that is looked for: a shorter one may be any word. And how many are known at most.
local min_own, max_own = 6, 1000

-- The forms of all of them, the longest first: one may be within another. And which values they are of.
local own_forms, is_own, own_count = {}, {}, 0
-- Environment variable → the secret in its value; and the value that was looked at.
local variables, values = {}, {}

-- Words of our own sentences. A password that is one of them protects nothing, and left out of all lines it would make them
-- unreadable: "cannot open the store on [PGPASSWORD]QL".
local ordinary = {}
for word in ("cunnekt database password postgres postgresql sqlite secret server customer message webhook dialog"):gmatch "%a+" do
  ordinary[word] = true
end

---Notes a secret.
---@param value string
---@param name string what it is, for the words in its place
function redact.know_secret(value, name)
  if #value < min_own or ordinary[value:lower()] or is_own[value] or own_count == max_own then
    return
  end
  is_own[value], own_count = true, own_count + 1
  for _, form in ipairs(forms_of(value)) do
    own_forms[#own_forms + 1] = { text = form, pattern = form:gsub("%W", "%%%0"), by = ("[%s]"):format(name):gsub("%%", "%%%%") }
  end
  table.sort(own_forms, function(a, b)
    return #a.text > #b.text
  end)
end

---Notes that an environment variable holds a secret.
---@param variable string
---@param secret_in fun(value: string): string what of its value is secret
function redact.know_variable(variable, secret_in)
  variables[variable] = secret_in
end

-- The environment may have secrets that no setting was made of, or other ones in a test.
local function look_at_environment()
  for variable, secret_in in pairs(variables) do
    local value = os.getenv(variable)
    if value and value ~= values[variable] then
      values[variable] = value
      redact.know_secret(secret_in(value), variable)
    end
  end
end

---A text without the secrets that are known.
---@param text string
---@return string
function redact.own_secrets(text)
  look_at_environment()
  for _, form in ipairs(own_forms) do
    if text:find(form.text, 1, true) then
      text = text:gsub(form.pattern, form.by)
    end
  end
  return text
end

-- ---- numbers --------------------------------------------------------------------------------------------------------

-- Other signs between the digits of a number, which are made spaces and dashes of the same length.
local function with_plain_signs(text)
  text = text:gsub("[,_]%f[%d]", "-")
  if text:find "[\x80-\xff]" then
    text = text:gsub("\xC2\xA0", "  "):gsub("\xE2\x80[\x80-\x95\xAF]", "---"):gsub("\xE2\x88\x92", "---")
  end
  return text
end

-- The last byte of a date, or of a machine's address, that begins here: neither is a telephone number.
local function plain_end(text, from)
  local year, month, day, after = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)()%f[%D]", from)
  if year and year:find "^[12][09]" and tonumber(month) <= 12 and tonumber(day) <= 31 and not text:find("^[-./]%d", after) then
    return after - 1
  end
  local bytes = { text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)()%f[%D]", from) }
  local last = bytes[5] and not text:find("^[-./]%d", bytes[5]) and bytes[5] - 1 or nil
  for i = 1, last and 4 or 0 do
    if tonumber(bytes[i]) > 255 then
      return nil
    end
  end
  return last
end

-- What stands for the digits of a number; nil: they stay.
local function instead_of(digits, known)
  local national = digits:match "^0*(.*)"
  for number, by in pairs(known or {}) do
    if #national >= min_digits and (digits:sub(-#number) == number or number:sub(-#national) == national) then
      return by
    end
  end
  return #digits >= min_digits and redact.number(digits) or nil
end

-- Digits as people write them, with spaces and signs between.
local written_number = "%+?%d[%d%s()./-]*%d"

local function without_numbers(text, known)
  local view, pieces, at = with_plain_signs(text), {}, 1
  local from, to = view:find(written_number)
  while from do
    local plain_to = plain_end(view, from)
    local by = instead_of(view:sub(from, to):gsub("%D", ""), known)
    if plain_to then
      to = plain_to
    elseif by then
      pieces[#pieces + 1] = text:sub(at, from - 1)
      pieces[#pieces + 1] = by
      at = to + 1
    end
    from, to = view:find(written_number, to + 1)
  end
  pieces[#pieces + 1] = text:sub(at)
  return table.concat(pieces)
end

---A text without telephone numbers and message ids, otherwise as it is.
---@param text string
---@param numbers? table<string, string> digits of a number → what stands there instead
---@return string
function redact.numbers(text, numbers)
  return without_numbers((text:gsub("wamid%.[%w+/=_-]+", redact.id)), numbers)
end

-- ---- known texts ----------------------------------------------------------------------------------------------------

-- Words of errors, which stay where a customer used them too.
local vocabulary = {}
for word in ([[
  about accepted access account action after again against allowed already and any api app are array attempt authentication
  authorization bad because been before being body boolean business button buttons bytes call called can cannot caption category
  chars character characters check client code command compare component components concatenate connection contact contain
  contains content could country data date dead delivered delivery denied does document due duplicate each empty error errors
  event exceeded exceeds exist exists expected expired failed failure false field file for format forbidden found from function
  given got greater handler has have header hour host html http https image index input integer interactive internal into
  invalid its json key language large later least length less limit limits line link list local long longer mandatory many
  match maximum may media message messages metadata method minimum missing mobile more most must name near new nil non not
  null number object one only operation option optional order out outside over page param parameter parameters part payload
  perform permission phone please policy problem provided rate reached reason received recipient refused registered rejected
  reply request required response retry row rows second seconds section sections send sender sending sent server service
  session short should size some status string stack supported table template templates text than that the their then there
  this time timeout title token too traceback true try type types unable unauthorized undefined unexpected unknown unsupported
  url user valid value values video was wait were when which while will window with without wrong you your
  customer ecosystem engagement healthy incapable integrity last maintain meta passed provider quality restricted since spam
  undeliverable users violation whatsapp wrote
]]):gmatch "%a+" do
  vocabulary[word] = true
end

-- Names in a script, not words of a customer: as Lua's messages and tracebacks tell them. A constant may be a customer's.
local names_of_scripts = { "[%w_/.-]+%.lua:%d+", "in function <[^<>\n]*>" }
for kind in ("field function global hook local metamethod method upvalue"):gmatch "%a+" do
  names_of_scripts[#names_of_scripts + 1] = ("%%(%s '[%%a_][%%w_]*'%%)"):format(kind)
  names_of_scripts[#names_of_scripts + 1] = ("in %s '[%%a_][%%w_.:]*'"):format(kind)
end

-- The places of a sentence that are names of the script: first byte → last.
local function protected_places(text)
  local places = {}
  for _, pattern in ipairs(names_of_scripts) do
    local from, to = text:find(pattern)
    while from do
      places[#places + 1] = { from, to }
      from, to = text:find(pattern, to + 1)
    end
  end
  return places
end

local function is_protected(places, at)
  for _, place in ipairs(places) do
    if at >= place[1] and at <= place[2] then
      return true
    end
  end
  return false
end

local function has_only_vocabulary(run)
  for word in run:gmatch "[%w\x80-\xff]+" do
    if not vocabulary[word] then
      return false
    end
  end
  return true
end

-- The last byte of what begins here and is in a text of the customer; nil when that is too little to tell.
local function run_end(folded, from, known)
  local to = from + min_run - 1
  local at = to <= #folded and known:find(folded:sub(from, to), 1, true)
  if not at then
    return nil
  end
  -- As far as it goes at this place, then at a later one where it goes farther.
  while at do
    while to < #folded and folded:byte(to + 1) == known:byte(at + to - from + 1) do
      to = to + 1
    end
    at = to < #folded and known:find(folded:sub(from, to + 1), at + 1, true)
  end
  to = from + #folded:sub(from, to):match "^.*[%w\x80-\xff]" - 1 -- signs at its end are the sentence's
  return not has_only_vocabulary(folded:sub(from, to)) and to or nil
end

-- The last byte of a word that is the customer's; a longer one may have lost its end.
local function word_end(folded, from, known, known_words)
  local word = folded:match("^[%w\x80-\xff]+", from)
  if not word or #word < 3 or vocabulary[word] then
    return nil
  end
  local is_known = known_words[word] or (#word >= min_text and known:find(word, 1, true))
  return is_known and from + #word - 1 or nil
end

-- Replaces what a sentence has in common with the texts: runs of bytes, then single words.
local function without_words(text, folded, known)
  local known_words = {}
  for word in known:gmatch "[%w\x80-\xff]+" do
    known_words[word] = true
  end
  local places, pieces, at = protected_places(text), {}, 1
  while at <= #text do
    local next_at = folded:find("[%w\x80-\xff]", at)
    if not next_at then
      break
    end
    pieces[#pieces + 1] = text:sub(at, next_at - 1)
    local last = not is_protected(places, next_at)
      and (run_end(folded, next_at, known) or word_end(folded, next_at, known, known_words))
    pieces[#pieces + 1] = last and "…" or nil
    if not last then
      last = select(2, folded:find("^[%w\x80-\xff]+", next_at))
      pieces[#pieces + 1] = text:sub(next_at, last)
    end
    at = last + 1
  end
  pieces[#pieces + 1] = text:sub(at)
  return table.concat(pieces)
end

-- One sign for neighbours.
local function joined(text)
  local before
  repeat
    before = text
    text = text:gsub("…[%s…]*…", "…")
  until text == before
  return text
end

local function by_length(a, b)
  return #a > #b
end

---A sentence of others without telephone numbers, message ids and known texts.
---@param text string
---@param texts? string[] of a customer, or for one
---@param numbers? table<string, string> digits of a number → what stands there instead
---@return string
function redact.sentence(text, texts, numbers)
  text = readable.unescape(text:sub(1, max_sentence))
  local sorted = {}
  for i, part in ipairs(texts or {}) do
    sorted[i] = words.trim(readable.fold(readable.unescape(part)))
  end
  table.sort(sorted, by_length)
  for _, part in ipairs(sorted) do
    if #part >= min_text and not vocabulary[part] then
      text = replace(text, readable.fold(text), part, "…")
    end
  end
  if #sorted > 0 then
    text = joined(without_words(text, readable.fold(text), table.concat(sorted, "\n")))
  end
  return redact.numbers(text, numbers)
end

return redact
