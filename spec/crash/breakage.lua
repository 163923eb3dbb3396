-- SPDX-License-Identifier: MIT
-- Ways to break a promise on purpose, for the negative controls: a test that cannot see these is worth nothing. They
-- reach into a bot's parts from its script; the program itself has no such switches.

local breakage = {}

local chosen = {}
for name in (os.getenv "CRASH_BREAK" or ""):gmatch "[%w_]+" do
  chosen[name] = true
end

function breakage.is_set(name)
  return chosen[name] or false
end

local ways = {}

-- 200 as soon as the event is in memory.
function ways.acknowledge_early(bot)
  local accept = bot._inbox.accept
  function bot._inbox.accept(self, events, body, done)
    done()
    accept(self, events, body, function() end)
  end
end

-- Every copy of an event is a new one.
function ways.no_dedupe()
  require("cunnekt.provider.webhook").dedupe_key = function()
    return nil
  end
end

-- A message counts as being sent only once its answer is there.
function ways.mark_late(bot)
  function bot._outbox.mark() end
  function bot._store.mark_sending()
    return true
  end
end

-- State and messages are committed first, and in a second transaction that the event is done.
function ways.split_turn(bot)
  local commit = bot._store.commit
  function bot._store.commit(self, change)
    local first, second = {}, { record = change.record }
    for name, value in pairs(change) do
      first[name] = name ~= "record" and value or nil
      second[name] = second[name] or name ~= "run" and type(value) == "table" and {} or nil
    end
    local ok, err = commit(self, first)
    if not ok or not change.record then
      return ok, err
    end
    return commit(self, second)
  end
end

-- Each event has a lane of its own, so those of one customer overtake each other.
function ways.no_order(bot)
  local lanes, serial = bot._inbox.lanes, 0
  local push = lanes.push
  function lanes.push(self, _, item)
    serial = serial + 1
    push(self, "lane " .. serial, item)
  end
  local run = lanes._run
  -- Waits of different lengths, as handlers that ask elsewhere have them.
  function lanes._run(record, done)
    require("cunnekt.time.clock").after(math.random() * 0.01, function()
      run(record, done)
    end)
  end
end

-- A message whose outcome is unknown is taken for accepted.
function ways.forget_unknown(bot)
  local settle = bot._store.settle
  function bot._store.settle(self, row, state, ...)
    settle(self, row, state == "unknown" and "accepted" or state, ...)
  end
end

-- What the store says of a failed commit is not heard.
function ways.deaf_to_failures(bot)
  local accept = bot._store.accept
  function bot._store.accept(self, records, done)
    accept(self, records, function(fresh, err)
      done(err and records or fresh)
    end)
  end
end

-- What finds no room is dropped, with a 200.
function ways.drop_when_full(bot)
  local inbox = bot._inbox
  local has_room, accept = inbox.has_room, inbox.accept
  function inbox.has_room()
    return true
  end
  function inbox.accept(self, events, body, done)
    if has_room(self, #events) then
      return accept(self, events, body, done)
    end
    done()
  end
end

-- Slow clients may hold all the connections that there are.
function ways.few_connections()
  local core = require "cunnekt.core"
  local listen = core.listen
  function core.listen(options, on_request)
    options.max_connections = 100
    return listen(options, on_request)
  end
end

-- Only the first events that wait are taken up at a start.
function ways.forget_the_rest(bot)
  local pending = bot._store.pending
  function bot._store.pending(self)
    return table.move(assert(pending(self)), 1, 1000, 1, {})
  end
end

-- Something small of each event is kept for ever.
function ways.leak(bot)
  local kept, handle = {}, bot._handle
  function bot._handle(self, record, done)
    kept[#kept + 1] = { record.contact }
    return handle(self, record, done)
  end
end

-- A task that ran out of memory is nobody's concern.
function ways.go_on_without_memory()
  require("cunnekt.core").out_of_memory = function() end
end

---Breaks what CRASH_BREAK names.
---@param bot cunnekt.bot
function breakage.apply(bot)
  for name in pairs(chosen) do
    if name ~= "resend" then
      assert(ways[name], name)(bot)
    end
  end
end

return breakage
