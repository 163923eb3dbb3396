-- SPDX-License-Identifier: MIT
-- Reads a command's help page, as `-h` prints it, into sections, paragraphs and options. Headings begin a line, text is
-- indented by 7, what explains a tag by 14.

local help = {}

local TEXT, EXPLAINED = 7, 14

---@class pages.paragraph
---@field kind "text"|"tag"|"bullet"|"lines" lines: as they are
---@field tag? string
---@field text? string words, on one line
---@field lines? string[] without the indentation of text

-- These are columns, or commands to be typed.
local is_verbatim = { SYNOPSIS = true, EXAMPLES = true, COMMANDS = true, CONTROL = true }

local function indent_of(line)
  return #line:match "^ *"
end

local function joined(lines, from, to)
  local words = {}
  for i = from, to or #lines do
    words[#words + 1] = lines[i]:match "^%s*(.-)%s*$"
  end
  return table.concat(words, " ")
end

-- A short tag with its text on the same line: `--json Print the result`, `0      done`; not `--from NUMBER`.
local function short_tag(line)
  local tag, text = line:sub(TEXT + 1, EXPLAINED):match "^([-%d]%S*) *$", line:sub(EXPLAINED + 1)
  if tag and line:sub(EXPLAINED, EXPLAINED) == " " and text ~= "" and not (text .. ","):find "^%u[%u_]*," then
    return tag, text
  end
end

local function has_columns(lines)
  for _, line in ipairs(lines) do
    if line:find "%S  +%S" and not line:find "^ +%-  %S" and not short_tag(line) then
      return true
    end
  end
  return false
end

local function verbatim(lines)
  local cut = {}
  for i, line in ipairs(lines) do
    cut[i] = line:sub(TEXT + 1)
  end
  return { kind = "lines", lines = cut }
end

-- Where the item that begins at `from` ends: before the next line that is not deeper than `indent`.
local function item_end(lines, from, indent)
  local to = from
  while lines[to + 1] and indent_of(lines[to + 1]) > indent do
    to = to + 1
  end
  return to
end

-- Tags of one or several lines with text below them; nil when the lines are no such thing.
local function tag_below(lines, from)
  local first = from
  while lines[first] and indent_of(lines[first]) == TEXT do
    first = first + 1
  end
  if first > from and lines[first] and indent_of(lines[first]) == EXPLAINED then
    local to = item_end(lines, first, TEXT)
    return { kind = "tag", tag = joined(lines, from, first - 1), text = joined(lines, first, to) }, to
  end
end

local function add_block(found, lines)
  if has_columns(lines) then
    found[#found + 1] = verbatim(lines)
    return
  end
  local i = 1
  while lines[i] do
    local tag, text = short_tag(lines[i])
    local item, to
    if tag then
      to = item_end(lines, i, EXPLAINED - 1)
      item = { kind = "tag", tag = tag, text = to > i and text .. " " .. joined(lines, i + 1, to) or text }
    elseif lines[i]:find "^ +%-  " then
      to = item_end(lines, i, TEXT)
      item = { kind = "bullet", text = joined(lines, i, to):gsub("^%-%s+", "") }
    else
      item, to = tag_below(lines, i)
      if not item then
        item, to = { kind = "text", text = joined(lines, i) }, #lines
        -- A tag may follow the text without an empty line.
        for j = i, #lines do
          if j > i and short_tag(lines[j]) then
            item, to = { kind = "text", text = joined(lines, i, j - 1) }, j - 1
            break
          end
        end
      end
    end
    found[#found + 1] = item
    i = to + 1
  end
end

local function blocks_of(lines)
  local blocks, block = {}, {}
  for _, line in ipairs(lines) do
    if line == "" then
      blocks[#blocks + 1] = #block > 0 and block or nil
      block = {}
    else
      block[#block + 1] = line
    end
  end
  blocks[#blocks + 1] = #block > 0 and block or nil
  return blocks
end

---@class pages.section
---@field title string
---@field paragraphs pages.paragraph[]

---Reads a page.
---@param page string
---@return pages.section[]
function help.read(page)
  local sections, lines_of = {}, {}
  for line in page:gmatch "([^\n]*)\n" do
    if line:find "^%u" then
      sections[#sections + 1] = { title = line, paragraphs = {} }
      lines_of[#sections] = {}
    elseif #sections > 0 then
      table.insert(lines_of[#sections], line)
    end
  end
  for i, section in ipairs(sections) do
    for _, block in ipairs(blocks_of(lines_of[i])) do
      if is_verbatim[section.title] then
        table.insert(section.paragraphs, verbatim(block))
      else
        add_block(section.paragraphs, block)
      end
    end
  end
  return sections
end

-- ---- options and verbs -------------------------------------------------------------------------------------------------

---@class pages.option
---@field flag string
---@field argument? string as the page calls it
---@field about? string the first sentence, without its full stop

local function first_sentence(text)
  return (text:match "^(.-)[.;:] " or text):gsub("%.$", "")
end

-- Adds the options that a text names: `--rate N, --pair-rate N`. What is known already only gains.
local function add_options(found, text, about)
  local at = 1
  while true do
    local from, to, flag = text:find("(%-%-?%a[%a-]*)", at)
    if not from then
      return
    end
    at = to + 1
    -- Not the end of a word, as the - in 919999999999-1 or a file's name.
    if from == 1 or text:sub(from - 1, from - 1):find "[%s%[(|]" then
      local argument = text:match("^ ([%u][%w_:=|%[%]]*)", to + 1) or text:match("^ (%l[%w_]*|[%l|]+)", to + 1) or text:match("^ (%l[%w_]*=%u+)", to + 1)
      local option = found[flag] or { flag = flag }
      option.argument = option.argument or argument
      option.about = option.about or about
      if not found[flag] then
        found[flag], found[#found + 1] = option, option
      end
    end
  end
end

---The options of a page, in their order: first those that are explained.
---@param sections pages.section[]
---@return pages.option[] options also by flag
function help.options(sections)
  local found = {}
  for _, section in ipairs(sections) do
    if section.title == "OPTIONS" or section.title == "FILTERS" then
      for _, paragraph in ipairs(section.paragraphs) do
        if paragraph.kind == "tag" then
          add_options(found, paragraph.tag, first_sentence(paragraph.text))
        end
      end
    end
  end
  for _, section in ipairs(sections) do
    for _, paragraph in ipairs(section.title == "SYNOPSIS" and section.paragraphs or {}) do
      add_options(found, table.concat(paragraph.lines, " "))
    end
  end
  return found
end

---What may follow the command's name, where that is a word of few: the verbs of `events`, the kinds of `send`.
---@param sections pages.section[]
---@return string[]
function help.verbs(sections)
  local found = {}
  for _, section in ipairs(sections) do
    for _, paragraph in ipairs(section.title == "SYNOPSIS" and section.paragraphs or {}) do
      for _, line in ipairs(paragraph.lines) do
        for verb in (line:match "^cunnekt %l+ (%l[%l_|]*)" or ""):gmatch "[%l_]+" do
          found[#found + 1] = verb
        end
      end
    end
  end
  return found
end

---The sentence after the command's name.
---@param sections pages.section[]
---@return string
function help.summary(sections)
  return sections[1].paragraphs[1].text:match " %- (.*)$"
end

return help
