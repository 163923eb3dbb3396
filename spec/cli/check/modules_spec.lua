-- SPDX-License-Identifier: MIT
-- `cunnekt check` reads a script with its own modules: what one file says about the functions of another one is known.

local process = require "spec.support.process"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

describe("cunnekt check, with modules,", function()
  local folder

  before_each(function()
    folder = process.folder()
    assert(os.execute("mkdir " .. folder.path .. "/shop"))
  end)

  -- What it prints for a script with these modules; paths are those from the script's folder.
  local function check(code, modules, ...)
    process.write(folder.path .. "/bot.lua", HEAD .. code)
    for name, source in pairs(modules or {}) do
      process.write(folder.path .. "/" .. name, source)
    end
    local done = process.cunnekt({ "check", "bot.lua", ... }, { cwd = folder.path })
    return done.out, done.code
  end

  local function finds(expected, code, modules)
    assert.equal(table.concat(expected, "\n") .. "\n", (check(code, modules)))
  end

  local function is_fine(code, modules)
    local out = check(code, modules)
    assert.matches("^bot%.lua.*: no mistakes found\n$", out)
  end

  it("reads those behind a byte order mark", function()
    local out = check("", { ["bot.lua"] = "\xef\xbb\xbfrequire 'texts'\nprint(a)", ["texts.lua"] = "\xef\xbb\xbf\nprint(b)" })
    assert.equal("bot.lua:2: undefined global 'a'\ntexts.lua:2: undefined global 'b'\n", out)
  end)

  it("names those that it has read", function()
    local out, code = check('require "shop.prices"', { ["shop/prices.lua"] = 'return require "shop.texts"', ["shop/texts.lua"] = "return {}" })
    assert.equal("bot.lua, shop/prices.lua, shop/texts.lua: no mistakes found\n", out)
    assert.equal(0, code)
  end)

  it("finds mistakes in them, and in those that they require", function()
    finds({
      "bot.lua:2: undefined global 'one'", "shop/prices.lua:1: undefined global 'two'", "shop/init.lua:1: undefined global 'three'",
    }, 'require "shop.prices"\none()', { ["shop/prices.lua"] = 'two() require "shop"', ["shop/init.lua"] = "three()" })
    local _, code = check('require "shop.prices"', { ["shop/prices.lua"] = "two()" })
    assert.equal(1, code)
  end)

  it("finds what does not compile, with the file that it is in", function()
    local out, code = check('require "shop.prices"', { ["shop/prices.lua"] = "local = 1" })
    assert.matches("^shop/prices%.lua:1: <name> expected near '='\n$", out)
    assert.equal(1, code)
  end)

  it("says what is wrong with a module of two scripts once", function()
    process.write(folder.path .. "/other.lua", HEAD .. 'require "shop.prices"')
    local out, code = check('require "shop.prices"', { ["shop/prices.lua"] = "two()" }, "other.lua")
    assert.equal("shop/prices.lua:1: undefined global 'two'\n", out)
    assert.equal(1, code)
  end)

  it("is found by cunnekt run, too", function()
    check('local shop = require "shop.prices" bot:on("text", shop.show)', { ["shop/prices.lua"] = "return { show = function(msg) return msg.txt end }" })
    local done = process.cunnekt({ "run", "bot.lua" }, { cwd = folder.path, env = { CUNNEKT_LISTEN = "256.0.0.1:1", CUNNEKT_STORE = "memory:" } })
    assert.truthy(done.err:find("warning: shop/prices.lua:1: msg has no field 'txt' (did you mean 'text'?)", 1, true), done.err)
  end)

  describe("knows what a function of one gets", function()
    local handlers = {
      ["in the table that it returns"] = "local M = {} function M.greet(msg) return msg.txt end return M",
      ["in a table that is written out"] = "return { greet = function(msg) return msg.txt end }",
      ["by its name"] = "local function greet(msg) return msg.txt end return { greet = greet }",
      ["from another function of it"] = "local M = {} local function inner(m) return m.txt end function M.greet(msg) return inner(msg) end return M",
      ["from a module below it"] = 'local texts = require "shop.texts" return { greet = function(msg) return texts.of(msg) end }',
    }
    for where, source in pairs(handlers) do
      it(where, function()
        local file = where:find "below" and "shop/texts.lua" or "shop/handlers.lua"
        finds({ file .. ":1: msg has no field 'txt' (did you mean 'text'?)" }, 'local handlers = require "shop.handlers" bot:on("text", handlers.greet)', {
          ["shop/handlers.lua"] = source, ["shop/texts.lua"] = "local M = {} M.of = function(msg) return msg.txt end return M",
        })
      end)
    end

    it("when the script calls it", function()
      finds({ "shop/prices.lua:1: msg has no method 'replytext' (did you mean 'reply_text'?)" },
        'local prices = require "shop.prices" bot:on("text", function(msg) prices.show(msg, 3) end)',
        { ["shop/prices.lua"] = "local M = {} function M.show(msg, n) msg:replytext(n .. '') end return M" })
      finds({ "shop/setup.lua:1: bot has no method 'onn' (did you mean 'on'?)" }, 'require "shop.setup"(bot)',
        { ["shop/setup.lua"] = "return function(bot) bot:onn('text', print) end" })
      finds({ "shop/setup.lua:1: chat has no method 'aks' (did you mean 'ask'?)" }, 'local setup = require "shop.setup" setup(bot)',
        { ["shop/setup.lua"] = "return function(bot) bot:dialog('d', function(chat) chat:aks 'x' end) end" })
    end)
  end)

  it("knows a bot that a module makes", function()
    finds({ "bot.lua:1: bot has no method 'onn' (did you mean 'on'?)" }, 'local its_bot = require "shop.bot" its_bot:onn("text", print)',
      { ["shop/bot.lua"] = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() return bot' })
  end)

  it("knows a handler that is given by its name", function()
    finds({ "bot.lua:2: msg has no method 'replytext' (did you mean 'reply_text'?)" },
      'local function greet(msg)\n  msg:replytext "hi"\nend\nbot:on("text", greet)')
    finds({ "bot.lua:2: msg has no method 'replytext' (did you mean 'reply_text'?)" },
      'local handlers = {}\nfunction handlers.greet(msg) msg:replytext "hi" end\nbot:on("text", handlers.greet)')
    finds({ "bot.lua:2: chat has no method 'aks' (did you mean 'ask'?)" },
      'local dialogs = {\n  order = function(chat) chat:aks "What?" end,\n}\nlocal order = dialogs.order\nbot:dialog("order", order)')
  end)

  it("knows a handler of several events, and of answers", function()
    finds({ "bot.lua:2: msg has no method 'replytext' (did you mean 'reply_text'?)" },
      'local function greet(msg)\n  msg:replytext "hi"\nend\nbot:on("text", greet) bot:dialog("d", function(chat) greet(chat:ask "Who?") end)')
    finds({ "bot.lua:2: event has no field 'stats' (did you mean 'status'?)" },
      'local function note(event)\n  print(event.id, event.status, event.text, event.stats)\nend\nbot:on("text", note) bot:on("status", note)')
  end)

  describe("is silent", function()
    it("where a function may get something else", function()
      for _, code in ipairs {
        'local M = { greet = function(msg) return msg.txt end } bot:on("text", M.greet) M.greet { txt = 1 }',
        'local M = { greet = function(msg) return msg.txt end } bot:on("text", M.greet) for _, fn in pairs(M) do fn { txt = 1 } end',
        'local M = {} function M.greet(msg) return msg.txt end bot:on("text", M.greet) print(M["gr" .. "eet"] { txt = 1 })',
        'local M = { greet = print } M.greet = function(msg) return msg.txt end bot:on("text", M.greet)',
        'local M = setmetatable({ greet = function(msg) return msg.txt end }, {}) bot:on("text", M.greet)',
        'local M = {} function M:greet(msg) return msg.txt end bot:on("text", M.greet)',
        'local M = {} function M.greet(_, msg) return msg end bot:on("text", function(msg) return M:greet(msg).txt end)',
      } do
        is_fine(code)
      end
      is_fine('local M = require "shop.prices" bot:on("text", M.greet) require "shop.other"', {
        ["shop/prices.lua"] = "return { greet = function(msg) return msg.txt end }",
        ["shop/other.lua"] = 'local greet = require "shop.prices".greet greet { txt = 1 }',
      })
    end)

    it("about a module whose value depends on something", function()
      is_fine('local M = require "shop.prices" bot:on("text", M.greet)', {
        ["shop/prices.lua"] = "local M = { greet = function(msg) return msg.txt end } if os.getenv 'X' then return {} end return M",
      })
    end)

    it("about names that another file gives", function()
      is_fine('require "shop.setup"(bot) bot:on("text", function(msg) msg:start "order" print(tax, mailer) end)', {
        ["shop/setup.lua"] = [[
          tax, mailer = 0.2, require "shop.mailer"
          return function(bot)
            bot:dialog("order", function(chat) chat:ask "What?" end)
            mailer.send_text { subject = "x" }
          end]],
        ["shop/mailer.lua"] = "local M = {} function M.send_text(spec) return spec end return M",
      })
      finds({ "bot.lua:1: msg:start: there is no dialog 'pay'" }, 'require "shop.setup"(bot) bot:on("text", function(msg) msg:start "pay" end)',
        { ["shop/setup.lua"] = 'return function(bot) bot:dialog("order", function(chat) chat:ask "What?" end) end' })
    end)

    it("about modules that require each other, and one that requires the script", function()
      is_fine('local a = require "shop.a" bot:on("text", a.greet)', {
        ["shop/a.lua"] = 'local b = require "shop.b" return { greet = function(msg) return b.text(msg) end }',
        ["shop/b.lua"] = 'local M = {} function M.text(msg) return msg.text, require "shop.a", require "bot" end return M',
      })
    end)

    it("about a table of options that a module has", function()
      is_fine('local o = require "shop.options" cunnekt.client(o) bot:on("text", function(msg) msg:reply_buttons(o.buttons) end)',
        { ["shop/options.lua"] = "return { retires = 1, buttons = { body = '' } }" })
    end)
  end)
end)
