-- SPDX-License-Identifier: MIT
-- Generated dialogs, whose customers see the same whatever happens to the bot; and the same tests with an engine that is
-- broken on purpose, which they must notice. The long form is spec/crash/dialogs.lua.

local inside = require("cunnekt.service").of
local breakage = require "spec.support.dialogs.breakage"
local code = require "cunnekt.dialog.engine.code"
local history = require "spec.support.dialogs.history"
local journal = require "cunnekt.engine.journal"
local lives = require "spec.support.dialogs.lives"
local messages = require "cunnekt.store.messages"
local process = require "spec.support.process"
local sql = require "spec.support.sql"
local webhook = require "cunnekt.provider.webhook"

local first, last, rounds = 1, 500, 9
-- The broken ones are tried on the first so many.
local few = 60

describe("generated dialogs #long", function()
  local reference

  setup(function()
    reference = history.run { first = first, last = last, rounds = rounds }
  end)

  local function disturbed(opts)
    return history.run {
      first = first,
      last = opts.last or few,
      rounds = rounds,
      disturbed = true,
      seed = opts.seed or 7,
      prepare = opts.prepare,
      bot = opts.bot,
    }
  end

  it("are worth comparing", function()
    assert.is_true(history.count_ended(reference) > last / 3)
    local lines = {}
    for _, line in ipairs(reference.lines) do
      lines[#lines + 1] = not line:find "reply_text: text is empty" and line or nil -- as of a step of programs.lua
    end
    assert.are.same({}, lines)
  end)

  it("show customers the same when the bot is stopped, killed, or lets them go between any two steps", function()
    local other = disturbed { last = last }
    assert.is_true(other.restarts >= 5, "only " .. other.restarts .. " restarts")
    assert.are.same({}, history.compare(reference, other, first, last))
  end)

  it("do so with hardly any of them in memory", function()
    local other = disturbed { seed = 3, bot = { parked = 2 } }
    assert.are.same({}, history.compare(reference, other, first, few))
  end)

  describe("with a function of bot:use around all that comes", function()
    local wrapped

    setup(function()
      wrapped = history.run { first = first, last = few, rounds = rounds, wraps = true }
    end)

    local function play(opts)
      opts.first, opts.last, opts.rounds, opts.seed, opts.wraps = first, few, rounds, 11, true
      return #history.compare(wrapped, history.run(opts), first, few)
    end

    it("show customers the same, too", function()
      assert.equal(0, play { disturbed = true })
    end)

    it("differ when it is skipped for what dialogs get", function()
      local count = play {
        prepare = function(all)
          local define = all.define
          all.define = function(bot)
            define(bot)
            inside(bot).dialogs.script.routes.has_wrappers = false
          end
        end,
      }
      assert.is_true(count > few / 4, ("only %d did"):format(count))
    end)
  end)

  -- ---- engines that are broken on purpose --------------------------------------------------------------------------

  describe("of a broken engine", function()
    local function count_differences(commit, more)
      local opts = { first = first, last = few, rounds = rounds, seed = 7, prepare = breakage.with_commit(commit) }
      for name, value in pairs(more) do
        opts[name] = value
      end
      return #history.compare(reference, history.run(opts), first, few)
    end

    -- Plays them with another function in the place of one of the engine's.
    local function with(module, name, fn)
      local own = module[name]
      module[name] = fn
      finally(function()
        module[name] = own
      end)
      return #history.compare(reference, history.run { first = first, last = last, rounds = rounds }, first, last)
    end

    it("differ when a reaction, or a text in a group, is an answer", function()
      assert.is_true(with(webhook, "is_addressed", function(event)
        return event.kind == "message"
      end) > few / 4, "nobody noticed")
    end)

    it("differ when a tap on an older message is an answer", function()
      local id_of = messages.id_of
      finally(function()
        messages.id_of = id_of
      end)
      messages.id_of = function() end
      assert.is_true(with(messages, "is_known_as", function() end) > 0, "nobody noticed")
    end)

    it("differ when the journal is not written", function()
      -- As long as nothing happens it only matters to those who go back, or meet another turn.
      assert.is_true(count_differences(breakage.no_journal, {}) < few / 4)
      assert.is_true(count_differences(breakage.no_journal, { disturbed = true }) > few / 4, "nobody noticed")
    end)

    it("differ when the journal is written after the messages and the event's end", function()
      local commit, take = breakage.late_journal()
      local count = 0
      local function let_go(all, may_kill)
        local waiting = take()
        count = count + #waiting
        if may_kill and count > 100 then
          count = 0
          return all:kill()
        end
        for _, go in ipairs(waiting) do
          go()
        end
      end
      assert.equal(0, count_differences(commit, { on_wheel = function(all)
        let_go(all, false)
      end }))
      local noticed = count_differences(commit, { on_wheel = function(all)
        let_go(all, true)
      end })
      assert.is_true(noticed > 0, "nobody noticed")
    end)
  end)
end)

-- ---- scripts that change -------------------------------------------------------------------------------------------

local shop = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
local words = { hello = "Welcome", thanks = "Thank you" }
local function thank(name)
  return ("%s, %s"):format(words.thanks, name)
end
local function greet(chat)
  chat:reply_text(words.hello)
end
bot.store:set("opened", true)
bot:dialog("shop", function(chat, args)
  greet(chat)
  local name = chat:ask("Your name?").text
  local what = chat:ask("What would you like?").text
  chat:reply_text(thank(name) .. ": " .. what .. " " .. tostring(args and args.note))
end, ON_CHANGE)
bot:on("text", "^shop", function(msg) msg:start("shop", { note = "new" }) end)
bot:on("text", function(msg) msg:reply_text("not in a dialog: " .. msg.text) end)
bot:run()
]]

describe("dialogs of a script that changes", function()
  local folder, path, all, is_changed, mark_of, mark_of_json

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/shop.lua"
    is_changed, mark_of, mark_of_json = code.is_changed, journal.mark, journal.mark_of_json
    all = lives.new(lives.script(path), { attempts = 1 })
  end)

  after_each(function()
    code.is_changed, journal.mark, journal.mark_of_json = is_changed, mark_of, mark_of_json
    all:close()
  end)

  local function write(opts)
    local text = shop:gsub(", ON_CHANGE", function()
      return opts.on_change and ", " .. opts.on_change or ""
    end)
    for old, new in pairs(opts.edits or {}) do
      local count
      text, count = text:gsub(old, function()
        return new
      end)
      assert(count == 1, old)
    end
    process.write(path, text)
  end

  local function say(text)
    all:act("919999999999", { type = "text", text = text })
    all:settle()
  end

  local function said()
    return all.seen["919999999999"]
  end

  -- The dialog begins, the script changes, the program starts again, and the customer goes on.
  local function through_a_change(opts)
    write { on_change = opts.on_change }
    all:start()
    say "shop"
    write(opts)
    all:restart()
    say "Asha"
    say "tea"
    return said()
  end

  local words = { ['"Welcome"'] = '"Hi"', ['"Thank you"'] = '"Thanks"' }
  local as_begun = { "Welcome", "Your name?", "What would you like?", "Thank you, Asha: tea new" }

  it("go on as they were begun, with every word, and new ones begin with the new script", function()
    assert.are.same(as_begun, through_a_change { edits = words })
    say "shop"
    assert.equal("Hi", said()[5])
  end)

  it("go on as they were begun when a question was added or taken out", function()
    local edit = { ['local name = chat:ask%("Your name%?"%)%.text'] = 'chat:ask "How are you?" local name = "x"' }
    assert.are.same(as_begun, through_a_change { edits = edit })
  end)

  it("go on with the new script where only something else in it changed", function()
    local edit = { ["not in a dialog"] = "elsewhere" }
    assert.are.same(as_begun, through_a_change { edits = edit })
    assert.same({}, inside(all.bot).dialogs.old_scripts)
  end)

  it("go on as they were begun when the dialog was taken out", function()
    local edit = { ['bot:dialog%("shop"'] = 'bot:dialog("other"', ['msg:start%("shop"'] = 'msg:start("other"' }
    assert.are.same(as_begun, through_a_change { edits = edit })
  end)

  it("do not do again what the old script does at its start", function()
    write {}
    all:start()
    say "shop"
    write { edits = words }
    all:restart()
    all.bot.store:set("opened", "since then")
    say "Asha"
    assert.equal("since then", all.bot.store:get "opened")
  end)

  it("begin again where the script wants that", function()
    assert.are.same(
      { "Welcome", "Your name?", "Hi", "Your name?", "What would you like?" },
      through_a_change { edits = words, on_change = '{ on_change = "restart" }' }
    )
  end)

  it("begin again with what the script makes of their past", function()
    local migrate = [[{ migrate = function(past)
      return { note = ("%s %d %s %s"):format(past.name, #past.answers, past.args.note, past.event.text) }
    end }]]
    through_a_change { edits = words, on_change = migrate }
    say "more"
    assert.equal("Thanks, tea: more shop 0 new Asha", said()[#said()])
  end)

  it("are broken without their script, and their customers get an answer", function()
    write {}
    all:start()
    say "shop"
    write { edits = words }
    local start = all.start
    function all.start(self)
      local db = sql.open(self.folder.path .. "/dialogs.db")
      db:run "DELETE FROM code"
      db:close()
      all.start = start
      start(self)
    end
    all:restart()
    say "Asha"
    assert.are.same({ "Welcome", "Your name?", "not in a dialog: Asha" }, said())
    assert.matches("is broken: .* cannot continue: the store does not have the script", table.concat(all.lines, "\n"))
  end)

  -- Broken on purpose: the test above must notice.
  it("are found to differ when the change is not noticed", function()
    code.is_changed = function()
      return false
    end
    local seen = through_a_change { edits = words }
    assert.are_not.same(as_begun, seen)
    assert.matches("differs from its journal at step 1, 'send'", table.concat(all.lines, "\n"))
  end)

  it("are found to differ when steps are not compared either", function()
    code.is_changed = function()
      return false
    end
    journal.mark = function(kind)
      return kind .. " "
    end
    journal.mark_of_json = journal.mark
    assert.are_not.same(as_begun, through_a_change { edits = words })
  end)
end)
