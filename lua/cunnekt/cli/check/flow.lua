-- SPDX-License-Identifier: MIT
-- What is known of variables and of functions' parameters, of a script and its modules. They are walked several times: what one
-- walk finds about a function that is given to a bot, or called, tells the next walk what its parameters are. A variable is known
-- when it is assigned once; so are a field of a table that the script makes, and what a module returns.

local route = require "cunnekt.bot.route"
local types = require "cunnekt.cli.check.types"

local flow = {}

local flow_methods = {}
local flow_mt = { __index = flow_methods }

---@class cunnekt.check.flow
---@field declared string[] the locals in their order
---@field functions integer how many functions there were
---@field tables integer how many tables
---@field file integer which file is walked now
---@field known integer how many variables were read whose value is known
---@param before? cunnekt.check.flow of the walk before
---@return cunnekt.check.flow
function flow.new(before)
  return setmetatable({
    declared = {}, functions = 0, tables = 0, file = 1, known = 0, _before = before, _counts = {}, _values = {}, _files = {}, _sources = {},
    _uses = {}, _explained = {}, _owners = {}, _changed = {},
  }, flow_mt)
end

-- Whether a variable is assigned in one place only. Before the first walk has ended, an assignment counts as the only one.
local function is_assigned_once(self, id)
  local before = self._before
  return not before or before._counts[id] == 1
end

---Notes that a function or a table that has a name is used where it is known what becomes of it.
---@param value? table
function flow_methods:explain(value)
  if value and value.by_name then
    self._explained[value.id] = (self._explained[value.id] or 0) + 1
  end
end

---A name for the next table.
---@return string id
function flow_methods:new_table()
  self.tables = self.tables + 1
  return "t" .. self.tables
end

---The name of a field of a table, as of a variable.
---@param table_id string
---@param name string
---@return string id
function flow.field(table_id, name)
  return table_id .. "." .. name
end

---What a module returns, as a variable.
---@param file integer
---@return string id
function flow.exported(file)
  return "module " .. file
end

---Notes an assignment to a variable.
---@param id integer|string of a local; a global's name; of `flow.field` and `flow.exported`
---@param value? table
---@param owner? string the table whose field it is
function flow_methods:assign(id, value, owner)
  self._counts[id] = (self._counts[id] or 0) + 1
  self._values[id], self._files[id] = value or nil, self.file
  if not value or not value.id then
    return
  elseif is_assigned_once(self, id) then
    self:explain(value)
  end
  if owner then
    local owners = self._owners[value.id] or {}
    self._owners[value.id] = owners
    owners[#owners + 1] = owner
  end
  for _, field in ipairs(value.kind == "table" and not value.is_shared and value.fields or {}) do
    self:assign(flow.field(value.id, field.name), field.value, value.id)
  end
end

---Notes that a field of a table is assigned after it was written.
---@param table_id string
function flow_methods:change(table_id)
  self._changed[table_id] = true
end

-- Whether a value is a text, or a table of such, which nothing changes; how the table itself is used is not asked.
local function is_plain(self, value)
  if not value or value.kind ~= "table" then
    return value and value.kind ~= "function" and value.kind ~= "object" and value.kind ~= "other" and value.kind ~= "many"
  elseif value.is_open or self._changed[value.id] or (value.is_shared and not value.is_constant) then
    return false
  end
  for _, list in ipairs { value.fields, value.items } do
    for _, one in ipairs(list) do
      local inner = list == value.fields and one.value or list == value.items and one
      local is_used = inner and inner.id and (self._uses[inner.id] or 0) ~= (self._explained[inner.id] or 0)
      if is_used or not is_plain(self, inner) then
        return false
      end
    end
  end
  return true
end

---Notes that a function of ours gets a value: what it holds stays as it is.
---@param value? table
function flow_methods:pass(value)
  if not value or value.kind ~= "table" then
    return
  elseif value.is_shared then
    if self._before and is_plain(self._before, { kind = "table", id = value.id, fields = value.fields, items = value.items }) then
      self:explain(value)
    end
    return
  end
  for _, field in ipairs(value.fields) do
    self:pass(field.value)
  end
  for _, item in ipairs(value.items) do
    self:pass(item)
  end
end

---Replaces the value of a function whose name its own body may use.
---@param id integer
---@param value table
function flow_methods:redefine(id, value)
  self._values[id] = value
end

-- What a variable is known to be, and the file that says so.
local function known_value(self, id)
  local before = self._before
  if not is_assigned_once(self, id) then
    return nil
  end
  local value, file = self._values[id], self._files[id]
  if value == nil and before and type(id) == "string" then
    value, file = before._values[id], before._files[id] -- it may be read above its assignment, in a function
  end
  return value, file
end

-- Whether all uses of a function or a table are known, and of the tables that it is in.
local function is_sure(self, id, seen)
  if (self._uses[id] or 0) ~= (self._explained[id] or 0) then
    return false
  end
  seen[id] = true
  for _, owner in ipairs(self._owners[id] or {}) do
    if not seen[owner] and not is_sure(self, owner, seen) then
      return false
    end
  end
  return true
end

---The value of a variable that is read.
---@param id integer|string
---@param is_called? boolean
---@return table?
function flow_methods:read(id, is_called)
  local value, file = known_value(self, id)
  if not value then
    return nil
  end
  self.known = self.known + 1
  if value.kind == "object" then
    return { kind = "object", type = value.type, name = value.name }
  elseif value.kind == "other" or value.kind == "many" then
    return { kind = "other", global = value.global, field = value.field } -- one value, where a call gave several
  elseif value.kind ~= "function" and value.kind ~= "table" then
    return file == self.file and value or nil -- a rule that finds something in it names its line
  end
  self._uses[value.id] = (self._uses[value.id] or 0) + 1
  if value.kind == "function" then
    local its_value = { kind = "function", id = value.id, may_pass = value.may_pass, by_name = true }
    its_value.gives_nothing, its_value.is_never_true = value.gives_nothing, value.is_never_true
    if file == self.file then
      its_value.first_call, its_value.last_call = value.first_call, value.last_call
      its_value.first_change, its_value.last_change = value.first_change, value.last_change
    end
    if is_called then
      self:explain(its_value)
    end
    return its_value
  elseif file ~= self.file then
    return { kind = "table", id = value.id, fields = {}, items = {}, lines = {}, is_shared = true, is_open = true, by_name = true }
  end
  local before = self._before
  local its_table = { kind = "table", id = value.id, fields = value.fields, items = value.items, is_open = value.is_open }
  return {
    is_constant = before and is_plain(before, its_table) and is_sure(before, value.id, {}) or nil,
    kind = "table", id = value.id, fields = value.fields, items = value.items, lines = value.lines, line = value.line, is_shared = true,
    is_open = value.is_open, by_name = true, of_file = value.of_file,
  }
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
  self:explain(value)
end

local is_message = { ["cunnekt.message"] = true, ["cunnekt.event.message"] = true }

local function is_event(name)
  return name and (is_message[name] or name:find "^cunnekt%.event%.")
end

-- What both are: messages, or any event.
local function common(one, other)
  local name, its_name = name_of(one), name_of(other)
  if name == its_name then
    return one
  elseif is_event(name) and is_event(its_name) then
    return types.of(is_message[name] and is_message[its_name] and "cunnekt.message" or "cunnekt.event.any")
  end
  return nil
end

---Whether everything is known that is done with a table.
---@param table_id string
---@return boolean
function flow_methods:is_sure(table_id)
  return not self._before or is_sure(self._before, table_id, {})
end

---The type of a function's parameter: that which it gets at every place.
---@param id integer
---@param place integer
---@return cunnekt.check.type?
function flow_methods:parameter(id, place)
  local before = self._before
  local sources = before and before._sources[id]
  if not sources or not is_sure(before, id, {}) then
    return nil
  end
  local found
  for _, given in ipairs(sources) do
    local its_type = given[place]
    found = its_type and (found and common(found, its_type) or not found and its_type)
    if not found then
      return nil
    end
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

---What this walk has found, as text: two walks that found the same end the search.
---@return string
function flow_methods:summary()
  local parts = { tostring(self.known) }
  local view = setmetatable({ _before = self }, flow_mt)
  for id = 1, self.functions do
    for place = 1, 4 do
      parts[#parts + 1] = tostring(name_of(view:parameter(id, place)))
    end
  end
  return table.concat(parts, " ")
end

return flow
