-- SPDX-License-Identifier: MIT
-- What `cunnekt check` knows is what there is: every public method, option and event, by name, in both directions. So one that is
-- added without its annotation, or taken away, fails here.

local actions = require "cunnekt.bot.action"
local annotations = require "spec.support.annotations"
local ask = require "cunnekt.dialog.flow.ask"
local bot_options = require "cunnekt.service.options"
local chat = require "cunnekt.bot.chat"
local client = require "cunnekt.provider.client"
local collect = require "cunnekt.dialog.flow.collect"
local cunnekt = require "cunnekt"
local event = require "cunnekt.bot.event"
local planner = require "cunnekt.jobs.planner"
local reply = require "cunnekt.bot.reply"
local route = require "cunnekt.bot.route"
local send_times = require "cunnekt.engine.send_times"
local sent = require "cunnekt.bot.sent"
local settings = require "cunnekt.provider.settings"
local status = require "cunnekt.provider.status"
local types = require "cunnekt.cli.check.types"
local values = require "cunnekt.bot.values"
local wait = require "cunnekt.dialog.flow.wait"
local words = require "cunnekt.cli.check.words"

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  return set
end

local function literals(class, field)
  local found = {}
  for _, one in ipairs(types.alternatives(field and types.member(class, field) or types.of(class))) do
    if one.kind == "literal" then
      found[one.value] = true
    end
  end
  return found
end

local a_bot = setmetatable({}, { __index = function() end })

local objects = {
  ["cunnekt.bot"] = annotations.upvalue(require("cunnekt.bot").new, "bot_mt").__index,
  ["cunnekt.client"] = annotations.methods_of(client.new { api_key = "key", base_url = "http://127.0.0.1:9" }),
  ["cunnekt.chat"] = annotations.methods_of(chat.new(a_bot, ":1", "1")),
  ["cunnekt.message"] = annotations.methods_of(event.bind(a_bot, ":1", { kind = "message" })),
  ["cunnekt.sent"] = sent.methods,
  ["cunnekt.keys"] = annotations.methods_of(values.new(a_bot)),
  ["cunnekt.action"] = annotations.methods_of(actions.new("a", {})),
  ["cunnekt.filters"] = cunnekt.filter,
  ["cunnekt.build"] = cunnekt.build,
  ["cunnekt.http"] = cunnekt.http,
  ["cunnekt.json"] = cunnekt.json,
  ["cunnekt.webhook"] = cunnekt.webhook,
  cunnekt = cunnekt,
}

-- What is not for scripts, although it is in a table that they see.
local internal = {
  ["cunnekt.build"] = set_of { "set_later", "endpoint" }, ["cunnekt.filters"] = set_of { "lend_operators" },
  ["cunnekt.webhook"] = set_of { "account_types", "remark_types", "known_by_content", "late_fields" },
  ["cunnekt.http"] = set_of { "option_types" }, cunnekt = set_of { "client", "bot" },
}

describe("cunnekt check knows", function()
  for class, methods in pairs(objects) do
    it("the methods of " .. class, function()
      local missing = {}
      for name in pairs(methods) do
        local is_public = type(name) == "string" and not name:find "^_" and not (internal[class] or {})[name]
        if is_public and not types.member(class, name) then
          missing[#missing + 1] = name
        end
      end
      table.sort(missing)
      assert.same({}, missing)
    end)

    it("no method of " .. class .. " that there is not", function()
      for name, its_type in pairs(types.members(class)) do
        if its_type.kind == "fun" then
          assert.is_function(methods[name] or cunnekt[name], class .. ":" .. name)
        end
      end
    end)
  end

  local options = {
    ["cunnekt.client.options"] = { settings.client_types },
    ["cunnekt.bot.options"] = { settings.known, bot_options.types },
    ["cunnekt.delivery"] = { reply.delivery_types },
    ["cunnekt.question"] = { ask.option_types },
    ["cunnekt.ask_options"] = { ask.option_types, reply.delivery_types },
    ["cunnekt.wait_options"] = { wait.types },
    ["cunnekt.collect_options"] = { collect.types },
    ["cunnekt.download.options"] = { require("cunnekt.provider.download").option_types },
    ["cunnekt.http.options"] = { require("cunnekt.provider.http").option_types },
    ["cunnekt.job_options"] = { planner.option_types },
    ["cunnekt.daily_options"] = { planner.daily_option_types },
    ["cunnekt.dialog_options"] = { annotations.upvalue(objects["cunnekt.bot"].dialog, "dialog_spec") },
    ["cunnekt.send_hours"] = { annotations.upvalue(annotations.upvalue(send_times.next_open, "read_hours"), "hour_fields") },
  }
  for class, known in pairs(options) do
    it("the options " .. class, function()
      assert.same(words.names(table.unpack(known)), words.names(types.members(class)))
    end)

    it("the words that " .. class .. " take", function()
      for _, set in ipairs(known) do
        for name, kind in pairs(set) do
          kind = type(kind) == "table" and kind.type or kind
          if type(kind) == "table" then
            assert.same(words.names(set_of(kind)), words.names(literals(class, name)), name)
          end
        end
      end
    end)
  end

  -- What a call says that it knows, when it is given what it does not.
  local function named(call)
    local result, err = call { zzzzzzzzzz = 1 }
    assert.is_nil(result)
    local set = {}
    for name in tostring(err):match("known: ([^)]*)"):gmatch "[%w_]+" do
      set[name] = true
    end
    return words.names(set)
  end

  for kind, class in pairs {
    buttons = "cunnekt.buttons_message", list = "cunnekt.list_message", form = "cunnekt.form_message",
    cta_url = "cunnekt.cta_url_message", template = "cunnekt.template_message",
  } do
    it("the content of " .. class, function()
      assert.same(words.names(types.members(class)), named(function(content)
        if kind == "template" then
          return cunnekt.build.send_template("919999999999", "t", content)
        end
        return cunnekt.build["send_" .. kind]("919999999999", content)
      end))
    end)
  end

  it("the options that only a call names", function()
    local function raised(call)
      return function(opts)
        local ok, err = pcall(call, opts)
        return ok or nil, err
      end
    end
    local routes = route.new()
    local function nothing() end
    assert.same(words.names(types.members "cunnekt.on_options"), named(raised(function(opts)
      routes:add("text", nil, nothing, opts, 1)
    end)))
    assert.same(words.names(types.members "cunnekt.global_options"), named(raised(function(opts)
      routes:add_global("help", nothing, opts, 1)
    end)))
    local start_types = annotations.upvalue(objects["cunnekt.bot"].start, "start_types")
    assert.same(words.names(start_types), words.names(types.members "cunnekt.bot.start_options"))
  end)

  it("the events, and what handlers of them get", function()
    assert.same(words.names(set_of(route.names)), words.names(literals "cunnekt.event_name"))
    for _, name in ipairs(route.names) do
      local class = "cunnekt.event." .. (route.kind_of(name) or "any")
      assert.is_true(types.is_class(class), class)
      assert.truthy(types.member("cunnekt.event.any", "kind"))
    end
  end)

  it("the messages that can answer", function()
    local can_answer = annotations.upvalue(annotations.upvalue(ask.ask, "add_accepted"), "can_answer")
    assert.same(words.names(can_answer), words.names(literals "cunnekt.answer_type"))
  end)

  it("the states of a message", function()
    assert.same(words.names(set_of(status.shown), status.set { "dropped" }), words.names(literals("cunnekt.sent", "state")))
    assert.same(words.names(set_of(status.own_events)), words.names(literals("cunnekt.event.own", "status")))
  end)

  -- The control: the comparison itself finds what is added.
  it("nothing of an option that has no annotation", function()
    assert.is_nil(types.member("cunnekt.delivery", "no_such_option"))
    assert.not_same(words.names(reply.delivery_types, { no_such_option = true }), words.names(types.members "cunnekt.delivery"))
  end)
end)
