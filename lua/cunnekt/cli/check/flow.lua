-- SPDX-License-Identifier: MIT
-- What is known of variables and of functions' parameters. A script is walked several times: what one walk finds about a
-- function that is given to a bot, or called, tells the next walk what its parameters are. A variable is known when it is
-- assigned once.

local route = require "cunnekt.bot.route"
local types = require "cunnekt.cli.check.types"

local flow = {}

local flow_methods = {}
local flow_mt = { __index = flow_methods }

---@class cunnekt.check.flow
---@field declared string[] the locals in their order
---@field functions integer how many functions there were
---@param before? cunnekt.check.flow of the walk before
---@return cunnekt.check.flow
function flow.new(before)
  return setmetatable({
    declared = {}, functions = 0, _before = before, _counts = {}, _values = {}, _sources = {}, _uses = {}, _explained = {},
  }, flow_mt)
end

---Notes an assignment to a variable.
---@param id integer|string of a local; a global's name
---@param value? table
function flow_methods:assign(id, value)
  self._counts[id] = (self._counts[id] or 0) + 1
  self._values[id] = value or nil
end

---Replaces the value of a function whose name its own body may use.
---@param id integer
---@param value table
function flow_methods:redefine(id, value)
  self._values[id] = value
end

-- What a variable is known to be. Before the first walk has ended, an assignment counts as the only one.
local function known_value(self, id)
  local before = self._before
  if before and before._counts[id] ~= 1 then
    return nil
  end
  local value = self._values[id]
  if value == nil and before and type(id) == "string" then
    value = before._values[id] -- a global may be read above its assignment, in a function
  end
  return value
end

---The value of a variable that is read.
---@param id integer|string
---@param is_called? boolean
---@return table?
function flow_methods:read(id, is_called)
  local value = known_value(self, id)
  if not value then
    return nil
  elseif value.kind == "function" then
    self._uses[value.id] = (self._uses[value.id] or 0) + 1
    if is_called then
      self._explained[value.id] = (self._explained[value.id] or 0) + 1
    end
    return { kind = "function", id = value.id, may_pass = value.may_pass, by_name = true }
  elseif value.kind == "table" then
    return { kind = "table", fields = value.fields, items = value.items, lines = value.lines, line = value.line, is_shared = true }
  elseif value.kind == "object" then
    return { kind = "object", type = value.type, name = value.name }
  end
  return value
end

-- ---- parameters ----------------------------------------------------------------------------------------------------

local function name_of(its_type)
  return its_type and types.class(its_type) or false
end

-- Notes what parameters of a function get at one place: a list of types, with false where that is unknown.
local function add_source(self, id, given)
  local sources = self._sources[id] or {}
  self._sources[id] = sources
  sources[#sources + 1] = given
end

---Notes a call of a function that the script defines.
---@param value table
---@param args table[]
function flow_methods:call(value, args)
  local given = {}
  for i, arg in ipairs(args) do
    given[i] = arg and arg.kind == "object" and arg.type or false
  end
  add_source(self, value.id, given)
end

local function give(self, value, fun)
  local given = {}
  for i, param in ipairs(fun.params) do
    given[i] = param.type
  end
  add_source(self, value.id, given)
  if value.by_name then
    self._explained[value.id] = (self._explained[value.id] or 0) + 1
  end
end

---The type of a function's parameter: that which it gets at every place.
---@param id integer
---@param place integer
---@return cunnekt.check.type?
function flow_methods:parameter(id, place)
  local before = self._before
  local sources = before and before._sources[id]
  if not sources or (before._uses[id] or 0) ~= (before._explained[id] or 0) then
    return nil
  end
  local found
  for _, given in ipairs(sources) do
    local its_type = given[place]
    if not its_type or (found and name_of(found) ~= name_of(its_type)) then
      return nil
    end
    found = its_type
  end
  return found
end

-- Gives the functions inside a value the parameters that a type tells.
local function settle(self, value, its_type)
  if not value then
    return
  elseif value.kind == "function" then
    local fun = types.fun(its_type)
    if fun then
      give(self, value, fun)
    end
  elseif value.kind == "table" and not value.is_shared then
    local class = types.class(its_type)
    for _, field in ipairs(class and value.fields or {}) do
      local member = types.member(class, field.name)
      if member then
        settle(self, field.value, member)
      end
    end
  end
end

-- The event that a handler of bot:on gets.
local function event_type(what)
  local kind = what and what.kind == "string" and route.is_name(what.value) and route.kind_of(what.value) or "any"
  return types.of("cunnekt.event." .. kind)
end

---Tells functions among a call's arguments what their parameters are.
---@param self cunnekt.check.flow
---@param call table
function flow.settle_arguments(self, call)
  local fun = call.fun
  if not fun then
    return
  elseif call.class == "cunnekt.bot" and call.member == "on" then
    local its_fun = { kind = "fun", params = { { name = "event", type = event_type(call.args[1]) } }, results = {} }
    for i = 2, #call.args do
      settle(self, call.args[i], its_fun)
    end
    return
  end
  local shift = call.shift
  local params = fun.params
  for _, overload in ipairs(fun.overloads or {}) do
    -- Without its optional table a function stands one place earlier.
    local at = #overload.params
    local given = call.args[at]
    if #call.args == at and given and given.kind == "function" then
      params = overload.params
    end
  end
  for i, param in ipairs(params) do
    settle(self, call.args[i + shift], param.type)
  end
end

---What this walk has found about parameters, as text: two walks that found the same end the search.
---@return string
function flow_methods:summary()
  local parts = {}
  local view = setmetatable({ _before = self }, flow_mt)
  for id = 1, self.functions do
    for place = 1, 4 do
      parts[#parts + 1] = tostring(name_of(view:parameter(id, place)))
    end
  end
  return table.concat(parts, " ")
end

return flow
