-- SPDX-License-Identifier: MIT
-- Ways to break a promise on purpose, for the negative controls: a test that cannot see these is worth nothing. These
-- reach into a bot's parts from its script. Those of the store are in src/store/breaking, in a build of the host of their own.
-- The program itself has no such switches.

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

-- What the store breaks by itself; `resend` is an option of the bot.
local elsewhere = {
  acknowledge_early = true, no_dedupe = true, no_versions = true, mark_late = true, split_turn = true, forget_unknown = true,
  deaf_to_failures = true, forget_the_rest = true, resend = true,
}

-- Has something else run the turns of an inbox, which gets what ran them.
local function wrap_turns(inbox, run)
  local on_turn = inbox._on_turn
  inbox:connect(function(record, done)
    return run(on_turn, record, done)
  end, inbox._on_join)
end

-- An event leaves its lane before its turn, so those of one customer overtake each other: waits of different lengths, as handlers
-- that ask elsewhere have them.
function ways.no_order(service)
  wrap_turns(service.inbox, function(on_turn, record, done)
    local after = require("cunnekt.time.clock").after
    local function run()
      on_turn(record, function(pause)
        if pause then
          after(pause, run)
        end
      end)
    end
    after(math.random() * 0.01, run)
    done()
  end)
end

-- What finds no room is dropped, with a 200.
function ways.drop_when_full(service)
  local inbox = service.inbox
  local accept = inbox.accept
  function inbox.accept(self, body, done, subject)
    local is_taken, err = accept(self, body, done, subject)
    if not is_taken and err.kind == "busy" then
      done(nil, subject)
      return true
    end
    return is_taken, err
  end
end

-- Slow clients may hold all the connections that there are, for as long as their deadlines allow.
function ways.few_connections()
  local network = require "cunnekt.base.network"
  local listen = network.listen
  function network.listen(options, on_request)
    options.max_connections = 100
    options.patience_ms = 1000000
    return listen(options, on_request)
  end
end

-- What waits in memory for one of two conversations that become one stays apart.
function ways.lanes_apart(service)
  function service.inbox.join_contacts() end
  function service.outbox.join_contacts() end
end

-- A turn that began before a join commits as if it had begun after it.
function ways.stale_turns(service)
  local store = service.store
  local commit_turn = store.commit_turn
  function store.commit_turn(self, turn)
    turn.joins = self.joins
    return commit_turn(self, turn)
  end
end

-- Something small of each event is kept for ever.
function ways.leak(service)
  local kept = {}
  wrap_turns(service.inbox, function(on_turn, record, done)
    kept[#kept + 1] = { record.contact }
    return on_turn(record, done)
  end)
end

-- A task that ran out of memory is nobody's concern.
function ways.go_on_without_memory()
  require("cunnekt.core").out_of_memory = function() end
end

---Breaks what CRASH_BREAK names.
---@param bot cunnekt.bot
function breakage.apply(bot)
  for name in pairs(chosen) do
    if not elsewhere[name] then
      assert(ways[name], name)(inside(bot))
    end
  end
end

return breakage
