-- SPDX-License-Identifier: MIT
-- What an event, a step of a dialog, a transcript and a message of a client may cost at most: instructions for `make cost`; calls,
-- files and moves of the first two for `make flow`. A figure above its bound fails.
--
-- How these numbers change: a change that makes a figure fall lowers its bound with it, to 1.5 % above the figure for
-- instructions, to the figure itself for the others. A bound is raised only with a reason, in the commit that raises it.
-- The content of a message is kept until it was delivered, so that a failed one can be sent again: about 8,000 instructions more.
-- The outbox owns permits and retries since it has lanes that are reserved for marked messages, and its deliveries are a file of
-- their own: 2 calls and 1 file more for an event.
-- The second message of a step asks engine/backlog.lua whether it may wait in memory: 1 call, 1 file and 2 moves more for a step.
-- Whom a turn is charged to, and who is charged with what runs, takes 8,500 instructions and 1 call more, and 17,500 and 1 for a step.
-- Who a person is (their name, other ids, joins) takes 15,000 instructions, 1 call, 1 file and 1 move more,
-- and 13,000 and 1 file for a step.
-- The webhook's contact beside each event, and a look for items of all kinds in each value: 8,000 instructions.
-- What answers a question is told by a file of its own: 2 calls, 1 file and 2 moves more for a step. The rate of a contact counts
-- each form of their number as one: 2 calls more for a message.
-- Messages go over connections that libcurl only makes (src/http/out/post.c): 100,000 instructions less for each, of which a step sends two.
-- A webhook's body is read once, into the event itself: 45,000 instructions less.
-- Lanes and rate limits are in C: 24,000 instructions and 29 calls less for an event, 40,000 and 51 for a step.
-- JSON, journals and marks are written in C, and a step asks the store for no dialogs and takes the way of plain turns: 500,000
-- instructions and 150 calls less for a step.
-- Webhooks are taken in C. Messages, plain commits and the end of tasks need no coroutine that waits; the usual text is checked and written
-- in C, and needs no chat; handlers run in the coroutine of their task: 150,000 instructions and 60 calls less for an event.
-- Committed messages are handed to the outbox in one place: 1 call and 1 move more.
-- Messages of the outbox, handles and deliveries are C's, and so is a turn that needs nothing but its handlers and their replies: 62,000
-- instructions and 45 calls less for an event, 30,000 and 30 for a step.
-- New events go from the store into their lanes in C: 11,000 instructions and 10 calls less.
-- What was sent is stored without OR REPLACE: 8,000 instructions less for each message.
-- Methods look whether they are called with a colon: 2,000 instructions more for a step.
-- An event beside dialogs, of a contact who has none open, asks the store for none and is a bare turn: 91,000 instructions less.
-- The collector begins earlier, to keep memory at full load below 24 MB: 1 % more for an event, 3 % for a step. It has more to mark, too, with
-- the commands, checks and backends that came meanwhile: 1 % of all.
-- A transcript has its script compiled once, its store without a thread, its webhooks without HTTP and the three statuses of a message in
-- one, and the next one has the statements that it compiled: 11 million instructions less of 23. Its figure moves by 0.3 % with the phase
-- of the collector, so that a bound 0.1 % above it failed with no change to blame: it is 1.5 % above, as the others are.
-- A step makes fewer and smaller tables, and so less work for the collector; asks no fields of events and chats in vain; and has its
-- second message parked or not by C: 35,000 instructions, 12 calls, 2 files and 9 moves less. SQLite's small pieces of memory are
-- kept for it: 3,000 instructions less for an event, 6,000 for a step. Within that, the collector's phase moves an event by 1 %.
-- Twice the events and three times the steps are counted. Before, the steps ended in the middle of a cycle of the collector, so that a part of
-- its work was not seen: 2 % more for an event, 4 % for a step. With how valgrind lets the threads take turns an event moved between 206,800
-- and 208,200 in ten counts, one beside dialogs between 206,400 and 215,400, a step between 557,700 and 572,800. What is above its bound is
-- counted once more; the bounds are 1.5 % above the highest but one.
-- Whoever asks for the running task asks whether a finalizer does: 1 % more for an event.
-- Rows of keys and accepted messages are at the end of their tables: 3 % less for an event and a step. A transcript's store has three more
-- tables to empty, and keys to look for: 1 % more; with what is said of values that cannot be stored 2 %.
-- A message of a client has its usual answer read at once, in C, and no closure for its wait: 101,000 instructions before.
-- A status that comes before the answer with its message's id looks for its message in a turn of its own, as all of a transcript do: 550,000
-- instructions more for a transcript. JSON in the order of its names, messages that are encoded when they are said, and the bot's own secrets, of
-- which each transcript's settings have some: 3 % more for a transcript, 1 % for a step.
-- A transcript is read for lines that were to be others, its script for patterns that are none: 1 % more for a transcript.
-- The instructions are those of Debian 12 on x86-64 with -O2; see spec/cost/cost.lua for what else they depend on.

return {
  cost = { event = 204500, beside = 206500, step = 566000, transcript = 13730000, message = 68500 },
  flow = {
    event = { calls = 20, files = 9, moves = 13 },
    step = { calls = 117, files = 28, moves = 84 },
  },
}
