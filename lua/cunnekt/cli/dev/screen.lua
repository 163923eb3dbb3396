-- SPDX-License-Identifier: MIT
-- The terminal of `cunnekt dev`: what is printed, in colours where they are wanted, and the line that is being typed, which is taken
-- off while something is printed. Where there is no terminal, or no libedit, lines are read and printed plainly.

local core = require "cunnekt.core"
local log = require "cunnekt.base.log"
local typed = require "cunnekt.transcript.typed"
local words = require "cunnekt.base.words"

local screen = {}

local screen_methods = {}
local screen_mt = { __index = screen_methods, __name = "cunnekt.dev.screen" }

-- Colours that can be read on light and dark terminals.
local styles = {
  name = "1", -- bold
  bar = "36",
  ticks = "2",
  note = "2",
  warning = "33",
  problem = "31",
}

-- https://no-color.org: a variable that is not empty.
local function wants_colour()
  local refused, terminal = os.getenv "NO_COLOR", os.getenv "TERM"
  return core.is_terminal(1) and (refused == nil or refused == "") and terminal ~= "dumb"
end

---@class cunnekt.dev.screen
---@field is_terminal boolean a person types
---@param on_line fun(line: string)
---@param on_end fun()
---@param complete fun(before: string): string[] what the line may be, given what is before the cursor
---@return cunnekt.dev.screen
function screen.new(on_line, on_end, complete)
  return setmetatable({
    is_terminal = false,
    _has_colour = wants_colour(),
    _on_line = on_line,
    _on_end = on_end,
    _complete = complete,
    _prompt = "> ",
  }, screen_mt)
end

-- ---- printing ------------------------------------------------------------------------------------------------------

---@param style string
---@param text string
---@return string
function screen_methods:paint(style, text)
  local code = self._has_colour and styles[style]
  return code and ("\27[%sm%s\27[0m"):format(code, text) or text
end

---The columns of the terminal; nil where there is none.
---@return integer?
function screen_methods:columns()
  return core.is_terminal(1) and core.terminal_columns() or nil
end

-- Writes while the line that is being typed is off the terminal.
local function write(self, file, text)
  local editor = self._editor
  if editor then
    editor:hide()
  end
  io.stdout:flush()
  file:write(text)
  file:flush()
  if editor and not self._is_handling then
    editor:show()
  end
end

-- Lines with a colour each.
local function styled(self, style, text)
  return text:gsub("[^\n]+", function(line)
    return self:paint(style, line)
  end) .. "\n"
end

-- Lines that are wrapped: what each begins with, and what follows of it.
local function wrapped(self, text, first, later)
  local room, out = self:columns(), {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    local pieces = room and words.wrap(line, math.max(20, room - #later)) or { line }
    for i, piece in ipairs(pieces) do
      out[#out + 1] = (i == 1 and first or later) .. piece
    end
  end
  return table.concat(out, "\n")
end

---Prints lines.
---@param text string without the last line break
---@param style? string
function screen_methods:print(text, style)
  write(self, io.stdout, style and styled(self, style, text) or text .. "\n")
end

---Prints lines of the program itself, not of the conversation: each begins with "-- ", and is wrapped.
---@param text string
---@param style? string "note" by default
function screen_methods:note(text, style)
  self:print(wrapped(self, text, "-- ", "   "), style or "note")
end

-- What the script prints, and the log, go the same way as the conversation.
local function capture(self)
  local print_before, write_before, log_before = print, io.write, log.write
  rawset(_G, "print", function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do
      parts[i] = tostring(parts[i])
    end
    self:print(table.concat(parts, "\t", 1, parts.n))
  end)
  rawset(io, "write", function(...)
    self._editor:hide()
    local result = table.pack(write_before(...))
    if not self._is_handling and select(-1, "", ...):find "\n$" then
      self._editor:show() -- otherwise it comes with the next line
    end
    return table.unpack(result, 1, result.n)
  end)
  function log.write(line)
    local style = line:find "^cunnekt: error" and "problem" or line:find "^cunnekt: warning" and "warning" or "note"
    local is_seen = core.is_terminal(2)
    write(self, io.stderr, is_seen and styled(self, style, wrapped(self, line, "", "  ")) or line .. "\n")
  end
  return function()
    rawset(_G, "print", print_before)
    rawset(io, "write", write_before)
    log.write = log_before
  end
end

-- ---- reading -------------------------------------------------------------------------------------------------------

local function common_prefix(candidates)
  local prefix = candidates[1]
  for _, other in ipairs(candidates) do
    while other:sub(1, #prefix) ~= prefix do
      prefix = prefix:sub(1, (utf8.offset(prefix, -1) or #prefix) - 1)
    end
  end
  return prefix
end

local function complete(self, before)
  local candidates = self._complete(before)
  local prefix = candidates[1] and common_prefix(candidates) or ""
  if #prefix > #before then
    self._editor:hide()
    self._editor:insert(prefix:sub(#before + 1) .. (#candidates == 1 and prefix:find "^/" and " " or ""))
    self._editor:show()
  elseif #candidates > 1 then
    self:note(table.concat(candidates, "   "))
  end
end

-- Uses what was typed, key by key.
local function use_keys(self)
  while self._editor do
    local what, text = self._editor:next()
    if not what then
      return
    elseif what == "complete" then
      complete(self, text)
    elseif what == "end" then
      io.stdout:write "\n"
      self:close()
      return self._on_end()
    else
      self._is_handling = true
      self._on_line(text)
      self._is_handling = false
      if self._editor then
        self._editor:show()
      end
    end
  end
end

---Begins to read, with a prompt where a line can be edited.
function screen_methods:start()
  local split = typed.splitter(self._on_line)
  self._editor = core.editor(self._prompt)
  self._put_back = self._editor and capture(self)
  self._input = core.stdin(function(chunk)
    if self._editor and chunk then
      self._editor:feed(chunk)
      return use_keys(self)
    elseif not self._editor then
      split(chunk)
    end
    if not chunk then
      self:close()
      self._on_end()
    end
  end)
  self.is_terminal = self._input:is_terminal()
  if self._editor then
    self._editor:show()
    self._continued = core.signal("SIGCONT", function()
      self._editor:resume()
    end)
  end
end

---@param text string
function screen_methods:set_prompt(text)
  self._prompt = text
  if self._editor then
    self._editor:hide()
    self._editor:set_prompt(text)
    if not self._is_handling then
      self._editor:show()
    end
  end
end

---Reads no more, and puts the terminal back. Closing twice is fine.
function screen_methods:close()
  if self._editor then
    self._editor:hide()
    self._continued:close()
    self._editor:close()
    self._editor = nil
    self._put_back()
  end
  if self._input then
    self._input:close()
    self._input = nil
  end
end

return screen
