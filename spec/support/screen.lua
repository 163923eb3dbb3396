-- SPDX-License-Identifier: MIT
-- A program on a pseudo-terminal, and what a person would see there: just enough of a terminal (the sequences that libedit and
-- `cunnekt dev` write for TERM=xterm) to say what stands in which line.

local core = require "cunnekt.core"
local process = require "spec.support.process"
local task = require "cunnekt.base.task"
local terminal = require "terminal"

local screen = {}

local screen_methods = {}
local screen_mt = { __index = screen_methods }

-- ---- what is written -------------------------------------------------------------------------------------------------

local function row_of(self)
  while #self._rows < self._row do
    self._rows[#self._rows + 1] = {}
  end
  return self._rows[self._row]
end

-- The second column of a wide character holds nothing of its own.
local function put(self, character)
  local width = core.columns(character)
  if width == 0 then
    return
  elseif self._column + width > self.columns then
    self._row, self._column = self._row + 1, 0
  end
  local row = row_of(self)
  for column = #row, self._column do
    row[column + 1] = row[column + 1] or " "
  end
  if self._inserts then
    table.insert(row, self._column + 1, " ")
  end
  row[self._column + 1] = character
  if width == 2 then
    row[self._column + 2] = ""
  end
  self._column = self._column + width
end

local function erase(self, from)
  local row = row_of(self)
  for column = #row, from + 1, -1 do
    row[column] = nil
  end
end

local acts = {}

function acts.A(self, n)
  self._row = math.max(1, self._row - math.max(1, n))
end

function acts.B(self, n)
  self._row = self._row + math.max(1, n)
end

function acts.C(self, n)
  self._column = math.min(self.columns - 1, self._column + math.max(1, n))
end

function acts.D(self, n)
  self._column = math.max(0, self._column - math.max(1, n))
end

function acts.G(self, n)
  self._column = math.max(1, n) - 1
end

function acts.J(self)
  erase(self, self._column)
  for row = #self._rows, self._row + 1, -1 do
    self._rows[row] = nil
  end
end

function acts.K(self)
  erase(self, self._column)
end

function acts.P(self, n)
  for _ = 1, math.max(1, n) do
    table.remove(row_of(self), self._column + 1)
  end
end

acts["@"] = function(self, n)
  for _ = 1, math.max(1, n) do
    table.insert(row_of(self), self._column + 1, " ")
  end
end

function acts.h(self, n)
  self._inserts = self._inserts or n == 4
end

function acts.l(self, n)
  self._inserts = self._inserts and n ~= 4
end

function acts.m(self)
  self.colours = self.colours + 1
end

local controls = {
  ["\r"] = function(self)
    self._column = 0
  end,
  ["\n"] = function(self)
    self._row = self._row + 1
  end,
  ["\b"] = function(self)
    self._column = math.max(0, self._column - 1)
  end,
}

local function interpret(self, text)
  text = self._rest .. text
  local at = 1
  while at <= #text do
    local parameters, final, behind = text:match("^\27%[%??([%d;]*)([@-~])()", at)
    if final then
      if acts[final] then
        acts[final](self, tonumber(parameters:match "^%d+") or 0)
      end
      at = behind
    elseif text:find("^\27", at) then
      if #text - at < 16 then
        break -- the rest of a sequence is to come
      end
      at = at + 1
    else
      local character = text:match("^[%z\1-\127\194-\244][\128-\191]*", at) or text:sub(at, at)
      if utf8.len(character) == nil and #text - at < 4 then
        break
      end
      local control = controls[character]
      if control then
        control(self)
      elseif not character:find "%c" then
        put(self, character)
      end
      at = at + #character
    end
  end
  self._rest = text:sub(at)
end

-- ---- what a person does ------------------------------------------------------------------------------------------------

---Runs the host on a terminal.
---@param args string[]
---@param opts? {cwd: string?, columns: integer?, env: table<string, string>?}
function screen.cunnekt(args, opts)
  opts = opts or {}
  local words = { "env", "-u", "CUNNEKT_API_KEY", "-u", "CUNNEKT_STORE", "-u", "NO_COLOR", "-C", opts.cwd or ".", "TERM=xterm" }
  for name, value in pairs(opts.env or {}) do
    words[#words + 1] = name .. "=" .. value
  end
  words[#words + 1] = process.host
  table.move(args, 1, #args, #words + 1, words)
  local columns = opts.columns or 80
  return setmetatable({
    columns = columns, colours = 0, written = "", _it = terminal.run(words, columns), _rows = {}, _row = 1, _column = 0, _rest = "",
  }, screen_mt)
end

---Takes what has been written since.
function screen_methods:look()
  local text = self._it:read()
  self.written = self.written .. text
  interpret(self, text)
end

---The lines of the screen, without blanks at their ends.
---@return string[]
function screen_methods:lines()
  self:look()
  local lines = {}
  for i, row in ipairs(self._rows) do
    lines[i] = (table.concat(row):gsub("%s+$", ""))
  end
  return lines
end

---All of it.
---@return string
function screen_methods:text()
  return table.concat(self:lines(), "\n")
end

---The line with the cursor.
---@return string
function screen_methods:current()
  return self:lines()[self._row] or ""
end

---@param text string
function screen_methods:type(text)
  self._it:type(text)
end

---Waits until a pattern stands on the screen.
---@param pattern string
---@return string text
function screen_methods:expect(pattern)
  local ok, failure = pcall(process.wait_until, pattern, function()
    return self:text():find(pattern)
  end)
  if not ok then
    error(("%s; the screen:\n%s"):format(failure, self:text()), 2)
  end
  return self:text()
end

---Waits until the line with the cursor is this.
---@param line string
function screen_methods:expect_current(line)
  local ok = pcall(process.wait_until, line, function()
    return self:current() == line
  end)
  if not ok then
    error(("expected the line '%s', got '%s'; the screen:\n%s"):format(line, self:current(), self:text()), 2)
  end
end

---@param columns integer
function screen_methods:resize(columns)
  self.columns = columns
  self._it:resize(columns)
end

---Whether the terminal is as it was before the program began.
---@return boolean
function screen_methods:is_cooked()
  return self._it:is_cooked()
end

---Makes the terminal as it was before the program began.
function screen_methods:set_cooked()
  self._it:set_cooked()
end

---Stops the program as Ctrl-Z does.
function screen_methods:stop()
  self._it:signal "STOP"
end

---Lets it go on.
function screen_methods:go_on()
  self._it:signal "CONT"
end

---@return boolean
function screen_methods:has_ended()
  return self._it:ended() ~= nil
end

---Waits for the program's end.
---@return integer code negative: the signal that ended it
function screen_methods:wait()
  local code = process.wait_until("the end of a program", function()
    self:look()
    return self._it:ended()
  end)
  self:look()
  return code
end

---Ends the program, if it runs still.
function screen_methods:close()
  self._it:close()
end

---Lets the loop go on a little.
function screen.pause()
  task.sleep(0.02)
end

return screen
