-- SPDX-License-Identifier: MIT
-- Annotations: every function of the C module has a stub and every stub a function; every public function of Lua says
-- what it takes and gives; and every class that an annotation names is declared somewhere.

local annotations = require "spec.support.annotations"
local chat = require "cunnekt.bot.chat"
local client = require "cunnekt.provider.client"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local event = require "cunnekt.bot.event"
local values = require "cunnekt.bot.values"
local sent = require "cunnekt.bot.sent"

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

-- "cunnekt.timer:close" and the like, for every function that C registered.
local function registered()
  local found, others = {}, {}
  for name, value in pairs(core) do
    (type(value) == "function" and found or others)["cunnekt.core." .. name] = true
  end
  for class, metatable in pairs(debug.getregistry()) do
    local is_ours = type(class) == "string" and class:find "^cunnekt%." and type(metatable) == "table"
    for name, value in pairs(is_ours and type(metatable.__index) == "table" and metatable.__index or {}) do
      if type(value) == "function" then
        found[class .. ":" .. name] = true
      end
    end
  end
  return found, others
end

describe("the stub of the C module", function()
  local stubs = annotations.stubs(
    "lua/cunnekt/_meta/core.lua", "lua/cunnekt/_meta/core_budget.lua", "lua/cunnekt/_meta/core_engine.lua", "lua/cunnekt/_meta/core_identity.lua",
    "lua/cunnekt/_meta/core_listen.lua", "lua/cunnekt/_meta/core_outbox.lua", "lua/cunnekt/_meta/core_terminal.lua",
    "lua/cunnekt/_meta/core_webhook.lua"
  )
  local found, others = registered()

  it("has every function that C registers", function()
    assert.is_true(found["cunnekt.core.step"] and found["cunnekt.exchange:answer"])
    for _, name in ipairs(sorted(found)) do
      assert(stubs.functions[name], "no stub for " .. name)
    end
  end)

  it("has no function that C does not register", function()
    for _, name in ipairs(sorted(stubs.functions)) do
      assert(found[name], "no function for the stub " .. name)
    end
  end)

  it("has every other field of the module", function()
    assert.are.same(sorted(others), sorted(stubs.fields["cunnekt.core"]))
  end)

  it("says what each takes and gives", function()
    local problems = {}
    for _, name in ipairs(sorted(stubs.functions)) do
      annotations.check_stub(name, stubs.functions[name], problems)
    end
    assert.are.same({}, problems)
  end)
end)

describe("what a script can call", function()
  local script = annotations.stubs "lua/cunnekt/_meta/script.lua"

  local bot = setmetatable({}, { __index = function() end })
  local a_client = client.new { api_key = "key", base_url = "http://127.0.0.1:9" }
  local places = {
    { "cunnekt.", cunnekt },
    { "cunnekt.client.", client },
    { "cunnekt.client:", annotations.methods_of(a_client) },
    { "cunnekt.service.", require "cunnekt.service" },
    { "cunnekt.errors.", require "cunnekt.base.errors" },
    { "cunnekt.sandbox.", require "cunnekt.sandbox" },
    { "cunnekt.chat:", annotations.methods_of(chat.new(bot, ":1", "1")) },
    { "cunnekt.message:", annotations.methods_of(event.bind(bot, ":1", { kind = "message" })) },
    { "cunnekt.sent:", sent.methods },
    { "cunnekt.keys:", annotations.methods_of(values.new(bot)) },
    { "cunnekt.action:", annotations.methods_of(require("cunnekt.bot.action").new("a", {})) },
  }
  for _, name in ipairs { "json", "http", "webhook", "build", "filter" } do
    places[#places + 1] = { ("cunnekt.%s."):format(name), cunnekt[name] }
  end
  -- A bot of its own would open a store and an address; its methods are the constructor's upvalue.
  do
    local bot_mt = annotations.upvalue(require("cunnekt.bot").new, "bot_mt")
    places[#places + 1] = { "cunnekt.bot:", bot_mt.__index }
  end

  it("says what it takes and gives", function()
    local problems, count = {}, 0
    for _, place in ipairs(places) do
      local prefix, functions = table.unpack(place)
      for _, name in ipairs(sorted(functions)) do
        local value = rawget(functions, name)
        if type(value) == "function" and type(name) == "string" and not name:find "^_" then
          count = count + 1
          local stub = script.functions[prefix .. name]
          if stub then
            annotations.check_stub(prefix .. name, stub, problems)
          else
            annotations.check_function(prefix .. name, value, problems)
          end
        end
      end
    end
    assert.is_true(count > 80)
    assert.are.same({}, problems)
  end)

  it("has a function for each stub", function()
    local all = {}
    for _, place in ipairs(places) do
      for name in pairs(place[2]) do
        all[place[1] .. name] = true
      end
    end
    for _, name in ipairs(sorted(script.functions)) do
      assert(all[name], "no function for the stub " .. name)
    end
  end)
end)

describe("the classes in annotations", function()
  it("are declared", function()
    local declared, used = annotations.classes "lua"
    local missing = {}
    for name, place in pairs(used) do
      if not declared[name] then
        missing[#missing + 1] = ("%s in %s"):format(name, place)
      end
    end
    table.sort(missing)
    assert.are.same({}, missing)
  end)
end)

-- The checks themselves, held to something broken.
describe("the check of annotations", function()
  it("finds what is missing", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
local m = {}
-- no annotation
function m.bare() end
---Says something.
---@param one string
function m.half(one, two)
  local inner = function() return 1 end
  if one then return two end
  return inner()
end
---Says everything.
---@param one string
---@param ... any
---@return string
function m.whole(one, ...) return one .. select("#", ...) end
---Gives nothing.
function m.nothing() local f = function() return 1 end f() if f then return end end
return m
]]
    file:close()
    local module, problems = assert(loadfile(path))(), {}
    for _, name in ipairs { "bare", "half", "whole", "nothing" } do
      annotations.check_function(name, module[name], problems)
    end
    os.remove(path)
    assert.are.same({
      "bare: no annotation above it",
      "half: no @param two",
      "half: returns something, but has no @return",
    }, problems)
  end)
end)
