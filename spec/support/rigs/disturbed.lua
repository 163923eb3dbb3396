-- SPDX-License-Identifier: MIT
-- The dialogs of examples, whose customers see the same whatever happens to the bot, and whatever the provider repeats.

local assert = require "luassert"
local busted = require "busted"
local inside = require("cunnekt.service").of
local scenario = require "spec.support.rigs.scenario"

local describe, it, setup = busted.describe, busted.it, busted.setup

local disturbed = {}

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

---Describes what the customers of an example see, with everything that may happen to the bot.
---@param example string
function disturbed.describe(example)
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
      -- Whoever is silent for a day is told no more, which the log says.
      local lines = {}
      for _, line in ipairs(reference.lines) do
        lines[#lines + 1] = not line:find "reply_text: the customer has not written for 24 hours" and line or nil
      end
      assert.are.same({}, lines)
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

return disturbed
