-- SPDX-License-Identifier: MIT
-- Whether a string is a Lua pattern at all. Lua itself says so only when a text makes it read as far as the mistake, which may be
-- months after the start; so bot:on and filter.text read the whole pattern first. What matches is up to string.find.

local pattern = {}

local max_captures = 32 -- of Lua, LUA_MAXCAPTURES

-- A walk through a pattern: `at` is its next byte; `count` how many captures there are, `open` the numbers of those that are open,
-- `closed` of those that are not. Each step gives what is wrong, in Lua's words.

local function read_set(walk)
  local text = walk.text
  walk.at = walk.at + (text:sub(walk.at + 1, walk.at + 1) == "^" and 2 or 1)
  repeat -- the first sign is no end of the set: "[]]"
    if walk.at > #text then
      return "malformed pattern (missing ']')"
    end
    walk.at = walk.at + (text:sub(walk.at, walk.at) == "%" and walk.at < #text and 2 or 1)
  until text:sub(walk.at, walk.at) == "]"
  walk.at = walk.at + 1
end

local function read_escape(walk)
  local sign = walk.text:sub(walk.at + 1, walk.at + 1)
  walk.at = walk.at + 2
  if sign == "" then
    return "malformed pattern (ends with '%')"
  elseif sign == "b" then
    walk.at = walk.at + 2
    return walk.at > #walk.text + 1 and "malformed pattern (missing arguments to '%b')" or nil
  elseif sign == "f" then
    return walk.text:sub(walk.at, walk.at) ~= "[" and "missing '[' after '%f' in pattern" or nil
  elseif sign:find "%d" then
    local is_closed = walk.closed[tonumber(sign)]
    return not is_closed and ("invalid capture index %%%s"):format(sign) or nil
  end
end

local function open_capture(walk)
  walk.count = walk.count + 1
  table.insert(walk.open, walk.count)
  walk.at = walk.at + 1
  return walk.count > max_captures and "too many captures" or nil
end

local function close_capture(walk)
  local last = table.remove(walk.open)
  walk.at = walk.at + 1
  if not last then
    return "invalid pattern capture"
  end
  walk.closed[last] = true
end

local steps = {
  ["["] = read_set, ["%"] = read_escape, ["("] = open_capture, [")"] = close_capture,
}

local function problem_of(text)
  local walk = { text = text, at = 1, count = 0, open = {}, closed = {} }
  while true do
    local at = text:find("[%%%[%(%)]", walk.at) -- other signs fit anywhere
    if not at then
      break
    end
    walk.at = at
    local problem = steps[text:sub(at, at)](walk)
    if problem then
      return problem
    end
  end
  return walk.open[1] and "unfinished capture" or nil
end

---A string as the pattern that finds it as it stands.
---@param text string
---@return string
function pattern.quote(text)
  return (text:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"))
end

---Why a string is no Lua pattern, and what finds it as words; nil: it is one.
---@param text string
---@return string? problem
function pattern.problem(text)
  local problem = problem_of(text)
  return problem and ("'%s' is not a Lua pattern: %s; for these words write '%s'"):format(text, problem, pattern.quote(text))
end

return pattern
