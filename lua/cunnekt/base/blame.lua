-- SPDX-License-Identifier: MIT
-- Which line of a script is to blame: places and tracebacks without the functions of cunnekt's own files, which nobody can mend.
-- A fault of ours keeps them. And what was raised as text, also where it is no text.

local canonical = require "cunnekt.base.canonical"
local words = require "cunnekt.base.words"

local blame = {}

-- How our files are named: "@cunnekt/…" in the host, "@/usr/share/lua/5.4/cunnekt/…" elsewhere.
local root = debug.getinfo(1, "S").source:match "^(.*)base/blame%.lua$" or "@cunnekt/"

-- Levels that are looked at, and lines of a traceback at its beginning and at its end: a recursion has hundreds of thousands.
local max_levels, max_lines = 1000, 10

-- Of a table that was raised: items that are shown of each table, tables in tables, bytes of a text in it, and of all of it.
local max_items, max_depth, max_part, max_text = 10, 3, 80, 300

-- A script in a folder of that name is called "./cunnekt/…" (dialog/engine/source.lua).
local function is_own_file(source)
  return source:sub(1, #root) == root
end

local function is_ours(info)
  return info.what == "C" or is_own_file(info.source)
end

local function place_of(info)
  return ("%s:%d"):format(info.short_src, info.currentline)
end

---The nearest line of a script that led here.
---@param level? integer as in `error`
---@return string? place "bot.lua:12"; nil: there is none
function blame.place(level)
  for at = (level or 1) + 1, max_levels do
    local info = debug.getinfo(at, "Sl")
    if not info then
      return nil
    elseif not is_ours(info) then
      return place_of(info)
    end
  end
  return nil
end

-- ---- calls that left no frame ------------------------------------------------------------------------------------------

-- The function of a script that a value of ours is, or holds.
local function script_function(value)
  if type(value) == "table" then
    value = rawget(value, "run") or rawget(value, "fn")
  end
  local info = type(value) == "function" and debug.getinfo(value, "S") or nil
  return info and not is_ours(info) and info or nil
end

-- Of the locals of a frame of ours, the last one that is a function of a script: the one that it has called.
local function function_called(level)
  local found, at = nil, 1
  if not debug.getinfo(level + 1, "l") then
    return nil -- it was the first of its coroutine
  end
  local name, value = debug.getlocal(level + 1, at)
  while name do
    found = script_function(value) or found
    at = at + 1
    name, value = debug.getlocal(level + 1, at)
  end
  return found
end

---The function of a script that led here by `return chat:ask(…)`, which leaves no frame with its line: where it begins.
---@param level? integer as in `error`
---@return string? place "bot.lua:10", or "bot.lua" of a whole script; nil: there is none
function blame.function_place(level)
  for at = (level or 1) + 1, max_levels do
    local info = debug.getinfo(at, "St")
    if not info then
      return nil
    end
    local called = info.istailcall and is_ours(info) and function_called(at + 1)
    if called then
      return called.linedefined > 0 and ("%s:%d"):format(called.short_src, called.linedefined) or called.short_src
    end
  end
  return nil
end

-- ---- descriptions ------------------------------------------------------------------------------------------------------

local function describe(info, caller)
  if info.what == "main" then
    return "main chunk"
  elseif info.name and not (caller and is_ours(caller)) then
    return ("%s '%s'"):format(info.namewhat ~= "" and info.namewhat or "function", info.name)
  end
  return ("function <%s:%d>"):format(info.short_src, info.linedefined)
end

-- The frames from a level on, the script's apart.
local function frames_from(level)
  local all, own = {}, {}
  for at = level + 1, max_levels do
    local info = debug.getinfo(at, "Slnf")
    if not info then
      break
    end
    all[#all + 1] = info
    if not is_ours(info) then
      own[#own + 1] = { info = info, place = #all }
    end
  end
  return all, own
end

-- A text that begins with a place in one of our files, with the script's in its place.
local function replaced(text, frames, place)
  for _, info in ipairs(frames) do
    local wrong = info.currentline > 0 and is_ours(info) and place_of(info) .. ": "
    if wrong and text:sub(1, #wrong) == wrong then
      return place .. ": " .. text:sub(#wrong + 1)
    end
  end
  return text
end

-- Whether a text begins with a place: in a Lua file, or in this one.
local function has_place(text, file)
  local found = text:match "^([^\n:]+):%d+: "
  return found ~= nil and (found == file or found:find "%.lua$" ~= nil)
end

-- A text without the places that coroutine.wrap puts before that of an error which passes through it. `raiser` and `caller` are the
-- innermost frames.
local function at_origin(text, raiser, caller)
  local passed = raiser and caller and raiser.what == "C" and raiser.func ~= error and place_of(caller) .. ": "
  if not passed or text:sub(1, #passed) ~= passed then
    return text
  end
  local file, rest = caller.short_src, text:sub(#passed + 1)
  while has_place(rest, file) do
    text, rest = rest, rest:match "^[^\n:]+:%d+: (.*)$"
  end
  return text
end

-- ---- what was raised -----------------------------------------------------------------------------------------------

-- A text that is no longer than this, in whole characters.
local function shortened(text, most)
  return #text > most and text:sub(1, (utf8.offset(text, 0, most + 1) or most + 1) - 1) .. "…" or text
end

-- The first items of a table, in an order of their own.
local function some_of(value)
  local items, count, is_cut = {}, 0, false
  for key, item in next, value do
    is_cut = count == max_items
    if is_cut then
      break
    end
    items[key], count = item, count + 1
  end
  return items, is_cut
end

local function shown(value, depth)
  if type(value) == "string" then
    return ('"%s"'):format(shortened(words.plain(value), max_part))
  elseif type(value) ~= "table" then
    local is_plain = type(value) == "number" or type(value) == "boolean"
    return is_plain and tostring(value) or ("a %s"):format(type(value))
  elseif depth == max_depth then
    return next(value) == nil and "{}" or "{ … }"
  end
  local items, is_cut = some_of(value)
  local parts = {}
  for _, key in ipairs(canonical.keys(items)) do
    local text = shown(items[key], depth + 1)
    local is_name = type(key) == "string" and key:find "^[%a_][%w_]*$"
    parts[#parts + 1] = key == #parts + 1 and text or ("%s = %s"):format(is_name and key or ("[%s]"):format(shown(key, max_depth)), text)
  end
  parts[#parts + 1] = is_cut and "…" or nil
  return parts[1] and ("{ %s }"):format(table.concat(parts, ", ")) or "{}"
end

---What was raised, as text: what a table has in it, not its address, which is another one each time.
---@param failure any
---@return string
function blame.text(failure)
  local mt = type(failure) ~= "string" and debug.getmetatable(failure)
  if type(failure) == "string" or type(failure) == "number" or mt and mt.__tostring then
    return tostring(failure)
  elseif failure == nil then
    return "an error without a value"
  elseif type(failure) == "table" then
    return next(failure) == nil and "an error that is an empty table" or shortened(shown(failure, 0), max_text)
  end
  return ("an error that is %s"):format(type(failure) == "boolean" and tostring(failure) or "a " .. type(failure))
end

---A failure as text, which blames the script's line, and its traceback, with the script's lines only. For a message handler.
---@param failure any
---@param level? integer as in `error`: where the traceback begins
---@return string text
---@return string traceback begins with the text
---@return boolean is_enough the text alone says as much: a function of ours refused what one line of a script asks
function blame.describe(failure, level)
  level = (level or 1) + 1
  local all, own = frames_from(level)
  local text = at_origin(blame.text(failure), all[1], all[2])
  local is_raised = all[1] and all[1].func == error
  local begins_at = is_raised and not own[1] and blame.function_place(level)
  if begins_at then
    text = replaced(text, all, begins_at)
    text = text:sub(1, #begins_at) == begins_at and text or begins_at .. ": " .. text
    return text, text, true
  elseif not own[1] or not (is_raised or not is_ours(all[1]) or all[1].what == "C") then
    return text, debug.traceback(text, level), false
  end
  text = replaced(text, all, place_of(own[1].info))
  local lines = {}
  for i, frame in ipairs(own) do
    if i <= max_lines or i > #own - max_lines then
      lines[#lines + 1] = ("\n\t%s: in %s"):format(place_of(frame.info), describe(frame.info, all[frame.place + 1]))
    elseif i == max_lines + 1 then
      lines[#lines + 1] = "\n\t..."
    end
  end
  local before = all[own[1].place - 1]
  local is_refusal = is_raised and before and before.what ~= "C" and is_ours(before)
  return text, text .. "\nstack traceback:" .. table.concat(lines), is_refusal and not own[2]
end

-- A traceback that Lua has made, without the lines that are not the script's; all of it where no other is left.
local function without_ours(traceback)
  local head, frames = traceback:match "^(.-\nstack traceback:)(\n.*)$"
  local kept = {}
  for line in (frames or ""):gmatch "\n(\t[^\n]+)" do
    local file = line:match "^\t(.-):%d+: in"
    -- Lua shortens long names at their beginning.
    local is_own = file and (is_own_file("@" .. file) or file:find "^%.%.%..*/cunnekt/[%w_/]+%.lua$")
    if file and not is_own then
      kept[#kept + 1] = "\n" .. line
    end
  end
  return kept[1] and head .. table.concat(kept) or traceback
end

---The failure of a coroutine and its traceback, as text, with the script's lines only.
---@param co thread
---@param failure string
---@return string
function blame.traceback(co, failure)
  failure = at_origin(failure, debug.getinfo(co, 0, "Sf"), debug.getinfo(co, 1, "Sl"))
  return without_ours(debug.traceback(co, failure))
end

return blame
