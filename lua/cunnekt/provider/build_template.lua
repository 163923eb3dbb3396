-- SPDX-License-Identifier: MIT
-- Builds the payloads of templates. Simple templates have lower-case types and button indexes that are strings; carousels
-- have upper-case types and integer indexes, as in the provider's own samples. Of components given as they are only the values
-- are checked, and nothing is changed.

local canonical = require "cunnekt.base.canonical"
local check = require "cunnekt.provider.build_check"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"

local template = {}

---@class cunnekt.template_header
---@field image? string URL
---@field video? string URL
---@field document? string URL
---@field filename? string of the document
---@field text? string|table<string, string> the value of the header's variable; by its name where the template has one

---@class cunnekt.template_button
---@field type "url"|"quick_reply"
---@field index? integer position of the button in the template, from 0; its place in the list by default
---@field text? string what is appended to the URL
---@field payload? string what comes back with the reply

---@class cunnekt.template_card
---@field image? string URL
---@field video? string URL
---@field body? string|string[]|table<string, string> values for the card's text
---@field buttons? {type: "url"|"quick_reply", payload: string, index: integer?}[]

---@class cunnekt.template_message
---@field header? string|cunnekt.template_header
---@field body? string[]|table<string, string> values for {{1}}, {{2}}, …; or by name, for {{name}}
---@field buttons? cunnekt.template_button[]
---@field cards? cunnekt.template_card[] two to ten
---@field override_bot? boolean
---@field components? table[] the provider's own form, sent as it is; excludes header, body, buttons and cards

-- Indexes count from 0.
local LAST_INDEX, LAST_CARD_INDEX = limits.items.template_buttons.max - 1, limits.items.card_buttons.max - 1
-- Levels of components given as they are; decoded JSON has about as many.
local DEEPEST = 100

-- ---- simple templates -----------------------------------------------------------------------------------------------

local header_kinds = { "image", "video", "document", "text" }

local function header_kind(value)
  local found
  for _, kind in ipairs(header_kinds) do
    if value[kind] ~= nil then
      if found then
        check.fail("header", ("header has both %s and %s; it takes one"):format(found, kind))
      end
      found = kind
    end
  end
  if not found then
    check.fail("header", "header needs one of image, video, document, text")
  end
  return found
end

-- The names of a table's values, in an order that is always the same. WhatsApp's names are of small letters, digits and _.
local function names_of(field, values)
  local names = canonical.keys(values)
  for _, name in ipairs(names) do
    if type(name) ~= "string" then
      check.fail(field, ("%s has both named values and a list; a template takes one kind"):format(field))
    elseif not name:find "^[%l%d_]+$" then
      check.fail(field, ("%s.%s is no name of a variable: small letters, digits and _"):format(field, name))
    end
  end
  return names
end

local function is_named(values)
  return type(values) == "table" and type(next(values)) == "string"
end

local function named_parameters(field, values, kind, limit)
  local parameters = {}
  for i, name in ipairs(names_of(field, values)) do
    local text = check.parameter(field .. "." .. name, values[name], limit)
    parameters[i] = { type = kind, parameter_name = name, text = text }
  end
  return parameters
end

local function header_text(field, value)
  if not is_named(value) then
    return { type = "text", text = check.parameter(field, value, "header") }
  end
  local parameters = named_parameters(field, value, "text", "header")
  if #parameters > 1 then
    check.fail(field, field .. " has more than one value; a header has one variable at most")
  end
  return parameters[1]
end

local function header_parameter(value)
  if type(value) == "string" then
    return header_text("header", value)
  end
  check.table("header", value)
  check.keys("header.", value, { "type", "filename", table.unpack(header_kinds) })
  local kind = header_kind(value)
  local field = "header." .. kind
  if value.type ~= nil and value.type ~= kind then
    check.fail("header.type", ("header.type must be '%s'"):format(kind))
  end
  if value.filename ~= nil and kind ~= "document" then
    check.fail("header.filename", "header.filename goes with a document only")
  end
  if kind == "text" then
    return header_text(field, value.text)
  end
  local filename = check.optional_text("header.filename", value.filename)
  return { type = kind, [kind] = { link = check.url(field, value[kind]), filename = filename } }
end

local function text_parameters(field, values, kind, limit)
  if is_named(values) then
    return named_parameters(field, values, kind, limit)
  end
  local parameters = {}
  for i = 1, check.sequence(field, values) do
    parameters[i] = { type = kind, text = check.parameter(("%s[%d]"):format(field, i), values[i], limit) }
  end
  return parameters
end

local function button_index(prefix, value, default, last)
  if value == nil then
    return default
  end
  local index = math.tointeger(tonumber(value))
  if not index or index < 0 or index > last then
    check.fail(prefix .. "index", ("%sindex must be an integer from 0 to %d"):format(prefix, last))
  end
  return index
end

local function button_type(prefix, value)
  if value ~= "url" and value ~= "quick_reply" then
    check.fail(prefix .. "type", prefix .. "type must be 'url' or 'quick_reply'")
  end
  return value
end

-- A URL button takes the variable part of its address; a quick reply takes the payload that comes back.
local function button_parameter(prefix, button, kind)
  local name, other = "payload", "text"
  if kind == "url" then
    name, other = "text", "payload"
  end
  if button[other] ~= nil then
    check.fail(prefix .. other, ("%s%s does not go with type '%s', which takes %s"):format(prefix, other, kind, name))
  end
  local checked = kind == "url" and check.parameter or check.text
  return { type = name, [name] = checked(prefix .. name, button[name]) }
end

local function once(seen, prefix, index)
  if seen[index] then
    check.fail(prefix .. "index", ("%sindex is the same as that of button %d in the list"):format(prefix, seen[index]))
  end
  return index
end

local function add_buttons(components, buttons)
  local seen = {}
  for i, button in check.list("buttons", buttons, "template_buttons") do
    local prefix = ("buttons[%d]."):format(i)
    check.keys(prefix, button, { "index", "type", "text", "payload" })
    local kind = button_type(prefix, button.type)
    local index = once(seen, prefix, button_index(prefix, button.index, i - 1, LAST_INDEX))
    seen[index] = i
    components[#components + 1] = {
      type = "button",
      sub_type = kind,
      index = tostring(index),
      parameters = { button_parameter(prefix, button, kind) },
    }
  end
end

-- ---- carousels ------------------------------------------------------------------------------------------------------

local function card_header(path, card)
  local kind = card.image ~= nil and "image" or "video"
  if card.image ~= nil and card.video ~= nil then
    check.fail(path, path .. " has both image and video; it takes one")
  elseif card[kind] == nil then
    check.fail(path .. ".image", path .. " needs image or video")
  end
  local parameter = { type = kind:upper(), [kind] = { link = check.url(path .. "." .. kind, card[kind]) } }
  return { type = "HEADER", parameters = { parameter } }
end

local function add_card_buttons(components, path, buttons)
  local seen = {}
  for i, button in check.list(path .. ".buttons", buttons, "card_buttons") do
    local prefix = ("%s.buttons[%d]."):format(path, i)
    check.keys(prefix, button, { "index", "type", "payload" })
    local kind = button_type(prefix, button.type)
    local index = once(seen, prefix, button_index(prefix, button.index, i - 1, LAST_CARD_INDEX))
    seen[index] = i
    local checked = kind == "url" and check.parameter or check.text
    components[#components + 1] = {
      type = "BUTTON",
      sub_type = kind:upper(),
      index = index,
      parameters = { { type = "PAYLOAD", payload = checked(prefix .. "payload", button.payload) } },
    }
  end
end

local function card_component(i, card)
  local path = ("cards[%d]"):format(i)
  check.keys(path .. ".", card, { "image", "video", "body", "buttons" })
  local components = { card_header(path, card) }
  if card.body ~= nil then
    local values = type(card.body) == "string" and { card.body } or card.body
    local parameters = text_parameters(path .. ".body", values, "TEXT")
    if #parameters > 0 then
      components[#components + 1] = { type = "BODY", parameters = parameters }
    end
  end
  if card.buttons ~= nil then
    add_card_buttons(components, path, card.buttons)
  end
  return { card_index = i - 1, components = components }
end

local function carousel(cards)
  local made = {}
  for i, card in check.list("cards", cards, "cards") do
    made[i] = card_component(i, card)
  end
  return { type = "CAROUSEL", cards = made }
end

-- ---- components given as they are -----------------------------------------------------------------------------------

-- A copy, since the payload may wait in a queue while the script changes its table. Metatables are kept: they mark empty
-- lists.
local copied

-- The value of a variable, and the link of a file: WhatsApp refuses the message where either is missing or bad. What else a parameter
-- holds is the template's own, such as the data of a form.
local function check_parameter(path, value)
  local kind = type(value) == "table" and type(value.type) == "string" and value.type:lower()
  local file = kind and value[kind]
  if kind == "text" then
    check.parameter(path .. ".text", value.text)
  elseif type(file) == "table" and type(file.link) == "string" then
    check.url(("%s.%s.link"):format(path, kind), file.link)
  end
end

-- `is_list`: of parameters.
function copied(path, value, depth, is_list)
  if type(value) == "string" then
    check.pass(limits.length(path, value))
  end
  local kind = type(value)
  if kind == "function" or kind == "thread" or (kind == "userdata" and value ~= json.null) then
    check.fail(path, ("%s is a %s, which JSON cannot hold"):format(path, kind))
  elseif kind ~= "table" then
    return value
  end
  if depth > DEEPEST then
    check.fail(path, path .. " is nested too deeply")
  end
  local copy = setmetatable({}, getmetatable(value))
  for key, item in pairs(value) do
    local inner = path .. (type(key) == "number" and "[%s]" or ".%s"):format(tostring(key))
    if is_list then
      check_parameter(inner, item)
    end
    copy[key] = copied(inner, item, depth + 1, key == "parameters")
  end
  return copy
end

local function untouched(path, components)
  if check.sequence(path, components) == 0 then
    return json.array {}
  end
  return copied(path, components, 1)
end

-- ---- payloads -------------------------------------------------------------------------------------------------------

local function built(message)
  local components = {}
  if message.header ~= nil then
    components[#components + 1] = { type = "header", parameters = { header_parameter(message.header) } }
  end
  if message.body ~= nil then
    -- Without values the provider wants no body component. The body of a carousel is in upper case, like the rest of it.
    local is_carousel = message.cards ~= nil
    local is_alone = not (message.header or message.cards or message.buttons)
    local parameters = text_parameters("body", message.body, is_carousel and "TEXT" or "text", is_alone and "template_body" or "body_value")
    if #parameters > 0 then
      components[#components + 1] = { type = is_carousel and "BODY" or "body", parameters = parameters }
    end
  end
  if message.cards ~= nil then
    components[#components + 1] = carousel(message.cards)
  end
  if message.buttons ~= nil then
    add_buttons(components, message.buttons)
  end
  return #components > 0 and components or nil
end

local function override(value)
  if value == nil then
    return nil
  end
  if type(value) ~= "boolean" then
    check.fail("override_bot", "override_bot must be true or false, got " .. type(value))
  end
  return value and "yes" or "no"
end

---Makes the payload of a template, without its recipient. Raises errors for `check.attempt`.
---@param id any
---@param message cunnekt.template_message
---@return table payload
function template.make(id, message)
  check.table("message", message)
  check.keys("", message, { "header", "body", "buttons", "cards", "override_bot", "components" })
  local components
  if message.components ~= nil then
    for _, other in ipairs { "header", "body", "buttons", "cards" } do
      if message[other] ~= nil then
        check.fail("components", ("components is the whole template; %s does not go with it"):format(other))
      end
    end
    components = untouched("components", message.components)
  else
    components = built(message)
  end
  return {
    templateid = check.text("template_id", id),
    overridebot = override(message.override_bot),
    template = components and { components = components },
  }
end

-- "yes/no" is in the payloads that the dashboard shows, and is copied with them.
local function raw_override(value)
  if value == "yes/no" then
    limits.warn_once("overridebot", "overridebot is 'yes/no', as the dashboard shows it; choose 'yes' or 'no'")
  elseif value ~= nil and value ~= "yes" and value ~= "no" then
    check.fail("overridebot", "overridebot must be 'yes' or 'no'")
  end
  return value
end

---Checks the provider's own form of a template. Raises errors for `check.attempt`.
---@param raw table
---@return table payload without its recipient
function template.remake(raw)
  check.keys("", raw, { "mobile", "templateid", "overridebot", "template" })
  local made
  if raw.template ~= nil then
    made = copied("template", check.table("template", raw.template), 1)
    if made.components ~= nil then
      made.components = untouched("template.components", made.components)
    end
  end
  return {
    templateid = check.text("templateid", raw.templateid),
    overridebot = raw_override(raw.overridebot),
    template = made,
  }
end

return template
