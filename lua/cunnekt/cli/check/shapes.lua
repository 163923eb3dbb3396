-- SPDX-License-Identifier: MIT
-- The fields of the tables that scripts pass to our functions, for `cunnekt check`. Options come from the modules' own
-- lists; the fields of messages are listed here, and a spec compares them with cunnekt.build.

local shapes = {}

---@class cunnekt.check.shape
---@field fields table<string, true|cunnekt.check.shape> what a table may hold; `true`: anything
---@field each? cunnekt.check.shape what each item of a list may hold

local function fields(names, nested)
  local shape = { fields = nested or {} }
  for name in names:gmatch "%S+" do
    shape.fields[name] = shape.fields[name] or true
  end
  return shape
end

local function list(names, nested)
  return { each = fields(names, nested) }
end

local header = fields "type text"

---Contents by kind of message.
shapes.contents = {
  buttons = fields("header body buttons", { header = header, buttons = list "id title" }),
  list = fields("header body list_title list", { header = header, list = list "id title description" }),
  form = fields "body form_cta form_id",
  cta_url = fields "body button_text button_url",
  template = fields("header body buttons cards override_bot components", {
    header = fields "type text image video document filename",
    buttons = list "index type text payload",
    cards = list("image video body buttons", { buttons = list "index type payload" }),
  }),
}

local function of_types(...)
  local shape = { fields = {} }
  for _, types in ipairs { ... } do
    for name in pairs(types) do
      shape.fields[name] = true
    end
  end
  return shape
end

---What may stand beside contents, or last in the other kinds: reply_text(text, {track = …}); and what questions take.
---@param prefix "reply"|"send"|"ask"
---@param kind? string
---@return cunnekt.check.shape
function shapes.message(prefix, kind)
  local numbers = { mobile_format = true, default_country = true }
  local delivery = require("cunnekt.bot.reply").delivery_types
  local questions = prefix == "ask" and require("cunnekt.dialog.flow.ask").option_types or {}
  local contents = kind and shapes.contents[kind] or { fields = {} }
  local shape = of_types(contents.fields, delivery, numbers, questions)
  for name, nested in pairs(contents.fields) do
    shape.fields[name] = nested
  end
  return shape
end

---Options of functions, by their path below the module, and of methods, by "class:method".
---@return table<string, cunnekt.check.shape>
function shapes.options()
  local settings = require "cunnekt.provider.settings"
  local bot_options = require "cunnekt.service.options"
  local http = require "cunnekt.provider.http"
  local asking = require "cunnekt.dialog.flow.ask"
  local download = of_types(require("cunnekt.provider.download").option_types)
  local request = of_types(http.option_types)
  local jobs = require "cunnekt.jobs.planner"
  local job, daily = of_types(jobs.option_types), of_types(jobs.daily_option_types)
  return {
    ["cunnekt.client"] = of_types(settings.client_types),
    ["cunnekt.bot"] = of_types(settings.known, bot_options.types),
    ["cunnekt.http.request"] = request,
    ["cunnekt.http.stream"] = request,
    ["cunnekt.http.get"] = request,
    ["cunnekt.http.post"] = request,
    ["cunnekt.message:download"] = download,
    ["cunnekt.client:download"] = download,
    ["cunnekt.chat:ask"] = of_types(asking.option_types, require("cunnekt.bot.reply").delivery_types),
    ["cunnekt.chat:collect"] = of_types(require("cunnekt.dialog.flow.collect").types),
    ["cunnekt.chat:wait"] = of_types(require("cunnekt.dialog.flow.wait").types),
    ["cunnekt.bot:after"] = job,
    ["cunnekt.bot:every"] = job,
    ["cunnekt.bot:daily"] = daily,
    ["cunnekt.bot:cron"] = daily,
  }
end

---Where the table stands among a function's arguments, when it is not the last.
shapes.place = {
  ["cunnekt.http.get"] = 2,
  ["cunnekt.http.post"] = 3,
  ["cunnekt.client:download"] = 2,
  ["cunnekt.chat:ask"] = 2,
  ["cunnekt.bot:after"] = 2,
  ["cunnekt.bot:every"] = 2,
  ["cunnekt.bot:daily"] = 2,
  ["cunnekt.bot:cron"] = 2,
}

return shapes
