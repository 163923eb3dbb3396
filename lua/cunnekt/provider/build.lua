-- SPDX-License-Identifier: MIT
-- Builds payloads: checks a message and gives the provider's own JSON form, as a Lua table. Nothing is sent here.
--
-- `build.send` takes the provider's form itself and rebuilds it, so both ways pass the same checks. Templates are in
-- build_template.lua. Inside, a failed check raises its error table, and `check.attempt` turns it into the `nil, err` that
-- callers get; so the makers below look like the forms that they make.

local canonical = require "cunnekt.base.canonical"
local check = require "cunnekt.provider.build_check"
local template = require "cunnekt.provider.build_template"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"

---@class cunnekt.build
local build = {}

-- ---- the parts of free-form messages --------------------------------------------------------------------------------

-- A string, or the provider's table. It may be absent; WhatsApp refuses an empty one.
local function header(value)
  if value == nil then
    return nil
  end
  local field = "header"
  if type(value) == "table" then
    check.keys("header.", value, { "type", "text" })
    if value.type ~= nil and value.type ~= "text" then
      check.fail("header.type", "header.type must be 'text'")
    end
    field, value = "header.text", value.text
  end
  return { type = "text", text = check.line(field, value, "header") }
end

local function unique(seen, i, path, value)
  if value ~= nil and seen[value] then
    check.fail(path:format(i), ("%s is the same as %s"):format(path:format(i), path:format(seen[value])))
  elseif value ~= nil then
    seen[value] = i
  end
end

-- What is inside the provider's `{type="reply", reply={id, title}}`, for raw payloads.
local function opened_button(i, item)
  local path = ("buttons[%d]"):format(i)
  check.keys(path .. ".", item, { "type", "reply" })
  if item.type ~= "reply" then
    check.fail(path .. ".type", path .. ".type must be 'reply'")
  end
  return check.table(path .. ".reply", item.reply)
end

local function buttons(value, is_raw)
  local ids, titles, made = {}, {}, {}
  local path = is_raw and "buttons[%d].reply." or "buttons[%d]."
  for i, item in check.list("buttons", value, "buttons") do
    item = is_raw and opened_button(i, item) or item
    local prefix = path:format(i)
    check.keys(prefix, item, { "id", "title" })
    local id = check.id(prefix .. "id", item.id, "button_id")
    local title = check.line(prefix .. "title", item.title, "button_title")
    unique(ids, i, path .. "id", id)
    unique(titles, i, path .. "title", title)
    made[i] = { type = "reply", reply = { id = id, title = title } }
  end
  return made
end

local function rows(value)
  local ids, made = {}, {}
  for i, item in check.list("list", value, "list") do
    local prefix = ("list[%d]."):format(i)
    check.keys(prefix, item, { "id", "title", "description" })
    made[i] = {
      id = check.id(prefix .. "id", item.id, "row_id"),
      title = check.line(prefix .. "title", item.title, "row_title"),
      description = check.optional_text(prefix .. "description", item.description, "row_description"),
    }
    unique(ids, i, "list[%d].id", item.id)
  end
  return made
end

-- ---- the messages ---------------------------------------------------------------------------------------------------

---@alias cunnekt.message_type "text"|"button"|"list"|"flow"|"image"|"video"|"document"|"audio"|"cta_url"

-- The provider's type → the fields of its payload, and the function that makes it.
local forms = {
  text = {
    fields = { "text" },
    make = function(spec)
      return { text = check.text("text", spec.text, "text"), mobile = nil, type = nil } -- with the keys of `make` preallocated
    end,
  },
  button = {
    fields = { "header", "body", "buttons" },
    make = function(spec, is_raw)
      return {
        header = header(spec.header),
        body = check.text("body", spec.body, "body"),
        buttons = buttons(spec.buttons, is_raw),
      }
    end,
  },
  list = {
    fields = { "header", "body", "list_title", "list" },
    make = function(spec)
      return {
        header = header(spec.header),
        body = check.text("body", spec.body, "body"),
        list_title = check.line("list_title", spec.list_title, "list_title"),
        list = rows(spec.list),
      }
    end,
  },
  flow = {
    fields = { "body", "form_cta", "form_id" },
    make = function(spec)
      return {
        body = check.text("body", spec.body, "body"),
        form_cta = check.line("form_cta", spec.form_cta, "form_cta"),
        form_id = check.text("form_id", spec.form_id),
      }
    end,
  },
  cta_url = {
    fields = { "body", "button_text", "button_url" },
    make = function(spec)
      return {
        body = check.text("body", spec.body, "cta_body"),
        button_text = check.line("button_text", spec.button_text, "cta_text"),
        button_url = check.url("button_url", spec.button_url),
      }
    end,
  },
}

for _, kind in ipairs { "image", "video", "document", "audio" } do
  forms[kind] = {
    fields = { kind, "caption" },
    make = function(spec)
      if kind == "audio" and spec.caption then
        -- The provider's own sample has one, so it is sent; WhatsApp shows none.
        limits.warn_once("audio_caption", "audio has a caption; WhatsApp does not show it")
      end
      return {
        [kind] = check.url(kind, spec[kind]),
        caption = check.optional_text("caption", spec.caption, "caption"),
      }
    end,
  }
end

---@class cunnekt.build.options: cunnekt.mobile.options how the recipient's number is read and written

local option_types = { mobile_format = { "digits", "plus" }, default_country = "string|integer" }

local no_options = {}

local function checked_options(where, opts)
  if opts == nil then
    return no_options
  end
  opts = options.check(where, opts, option_types, 4)
  if opts.default_country and not identity.country(opts.default_country) then
    error(where .. ": option 'default_country' must be a country code such as '91'", 4)
  end
  return opts
end

---The recipient of a message whose `mobile` the caller sets: a chat knows whom it talks with.
build.set_later = {}

local function address(to, opts, field)
  return check.pass(identity.normalise(to, opts, field))
end

local function make(kind, to, spec, opts)
  local payload = forms[kind].make(spec)
  payload.mobile, payload.type = to ~= build.set_later and address(to, opts) or nil, kind
  return payload
end

local function make_given(kind, to, spec, opts)
  if not check.table("message", spec) then
    return nil
  end
  check.keys("", spec, forms[kind].fields)
  return make(kind, to, spec, opts)
end

-- One public builder: `where` names it in the messages of misuse. `its_make`: make_given for a table that the caller wrote.
local function build_as(kind, to, spec, opts, its_make)
  local where = "build.send_" .. (kind == "flow" and "form" or kind == "button" and "buttons" or kind)
  return check.attempt(its_make or make, kind, to, spec, checked_options(where, opts))
end

---Builds a text message.
---@param to string|number the recipient
---@param text string at most 4096 characters
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_text(to, text, opts)
  return build_as("text", to, { text = text }, opts)
end

---@class cunnekt.buttons_message
---@field header? string|table at most 60 characters; or `{type="text", text=}`
---@field body string at most 1024 characters
---@field buttons {id: string, title: string}[] one to three, with different ids and titles of at most 24 characters

---Builds a message with reply buttons.
---@param to string|number
---@param spec cunnekt.buttons_message
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_buttons(to, spec, opts)
  return build_as("button", to, spec, opts, make_given)
end

---@class cunnekt.list_message
---@field header? string|table at most 60 characters; or `{type="text", text=}`
---@field body string at most 1024 characters
---@field list_title string the label that opens the list, at most 24 characters
---@field list {id: string, title: string, description: string?}[] one to ten rows; title 24, description 72 characters

---Builds a message with a list to choose from.
---@param to string|number
---@param spec cunnekt.list_message
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_list(to, spec, opts)
  return build_as("list", to, spec, opts, make_given)
end

---@class cunnekt.form_message
---@field body string at most 1024 characters
---@field form_cta string the button's label, at most 20 characters
---@field form_id string id of a published form

---Builds a message with a form to fill in.
---@param to string|number
---@param spec cunnekt.form_message
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_form(to, spec, opts)
  return build_as("flow", to, spec, opts, make_given)
end

---@class cunnekt.cta_url_message
---@field body string at most 1024 characters
---@field button_text string the button's label, at most 20 characters
---@field button_url string what it opens

---Builds a message with a button that opens a web page.
---@param to string|number
---@param spec cunnekt.cta_url_message
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_cta_url(to, spec, opts)
  return build_as("cta_url", to, spec, opts, make_given)
end

---Builds an image message.
---@param to string|number
---@param url string where the file itself is: JPEG or PNG, at most 5 MB
---@param caption? string at most 1024 characters
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_image(to, url, caption, opts)
  return build_as("image", to, { image = url, caption = caption }, opts)
end

---Builds a video message.
---@param to string|number
---@param url string where the file itself is: MP4 or 3GP, at most 16 MB
---@param caption? string at most 1024 characters
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_video(to, url, caption, opts)
  return build_as("video", to, { video = url, caption = caption }, opts)
end

---Builds a document message.
---@param to string|number
---@param url string where the file itself is: at most 100 MB
---@param caption? string at most 1024 characters
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_document(to, url, caption, opts)
  return build_as("document", to, { document = url, caption = caption }, opts)
end

---Builds an audio message.
---@param to string|number
---@param url string where the file itself is: at most 10 MB
---@param caption? string is sent, but WhatsApp shows none
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_audio(to, url, caption, opts)
  return build_as("audio", to, { audio = url, caption = caption }, opts)
end

---Builds a template message.
---@param to string|number
---@param template_id string as the dashboard shows it
---@param message? cunnekt.template_message
---@param opts? cunnekt.build.options
---@return table? payload
---@return cunnekt.error? err kind "invalid"
function build.send_template(to, template_id, message, opts)
  opts = checked_options("build.send_template", opts)
  return check.attempt(function()
    local payload = template.make(template_id, message or {})
    payload.mobile = to ~= build.set_later and address(to, opts) or nil
    return payload
  end)
end

-- ---- the provider's own form ----------------------------------------------------------------------------------------

local function form_of(kind)
  local form = type(kind) == "string" and forms[kind]
  if form then
    return form
  end
  local known = canonical.keys(forms)
  local near = type(kind) == "string" and options.suggest(kind, known)
  local hint = near and ("did you mean '%s'?"):format(near) or "one of: " .. table.concat(known, ", ")
  check.fail("type", ("type is not one that Cunnekt takes (%s)"):format(hint))
end

local function remade(raw)
  if raw.templateid ~= nil then
    if raw.type ~= nil then
      check.fail("type", "a payload has either templateid or type, not both")
    end
    return template.remake(raw)
  end
  if raw.type == nil then
    check.fail("type", "type is missing; a payload has templateid, for a template, or type")
  end
  local form = form_of(raw.type)
  check.keys("", raw, { "mobile", "type", table.unpack(form.fields) })
  local payload = form.make(raw, true)
  payload.type = raw.type
  return payload
end

---Checks the provider's own JSON, as a table, as strictly as the other builders. Of a template's components only the values are
---checked: those of its variables, and links.
---@param payload table
---@param opts? cunnekt.build.options
---@param known? string a recipient that is not checked again
---@return table? payload a copy, with the recipient's number as the provider takes it
---@return cunnekt.error? err kind "invalid"
function build.send(payload, opts, known)
  opts = checked_options("build.send", opts)
  return check.attempt(function()
    local raw = {}
    for key, value in pairs(check.table("payload", payload)) do
      -- A null is an absent field to the provider as well.
      raw[key] = value ~= json.null and value or nil
    end
    local made = remade(raw)
    made.mobile = known and raw.mobile == known and known or address(raw.mobile, opts, "mobile")
    return made
  end)
end

---The endpoint that takes a payload.
---@param payload table as a builder gave it
---@return "sendnotification"|"sendreplymessage"
function build.endpoint(payload)
  return payload.templateid ~= nil and "sendnotification" or "sendreplymessage"
end

return build
