-- SPDX-License-Identifier: MIT
-- Draws the rows of a terminal as SVG: a window that reads well on light and dark pages. Rows appear one after the other, where
-- the reader's browser plays animations and has not been told to leave them; elsewhere all of them are there.

local svg = {}

local CELL, LINE, SIZE = 8.4, 20, 14 -- pixels: a column, a row, the letters
local LEFT, TOP, BAR = 20, 18, 34 -- what is around the rows, and the title bar
local PAUSE, LAST = 0.9, 6 -- seconds: between two answers, and at the end

local COLORS = {
  [0] = "#6b7787", "#f7768e", "#8fd18b", "#e3c078", "#7fb4f5", "#c9a2f2", "#7fd3d8", "#e6e9ef",
  "#8a94a3", "#ff9aa9", "#aee6a5", "#f1d698", "#a5ccff", "#dcc0ff", "#a6e6ea", "#ffffff",
}

local STYLE = [[
.window { fill: #1b2230; stroke: #3a465c; }
.bar { fill: #263044; }
text { font: %gpx ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d7deea; white-space: pre; }
.title { fill: #93a1b8; font-size: 12px; }
.bold { font-weight: 600; }
.dim { opacity: .65; }
@media (prefers-reduced-motion: no-preference) {
%s}
]]

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function class_of(style)
  local names = {}
  if style.bold then
    names[#names + 1] = "bold"
  end
  if style.dim then
    names[#names + 1] = "dim"
  end
  return #names > 0 and (' class="%s"'):format(table.concat(names, " ")) or ""
end

local function is_same(a, b)
  return a.color == b.color and a.bold == b.bold and a.dim == b.dim
end

-- The pieces of a row that have one style and no wide gaps: where they begin, and their cells.
local function pieces_of(row)
  local pieces, piece = {}, nil
  for column, cell in ipairs(row) do
    if piece and (not is_same(piece.style, cell.style) or cell.text == " " and (row[column + 1] or cell).text == " ") then
      piece = nil
    end
    if not piece and cell.text ~= " " and cell.text ~= "" then
      piece = { column = column, style = cell.style, texts = {} }
      pieces[#pieces + 1] = piece
    end
    if piece then
      table.insert(piece.texts, cell.text)
    end
  end
  return pieces
end

local function draw_piece(piece, y)
  local text = table.concat(piece.texts)
  local fill = piece.style.color and (' style="fill:%s"'):format(COLORS[piece.style.color]) or ""
  -- The length keeps the columns, whatever font the reader has.
  return ('<text x="%.1f" y="%d"%s%s textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>'):format(
    LEFT + (piece.column - 1) * CELL, y, class_of(piece.style), fill, #piece.texts * CELL, escape(text))
end

-- One rule for each step: hidden until its time, in a round that begins anew.
local function animation(steps)
  local all = (steps - 1) * PAUSE + LAST
  local rules = {}
  for step = 2, steps do
    local share = (step - 1) * PAUSE / all * 100
    rules[#rules + 1] = ("@keyframes s%d { 0%%, %.2f%% { opacity: 0 } %.2f%%, 100%% { opacity: 1 } }\n.s%d { animation: s%d %.1fs infinite; }\n"):format(
      step, share, share + 1.5, step, step, all)
  end
  return table.concat(rules)
end

---A picture of rows.
---@param rows picture.cell[][]
---@param step_of integer[] when each row appears: 1, 2, …
---@param columns integer
---@param title string
---@param about string what is to be seen, for those who do not see it
---@return string
function svg.draw(rows, step_of, columns, title, about)
  local width = math.ceil(LEFT * 2 + columns * CELL)
  local height = BAR + TOP * 2 + #rows * LINE
  local parts = {
    ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">')
      :format(width, height, width, height, escape(about)),
    "<style>\n" .. STYLE:format(SIZE, animation(step_of[#step_of])) .. "</style>",
    ('<rect class="window" x="0.5" y="0.5" width="%d" height="%d" rx="10"/>'):format(width - 1, height - 1),
    ('<path class="bar" d="M1 %d V11 a10 10 0 0 1 10 -10 H%d a10 10 0 0 1 10 10 V%d z"/>'):format(BAR, width - 11, BAR),
    '<circle cx="20" cy="17" r="5.5" fill="#ee6a5f"/><circle cx="40" cy="17" r="5.5" fill="#f5bd4f"/><circle cx="60" cy="17" r="5.5" fill="#61c454"/>',
    ('<text class="title" x="%d" y="21" text-anchor="middle">%s</text>'):format(width // 2, escape(title)),
  }
  local step
  for number, row in ipairs(rows) do
    if step_of[number] ~= step then
      parts[#parts + 1] = (step and "</g>\n" or "") .. ('<g class="s%d">'):format(step_of[number])
      step = step_of[number]
    end
    for _, piece in ipairs(pieces_of(row)) do
      parts[#parts + 1] = draw_piece(piece, BAR + TOP + number * LINE - (LINE - SIZE) + 4)
    end
  end
  parts[#parts + 1] = "</g>\n</svg>\n"
  return table.concat(parts, "\n")
end

return svg
