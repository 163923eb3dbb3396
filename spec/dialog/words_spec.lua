-- SPDX-License-Identifier: MIT
-- Words that customers type, in any alphabet: commands, titles of choices, words of bot:on. And journals of versions that
-- compared small letters of ASCII alone.

local filter = require("cunnekt").filter
local sql = require "spec.support.sql"
local talk = require "spec.support.rigs.talk"
local typed = require "cunnekt.bot.typed"

local begin, say = talk.begin, talk.say

-- What the customer saw, without buttons.
local function said()
  local texts = {}
  for i, text in ipairs(talk.said()) do
    texts[i] = text:gsub(" %[.*", "")
  end
  return texts
end

describe("words", function()
  local is_by_first_rules = typed.is_by_first_rules

  after_each(function()
    typed.is_by_first_rules = is_by_first_rules
    talk.finish()
  end)

  local function chooses(its_bot)
    its_bot:dialog("it", function(chat)
      local answer = chat:ask_buttons { body = "Еще?", buttons = { { id = "yes", title = "Да" }, { id = "no", title = "Não" } } }
      chat:reply_text("chosen: " .. answer.reply.id)
    end)
  end

  it("are titles of choices, however they are typed", function()
    for text, id in pairs { ["ДА"] = "yes", ["na\u{303}o"] = "no" } do
      begin(chooses)
      say "go"
      say(text)
      assert.equal("chosen: " .. id, said()[2])
      talk.finish()
    end
    begin(chooses)
    say "go"
    say "nao"
    assert.are.same({ "Еще?", "Еще?" }, said())
  end)

  it("are commands, inside dialogs too", function()
    begin(function(its_bot)
      chooses(its_bot)
      its_bot:global("отмена", function(msg)
        msg:reply_text("ended: " .. msg.chat:cancel())
      end)
    end)
    say "go"
    say " ОТМЕНА\u{a0}"
    assert.are.same({ "Еще?", "ended: 1" }, said())
    say "go"
    say "Отмена!"
    assert.are.same({ "Еще?", "ended: 1", "Еще?", "ended: 1" }, said())
  end)

  it("are found in texts by bot:on and by filters, and patterns are not changed", function()
    begin(function(its_bot)
      for _, one in ipairs { { "menú", "menu" }, { { "hello", "olá" }, "hello" }, { filter.text "straße", "street" }, { "^Ja$", "ja" } } do
        its_bot:on("text", one[1], function(msg)
          msg:reply_text(one[2])
        end)
      end
    end)
    for _, text in ipairs { "El MENÚ", "OLA\u{301}!", "hello", "STRASSE 7", "Ja", "ja", "menu" } do
      say(text)
    end
    assert.are.same({ "menu", "hello", "hello", "street", "ja", "handler: ja", "handler: menu" }, said())
  end)

  -- ---- journals of earlier versions ----------------------------------------------------------------------------------

  -- The bot ends, and starts again over what an earlier version left: it compared small letters of ASCII alone, and wrote no
  -- number of its rules.
  local function pass_to_this_version(is_forgetting)
    typed.is_by_first_rules = is_by_first_rules
    local start = talk.all.start
    function talk.all.start(self)
      self.start = start
      for _, column in ipairs(is_forgetting and { "dialog args", "step result" } or {}) do
        local of, name = column:match "(%a+) (%a+)"
        local set = [[UPDATE %s SET %s = CAST(replace(replace(%s, ',"rules":3', ''), '"rules":3,', '') AS BLOB)]]
        sql.run(self.folder.path .. "/dialogs.db", set:format(of, name, name))
      end
      start(self)
    end
    talk.all:restart()
  end

  local function earlier_version()
    typed.is_by_first_rules = function()
      return true
    end
  end

  local function refuse_a_title()
    earlier_version()
    begin(chooses)
    say "go"
    say "ДА"
    assert.are.same({ "Еще?", "Еще?" }, said())
  end

  it("that an earlier version refused are refused when its dialog is rebuilt", function()
    refuse_a_title()
    pass_to_this_version(true)
    say "ДА"
    assert.equal("chosen: yes", said()[3])
    assert.not_matches("is broken", talk.logged())
  end)

  -- The journal's rules are what the test above needs.
  it("would break that dialog by the rules of today", function()
    refuse_a_title()
    pass_to_this_version(false)
    say "Да"
    assert.matches("is broken", talk.logged())
  end)

  it("that an earlier version passed on to another handler go there when it is rebuilt", function()
    earlier_version()
    begin(function(its_bot)
      its_bot:on("text", "hello", function(msg)
        msg:reply_text "in small letters"
      end)
      its_bot:on("text", "^H", function(msg)
        msg:reply_text("hello, " .. msg.chat:ask("Who is it?").text)
      end)
      its_bot:global("привет", function() end)
    end)
    say "Hello"
    pass_to_this_version(true)
    say "Asha"
    assert.are.same({ "Who is it?", "hello, Asha" }, said())
  end)

  it("that are a command run without bot:use when an earlier version began with it", function()
    earlier_version()
    begin(function(its_bot)
      its_bot:use(function(event, next)
        if event.text == "who" then
          event.chat.state.seen = true
        end
        return next()
      end)
      its_bot:global("who", function(msg)
        msg:reply_text("you are " .. msg.chat:ask("Who?").text)
      end)
    end)
    say "who"
    pass_to_this_version(true)
    say "Asha"
    assert.are.same({ "Who?", "you are Asha" }, said())
    assert.is_nil(talk.bot:chat(talk.customer).state.seen)
  end)
end)
