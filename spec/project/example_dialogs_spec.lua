-- SPDX-License-Identifier: MIT
-- The dialogs of the examples: their customers see the same whatever happens to the bot, and whatever the provider
-- repeats; and the same test with an engine that is broken on purpose, which it must notice.

local breakage = require "spec.support.dialogs.breakage"
local code = require "cunnekt.dialog.engine.code"
local disturbed = require "spec.support.rigs.disturbed"
local process = require "spec.support.process"
local scenario = require "spec.support.rigs.scenario"

for _, example in ipairs { "appointment.lua", "order_status.lua", "feedback_handover.lua", "intake.lua", "two_languages.lua" } do
  disturbed.describe(example)
end

describe("the examples differ", function()
  it("when the journal is written after the messages", function()
    local count = 0
    for example in pairs(scenario.steps) do
      local commit, take = breakage.late_journal()
      local other = scenario.play(example, {
        prepare = breakage.with_commit(commit),
        wheel = function(all)
          local waiting = take()
          if #waiting > 0 and all.restarts < 8 then
            return all:kill()
          end
          for _, go in ipairs(waiting) do
            go()
          end
        end,
      })
      count = count + (pcall(assert.are.same, scenario.play(example, {}).seen, other.seen) and 0 or 1)
    end
    assert.is_true(count >= 4, ("only %d did"):format(count))
  end)

  local function with_a_change(edit)
    local folder = process.folder()
    local path, text = folder.path .. "/appointment.lua", process.read "examples/appointment.lua"
    process.write(path, text)
    local other = scenario.play("appointment.lua", {
      path = path,
      between = function(all, n)
        if n == 4 then
          process.write(path, edit(text))
          all:kill()
        end
      end,
    })
    return other, folder -- which is gone when nothing holds it
  end

  local function with_another_question(text)
    local edited, count = text:gsub('local name = chat:ask%("Whom', 'chat:ask "Have you been here before?"\n  %0')
    assert.equal(1, count)
    return edited
  end

  it("in nothing that was begun before the script changed", function()
    local other = with_a_change(with_another_question)
    local seen, reference = other.seen["919999999999"], scenario.play("appointment.lua", {}).seen["919999999999"]
    assert.are.same({ table.unpack(reference, 1, 5) }, { table.unpack(seen, 1, 5) })
    assert.equal("Have you been here before?", other.seen["919999999998"][1])
  end)

  it("when the change of a script is not noticed", function()
    local is_changed = code.is_changed
    finally(function()
      code.is_changed = is_changed
    end)
    code.is_changed = function()
      return false
    end
    local other = with_a_change(with_another_question)
    local reference = scenario.play("appointment.lua", {}).seen["919999999999"]
    assert.are_not.same({ table.unpack(reference, 1, 5) }, { table.unpack(other.seen["919999999999"], 1, 5) })
    assert.matches("differs from its journal", table.concat(other.lines, "\n"))
  end)
end)
