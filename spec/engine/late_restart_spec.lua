-- SPDX-License-Identifier: MIT
-- A message that was being sent when the program ended is held as unknown, and a status of it settles it. That failed when
-- the next start came more than a minute later: the message then counted as sent at that start, after its own status.

local inside = require("cunnekt.service").of
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local messages = require "cunnekt.store.messages"
local process = require "spec.support.process"
local sql = require "spec.support.sql"

describe("a start that comes late", function()
  local folder, bot, write

  before_each(function()
    write = log.write
    log.write = function() end
    folder = process.folder()
  end)

  after_each(function()
    bot:stop(1)
    log.write = write
  end)

  local function start()
    bot = cunnekt.bot {
      api_key = "key",
      base_url = "http://127.0.0.1:9/v1",
      listen = "127.0.0.1:0",
      retries = 0,
      store = "sqlite:" .. folder.path .. "/bot.db",
    }
    bot:on("delivered", function() end)
    assert(bot:listen())
  end

  -- As a crash leaves it: the message was handed to the provider so many seconds ago, and nothing was heard of it.
  local function cut_off_while_sending(seconds)
    local db = sql.open(folder.path .. "/bot.db")
    db:run(("UPDATE outbox SET state = 1, changed_at = %d"):format(os.time() - seconds))
    db:close()
  end

  local function deliver(timestamp)
    local body = json.encode {
      metadata = { phone_number_id = "1" },
      statuses = { { id = "wamid.1", status = "delivered", timestamp = ("%d"):format(timestamp), recipient_id = "919999999999" } },
    }
    inside(bot).inbox:accept(body, function() end)
    local deadline = core.real_monotonic() + 10
    repeat
      core.step(true)
      assert(core.real_monotonic() < deadline, "the status is not handled")
    until inside(bot).inbox:count() == 0 and inside(bot).counts.events_finished > 0
  end

  it("still lets a status settle what the crash left unknown", function()
    start()
    assert(bot:chat("919999999999", "1"):reply_text "on its way")
    bot:stop(0)
    cut_off_while_sending(600)
    start()
    deliver(os.time() - 599)
    assert.is_false(messages.has_unknown(inside(bot).store))
  end)
end)
