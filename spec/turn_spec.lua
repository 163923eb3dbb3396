-- SPDX-License-Identifier: MIT
-- Turns side by side. What a turn commits and when is in bot_spec.lua.

local clock = require "cunnekt.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"

describe("turns that meet", function()
  local bot, time

  before_each(function()
    time = clock.virtual():install()
    bot = cunnekt.bot { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = "memory:" }
  end)

  after_each(function()
    bot:stop(1)
    time:uninstall()
  end)

  local function settle()
    local deadline = core.monotonic() + 10
    while bot._open_turns > 0 do
      assert(core.monotonic() < deadline, "a turn does not end")
      core.step(true)
    end
  end

  local function count(name)
    bot:after(0, name, function()
      local state = bot:chat("919999999999").state
      state.count = (state.count or 0) + 1
    end)
    time:advance(0)
  end

  -- The second turn began while the first one's commit was under way, read the old state from memory, and wrote over the
  -- new one: of 200 counts 28 were left.
  it("lose no change of a state that is read while it is being written", function()
    count "first, so that the state is in memory"
    settle()
    count "second"
    count "third"
    settle()
    assert.equal(3, bot:chat("919999999999").state.count)
  end)
end)
