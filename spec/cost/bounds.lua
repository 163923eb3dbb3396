-- SPDX-License-Identifier: MIT
-- What an event, and a step of a dialog, may cost at most: instructions for `make cost`, calls, files and moves for
-- `make flow`. A figure above its bound fails.
--
-- How these numbers change: a change that makes a figure fall lowers its bound with it, to 1.5 % above the figure for
-- instructions, to the figure itself for the others. A bound is raised only with a reason, in the commit that raises it.
-- The content of a message is kept until it was delivered, so that a failed one can be sent again: about 8,000 instructions more.
-- The outbox owns permits and retries since it has lanes that are reserved for marked messages, and its deliveries are a file of
-- their own: 2 calls and 1 file more for an event.
-- The second message of a step asks engine/backlog.lua whether it may wait in memory: 1 call, 1 file and 2 moves more for a step.
-- Whom a turn is charged to, and who is charged with what runs, takes 8,500 instructions and 1 call more, and 17,500 and 1 for a step.
-- A request gets a fresh copy of its libcurl handle, since the one of Debian 12 writes to freed memory when a handle is used twice
-- and a server's head begins with a space (src/http/out/pool.c): about 10,000 instructions, or 3 microseconds, more for each.
-- Who a person is (their name, other ids, joins) takes 15,000 instructions, 1 call, 1 file and 1 move more,
-- and 13,000 and 1 file for a step.
-- The webhook's contact beside each event, and a look for items of all kinds in each value: 8,000 instructions.
-- The instructions are those of Debian 12 on x86-64 with -O2; see spec/cost/cost.lua for what else they depend on.

return {
  cost = { event = 575000, step = 1487000 },
  -- A step sorts the keys of two tables, three each, which takes two calls more or less: by the order that Lua has them in.
  flow = {
    event = { calls = 199, files = 26, moves = 93 },
    step = { calls = 451, files = 43, moves = 204 },
  },
}
