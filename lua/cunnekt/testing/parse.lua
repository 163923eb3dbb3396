-- SPDX-License-Identifier: MIT
-- Reads transcripts: what customers do and what the bot says, a line each. In a script they are the comments at its end, for a
-- comment in its code may look the same; a file `*.chat` has the same lines with or without `--`. This file knows their form,
-- and runs nothing.

local code = require "cunnekt.base.source.code"
local http_answer = require "cunnekt.testing.http_answers"
local lexer = require "cunnekt.base.source.lexer"
local near = require "cunnekt.testing.near"
local status = require "cunnekt.provider.status"
local units = require "cunnekt.time.units"

local parse = {}

---@class cunnekt.testing.step
---@field kind "customer"|"bot"|"staff"|"status"|"log"|"later"|"http"|"unknown"
---@field line integer of the file
---@field text string
---@field who? string a name or number, with customer, bot and staff
---@field bot? integer of several, with customer
---@field seconds? number with later
---@field answer? table with http
---@field is_said? boolean with unknown: somebody answers it, so that it was to be a customer's line

---@class cunnekt.testing.transcript
---@field path string the file that it is in
---@field script string
---@field line integer
---@field name? string
---@field steps cunnekt.testing.step[]

local second_of = { second = 1, minute = units.minute, hour = units.hour, day = units.day, week = 7 * units.day }

-- A name begins with a capital or a sign of another script, a number with a digit or +: "-- customer data: …" is a comment, or
-- in a transcript a mistake.
local name_pattern = "^[%u%d+\x80-\xff][^%s:]*$"

-- A number as people write it, with blanks, dashes and brackets, has so many digits at least.
local min_digits = 7

-- The name or the number of a person, if a text is one.
local function person_of(text)
  local number = text:match "^%+?%d[%d%s()./-]*%d$"
  local digits = number and number:gsub("[^%d+]", "")
  if digits and #digits >= min_digits then
    return digits
  end
  return text:match(name_pattern)
end

local function with_text(kind, text, fields)
  fields = fields or {}
  fields.kind, fields.text = kind, text
  return fields
end

-- Each gets what is behind the name of its line, without blanks at its end, and gives nil when it is none.
local read = {}

function read.customer(rest)
  local about, text = rest:match "^([^:]*):%s*(.*)$"
  if not about then
    return nil
  end
  local who, bot = about:match "^%s*(.-)%s+to bot (%d+)%s*$"
  who = who or (" " .. about):match "^%s+(.-)%s*$"
  local person = person_of(who)
  if (who ~= "" and not person) or text == "" then
    return nil
  end
  return with_text("customer", text, { who = person, bot = math.tointeger(tonumber(bot)) })
end

local function to_somebody(kind)
  return function(rest)
    local who, text = rest:match "^%s+to%s+([^:]*):%s*(.*)$"
    local person = who and person_of(who)
    text = person and text or rest:match "^:%s*(.*)$"
    return text and text ~= "" and with_text(kind, text, { who = person }) or nil
  end
end

read.bot, read.staff = to_somebody "bot", to_somebody "staff"

local function plain(kind)
  return function(rest)
    local text = rest:match "^:%s*(.*)$"
    return text and text ~= "" and with_text(kind, text) or nil
  end
end

for _, name in ipairs { "log", "transcript", "script" } do
  read[name] = plain(name)
end

local is_status = status.set(status.reported)

function read.status(rest)
  local text = rest:match "^:%s*(.*)$"
  return is_status[text] and with_text("status", text) or nil
end

function read.http(rest)
  local method, url, answer = rest:match "^%s+(%u+)%s+(%S+)%s+%->%s*(.*)$"
  return method and with_text("http", method .. " " .. url, { answer = http_answer.read(method, url, answer) }) or nil
end

local function read_later(line)
  local count, unit = line:match "^(%d+%.?%d*) (%a+) later$"
  unit = unit and (second_of[unit] and unit or unit:match "^(.*)s$")
  local one = unit and second_of[unit]
  return one and with_text("later", line, { seconds = tonumber(count) * one }) or nil
end

-- A step, from a line without its `--`; nil when it is none.
local function read_line(line)
  local name, rest = line:match "^(%l+)(.*)$"
  local reader = name and read[name]
  return reader and reader(rest) or read_later(line)
end

local function unknown_step(number, content, hint, is_said)
  local text = ("'%s' is no line of a transcript%s"):format(content, hint and "; " .. hint or "")
  return { kind = "unknown", line = number, text = text, is_said = is_said }
end

local function new_transcript(about, line, name)
  return { path = about.path, script = about.script, line = line, name = name, steps = {} }
end

-- The lines of a text without their line ends, with their numbers.
local function lines_of(text)
  local number, at = 0, code.begin(text)
  return function()
    if at > #text then
      return nil
    end
    number = number + 1
    local line, next_at = text:match("^([^\n]*)\n?()", at)
    at = next_at
    return number, (line:gsub("\r$", ""))
  end
end

-- What code prints is shown behind "-->".
local output = "^%s*%-%-+>"

-- The step in a line of a script, or of a chat file.
local function content_of(line, is_chat)
  if line:find(output) then
    return nil
  end
  local comment_at = line:match "^%s*%-%-+%s*()"
  if comment_at or not is_chat then
    return comment_at and line:match("^.*%S", comment_at)
  end
  line = line:match "^%s*(.*%S)"
  return line and not line:find "^#" and line or nil
end

-- bot:on(…, or bot:run {: a call.
local function is_code(content)
  local behind = content:match "^%l+:[%l_]+()"
  return behind ~= nil and content:find("^ ?[(\"'{]", behind) ~= nil and not content:find("^ %(", behind)
end

-- Who speaks in a line of a comment.
local function speaker_in(line)
  local content = line:match "^%s*%-*%[?=*%[?%s*(.*%S)"
  return content and not line:find(output) and not is_code(content) and near.speaker(content) or nil
end

-- A function that is called for each line that is no step, with its number, and gives the first one at which a customer writes and the bot
-- answers in the same comment: that is no transcript, and may have been meant as one.
local function stray_finder()
  local asked, stray
  return function(number, line, is_comment)
    local speaker = is_comment and speaker_in(line)
    if speaker == "bot" then
      stray = stray or asked
    elseif speaker then
      asked = asked or number
    elseif not is_comment and line:find "%S" then
      asked = nil
    end
    return stray
  end
end

-- The lines that may be steps, with their numbers: in a script the comments behind its code, but for code that is commented out. And
-- the first line of what looks like a transcript and is none of these.
local function candidates(text, is_chat)
  local list, last, all = {}, nil, nil
  local find_stray, stray = stray_finder(), nil
  if not is_chat then
    last, all = lexer.comments(text)
  end
  for number, line in lines_of(text) do
    local content = (not last or last[number]) and content_of(line, is_chat)
    if content and (is_chat or not is_code(content)) then
      local is_comment = not is_chat or line:find "^%s*%-%-" ~= nil
      list[#list + 1] = { number = number, content = content, is_comment = is_comment, step = read_line(content) }
    elseif all and not last[number] then
      stray = find_stray(number, line, all[number])
    end
  end
  return list, stray
end

-- Whether a comment names the transcript that a customer begins behind it: "transcript x".
local function is_heading(lines, i, is_begun)
  local word, at = lines[i].content:match "^([Tt]ranscript)%s", i + 1
  while word and is_begun and lines[at] and not lines[at].step do
    at = at + 1
  end
  local next_one = lines[at]
  if not word or not next_one or not next_one.step or next_one.step.kind ~= "customer" then
    return false
  end
  return is_begun or (word == "transcript" and next_one.number == lines[i].number + 1)
end

-- Whether a customer speaks in a line, and somebody in a later one; or the bot in the next line, whatever this one is.
local function is_answered(lines, i)
  local next_one, at = lines[i + 1], i + 1
  if next_one and next_one.number == lines[i].number + 1 and next_one.step and next_one.step.kind == "bot" then
    return true
  elseif near.speaker(lines[i].content) ~= "customer" then
    return false
  end
  while lines[at] and not lines[at].step and not near.speaker(lines[at].content) do
    at = at + 1
  end
  return lines[at] ~= nil
end

-- The step in a line that is none, but was to be one; else nil. In a script, what comes before the first step is about other things,
-- but for a line that is answered.
local function missed_step(lines, i, is_begun)
  local one, hint = lines[i], near.hint(lines[i].content)
  local is_said = hint and is_answered(lines, i)
  if is_said or (hint and is_begun) then
    return unknown_step(one.number, one.content, hint, is_said)
  elseif not one.is_comment or is_heading(lines, i, is_begun) then
    return unknown_step(one.number, one.content, hint or near.without_colon(one.content))
  end
  return nil
end

-- A line `script:` that names none: a chat file has one, and a script none. In a script it is about other things, as above.
local function misplaced_script(lines, i, is_chat, is_begun)
  local one, next_one = lines[i], lines[i + 1]
  if not is_chat then
    local is_meant = is_begun or (next_one and next_one.number == one.number + 1 and next_one.step)
    return is_meant and unknown_step(one.number, one.content, "only a *.chat file names a script; these are of the one that they are in")
  end
  for j = 1, i - 1 do
    if lines[j].step and lines[j].step.kind == "script" then
      return unknown_step(one.number, one.content, ("line %d names the script; write those of another one into another file"):format(lines[j].number))
    end
  end
  return nil
end

-- The step in a line, or the one that it was to be; nil where it is none.
local function step_in(lines, i, is_chat, is_begun)
  local step = lines[i].step
  if not step then
    return missed_step(lines, i, is_chat or is_begun)
  end
  return step.kind ~= "script" and step or misplaced_script(lines, i, is_chat, is_begun) or nil
end

---The transcripts of a text: in a script, of the comments behind its code.
---@param text string
---@param about {path: string, script: string, is_chat: boolean?}
---@return cunnekt.testing.transcript[] each with steps; one without any has nothing behind its heading
---@return integer? stray the line of what looks like a transcript, and is in a comment before code or in a long one
function parse.text(text, about)
  local list = {}
  local lines, stray = candidates(text, about.is_chat)
  for i, one in ipairs(lines) do
    local current = list[#list]
    local step = step_in(lines, i, about.is_chat, current ~= nil)
    if step and step.kind == "transcript" then
      list[#list + 1] = new_transcript(about, one.number, step.text)
    elseif step then
      current = current or new_transcript(about, one.number)
      list[1] = list[1] or current
      step.line = one.number
      table.insert(current.steps, step)
    end
  end
  return list, stray
end

---The script that a chat file names in a line `script: PATH`, from its folder.
---@param text string
---@return string?
function parse.script_of(text)
  for _, line in lines_of(text) do
    local content = content_of(line, true)
    local path = content and content:match "^script:%s*(.-)%s*$"
    if path and path ~= "" then
      return path
    end
  end
  return nil
end

---Whether transcripts have anything that a customer does, or was to do, so that a script with a comment like `-- log: …` is not one.
---@param list cunnekt.testing.transcript[]
---@return boolean
function parse.has_customer(list)
  for _, one in ipairs(list) do
    for _, step in ipairs(one.steps) do
      if step.kind == "customer" or step.is_said then
        return true
      end
    end
  end
  return false
end

return parse
