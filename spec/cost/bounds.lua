-- SPDX-License-Identifier: MIT
-- What an event, and a step of a dialog, may cost at most: instructions for `make cost`, calls, files and moves for
-- `make flow`. A figure above its bound fails.
--
-- How these numbers change: a change that makes a figure fall lowers its bound with it, to 1.5 % above the figure for
-- instructions, to the figure itself for the others. A bound is raised only with a reason, in the commit that raises it.
-- The instructions are those of Debian 12 on x86-64 with -O2; see spec/cost/cost.lua for what else they depend on.

return {
  cost = { event = 580000, step = 1462000 },
  -- A step sorts the keys of two tables, three each, which takes two calls more or less: by the order that Lua has them in.
  flow = {
    event = { calls = 201, files = 24, moves = 89 },
    step = { calls = 454, files = 40, moves = 189 },
  },
}
