-- SPDX-License-Identifier: MIT
-- A bot whose store is on PostgreSQL, while that restarts: every webhook that was answered with 200 is handled once, in order.
-- `make test-postgres` runs it.

local bot_rig = require "spec.support.rigs.bot_rig"
local clock = require "cunnekt.time.clock"
local cunnekt = require "cunnekt"
local task = require "cunnekt.base.task"

local url = os.getenv "CUNNEKT_TEST_POSTGRES"
if not url then
  return
end

describe("a bot on PostgreSQL", function()
  local customers, texts = 10, 15
  local rig

  before_each(function()
    rig = bot_rig.new()
  end)

  after_each(function()
    rig:close()
  end)

  local function number_of(customer)
    return "9199999900" .. 10 + customer
  end

  -- Posts until it is answered with 200, as the provider does.
  local function insist(bot, customer, n, patience)
    local body = bot_rig.body_of { type = "text", id = ("wamid.%d.%d"):format(customer, n), from = number_of(customer), text = "x" }
    local refused = 0
    while true do
      local answer = cunnekt.http.post("http://" .. bot:address() .. "/webhook", body, { timeout = 20 })
      if answer and answer.status == 200 then
        return refused
      end
      refused = refused + 1
      assert(clock.monotonic() < patience, "a webhook was refused for too long")
      task.sleep(0.05)
    end
  end

  it("answers no webhook with 200 that it loses, and handles none twice, while the database restarts", function()
    local bot = rig:new_bot { store = url .. "&options=-csearch_path%3Dhost", rate = 0, pair_rate = 0 }
    bot:on("text", function(msg)
      local state = msg.chat.state
      state.n = (state.n or 0) + 1
      msg:reply_text(("%s %d"):format(msg.from, state.n))
    end)
    rig:start()
    for customer = 1, customers do -- who writes first; afterwards the sandbox takes replies
      rig:say("x", number_of(customer))
    end
    local patience = clock.monotonic() + 40
    local restarts = assert(io.popen "for i in 1 2 3; do sleep 0.3; spec/support/postgres.sh --restart; done")
    local writers = {}
    for customer = 1, customers do
      writers[customer] = task.spawn(function()
        for n = 1, texts do
          insist(bot, customer, n, patience)
          task.sleep(0.2)
        end
      end)
    end
    for _, writer in ipairs(writers) do
      task.join(writer)
    end
    restarts:close()
    local list
    repeat
      list = rig:outgoing()
      task.sleep(0.05)
    until #list >= customers * (texts + 1) or clock.monotonic() > patience
    task.sleep(0.3)
    local counted = {}
    for _, entry in ipairs(rig:outgoing()) do
      local from, n = entry.payload.text:match "^(%d+) (%d+)$"
      counted[from] = (counted[from] or 0) + 1
      assert.equal(counted[from], tonumber(n))
    end
    for customer = 1, customers do
      assert.equal(texts + 1, counted[number_of(customer)])
    end
  end)
end)
