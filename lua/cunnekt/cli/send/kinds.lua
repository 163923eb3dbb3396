-- SPDX-License-Identifier: MIT
-- The kinds of message that `cunnekt send` knows. Each has `define`, which declares its arguments, `read`, which checks them
-- and gives nil and a sentence when they are wrong, and `send`.

local json = require "cunnekt.base.json"
local whole_file = require "cunnekt.base.whole_file"

local kinds = { names = { "text", "image", "video", "document", "audio", "buttons", "list", "form", "cta_url" } }
table.insert(kinds.names, "template")
table.insert(kinds.names, "raw")

local function as_is(parsed)
  return parsed
end

-- ID=TITLE, split at the first "=".
local function split_pair(option, word)
  local id, title = word:match "^(.-)=(.*)$"
  if not id or id == "" then
    return nil, ("%s takes ID=TITLE, got '%s'"):format(option, word)
  end
  return id, title
end

local function read_file(path)
  if path == "-" then
    return io.read "a"
  end
  return whole_file.read(path)
end

-- Reads every item of a repeated option; nil and a sentence at the first that is wrong.
local function read_each(words, read)
  local items = {}
  for i, word in ipairs(words) do
    local item, problem = read(word)
    if not item then
      return nil, problem
    end
    items[i] = item
  end
  return items
end

kinds.text = {
  define = function(parser)
    parser:argument "to"
    parser:argument "text"
  end,
  read = function(parsed)
    if parsed.text == "-" then
      -- The line end that echo and editors add is not part of the message.
      parsed.text = io.read "a":gsub("\r?\n$", "")
    end
    return parsed
  end,
  send = function(client, parsed)
    return client:send_text(parsed.to, parsed.text)
  end,
}

for _, name in ipairs { "image", "video", "document", "audio" } do
  kinds[name] = {
    define = function(parser)
      parser:argument "to"
      parser:argument "url"
      parser:argument("caption"):args "?"
    end,
    read = as_is,
    send = function(client, parsed)
      return client["send_" .. name](client, parsed.to, parsed.url, parsed.caption)
    end,
  }
end

kinds.buttons = {
  define = function(parser)
    parser:argument "to"
    parser:option "--header"
    parser:option("--body"):count "1"
    parser:option("--button"):count "+"
  end,
  read = function(parsed)
    local buttons, problem = read_each(parsed.button, function(word)
      local id, title = split_pair("--button", word)
      return id and { id = id, title = title }, title
    end)
    parsed.buttons = buttons
    return buttons and parsed, problem
  end,
  send = function(client, parsed)
    return client:send_buttons(parsed.to, { header = parsed.header, body = parsed.body, buttons = parsed.buttons })
  end,
}

local function read_row(word)
  local id, title = split_pair("--row", word)
  if not id then
    return nil, title
  end
  local first, description = title:match "^(.-)|(.*)$"
  return { id = id, title = first or title, description = description }
end

kinds.list = {
  define = function(parser)
    parser:argument "to"
    parser:option "--header"
    parser:option("--body"):count "1"
    parser:option("--list-title"):count "1"
    parser:option("--row"):count "+"
  end,
  read = function(parsed)
    local rows, problem = read_each(parsed.row, read_row)
    parsed.rows = rows
    return rows and parsed, problem
  end,
  send = function(client, parsed)
    return client:send_list(parsed.to, {
      header = parsed.header,
      body = parsed.body,
      list_title = parsed.list_title,
      list = parsed.rows,
    })
  end,
}

kinds.form = {
  define = function(parser)
    parser:argument "to"
    parser:option("--body"):count "1"
    parser:option("--form-cta"):count "1"
    parser:option("--form-id"):count "1"
  end,
  read = as_is,
  send = function(client, parsed)
    local spec = { body = parsed.body, form_cta = parsed.form_cta, form_id = parsed.form_id }
    return client:send_form(parsed.to, spec)
  end,
}

kinds.cta_url = {
  define = function(parser)
    parser:argument "to"
    parser:option("--body"):count "1"
    parser:option("--button-text"):count "1"
    parser:option("--button-url"):count "1"
  end,
  read = as_is,
  send = function(client, parsed)
    local spec = { body = parsed.body, button_text = parsed.button_text, button_url = parsed.button_url }
    return client:send_cta_url(parsed.to, spec)
  end,
}

-- [INDEX:]url=TEXT or [INDEX:]quick_reply=PAYLOAD
local function read_template_button(word)
  local index, kind, value = word:match "^(%d+):([%w_]+)=(.*)$"
  if not kind then
    kind, value = word:match "^([%w_]+)=(.*)$"
  end
  if kind ~= "url" and kind ~= "quick_reply" then
    return nil, ("--button takes url=TEXT or quick_reply=PAYLOAD, got '%s'"):format(word)
  end
  local name = kind == "url" and "text" or "payload"
  return { index = math.tointeger(tonumber(index)), type = kind, [name] = value }
end

local header_kinds = { "text", "image", "video", "document" }

local function template_header(parsed)
  for _, name in ipairs(header_kinds) do
    local value = parsed["header_" .. name]
    if value then
      return { [name] = value, filename = parsed.filename }
    end
  end
  return nil
end

kinds.template = {
  define = function(parser)
    parser:argument "to"
    parser:argument "template_id"
    local headers = {}
    for i, name in ipairs(header_kinds) do
      headers[i] = parser:option("--header-" .. name)
    end
    parser:mutex(table.unpack(headers))
    parser:option "--filename"
    parser:option("--body"):count "*"
    parser:option("--button"):count "*"
    parser:option "--components"
    parser:flag "--override-bot"
  end,
  read = function(parsed)
    local buttons, problem = read_each(parsed.button, read_template_button)
    if not buttons then
      return nil, problem
    end
    local components, err
    if parsed.components then
      components, err = json.decode(parsed.components)
      if not components then
        return nil, "--components: " .. err.message
      end
    end
    parsed.message = {
      header = template_header(parsed),
      body = parsed.body[1] and parsed.body,
      buttons = buttons[1] and buttons,
      components = components,
      override_bot = parsed.override_bot,
    }
    return parsed
  end,
  send = function(client, parsed)
    return client:send_template(parsed.to, parsed.template_id, parsed.message)
  end,
}

kinds.raw = {
  define = function(parser)
    parser:argument("words"):args "1-2"
  end,
  read = function(parsed)
    local to, path = table.unpack(parsed.words)
    if not path then
      to, path = nil, to
    end
    local text, problem = read_file(path)
    if not text then
      return nil, "cannot read " .. problem
    end
    local payload, err = json.decode(text)
    if type(payload) ~= "table" then
      return nil, ("%s: %s"):format(path, err and err.message or "a JSON object is wanted")
    end
    payload.mobile = to or payload.mobile
    parsed.payload = payload
    return parsed
  end,
  send = function(client, parsed)
    return client:send(parsed.payload)
  end,
}

return kinds
