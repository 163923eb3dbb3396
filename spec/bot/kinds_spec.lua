-- SPDX-License-Identifier: MIT
-- Which handlers get which events: a name counts within its kind. And the manual's own handlers, with webhooks in which something
-- is wrong: they must not stumble over a field.

local action = require "cunnekt.bot.action"
local cunnekt = require "cunnekt"
local filter = require "cunnekt.bot.filter"
local json = require "cunnekt.base.json"
local manual = require "spec.support.manual"
local pages = require "spec.support.pages"
local route = require "cunnekt.bot.route"
local samples = require "cunnekt.sandbox.samples"
local webhook = require "cunnekt.provider.webhook"
local webhooks = require "spec.support.webhooks"

local function event_of(kind, opts)
  return webhook.parse(json.encode((samples.build(kind, opts))))[1]
end

local function is_matched(what, event, matcher)
  local routes, is_heard = route.new(), false
  routes:add(what, matcher, function()
    is_heard = true
  end, nil, 1)
  routes:dispatch(event)
  return is_heard
end

-- The names under which bot:on gives an event.
local function names_of(event)
  local names = {}
  for _, what in ipairs(route.names) do
    if is_matched(what, event) then
      names[#names + 1] = what
    end
  end
  return names
end

describe("bot:on", function()
  it("gives each event to the handlers of its name, of its kind and of all", function()
    for _, kind in ipairs(samples.types) do
      local expected = kind == "unknown" and { "message", "unknown", "any" } or { kind, "message", "any" }
      assert.are.same(expected, names_of(event_of(kind)))
    end
    for _, status in ipairs(samples.statuses) do
      assert.are.same({ status, "status", "any" }, names_of(event_of(status)))
    end
    for _, kind in ipairs(samples.events) do
      local event = event_of(kind)
      local expected = event.kind == "account" and { kind, "account", "any" } or { kind, "any" }
      assert.are.same(expected, names_of(event))
    end
  end)

  it("gives no event to the handlers of another kind's name, whatever it says of itself", function()
    assert.are.same({ "payment", "any" }, names_of(event_of("payment", { set = { status = "failed" } })))
    assert.are.same({ "status", "any" }, names_of(event_of("read", { set = { status = "text" } })))
    assert.are.same({ "status", "any" }, names_of(event_of("read", { set = { status = "accepted" } })))
    assert.are.same({ "call", "any" }, names_of(event_of("call", { set = { status = "delivered" } })))
    assert.are.same({ "group", "any" }, names_of(event_of("group", { set = { type = "text" } })))
    assert.are.same({ "state_sync", "any" }, names_of(event_of("state_sync", { set = { type = "contacts" } })))
  end)

  it("matches captions and edits by their text, and calls and payments by their id", function()
    assert.is_true(is_matched("image", event_of("image", { text = "my receipt" }), "receipt"))
    assert.is_true(is_matched("message", event_of("edit", { text = "more tea" }), "tea"))
    assert.is_false(is_matched("text", event_of("image", { text = "my receipt" }), "receipt"))
    assert.is_true(is_matched("call", event_of("call", { id = "wacid.(" }), "wacid.("))
    assert.is_false(is_matched("payment", event_of("payment", { id = "a" }), "b"))
    assert.is_true(is_matched("echo", event_of("echo", { text = "see you" }), "^see"))
  end)

  it("filters know kinds and what customers wrote from what staff wrote", function()
    local echo = event_of("echo", { text = "stop" })
    assert.is_false(filter.text "stop"(echo))
    assert.is_false(filter.type "text"(echo))
    assert.is_false(filter.from(samples.NUMBER)(echo))
    assert.is_true(filter.type "echo"(echo))
    assert.is_true(filter.type("call", "account_update")(event_of "account_update"))
    assert.is_true(filter.type "account"(event_of "flows"))
    assert.is_false(filter.type "failed"(event_of("payment", { set = { status = "failed" } })))
    assert.is_true(filter.text "roof"(event_of("image", { text = "my roof" })))
  end)
end)

-- ---- the manual's own handlers ---------------------------------------------------------------------------------------

local function zero()
  return 0
end

-- Stands for all that a handler may ask of a chat, a message, a bot or a store: any method, which gives another, and any number.
local function anything()
  return setmetatable({}, {
    __add = zero, __sub = zero, __idiv = zero, __concat = zero, __lt = zero, __le = zero, __len = zero,
    __index = function(self, key)
      local value = key ~= "state" and anything() or {}
      rawset(self, key, value)
      return value
    end,
    __call = function()
      return anything()
    end,
  })
end

local function with_methods(event)
  return setmetatable(event, {
    __index = function(self, key)
      local is_method = key == "chat" or key == "start" or key == "download" or tostring(key):find "^reply_"
      rawset(self, key, is_method and anything() or nil)
      return rawget(self, key)
    end,
  })
end

-- The handlers that a block of the manual registers; nil when it cannot be run so.
local function routes_of(block)
  local routes = route.new()
  local bot = anything()
  bot.on = function(_, what, matcher, handler, opts)
    if type(handler) ~= "function" then
      matcher, handler, opts = nil, matcher, handler
    end
    routes:add(what, matcher, handler, opts, 1)
  end
  bot.use = function(_, fn)
    routes:wrap(fn)
  end
  local public = setmetatable({ bot = function() return bot end, action = action.new or cunnekt.action }, { __index = cunnekt })
  local env = setmetatable({
    bot = bot, cunnekt = public, client = anything(), print = function() end,
    require = function() return public end,
  }, { __index = _G })
  local run = load(block.code, "=manual", "t", env)
  return run and pcall(run) and routes:count() > 0 and routes or nil
end

describe("the handlers of the manual", function()
  it("stumble over no field of a webhook in which something is wrong", function()
    math.randomseed(1701)
    local all, tried = {}, 0
    for _, page in ipairs(pages.reference()) do
      for _, block in ipairs(manual.blocks(page)) do
        local routes = block.kind == "script" and block.code:find "bot:on" and not block.code:find "debounce" and not block.code:find "listen%(" and routes_of(block)
        if routes then
          all[#all + 1] = { routes = routes, where = ("%s:%d"):format(page, block.line) }
        end
      end
    end
    assert.is_true(#all >= 8)
    local seeds = {}
    for _, names in ipairs { samples.types, samples.statuses, samples.events } do
      for _, name in ipairs(names) do
        seeds[#seeds + 1] = json.encode((samples.build(name, { id = name ~= "text" and "tea:1" or nil })))
      end
    end
    for i = 1, 4000 do
      local body = webhooks.mutate(seeds[i % #seeds + 1])
      for _, one in ipairs(all) do
        for _, event in ipairs(webhook.parse(body) or {}) do
          tried = tried + 1
          local ok, problem = pcall(one.routes.dispatch, one.routes, with_methods(event))
          local is_slip = not ok and (tostring(problem):find "attempt to" or tostring(problem):find "bad argument")
          assert.is_falsy(is_slip and ("%s: %s: %s"):format(one.where, problem, body))
        end
      end
    end
    assert.is_true(tried > 10000)
  end)
end)
