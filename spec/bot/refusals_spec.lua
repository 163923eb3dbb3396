-- SPDX-License-Identifier: MIT
-- Refused replies are seen: in the log, once a place, and as errors where the bot was made so. What is said about each mistake is
-- in spec/cli/check/mistakes_spec.lua.

local bot_rig = require "spec.support.rigs.bot_rig"
local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of
local log = require "cunnekt.base.log"
local refusals = require "cunnekt.bot.refusals"

describe("a refused reply", function()
  local rig

  before_each(function()
    rig = bot_rig.new()
    refusals.forget()
  end)

  after_each(function()
    log.is_shown = false
    rig:close()
  end)

  local function define(code, opts)
    local bot = rig:new_bot(opts)
    assert(load("local bot, cunnekt, seen = ... " .. code, "@bot.lua"))(bot, cunnekt, rig)
    rig:start()
  end

  local function say(text)
    local counts = inside(rig.bot).counts
    local before = counts.events_finished + counts.events_failed
    rig:say(text)
    bot_rig.wait_for(function()
      return counts.events_finished + counts.events_failed > before
    end, "the turn")
  end

  local function warnings()
    local list = {}
    for _, line in ipairs(rig.lines) do
      list[#list + 1] = line:match "^cunnekt: warning: (bot%.lua.*)$"
    end
    return list
  end

  it("still gives nil and the error", function()
    define 'bot:on("text", function(msg) seen.sent, seen.err = msg:reply_text "" end)'
    say "hi"
    assert.is_nil(rig.sent)
    assert.equal("invalid", rig.err.kind)
    assert.equal("text is empty", rig.err.message)
  end)

  it("is logged once a place and reason, and again when there are ten times as many", function()
    define [[
      bot:on("text", function(msg)
        for _ = 1, 100 do
          msg:reply_text ""
        end
        msg:reply_text(nil)
      end)]]
    say "hi"
    assert.same({
      "bot.lua:3: reply_text: text is empty; leave the reply out, or write something",
      "bot.lua:3: reply_text: text is empty; leave the reply out, or write something (10 times)",
      "bot.lua:3: reply_text: text is empty; leave the reply out, or write something (100 times)",
      "bot.lua:5: reply_text: text is missing; it is nil: give a string",
    }, warnings())
  end)

  it("is logged for each reason of one place and field, whatever its numbers are", function()
    define [[
      bot:on("text", function(msg)
        for _, text in ipairs { 5, "", "\xff", "a\xfe", ("x"):rep(5000), ("x"):rep(5001) } do
          msg:reply_text(text)
        end
      end)]]
    say "hi"
    local found = warnings()
    assert.equal(4, #found)
    for i, words in ipairs { "got number", "is empty", "byte 1 is 0xFF", "5000 characters" } do
      assert.matches(words, found[i])
    end
  end)

  it("is shown each time to who looks on", function()
    log.is_shown = true
    define 'bot:on("text", function(msg) for _ = 1, 3 do msg:reply_text "" end end)'
    say "hi"
    assert.equal(3, #warnings())
  end)

  it("names the line of a helper that sends", function()
    define 'local function answer(chat)\n  chat:reply_text ""\nend\nbot:on("text", function(msg) answer(msg.chat) end)'
    say "hi"
    assert.matches("^bot.lua:2: ", warnings()[1])
  end)

  it("names the handler or the dialog where the line is gone, as with `return`", function()
    define [[
      bot:dialog("order", function(chat)
        chat:ask "Which?"
        return chat:reply_text ""
      end)
      bot:on("text", "^order$", function(msg) msg:start "order" end)
      bot:on("text", function(msg) return msg:reply_text "" end)
    ]]
    say "hi"
    say "order"
    say "cake"
    bot_rig.wait_for(function() -- statuses of the question are events, too
      return #warnings() == 2
    end, "both warnings")
    local text = table.concat(rig.lines, "\n")
    assert.matches("bot.lua:6: in the handler of 'text': reply_text: text is empty", text, 1, true)
    assert.matches("bot.lua:1: in the dialog 'order': reply_text: text is empty", text, 1, true)
  end)

  it("is said once in a dialog, whose replay meets it again", function()
    define [[
      bot:dialog("order", function(chat)
        chat:reply_text ""
        chat:ask "What?"
        chat:ask "How many?"
      end)
      bot:on("text", function(msg) msg:start "order" end)]]
    log.is_shown = true
    say "hi"
    inside(rig.bot).dialogs:evict_all()
    say "tea"
    assert.equal(1, #warnings())
  end)

  it("never holds what was written", function()
    define 'bot:on("text", function(msg) msg:reply_text(("secret "):rep(1000)) msg:reply_buttons { body = "secret", buttons = {} } end)'
    say "hi"
    assert.equal(2, #warnings())
    assert.not_matches("secret", table.concat(warnings()))
  end)

  it("is like a number to which a bot cannot write, but that this never raises", function()
    define([[
      bot:dialog("order", function() end)
      bot:on("text", function(msg)
        local staff = "98765"
        seen.results = { { bot:start(staff, "order") },
          { bot:signal(staff, "paid") },
          { bot:chat(staff) } }
        return bot:chat(staff)
      end)]], { replies = "raise" })
    say "hi"
    for _, result in ipairs(rig.results) do
      assert.is_nil(result[1])
      assert.equal("invalid", result[2].kind)
    end
    local list = warnings()
    for i, where in ipairs { "4: bot:start", "5: bot:signal", "6: bot:chat", "2: in the handler of 'text': bot:chat" } do
      assert.matches(("bot.lua:%s: to has 5 digits, not 7 to 15"):format(where), list[i], 1, true)
    end
    assert.equal(4, #list)
  end)

  it("is no line where before_send dropped the message", function()
    define 'bot:before_send(function() return false end) bot:on("text", function(msg) msg:reply_text "x" end)'
    say "hi"
    assert.same({}, warnings())
  end)

  it("raises with replies = 'raise', with the script's line", function()
    define('bot:on_error(function(err) seen.err = err end)\nbot:on("text", function(msg)\n  msg:reply_text ""\nend)', { replies = "raise" })
    say "hi"
    bot_rig.wait_for(function()
      return rig.err
    end, "the failure")
    assert.equal("handler", rig.err.kind)
    assert.equal("bot.lua:3: reply_text: text is empty; leave the reply out, or write something", rig.err.message)
    assert.same({}, warnings())
  end)

  it("has a line for each of its mistakes, and one error with replies = 'raise'", function()
    local code = [[bot:on("text", function(msg)
      msg:reply_list { body = "Which?", list = { { id = "a", title = "A very long title of a row" }, { title = "B" } } }
    end) bot:on_error(function(err) seen.err = err end)]]
    define(code)
    say "hi"
    assert.same({
      "bot.lua:2: reply_list: list_title is missing; write list_title = \"Menu\": the label that opens the list",
      "bot.lua:2: reply_list: list[1].title is 26 characters long; Cunnekt allows 24",
      "bot.lua:2: reply_list: list[2].id is missing",
    }, warnings())
    rig:close()
    rig = bot_rig.new()
    define(code, { replies = "raise" })
    say "hi"
    bot_rig.wait_for(function()
      return rig.err
    end, "the failure")
    assert.matches("list_title is missing; .*%. list%[1%]%.title is 26 .*%. list%[2%]%.id is missing$", rig.err.message)
  end)

  it("is no other value of the option than these", function()
    assert.has_error(function()
      rig:new_bot { replies = "raised" }
    end)
  end)
end)
