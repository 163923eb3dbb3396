-- SPDX-License-Identifier: MIT
-- Whether a script does something else than when a run began, by digests of what it would do; and old scripts, loaded to
-- continue with. Whole dialogs of scripts that change are in spec/dialog/replay_spec.lua.

local code = require "cunnekt.dialog.engine.code"
local journal = require "cunnekt.engine.journal"
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

-- ---- old scripts -----------------------------------------------------------------------------------------------------------

describe("an old script", function()
  local did, bot, stored, dialogs

  before_each(function()
    did = {}
    local function note(name)
      return function(_, ...)
        did[#did + 1] = { name, ... }
        return name
      end
    end
    bot = {
      client = "the client", every = note "every", start = note "start",
      store = { get = note "get", set = note "set", increment = note "increment" },
    }
    stored = {}
    dialogs = {
      scope = { bot = bot },
      old_scripts = {},
      store = {
        read = function(_, what, parameters)
          assert.equal("script", what)
          return { { source = stored[parameters.digest] } }
        end,
      },
    }
  end)

  local function keep(key, its_text)
    stored[key] = journal.write { main = "bot.lua", files = { ["bot.lua"] = its_text }, modules = {} }
  end

  local text = [[
    local cunnekt = require "cunnekt"
    local bot = cunnekt.bot { api_key = "x" }
    bot.store:set("opened", true)
    local seen = bot.store:get "opened"
    bot:every(60, "tick", print)
    bot:use(function(event, next) return next() end)
    bot:dialog("it", function(chat, args)
      bot.store:increment "n"
      bot:start("918888888888", "other")
      return "old", seen, bot.client
    end, { unexpected = "queue" }):on("text", "^a", function() return "old handler" end)
    bot:on("image", function() end)
    bot:global("stop", function() return "stopped" end)
    bot:run()
  ]]

  local function load_old()
    keep("abc", text)
    return assert(code.old_script(dialogs, "ff.abc"))
  end

  it("brings its dialogs and handlers, kept apart from the bot's", function()
    local old = load_old()
    assert.are.same({ true, "queue" }, { old.known.it.opts.is_dialog, old.known.it.opts.unexpected })
    assert.are.same({ 2, 1 }, { old.routes:count(), #old.routes:wrappers() })
    assert.equal("old handler", old.routes:dispatch { kind = "message", type = "text", text = "abc" })
    assert.equal("stopped", old.routes:dispatch { kind = "message", type = "text", text = "stop" })
  end)

  it("does nothing again that stands in its first lines, but reads", function()
    load_old()
    assert.are.same({ { "get", "opened" } }, did)
  end)

  it("does what its dialogs do", function()
    local old = load_old()
    did = {}
    assert.are.same({ "old", "get", "the client" }, { old.known.it.fn() })
    assert.are.same({ { "increment", "n" }, { "start", "918888888888", "other" } }, did)
  end)

  it("is loaded once", function()
    assert.equal(load_old(), code.old_script(dialogs, "00.abc"))
  end)

  it("that was not kept is nowhere", function()
    for _, was in ipairs { "ff.abc", "ff.", "", "ff" } do
      local old, problem = code.old_script(dialogs, was)
      assert.are.same({ nil, "the store does not have the script that it began with" }, { old, problem })
    end
  end)

  it("says what is wrong with it", function()
    keep("abc", "x =")
    local old, problem = code.old_script(dialogs, "ff.abc")
    assert.is_nil(old)
    assert.matches("bot.lua:1:", problem)
    keep("def", "error 'no file'")
    old, problem = code.old_script(dialogs, "ff.def")
    assert.is_nil(old)
    assert.matches("no file", problem)
  end)

  it("that fails after it has registered something is good enough", function()
    keep("abc", text .. "\nerror 'at its end'")
    assert.is_table((code.old_script(dialogs, "ff.abc")).known.it)
  end)
end)
