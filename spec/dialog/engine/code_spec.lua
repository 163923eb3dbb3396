-- SPDX-License-Identifier: MIT
-- Whether a script does something else than when a run began, by digests of what it would do. Whole dialogs of scripts that change are in
-- spec/dialog/replay_spec.lua and deployed_spec.lua.

local action = require "cunnekt.bot.action"
local code = require "cunnekt.dialog.engine.code"
local filter = require "cunnekt.bot.filter"
local route = require "cunnekt.bot.route"

-- A script as the dialogs know it, of a text that returns what it registers: name → function.
local function script_of(text)
  local functions = assert(load(text, "=script"))()
  local script = { known = {}, routes = route.new() }
  for name, fn in pairs(functions) do
    script.known[name] = { name = name, fn = fn, opts = { is_dialog = not name:find ":" } }
  end
  return script
end

local function digest(text, name)
  local script = script_of(text)
  return (code.digest(script, script.known[name or "it"]))
end

describe("the digest of a dialog", function()
  local text = [[
    local words = { hello = "Welcome", list = { 1, 2, true } }
    local function greet(chat)
      chat:reply_text(words.hello)
    end
    return { it = function(chat)
      greet(chat)
      chat:ask("name?")
    end }
  ]]

  it("is the same for the same script", function()
    assert.equal(digest(text), digest(text))
  end)

  it("is the same where nothing changed but names of locals, spaces and comments at the end of lines", function()
    assert.equal(digest(text), digest((text:gsub("greet", "welcome"):gsub("  ", "\t"):gsub("\n", " -- a comment\n"))))
  end)

  local changes = {
    ["a word of the dialog"] = { "name%?", "Name?" },
    ["a word that it uses"] = { "Welcome", "Hi" },
    ["a value in a list"] = { "true", "false" },
    ["a key"] = { "list", "items" },
    ["a function that it calls"] = { "chat:reply_text%(words.hello%)", "chat:reply_text(words.hello .. '!')" },
    ["what it does"] = { 'chat:ask%("name%?"%)', 'chat:ask("name?") chat:ask("name?")' },
  }
  for name, change in pairs(changes) do
    it("is another where there is another: " .. name, function()
      local changed, count = text:gsub(change[1], change[2])
      assert(count >= 1)
      assert.are_not.equal(digest(text), digest(changed))
    end)
  end

  it("is the same where something changed that it does not use", function()
    assert.equal(digest(text), digest((text:gsub("return {", "local unused = 'x' return { other = function() return unused end,"))))
  end)

  it("is another where a dialog that it calls by name changed", function()
    local calls = "return { it = function(chat) chat:call 'inner' end, inner = function(chat) chat:ask '%s' end }"
    assert.are_not.equal(digest(calls:format "a"), digest(calls:format "b"))
  end)

  it("is another where a dialog changed whose name it makes, however short that is", function()
    local calls = "return { it = function(chat, args) chat:call(args.name) end, a = function(chat) chat:ask '%s' end }"
    assert.are_not.equal(digest(calls:format "a"), digest(calls:format "b"))
  end)

  it("is another where a class of the script changed, or what a filter or an action was made of", function()
    local texts = {
      [[local class = {} class.__index = class
        function class:ask(chat) chat:ask "%s" end
        local form = setmetatable({}, class)
        return { it = function(chat) form:ask(chat) end }]],
      [[local text = require("cunnekt").filter.text "%s" return { it = function(chat) return text(chat) end }]],
      [[local filter = require("cunnekt").filter
        local both = filter.type "text" & ~(filter.button "%s" | filter.from "919999999999")
        return { it = function(chat) return both(chat) end }]],
      [[local own = require("cunnekt").filter.fn(function(event) return event.text == "%s" end) return { it = function(chat) return own(chat) end }]],
      [[local order = require("cunnekt").action("%s", { "id" }) return { it = function(chat) return order:pack { id = 1 } end }]],
      [[local order = require("cunnekt").action("order", { "%s" }) return { it = function(chat) return order:pack { id = 1 } end }]],
    }
    texts[#texts + 1] = [[local style = { a = string.upper, b = string.lower }
      local is = style.%s
      return { it = function(chat) chat:ask(is "x") end }]]
    texts[#texts + 1] = [[local function one() end
      local function two() return 1 end
      local helpers, order = { one, two }, { a = { one, two }, b = { two, one } }
      local is = order.%s
      return { it = function() return helpers, is end }]]
    for _, its_text in ipairs(texts) do
      assert.equal(digest(its_text:format "a"), digest(its_text:format "a"))
      assert.are_not.equal(digest(its_text:format "a"), digest(its_text:format "b"), its_text)
    end
  end)

  it("does not go round in circles, nor without end", function()
    assert.is_string(digest [[
      local a, b = {}, {}
      a.b, b.a = b, a
      local function fn() return a, fn end
      local deep = {}
      for i = 1, 30000 do deep = { deep, i } end
      return { it = function() return a, fn, deep end }
    ]])
  end)

  it("takes values of every kind", function()
    assert.is_string(digest [[
      local values = { 1, 0.5, "x\0", true, io.stdout, coroutine.create(print), print, setmetatable({}, { __index = error }), [{}] = 1 }
      return { it = function() return values end }
    ]])
  end)

  it("for handlers is one for all of them", function()
    local handlers = "return { ['on:1:text'] = function() return '%s' end, ['on:2:image'] = function() return '%s' end, it = function() return '%s' end }"
    local function of(...)
      return (code.digest_handlers(script_of(handlers:format(...))))
    end
    assert.equal(of("a", "b", "c"), of("a", "b", "other dialogs do not count"))
    assert.are_not.equal(of("a", "b", "c"), of("x", "b", "c"))
    assert.are_not.equal(of("a", "b", "c"), of("a", "x", "c"))
  end)

  it("for handlers counts their matchers and the wrappers", function()
    local function of(matcher, wrapper)
      local script = script_of "return { ['on:1:text'] = function() end }"
      script.known["on:1:text"].matcher = matcher
      script.routes:wrap(wrapper)
      return (code.digest_handlers(script))
    end
    local function plain(_, next)
      return next()
    end
    local function other(event, next)
      return event.text and next()
    end
    assert.equal(of("^a", plain), of("^a", plain))
    assert.are_not.equal(of("^a", plain), of("^b", plain))
    assert.are_not.equal(of("^a", plain), of("^a", other))
    assert.equal(of(filter.text "a", plain), of(filter.text "a", plain))
    assert.are_not.equal(of(filter.text "a", plain), of(filter.text "b", plain))
    assert.are_not.equal(of(action.new("a", {}), plain), of(action.new("b", {}), plain))
  end)
end)

describe("a script", function()
  it("has changed where neither what it does nor its text is the same", function()
    assert.is_true(code.is_changed("aa.bb", "cc.dd"))
    assert.is_false(code.is_changed("aa.bb", "aa.dd"))
    assert.is_false(code.is_changed("aa.bb", "cc.bb"))
    assert.is_false(code.is_changed("aa.", "aa."))
    assert.is_true(code.is_changed("aa.", "cc."))
  end)
end)
