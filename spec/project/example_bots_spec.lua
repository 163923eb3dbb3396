-- SPDX-License-Identifier: MIT
-- The bots of an integrator's kind among the examples: their customers see the same whatever happens to the bot.

local disturbed = require "spec.support.rigs.disturbed"

for _, example in ipairs {
  "cake_order.lua", "clinic.lua", "opt_out.lua", "assistant.lua", "front_desk.lua", "two_numbers.lua", "newsletter.lua",
} do
  disturbed.describe(example)
end
