-- SPDX-License-Identifier: MIT
-- Which event answers a question: a new message of the kind asked for, in this conversation. Each case with the dialog in memory and
-- rebuilt from its journal.

local talk = require "spec.support.rigs.talk"

local begin, said, say, act = talk.begin, talk.said, talk.say, talk.act

-- What says nothing new to the business, by the type that handlers see.
local no_answers = {
  reaction = function() act "reaction" end,
  edit = function() act "edit" end,
  revoke = function() act "revoke" end,
  -- A changed number would be another customer's words from then on.
  system = function() act("system", { set = { ["messages.0.system.type"] = "customer_identity_changed" } }) end,
  ["of a group"] = function() act("text", { text = "in a group", set = { ["messages.0.group_id"] = "G1" } }) end,
}

for fate, befall in pairs(talk.fates) do
  describe("an answer, with the dialog " .. fate .. ",", function()
    after_each(talk.finish)

    -- What handlers were given, in the place of talk's own handler.
    local heard

    local function begin_with(fn, opts)
      heard = {}
      begin(function(bot)
        bot:dialog("it", fn, opts)
        bot:on("message", function(msg)
          if msg.text == "go" then return "next" end
          table.insert(heard, msg.group_id and "of a group" or msg.text or msg.type)
        end)
      end)
    end

    it("is never another customer's: who asks in their chat is told so", function()
      local lines = {}
      begin(function(bot)
        bot:on("text", "^ask", function(msg)
          for _, call in ipairs {
            function(chat) chat:ask "For you?" end, function(chat) chat:wait { reply = true } end,
            function(chat) chat:ask_buttons { body = "?", buttons = { { id = "a", title = "A" } } } end,
          } do
            local ok, err = pcall(call, bot:chat "918888888888")
            lines[#lines + 1] = tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "")
          end
          msg:reply_text(bot:chat(msg.from):ask("And you?").text)
        end)
      end)
      say "ask"
      befall()
      say "me"
      assert.are.same({ "And you?", "me" }, said())
      for _, line in ipairs(lines) do
        assert.truthy(line:find("^false chat:%a+_?%a*: waits only for the customer of this handler or dialog; bot:start"), line)
      end
      assert.equal(0, #lines % 3)
    end)

    for what, happen in pairs(no_answers) do
      it("is no " .. what .. ", and neither is it a try", function()
        begin_with(function(chat)
          local answer, err = chat:ask("Number?", { tries = 2, otherwise = "A number!", check = function(msg)
            return tonumber(msg.text) ~= nil
          end })
          chat:reply_text("got " .. (answer and answer.text or err.kind))
        end)
        say "go"
        befall()
        happen()
        happen()
        say "x"
        befall()
        happen()
        say "7"
        assert.are.same({ "Number?", "A number!", "got 7" }, said())
        assert.equal(3, #heard)
      end)

      it("to any message is no " .. what, function()
        begin_with(function(chat)
          chat:reply_text("got " .. chat:wait({ any = true }).type)
        end)
        say "go"
        befall()
        happen()
        assert.are.same({}, said())
        assert.equal(1, #heard)
        act "image"
        assert.are.same({ "got image" }, said())
      end)

      for _, unexpected in ipairs { "ignore", "queue" } do
        it(("is no %s, which handlers get whatever a dialog does with what it does not expect (%s)"):format(what, unexpected), function()
          begin_with(function(chat)
            chat:ask "Name?"
            chat:reply_text("got " .. (chat:wait({ any = true, timeout = 10 }) or { type = "nothing" }).type)
          end, { unexpected = unexpected })
          say "go"
          befall()
          happen()
          assert.equal(1, #heard)
          say "Asha"
          talk.all:pass(11)
          assert.are.same({ "Name?", "got nothing" }, said())
          assert.equal(1, #heard)
        end)
      end
    end
  end)
end

describe("what is written in a group", function()
  after_each(talk.finish)

  local group = { ["messages.0.group_id"] = "G1" }

  it("opens and extends no service window", function()
    local windows = {}
    begin(function(bot)
      bot:on("text", function(msg)
        windows[#windows + 1] = msg.chat:window()
      end)
    end)
    act("text", { text = "a", set = group })
    say "b"
    talk.all:pass(3600)
    act("text", { text = "c", set = group })
    assert.equal(0, windows[1])
    assert.is_true(windows[2] > 86000 and windows[3] < 83000)
  end)

  it("is not joined with texts of the sender's own conversation", function()
    local heard = {}
    begin(function(bot)
      bot:on("text", function(msg)
        heard[#heard + 1] = msg.text
      end, { debounce = 2 })
    end)
    for i, set in ipairs { false, false, group, group, false } do
      talk.all:act(talk.customer, { type = "text", text = tostring(i), set = set or nil })
    end
    talk.all:settle()
    for _ = 1, 3 do
      talk.all:pass(3)
    end
    assert.are.same({ "1\n2", "3\n4", "5" }, heard)
  end)
end)
