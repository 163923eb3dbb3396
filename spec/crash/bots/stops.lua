-- SPDX-License-Identifier: MIT
-- The bot of ../stops.lua: it answers each text with CRASH_REPLIES numbered messages, so that few events make a long
-- backlog. CRASH_WAY names promises of the outbox to break on purpose: these reach into its parts, as breakage.lua does.

local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of

local replies = tonumber(os.getenv "CRASH_REPLIES" or 1)

local bot = cunnekt.bot {
  unknown = "hold",
  attempts = 1000000,
  grace = tonumber(os.getenv "CRASH_GRACE"),
  timeout = tonumber(os.getenv "CRASH_TIMEOUT"),
}

bot:on_error(function(err)
  if err.kind ~= "unknown_outcome" then
    io.stderr:write("failed: ", err.kind, " ", err.message, "\n")
  end
end)

bot:on("text", function(msg)
  local state = msg.chat.state
  state.count = (state.count or 0) + 1
  for i = 1, replies do
    assert(msg:reply_text(("%s #%d.%d"):format(msg.text, state.count, i)))
  end
end)

local ways = {}

-- The first message to each contact that waits for nothing else is stored as being sent, whether or not it may go now.
function ways.mark_before_wait(service)
  local outbox = service.outbox
  local mark = outbox.mark
  function outbox.mark(self, rows)
    mark(self, rows)
    local has_first = {}
    for _, row in ipairs(rows) do
      row.may_go = row.is_marked
      row.is_marked = row.may_go or not has_first[row.contact] and self._lanes:head(row.contact) == nil
      has_first[row.contact] = true
    end
  end
  -- The commit has read the mark; what follows reads the true one.
  for _, name in ipairs { "enqueue", "unmark" } do
    local follow = outbox[name]
    outbox[name] = function(self, rows)
      for _, row in ipairs(rows) do
        row.is_marked = row.may_go
      end
      return follow(self, rows)
    end
  end
end

-- The store is closed while sends are under way: nobody waits for them, and nobody settles them.
function ways.close_before_settling(service)
  function service.outbox.when_quiet(_, fn)
    fn()
  end
  function service.outbox.settle_unanswered()
    return 0
  end
end

-- What was marked and is not written because of the stop stays marked.
function ways.no_put_back(service)
  local outbox, store = service.outbox, service.store
  local stop, settle, is_stopping = outbox.stop, store.settle, false
  function outbox.stop(self)
    is_stopping = true
    return stop(self)
  end
  function store.settle(self, outcomes, done)
    local outcome = outcomes[1]
    if is_stopping and #outcomes == 1 and outcome.state == "queued" and not outcome.error then
      return done and done()
    end
    return settle(self, outcomes, done)
  end
end

for name in (os.getenv "CRASH_WAY" or ""):gmatch "[%w_]+" do
  assert(ways[name], name)(inside(bot))
end

bot:run()
