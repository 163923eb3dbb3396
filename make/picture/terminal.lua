-- SPDX-License-Identifier: MIT
-- What a terminal shows after a program has written to it: rows of cells, each with its style. Knows what line editing and
-- colours need of ECMA-48, and skips the rest.

local terminal = {}

---@class picture.cell
---@field text string one character; "" behind a wide one
---@field style picture.style

---@class picture.style
---@field color integer? 0 to 15
---@field bold boolean?
---@field dim boolean?

local methods = {}
local mt = { __index = methods }

local PLAIN = {}

---@param width integer columns
function terminal.new(width)
  return setmetatable({ width = width, rows = { {} }, row = 1, column = 1, style = PLAIN }, mt)
end

-- Signs that take two columns: emoji, and the wide scripts of Asia.
local function width_of(code)
  local is_wide = code >= 0x1100 and (code <= 0x115f or code >= 0x2e80 and code <= 0xa4cf or code >= 0xac00 and code <= 0xd7a3 or code >= 0xf900
    and code <= 0xfaff or code >= 0xff00 and code <= 0xff60 or code >= 0x1f300 and code <= 0x1faff)
  return is_wide and 2 or code == 0xfe0f and 0 or 1
end

function methods:new_line()
  self.row = self.row + 1
  self.rows[self.row] = self.rows[self.row] or {}
end

function methods:put(text)
  local width = width_of(utf8.codepoint(text))
  if self.column + width > self.width + 1 then
    self:new_line()
    self.column = 1
  end
  local row = self.rows[self.row]
  for column = #row + 1, self.column - 1 do
    row[column] = { text = " ", style = PLAIN }
  end
  for i = 1, width do
    row[self.column + i - 1] = { text = i == 1 and text or "", style = self.style }
  end
  self.column = self.column + width
end

-- ---- control sequences -----------------------------------------------------------------------------------------------

local function changed(style, changes)
  local copy = {}
  for key, value in pairs(style) do
    copy[key] = value
  end
  for key, value in pairs(changes) do
    copy[key] = value
  end
  return copy
end

-- SGR: colours and weights.
function methods:set_style(codes)
  local i = 1
  while i <= #codes do
    local code = codes[i]
    if code == 0 then
      self.style = PLAIN
    elseif code == 1 or code == 2 then
      self.style = changed(self.style, { [code == 1 and "bold" or "dim"] = true })
    elseif code == 22 then
      self.style = changed(self.style, { bold = false, dim = false })
    elseif code >= 30 and code <= 37 or code >= 90 and code <= 97 then
      self.style = changed(self.style, { color = code < 90 and code - 30 or code - 82 })
    elseif code == 38 or code == 48 then -- of 256 or of all colours; those behind the letters are left out
      if code == 38 and codes[i + 1] == 5 then
        self.style = changed(self.style, { color = (codes[i + 2] or 7) % 16 })
      end
      i = i + (codes[i + 1] == 2 and 4 or 2)
    elseif code == 39 then
      self.style = changed(self.style, { color = false })
    end
    i = i + 1
  end
end

local controls = {}

function controls:A(n)
  self.row = math.max(self.row - n, 1)
end

function controls:B(n)
  for _ = 1, n do
    self:new_line()
  end
end

function controls:C(n)
  self.column = math.min(self.column + n, self.width)
end

function controls:D(n)
  self.column = math.max(self.column - n, 1)
end

function controls:G(n)
  self.column = n
end

-- Deletes to the end of the row.
function controls:K(_, codes)
  local row = self.rows[self.row]
  for column = #row, codes[1] == 2 and 1 or self.column, -1 do
    row[column] = nil
  end
end

-- Deletes to the end of the screen.
function controls:J(_, codes)
  controls.K(self, 1, codes)
  for row = #self.rows, self.row + 1, -1 do
    self.rows[row] = nil
  end
end

-- Deletes cells, and moves the rest up to there.
function controls:P(n)
  for _ = 1, n do
    table.remove(self.rows[self.row], self.column)
  end
end

function methods:control(final, parameters)
  local codes = {}
  for text in (parameters .. ";"):gmatch "([^;]*);" do
    codes[#codes + 1] = tonumber(text) or 0
  end
  if final == "m" then
    self:set_style(codes)
  elseif controls[final] then
    controls[final](self, math.max(codes[1], 1), codes)
  end
end

-- ---- writing -----------------------------------------------------------------------------------------------------------

local moves = {
  ["\n"] = methods.new_line,
  ["\r"] = function(self) self.column = 1 end,
  ["\b"] = function(self) self.column = math.max(self.column - 1, 1) end,
}

---Writes what a program has written.
---@param text string whole characters and sequences
function methods:write(text)
  local at = 1
  while at <= #text do
    local parameters, final, next_at = text:match("^\27%[([%d;?]*)([%a@])()", at)
    next_at = next_at or text:match("^\27%][^\7\27]*[\7\27]\\?()", at) or text:match("^\27[()]?.()", at)
    if final then
      self:control(final, parameters)
    elseif not next_at then
      local character = text:match("^[%z\1-\127\194-\244][\128-\191]*", at) or text:sub(at, at)
      if moves[character] then
        moves[character](self)
      elseif character:byte() >= 32 and #character == utf8.len(character) or #character > 1 then
        self:put(character)
      end
      next_at = at + #character
    end
    at = next_at
  end
end

---The text of a row.
---@param number integer
---@return string
function methods:text_of(number)
  local texts = {}
  for i, cell in ipairs(self.rows[number]) do
    texts[i] = cell.text
  end
  return (table.concat(texts):gsub("%s+$", ""))
end

return terminal
