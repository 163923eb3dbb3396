-- SPDX-License-Identifier: MIT
-- Scripts that have changed since, loaded again for the runs that began with them.

local journal = require "cunnekt.engine.journal"
local old_script = require "cunnekt.dialog.engine.old_script"
local task = require "cunnekt.base.task"

describe("an old script", function()
  local did, bot, other_bot, stored, dialogs

  before_each(function()
    did = {}
    local function note(name)
      return function(_, ...)
        did[#did + 1] = { name, ... }
        return name
      end
    end
    bot = {
      client = { name = "the client", send_text = note "send_text" }, every = note "every", start = note "start",
      store = { get = note "get", set = note "set", increment = note "increment", each = note "each" },
    }
    other_bot = { start = note "start of the other bot" }
    stored = {}
    dialogs = {
      scope = { bot = bot },
      find_bot = function(store)
        return store == nil and bot or store == "sqlite:b.db" and other_bot or nil
      end,
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
      return "old", seen, bot.client.name
    end, { unexpected = "queue" }):on("text", "^a", function() return "old handler" end)
    bot:on("image", function() end)
    bot:global("stop", function() return "stopped" end)
    bot:run()
  ]]

  local function load_old()
    keep("abc", text)
    return assert(old_script.of(dialogs, "ff.abc"))
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
    assert.equal(load_old(), old_script.of(dialogs, "00.abc"))
  end)

  it("that was not kept is nowhere", function()
    for _, was in ipairs { "ff.abc", "ff.", "", "ff" } do
      local old, problem = old_script.of(dialogs, was)
      assert.are.same({ nil, "the store does not have the script that it began with" }, { old, problem })
    end
  end)

  it("says what is wrong with it", function()
    keep("abc", "x =")
    local old, problem = old_script.of(dialogs, "ff.abc")
    assert.is_nil(old)
    assert.matches("bot.lua:1:", problem)
    keep("def", "error 'no file'")
    old, problem = old_script.of(dialogs, "ff.def")
    assert.is_nil(old)
    assert.matches("no file", problem)
  end)

  it("that fails after it has registered something is good enough", function()
    keep("abc", text .. "\nerror 'at its end'")
    assert.is_table((old_script.of(dialogs, "ff.abc")).known.it)
  end)

  it("sends nothing, waits for nothing and starts nothing beside itself in its first lines, and does in its dialogs", function()
    keep("abc", [[
      local cunnekt = require "cunnekt"
      local bot, ran = cunnekt.bot(), false
      local sent, err = bot.client:send_text("919999999999", "The bot starts")
      local own, own_err = cunnekt.client({ api_key = "x" }):send_text("919999999999", "The bot starts")
      cunnekt.spawn(function() ran = true end)
      cunnekt.sleep(1e9)
      local home, page = os.getenv "HOME", bot.store:each()
      local file <close> = io.open("bot.lua")
      setmetatable({}, { __gc = function() end })
      bot:dialog("it", function()
        bot.client:send_text "x"
        return sent, err.kind, own, own_err.kind, ran, home, page
      end)
    ]])
    local old = assert(old_script.of(dialogs, "ff.abc"))
    assert.are.same({ { "each" } }, did)
    assert.are.same({ n = 7, nil, "cancelled", nil, "cancelled", false, os.getenv "HOME", "each" }, table.pack(old.known.it.fn()))
    assert.are.same({ "send_text", "x" }, did[2])
  end)

  it("gets what the program was given for it", function()
    keep("abc", [[
      local shop = ...
      require("cunnekt").bot():dialog("it", function() return "Welcome to " .. shop end)
    ]])
    local before = arg
    _G.arg = { "the tea shop" }
    local old, problem = old_script.of(dialogs, "ff.abc")
    _G.arg = before
    assert.equal("Welcome to the tea shop", assert(old, problem).known.it.fn())
  end)

  it("of a run that is rebuilt is no part of it", function()
    keep("abc", [[
      local cunnekt = require "cunnekt"
      local bot = cunnekt.bot()
      local home, file <close> = os.getenv "HOME", io.open "bot.lua"
      bot:dialog("it", function() end)
    ]])
    local its_run = { is_dialog = true }
    task.run(function()
      local running = task.running()
      running.run = its_run
      local old, problem = old_script.of(dialogs, "ff.abc")
      local after = running.run
      running.run = nil
      assert(old, problem)
      assert.equal(its_run, after)
    end)
  end)

  it("with several bots is the one with the same store, and knows the others", function()
    keep("abc", [[
      local cunnekt = require "cunnekt"
      local b, a, c = cunnekt.bot { store = "sqlite:b.db" }, cunnekt.bot(), cunnekt.bot { store = "sqlite:gone.db" }
      for name, bot in pairs { a = a, b = b, c = c } do
        bot:dialog("it", function()
          b:start(name)
          return name, c:start "x"
        end)
      end
    ]])
    local old = assert(old_script.of(dialogs, "ff.abc"))
    local name, started, err = old.known.it.fn()
    assert.are.same({ "a", nil, "cancelled" }, { name, started, err.kind })
    assert.are.same({ { "start of the other bot", "a" } }, did)
    dialogs.scope.bot = { start = function() end }
    dialogs.old_scripts = {}
    local none, problem = old_script.of(dialogs, "ff.abc")
    assert.are.same({ nil, "the script that it began with has no bot with this store" }, { none, problem })
  end)
end)
