-- SPDX-License-Identifier: MIT
-- Rules about the content of messages. What is written out in a call goes through the builders that a reply goes through, so
-- that the limits are theirs; what the script computes is replaced by something that they take.

local advice = require "cunnekt.provider.advice"
local build = require "cunnekt.provider.build"
local limits = require "cunnekt.provider.limits"
local types = require "cunnekt.cli.check.types"

local contents = {}

-- Options beside the content, which builders do not take.
local beside = {}

local function note_options(class)
  for name in pairs(types.members(class)) do
    beside[name] = true
  end
end

-- ---- values --------------------------------------------------------------------------------------------------------

local count = 0

local placeholder

local web = { url = true, button_url = true, image = true, video = true, document = true, audio = true }

-- Something that a builder takes for a type.
function placeholder(its_type, name)
  for _, one in ipairs(types.alternatives(its_type)) do
    local members = one.kind == "shape" and one.fields or one.kind == "name" and types.is_class(one.name) and types.members(one.name)
    if one.kind == "list" then
      local first, second = placeholder(one.of, name), placeholder(one.of, name)
      return name == "cards" and { first, second } or { first }
    elseif members then
      local made = {}
      for field, member in pairs(members) do
        if not types.is_optional(member) then
          made[field] = placeholder(member, field)
        end
      end
      return made
    elseif one.kind == "literal" then
      return one.value
    elseif one.name == "string" or one.name == "any" then
      count = count + 1
      return web[name] and "https://example.com/" .. count or ("x%d"):format(count)
    end
  end
  return nil
end

local make

local function list_type(its_type)
  for _, one in ipairs(types.alternatives(its_type)) do
    if one.kind == "list" then
      return one.of
    end
  end
  return nil
end

local function member_of(its_type, name)
  for _, one in ipairs(types.alternatives(its_type)) do
    local member = one.kind == "shape" and one.fields[name] or one.kind == "map" and one.of
      or one.kind == "name" and types.member(one.name, name)
    if member then
      return member
    end
  end
  return nil
end

local function make_table(value, its_type)
  local made, of = {}, list_type(its_type)
  for i, item in ipairs(value.items) do
    made[i] = make(item, of or types.of "any", nil)
  end
  if value.is_open and not made[1] then
    return placeholder(its_type)
  end
  for _, field in ipairs(value.fields) do
    if not (beside[field.name] and value.is_top) then
      made[field.name] = make(field.value, member_of(its_type, field.name) or types.of "any", field.name)
    end
  end
  return made
end

-- The value of what is written; where that is not known, something that fits.
function make(value, its_type, name)
  local kind = value and value.kind
  if kind == "string" then
    return value.value
  elseif kind == "nil" then
    return nil
  elseif kind == "number" then
    return value.value or 1
  elseif kind == "boolean" then
    return not value.is_false
  elseif kind == "table" and (not value.is_shared or value.is_constant) then
    return make_table(value, its_type)
  end
  return placeholder(its_type, name)
end

-- ---- one call ------------------------------------------------------------------------------------------------------

-- The literal that a builder's path such as "buttons[2].title" names, and the line nearest to it. Nil: it is not written out.
local function find(path, root)
  local value, line = root, nil
  for name, place in path:gmatch "([%w_]*)%[?(%d*)%]?%.?" do
    if name ~= "" and value then
      local found
      for _, field in ipairs(value.fields or {}) do
        if field.name == name then
          found, line = field.value or false, field.line
        end
      end
      if found == nil then
        return { kind = "nil" }, line -- it is missing there
      end
      value = found
    end
    if place ~= "" and value then
      local items, at = value.items or {}, tonumber(place)
      line = value.lines and value.lines[at] or line
      value = items[at] or (at > #items and { kind = "nil" } or nil)
    end
  end
  return value or nil, line
end

local is_computed = { object = true, other = true, text = true, many = true }

local function is_written(value)
  return value and not is_computed[value.kind] and not value.is_open and (not value.is_shared or value.is_constant)
end

-- What a builder gets for an argument. Options alone, in the place of content that may be left out, are taken out before it.
local function argument(value, param)
  local is_optional = types.is_optional(param.type)
  if value == nil then
    return not is_optional and placeholder(param.type, param.name) or nil
  end
  local made = make(value, param.type, param.name)
  if is_optional and type(made) == "table" and next(made) == nil and value and value.fields and value.fields[1] then
    return nil
  end
  return made
end

-- The builder of a call, and how many of its arguments come before the content.
local function builder_of(call)
  local member = call.member or ""
  local kind = member == "ask" and "text" or member:match "^reply_([%w_]+)$" or member:match "^ask_([%w_]+)$"
    or member:match "^send_([%w_]+)$"
  local is_send = member:find "^send_" ~= nil
  local is_ours = call.class == "cunnekt.chat" or call.class == "cunnekt.message" or call.class == "cunnekt.event.any"
    or call.class == "cunnekt.event.message" or (is_send and (call.class == "cunnekt.client" or call.class == "cunnekt.build"))
  return is_ours and kind and build["send_" .. kind] or nil, is_send and 1 or 0
end

-- What the builder is given, and the same as one table, in which `find` finds places.
local function given(call, params, skipped)
  local args, root, n = {}, { kind = "table", fields = {}, items = {} }, 0
  for i = skipped + 1, #params do
    local param, value = params[i], call.args[i + call.shift]
    if param.name == "delivery" or param.name == "opts" then
      break
    end
    n = n + 1
    if value and value.kind == "table" then
      value.is_top = true
      root.is_open = value.is_open
      table.move(value.fields, 1, #value.fields, #root.fields + 1, root.fields)
    end
    table.insert(root.fields, { name = param.name, line = value and value.line, value = value })
    args[n] = argument(value, param)
  end
  return args, n, root
end

-- What a builder says, as texts with the field that each is about: its mistakes, or else its warnings, which begin with the field.
local function messages_of(builder, called, args, n)
  local found = {}
  limits.forget_warnings()
  limits.set_logger(function(message)
    found[#found + 1] = { text = message, field = message:match "^%S+" }
  end)
  local ok, made, err = pcall(builder, build.set_later, table.unpack(args, 1, n))
  if not ok or made or not err then
    return found
  end
  found = {}
  for _, one in ipairs { err, table.unpack(err.more or {}) } do
    if one.field then
      found[#found + 1] = { text = advice.sentence(one, called), field = one.field }
    end
  end
  return found
end

local function check_call(call, report)
  local builder, skipped = builder_of(call)
  local params = call.fun and call.fun.params
  if not builder or call.has_problem or not params then
    return
  end
  local args, n, root = given(call, params, skipped)
  for _, message in ipairs(messages_of(builder, call.member, args, n)) do
    -- What messages call by its type is the argument `url`.
    local is_url = web[message.field] and params[skipped + 1].name == "url"
    local value, line = find(is_url and "url" or message.field, root)
    -- A caption that is computed may be nil.
    if is_written(value) and not message.text:find "has a caption" then
      report(line or call.line, ("%s: %s"):format(call.name, message.text))
    end
  end
end

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function contents.check(notes, report)
  if next(beside) == nil then
    note_options "cunnekt.delivery"
    note_options "cunnekt.question"
  end
  local before = limits.set_logger(nil)
  for _, call in ipairs(notes.calls) do
    check_call(call, report)
  end
  limits.forget_warnings()
  limits.set_logger(before)
end

return contents
