-- SPDX-License-Identifier: MIT
-- chat:step and chat:flush: what a script does in a dialog besides asking, once and across restarts.

local cunnekt = require "cunnekt"
local task = require "cunnekt.base.task"
local talk = require "spec.support.rigs.talk"
local wire = require "spec.support.wire"

describe("chat:step", function()
  after_each(talk.finish)

  local function describe_all(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i])
    end
    return ("%d: %s"):format(words.n, table.concat(words, " "))
  end

  it("keeps all results of its function, and runs it once", function()
    local runs = 0
    local said = talk.play(function(bot)
      bot:dialog("it", function(chat)
        local function many()
          runs = runs + 1
          return "a", nil, 3.5, false, nil
        end
        chat:reply_text(describe_all(chat:step("many", many)))
        chat:ask "And?"
        chat:reply_text(describe_all(chat:step("none", function() end)))
        local value, err = chat:step("fails", function()
          return nil, select(2, cunnekt.build.send_text("919999999999", ""))
        end)
        chat:ask(("%s %s"):format(value, err.kind))
        chat:reply_text(err.field)
      end)
    end, { "go", "x", "y" })
    assert.are.same({ "5: a nil 3.5 false nil", "And?", "1: nil", "nil invalid", "text" }, said)
    assert.equal(4, runs) -- once in each of the four plays
  end)

  it("raises for a result that cannot be kept, whichever it is", function()
    talk.begin(function(bot)
      bot:dialog("it", function(chat)
        local ok, problem = pcall(chat.step, chat, "bad", function()
          return 1, print
        end)
        chat:reply_text(("%s %s"):format(ok, tostring(problem):match "^(.- cannot be stored):"))
      end)
    end)
    talk.say "go"
    assert.are.same({ "false the result of chat:step('bad') cannot be stored" }, talk.said())
  end)
end)

describe("chat:flush", function()
  after_each(talk.finish)

  -- A call that ends when the spec says so; `held.go` is there while one is under way.
  local held

  before_each(function()
    held = { count = 0 }
  end)

  local function slow()
    held.count = held.count + 1
    if not held.is_quick then
      task.await(function(done)
        held.go = done
      end)
    end
    return held.count
  end

  local function define(is_flushed)
    return function(bot)
      local function work(chat, name)
        chat:reply_text "One moment"
        if is_flushed then
          chat.state.runs = (chat.state.runs or 0) + 1
          chat:flush()
          chat.state.runs = chat.state.runs + 1
        end
        local n = slow()
        chat:reply_text(("%s: call %d, runs %s"):format(name, n, is_flushed and chat.state.runs))
      end
      bot:dialog("it", function(chat)
        work(chat, "dialog")
      end)
      bot:on("text", "^handle$", function(msg)
        work(msg.chat, "handler")
      end)
    end
  end

  -- Lets everything happen that can while the call is under way; returns what the customer has seen by then.
  local function begin_call(text)
    if text then
      talk.all:act(talk.customer, { type = "text", text = text })
    end
    wire.step_until(function()
      talk.all:turn_wheel()
      return held.go
    end, "the call")
    talk.all:go_round(100)
    return table.concat(talk.said(), ", ")
  end

  for text, name in pairs { go = "dialog", handle = "handler" } do
    it("sends what was said so far before a slow call, in a " .. name, function()
      talk.begin(define(true))
      assert.equal("One moment", begin_call(text))
      held.go()
      talk.all:settle()
      assert.are.same({ "One moment", name .. ": call 1, runs 2" }, talk.said())
    end)

    it("is needed for that, in a " .. name, function()
      talk.begin(define(false))
      assert.equal("", begin_call(text))
      held.go()
      talk.all:settle()
      assert.are.same({ "One moment", name .. ": call 1, runs false" }, talk.said())
    end)

    it("lets a killed bot go on from there, in a " .. name, function()
      talk.begin(define(true))
      begin_call(text)
      held.is_quick = true
      talk.all:kill()
      talk.all:settle()
      assert.are.same({ "One moment", name .. ": call 2, runs 2" }, talk.said())
    end)
  end

  it("is recorded: nothing is said twice when the dialog comes back", function()
    local said = talk.play(function(bot)
      bot:dialog("it", function(chat)
        chat:reply_text "One moment"
        chat:flush()
        chat:ask "Your name?"
        chat:flush()
        chat:flush()
        chat:ask "Your age?"
        chat:reply_text "Thank you"
      end)
    end, { "go", "Asha", "42" })
    assert.are.same({ "One moment", "Your name?", "Your age?", "Thank you" }, said)
  end)

  it("sends what a job has said", function()
    talk.begin(function(bot)
      bot:after(10, "job", function()
        local chat = bot:chat(talk.customer, { phone_number_id = "123456789" })
        chat:reply_text "One moment"
        chat:flush()
        chat:reply_text(("call %d"):format(slow()))
      end)
    end)
    talk.all.clock:advance(10)
    assert.equal("One moment", begin_call())
    held.go()
    talk.all:settle()
    assert.are.same({ "One moment", "call 1" }, talk.said())
  end)

  it("raises inside chat:step, and where the run could not be rebuilt", function()
    talk.begin(function(bot)
      bot:on("text", "^handle$", function(msg)
        local ok, problem = pcall(msg.chat.step, msg.chat, "x", function()
          msg.chat:flush()
        end)
        msg:reply_text(("%s %s"):format(ok, tostring(problem):match "cannot be used inside chat:step"))
        io.open("/nonexistent/file", "r")
        ok, problem = pcall(msg.chat.flush, msg.chat)
        msg:reply_text(("%s %s"):format(ok, tostring(problem):match "io.open cannot wait"))
      end)
    end)
    talk.say "handle"
    assert.are.same({ "false cannot be used inside chat:step", "false io.open cannot wait" }, talk.said())
  end)
end)
