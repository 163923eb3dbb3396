-- SPDX-License-Identifier: MIT
-- Writes what the bot has said into the files of transcripts: the lines that said something else, those that were not said, and
-- those that it said besides. Every other byte stays: comments, code, line ends.

local update = {}

local unsettled = "the bot says something else each time: write … in place of what changes"

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
  local prefix = line:match "^(%s*%-%-+%s*)" or line:match "^(%s*)"
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
  local mark = text:match "^\xef\xbb\xbf" or "" -- of the byte order: no part of the first line
  local lines, behind = split(text:sub(#mark + 1)), {}
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
  return mark .. table.concat(lines)
end

local function read(path)
  local file, problem = io.open(path, "r+b") -- one that cannot be written is no use
  if not file then
    return nil, problem
  end
  local text = file:read "a"
  file:close()
  return text
end

-- In place, so that the file keeps its permissions and links.
local function write(path, text)
  local file, problem = io.open(path, "wb")
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

-- The changes of those results, and how often they may be played again: each time at least one more of their steps is right.
local function changes_of(results, places)
  local changes, rounds = {}, 2
  for _, place in pairs(places) do
    local result = results[place]
    table.move(result.changes, 1, #result.changes, #changes + 1, changes)
    rounds = math.max(rounds, #result.transcript.steps + 2)
  end
  return changes, rounds
end

local function note_unsettled(results, places)
  for _, place in pairs(places) do
    local result, first = results[place], results[place].changes[1]
    if first then
      table.insert(result.problems, { line = first.line or first.after, message = unsettled, got = first.text })
    end
  end
end

-- Changes a text until its transcripts come as it says. `places`: of the results of each of them, by its number in the text.
local function settle(text, results, places, play)
  local count, round = 0, 0
  while true do
    local changes, most = changes_of(results, places)
    if #changes == 0 then
      return text, count
    elseif round == most then
      note_unsettled(results, places)
      return text, count
    end
    text, count, round = update.apply(text, changes), count + #changes, round + 1
    for i, place in pairs(places) do
      local before = results[place]
      results[place] = #before.changes > 0 and play(before.transcript.path, text, i) or before
      places[i] = results[place] ~= before and place or nil
    end
  end
end

---Writes the changes of results into their files, once the transcripts come as these say: they are played again, for other lines may
---let other times pass.
---@param results cunnekt.testing.result[] those of all transcripts of a file, in its order; the last ones take their place
---@param play fun(path: string, text: string, i: integer): cunnekt.testing.result? plays a transcript of a text
---@return integer count of lines changed
---@return string? problem
function update.write(results, play)
  local places_in, paths, total = {}, {}, 0
  for place, result in ipairs(results) do
    local path = result.transcript.path
    paths[#paths + 1] = not places_in[path] and path or nil
    places_in[path] = places_in[path] or {}
    table.insert(places_in[path], place)
  end
  for _, path in ipairs(paths) do
    if #changes_of(results, places_in[path]) > 0 then
      local before, problem = read(path)
      if not before then
        return total, problem
      end
      local text, count = settle(before, results, places_in[path], play)
      local is_written
      is_written, problem = write(path, text)
      if not is_written then
        return total, problem
      end
      total = total + count
    end
  end
  return total
end

return update
