-- SPDX-License-Identifier: MIT
-- Writes what the bot has said into the files of transcripts: the lines that said something else, those that were not said, and
-- those that it said besides. Every other byte stays: comments, code, line ends.

local update = {}

-- The lines of a text, each with its line end.
local function split(text)
  local lines = {}
  for line in text:gmatch "[^\n]*\n?" do
    if line ~= "" then
      lines[#lines + 1] = line
    end
  end
  return lines
end

-- What a line of the bot looks like beside another one: its indent and comment sign, and its end.
local function form_of(line)
  local prefix = line:match "^(%s*%-%-+%s+)" or line:match "^(%s*)"
  return prefix, line:match "\r?\n$"
end

local function render(like, change, default_end)
  local prefix, line_end = form_of(like)
  return ("%sbot%s: %s%s"):format(prefix, change.who and " to " .. change.who or "", change.text, line_end or default_end)
end

---Applies changes to a text.
---@param text string
---@param changes {line: integer?, after: integer?, text: string?, who: string?}[] `line`: of the file, to be replaced, or dropped without a text; `after`: a line goes behind this one
---@return string
function update.apply(text, changes)
  local lines, behind = split(text), {}
  local default_end = (lines[1] or ""):match "\r?\n$" or "\n"
  local original = table.move(lines, 1, #lines, 1, {})
  for _, change in ipairs(changes) do
    if change.line then
      lines[change.line] = change.text and render(original[change.line], change, "") or ""
    else
      behind[change.after] = behind[change.after] or {}
      table.insert(behind[change.after], change)
    end
  end
  for after, list in pairs(behind) do
    local line = lines[after] ~= "" and lines[after] or ""
    if not original[after]:find "\n$" then
      line = line .. default_end -- the last line of the file has no end: the new one gets none
    end
    for i, change in ipairs(list) do
      line = line .. render(original[after], change, i < #list and default_end or "")
    end
    lines[after] = line
  end
  return table.concat(lines)
end

-- In place, so that the file keeps its permissions and links.
local function rewrite(path, changes)
  local file, problem = io.open(path, "r+b")
  if not file then
    return nil, problem
  end
  local before = file:read "a"
  file:close()
  local text = update.apply(before, changes)
  file, problem = io.open(path, "wb")
  if not file then
    return nil, problem
  end
  local ok
  ok, problem = file:write(text)
  if ok then
    ok, problem = file:close()
  else
    file:close()
  end
  return ok, problem
end

---Writes the changes of results into their files.
---@param results cunnekt.testing.result[]
---@return integer count of lines changed
---@return string? problem
function update.write(results)
  local by_path, order, count = {}, {}, 0
  for _, result in ipairs(results) do
    local path = result.transcript.path
    if #result.changes > 0 and not by_path[path] then
      by_path[path] = {}
      order[#order + 1] = path
    end
    for _, change in ipairs(result.changes) do
      table.insert(by_path[path], change)
    end
  end
  for _, path in ipairs(order) do
    local ok, problem = rewrite(path, by_path[path])
    if not ok then
      return count, problem
    end
    count = count + #by_path[path]
  end
  return count
end

return update
