-- SPDX-License-Identifier: MIT
-- chat:step and chat:flush: what a script does in a dialog besides asking, once and across restarts.

local cunnekt = require "cunnekt"
local talk = require "spec.support.rigs.talk"

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
        chat:reply_text(("%s %s"):format(ok, tostring(problem):match "cannot be stored"))
      end)
    end)
    talk.say "go"
    assert.are.same({ "false cannot be stored" }, talk.said())
  end)
end)
