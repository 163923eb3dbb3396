-- SPDX-License-Identifier: MIT
-- Turns side by side. What a turn commits and when is in spec/bot/bot_spec.lua.

local inside = require("cunnekt.service").of
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"

describe("turns that meet", function()
  local bot

  before_each(function()
    bot = cunnekt.bot { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = "memory:" }
  end)

  after_each(function()
    bot:stop(1)
  end)

  local function settle()
    local deadline = core.real_monotonic() + 10
    while inside(bot).engine.turns:count() > 0 do
      assert(core.real_monotonic() < deadline, "a turn does not end")
      core.step(true)
    end
  end

  local function count()
    inside(bot).engine.turns:run(nil, function()
      local state = bot:chat("919999999999").state
      state.count = (state.count or 0) + 1
    end, function(err)
      assert(not err, err)
    end)
  end

  -- The second turn began while the first one's commit was under way, read the old state from memory, and wrote over the
  -- new one: of 200 counts 28 were left.
  it("lose no change of a state that is read while it is being written", function()
    count() -- so that the state is in memory
    settle()
    count()
    count()
    settle()
    assert.equal(3, bot:chat("919999999999").state.count)
  end)

  -- Every turn that met another one used to begin anew at once, and they met again: 300 of them ran 45,150 times.
  it("go on one after the other once they have met, and nobody is left out", function()
    local runs = 0
    for _ = 1, 300 do
      inside(bot).engine.turns:run(nil, function()
        runs = runs + 1
        bot.store:increment "n"
      end, function(err)
        assert(not err, err)
      end)
    end
    settle()
    assert.equal(300, bot.store:get "n")
    assert.is_true(runs <= 600, ("%d runs for 300 turns"):format(runs))
  end)
end)
