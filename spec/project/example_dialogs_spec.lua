-- SPDX-License-Identifier: MIT
-- The dialogs of the examples: their customers see the same whatever happens to the bot, and whatever the provider
-- repeats; and the same test with an engine that is broken on purpose, which it must notice.

local inside = require("cunnekt.service").of
local breakage = require "spec.support.dialogs.breakage"
local code = require "cunnekt.dialog.engine.code"
local process = require "spec.support.process"
local scenario = require "spec.support.rigs.scenario"

local happenings = {
  ["killed"] = function(all)
    all:kill()
  end,
  ["stopped and loaded again"] = function(all)
    all:restart()
  end,
  ["out of memory"] = function(all)
    inside(all.bot).dialogs:evict_all()
  end,
}

-- Between how many steps it happens once in a play: what it has broken shows in the steps until the next time.
local APART = 5

-- Where the killing happens in the middle of a step: after so many turns of the loop.
local moments = { 1, 2, 3, 5, 8, 13 }

for _, example in ipairs {
  "appointment.lua", "order_status.lua", "feedback_handover.lua", "intake.lua", "two_languages.lua", "cake_order.lua", "clinic.lua",
  "opt_out.lua", "assistant.lua", "front_desk.lua", "two_numbers.lua", "newsletter.lua",
} do
  describe(example .. " shows the same #long", function()
    local reference

    setup(function()
      reference = scenario.play(example, {})
    end)

    local function check(opts)
      local other = scenario.play(example, opts)
      assert.are.same(reference.seen, other.seen)
      return other
    end

    it("as it was meant to", function()
      assert.is_true(#reference.seen["919999999999"] >= 5)
      assert.are.same({}, reference.lines)
    end)

    for name, happen in pairs(happenings) do
      it(("when it was %s between any two steps"):format(name), function()
        for first = 2, APART + 1 do
          local other = check { between = function(all, n)
            if n >= first and (n - first) % APART == 0 then
              happen(all)
            end
          end }
          assert.are.same(reference.asked, other.asked)
        end
      end)

      it(("when it was %s between all steps"):format(name), function()
        local other = check { between = happen }
        assert.are.same(reference.asked, other.asked)
      end)
    end

    it("when it was killed in the middle of any step", function()
      local restarts = 0
      for _, moment in ipairs(moments) do
        local step, turns = 0, 0
        local other = check { wheel = function(all, n)
          step, turns = n, n == step and turns + 1 or 1
          if turns == moment then
            all:kill()
          end
        end }
        restarts = restarts + other.restarts
      end
      assert.is_true(restarts > 30, "only " .. restarts)
    end)

    it("with one dialog in memory at most", function()
      check { bot = { parked = 1 } }
    end)

    it("when everything comes twice, and again after what came later", function()
      check { twice = true, between = happenings["out of memory"] }
    end)
  end)
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
