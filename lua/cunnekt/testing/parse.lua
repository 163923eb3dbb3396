-- SPDX-License-Identifier: MIT
-- Reads transcripts: what customers do and what the bot says, a line each. In a script they are the comments at its end, for a
-- comment in its code may look the same; a file `*.chat` has the same lines with or without `--`. This file knows their form,
-- and runs nothing.

local http_answer = require "cunnekt.testing.http_answers"
local lexer = require "cunnekt.base.source.lexer"
local options = require "cunnekt.base.options"
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

---@class cunnekt.testing.transcript
---@field path string the file that it is in
---@field script string
---@field line integer
---@field name? string
---@field steps cunnekt.testing.step[]

local second_of = { second = 1, minute = units.minute, hour = units.hour, day = units.day, week = 7 * units.day }

local names = { "customer", "bot", "staff", "status", "log", "http", "transcript", "script" }

-- A name begins with a capital or a sign of another script, a number with a digit or +: "-- customer data: …" is a comment.
local who_pattern = "[%u%d+\x80-\xff][^%s:]*"

local function with_text(kind, text, fields)
  fields = fields or {}
  fields.kind, fields.text = kind, text
  return fields
end

-- Each gets what is behind the name of its line, and gives nil when it is none.
local read = {}

function read.customer(rest)
  local about, text = rest:match "^([^:]*):%s*(.-)%s*$"
  if not about then
    return nil
  end
  local who, bot = about:match "^%s*(.-)%s+to bot (%d+)%s*$"
  who = who or (" " .. about):match "^%s+(.-)%s*$"
  if (who ~= "" and not who:find("^" .. who_pattern .. "$")) or text == "" then
    return nil
  end
  return with_text("customer", text, { who = who ~= "" and who or nil, bot = math.tointeger(tonumber(bot)) })
end

local function to_somebody(kind)
  return function(rest)
    local who, text = rest:match("^%s+to%s+(" .. who_pattern .. "):%s*(.-)%s*$")
    text = text or rest:match "^:%s*(.-)%s*$"
    return text and text ~= "" and with_text(kind, text, { who = who }) or nil
  end
end

read.bot, read.staff = to_somebody "bot", to_somebody "staff"

local function plain(kind)
  return function(rest)
    local text = rest:match "^:%s*(.-)%s*$"
    return text and text ~= "" and with_text(kind, text) or nil
  end
end

for _, name in ipairs { "status", "log", "transcript", "script" } do
  read[name] = plain(name)
end

function read.http(rest)
  local method, url, answer = rest:match "^%s+(%u+)%s+(%S+)%s+%->%s*(.-)%s*$"
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

-- A line that looks like a misspelt step: its name is nearly one.
local function near_miss(line)
  local name = line:match "^(%a+):%s*%S" or line:match "^(%a+)%s+%u+%s+%S+%s+%->"
  local near = name and options.suggest(name:lower(), names)
  return near and ("'%s' is no line of a transcript; did you mean '%s'?"):format(name, near) or nil
end

local function new_transcript(about, line, name)
  return { path = about.path, script = about.script, line = line, name = name, steps = {} }
end

-- The lines of a text without their line ends, with their numbers.
local function lines_of(text)
  local number, at = 0, 1
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

-- The step in a line of a script, or of a chat file.
local function content_of(line, is_chat)
  local comment = line:match "^%s*%-%-+%s+(.-)%s*$"
  if comment or not is_chat then
    return comment
  end
  line = line:match "^%s*(.-)%s*$"
  return line ~= "" and not line:find "^#" and not line:find "^%-%-" and line or nil
end

---The transcripts of a text: in a script, of the comments behind its code.
---@param text string
---@param about {path: string, script: string, is_chat: boolean?}
---@return cunnekt.testing.transcript[] each with steps; one without any has nothing behind its heading
function parse.text(text, about)
  if text:sub(1, 3) == "\xef\xbb\xbf" then
    text = text:sub(4)
  end
  local last_comments = not about.is_chat and lexer.last_comments(text)
  local list, current = {}, nil
  for number, line in lines_of(text) do
    local content = (not last_comments or last_comments[number]) and content_of(line, about.is_chat)
    local step = content and read_line(content)
    if step and step.kind == "transcript" then
      current = new_transcript(about, number, step.text)
      list[#list + 1] = current
    elseif step and step.kind ~= "script" then
      current = current or new_transcript(about, number)
      list[1] = list[1] or current
      step.line = number
      table.insert(current.steps, step)
    elseif content and not step and (about.is_chat or current) then
      local problem = near_miss(content)
      local is_comment = about.is_chat and line:find "^%s*%-%-"
      if problem or (about.is_chat and not is_comment) then
        current = current or new_transcript(about, number)
        list[1] = list[1] or current
        table.insert(current.steps, { kind = "unknown", line = number, text = problem or ("this is no line of a transcript: %s"):format(content) })
      end
    end
  end
  return list
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

---Whether transcripts have anything that a customer does, so that a script with a comment like `-- log: …` is not one.
---@param list cunnekt.testing.transcript[]
---@return boolean
function parse.has_customer(list)
  for _, one in ipairs(list) do
    for _, step in ipairs(one.steps) do
      if step.kind == "customer" then
        return true
      end
    end
  end
  return false
end

return parse
