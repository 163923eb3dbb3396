-- SPDX-License-Identifier: MIT
-- Ways to break a promise on purpose, for the negative controls: a test that cannot see these is worth nothing. They
-- reach into a bot's parts from its script; the program itself has no such switches.

local inside = require("cunnekt.service").of

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
function ways.acknowledge_early(service)
  local accept = service.inbox.accept
  function service.inbox.accept(self, events, body, done)
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
function ways.mark_late(service)
  function service.outbox.mark() end
  function service.store.mark_sending()
    return true
  end
end

-- State and messages are committed first, and in a second transaction that the event is done.
function ways.split_turn(service)
  local commit = service.store.commit
  function service.store.commit(self, change)
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
function ways.no_order(service)
  local lanes, serial = service.inbox._lanes, 0
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
function ways.forget_unknown(service)
  local settle = service.store.settle
  function service.store.settle(self, row, state, ...)
    settle(self, row, state == "unknown" and "accepted" or state, ...)
  end
end

-- What the store says of a failed commit is not heard.
function ways.deaf_to_failures(service)
  local accept = service.store.accept
  function service.store.accept(self, records, done)
    accept(self, records, function(fresh, err)
      done(err and records or fresh)
    end)
  end
end

-- What finds no room is dropped, with a 200.
function ways.drop_when_full(service)
  local inbox = service.inbox
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

-- Only the first events that wait are recovered at a start.
function ways.forget_the_rest(service)
  local pending = service.store.pending
  function service.store.pending(self)
    return table.move(assert(pending(self)), 1, 1000, 1, {})
  end
end

-- Something small of each event is kept for ever.
function ways.leak(service)
  local kept, lanes = {}, service.inbox._lanes
  local run = lanes._run
  function lanes._run(record, done)
    kept[#kept + 1] = { record.contact }
    return run(record, done)
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
      assert(ways[name], name)(inside(bot))
    end
  end
end

return breakage
