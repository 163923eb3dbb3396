-- SPDX-License-Identifier: MIT
-- Resident dialogs: how long they stay in memory, and that customers do not notice their eviction.

local cunnekt = require "cunnekt"
local talk = require "spec.support.rigs.talk"

local begin, say, said, stored = talk.begin, talk.say, talk.said, talk.stored

describe("dialogs in memory", function()
  after_each(talk.finish)

  -- What the dialogs hold; a weak table does not keep it there.
  local held

  local function count_held()
    collectgarbage()
    collectgarbage()
    local count = 0
    for _ in pairs(held) do
      count = count + 1
    end
    return count
  end

  local function asks_twice(its_bot)
    held = setmetatable({}, { __mode = "k" })
    its_bot:dialog("it", function(chat)
      local something = { "large" }
      held[something] = true
      local first = chat:ask("one?").text
      local second = chat:ask("two?").text
      chat:reply_text(first .. second .. something[1])
    end)
  end

  it("leave it when nobody answers for ten minutes, and go on as if they had not", function()
    begin(asks_twice)
    say "go"
    talk.all:pass(599)
    assert.equal(1, count_held())
    talk.all:pass(1)
    assert.equal(0, count_held())
    say "a"
    talk.all:pass(600)
    assert.equal(0, count_held())
    say "b"
    assert.are.same({ "one?", "two?", "ablarge" }, said())
    assert.are.same({}, stored())
  end)

  it("stay as long as the option says, counted from their last step", function()
    begin(asks_twice, { parked_seconds = 5 })
    say "go"
    talk.all:pass(4)
    say "a"
    talk.all:pass(4)
    assert.equal(1, count_held())
    talk.all:pass(1)
    assert.equal(0, count_held())
  end)

  it("stay as long as any wait lasts where the option is huge", function()
    begin(asks_twice, { parked_seconds = math.huge })
    say "go"
    talk.all:pass(1e7)
    assert.equal(1, count_held())
  end)

  it("close what they have to close as they leave, which can say nothing any more", function()
    local closed = 0
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local _ <close> = setmetatable({}, {
          __close = function()
            closed = closed + 1
            chat:reply_text "closing"
          end,
        })
        chat:ask "one?"
      end)
    end)
    say "go"
    talk.all:pass(600)
    assert.equal(1, closed)
    assert.are.same({ "one?" }, said())
    say "a"
    assert.are.same({ "one?", "closing" }, said())
  end)

  it("do not hang where a script yields by itself", function()
    local failure
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        coroutine.yield "to nobody"
        chat:reply_text "never"
      end)
      its_bot:on_error(function(err)
        failure = err
      end)
    end, { attempts = 1 })
    say "go"
    assert.matches("coroutine.yield outside of a coroutine that the script created", failure.message)
    say "on"
    assert.are.same({ "handler: on" }, said())
  end)

  for _, wrong in ipairs { 0, -1, 0 / 0, "long" } do
    it("are kept no such time: " .. tostring(wrong), function()
      assert.error_matches(function()
        cunnekt.bot { api_key = "key", store = "memory:", parked_seconds = wrong }
      end, "parked_seconds")
      begin(function() end)
    end)
  end
end)

describe("several dialogs that a handler begins", function()
  after_each(talk.finish)

  local function asks(name)
    return function(chat, args)
      chat:reply_text(("%s%s: %s"):format(name, args or "", chat:ask(name .. "?").text))
    end
  end

  local function three(its_bot)
    its_bot:dialog("it", function(chat)
      chat:start("second", 2)
      chat:start("third", 3)
      chat:reply_text "first"
    end)
    its_bot:dialog("second", asks "second")
    its_bot:dialog("third", asks "third")
  end

  it("begin in their order, and the last one is answered first", function()
    begin(three)
    say "go"
    say "a"
    say "b"
    assert.are.same({ "first", "second?", "third?", "third3: a", "second2: b" }, said())
    assert.are.same({}, stored())
  end)

  it("are not lost when the program ends in between", function()
    begin(three)
    talk.all:act(talk.customer, { type = "text", text = "go" })
    repeat
      talk.all:turn_wheel()
    until #stored() > 0
    talk.all:kill()
    talk.all:settle()
    say "a"
    say "b"
    assert.are.same({ "first", "second?", "third?", "third3: a", "second2: b" }, said())
  end)

  it("are not begun where nothing could begin them", function()
    local problem
    begin(function(its_bot)
      its_bot:dialog("it", asks "it")
      its_bot:after(1, "job", function()
        local _
        _, problem = pcall(function()
          its_bot:chat(talk.customer, "1"):start "it"
        end)
      end)
    end)
    talk.all:pass(2)
    assert.matches("only works in a handler or a dialog; elsewhere use bot:start", problem)
  end)
end)
