-- SPDX-License-Identifier: MIT
-- What cunnekt.bot takes: its own options, with their defaults, and the settings.

local bot_options = require "cunnekt.service.options"

-- As cunnekt.bot calls it for a script.
local function split(given)
  local own, script = bot_options.split(given, 3)
  return own, script
end

describe("the options of a bot", function()
  it("have defaults", function()
    local own, script = split(nil)
    assert.are.same({ 1000, 100000, 256, 10, "hold", 5, "wait", 30, 1000, 600 }, {
      own.concurrency, own.queue, own.sends, own.grace, own.unknown, own.attempts, own.on_failure, own.keep_days, own.parked,
      own.parked_seconds,
    })
    assert.are.same({}, script)
  end)

  it("are told apart from the settings, which keep their own defaults", function()
    local own, script = split { attempts = 2, unknown = "fail", api_key = "key", rate = 5, store = "memory:" }
    assert.are.same({ 2, "fail", nil }, { own.attempts, own.unknown, rawget(own, "api_key") })
    assert.are.same({ api_key = "key", rate = 5, store = "memory:" }, script)
  end)

  it("leave the script's table alone", function()
    local given = { attempts = 2, api_key = "key" }
    split(given)
    assert.are.same({ attempts = 2, api_key = "key" }, given)
  end)

  it("have a budget, of which a part may be given", function()
    local function budget_of(given)
      return bot_options.budget((split(given)), "sqlite:/srv/bot.db")
    end
    local notes = "/srv/bot.db-stopped"
    assert.are.same({ seconds = 5, memory = 256 << 20, notes = notes }, budget_of {})
    assert.are.same({ seconds = 0.5, memory = 256 << 20, notes = notes }, budget_of { budget = { seconds = 0.5 } })
    assert.are.same({ seconds = 5, memory = 1 << 30, notes = notes }, budget_of { budget = { memory = "1 GB" } })
    assert.are.same({ seconds = 0, memory = 0 }, budget_of { budget = false })
    assert.is_nil(bot_options.budget((split {}), "memory:").notes)
  end)

  for _, wrong in ipairs {
    { seconds = 0 }, { seconds = -1 }, { seconds = 0 / 0 }, { seconds = 1e9 }, { seconds = "5" }, { memory = "16MB" },
    { memory = "much" }, { memory = 5 }, { memory = "99999999999999999999GB" }, { second = 5 },
  } do
    local name, value = next(wrong)
    it(("take no budget with %s = %s"):format(name, value), function()
      local ok, message = pcall(function()
        local own = split { budget = wrong }
        return own
      end)
      assert.is_false(ok)
      assert.matches("options_spec.lua:%d+: cunnekt.bot: ", message)
      assert.truthy(message:find(name, 1, true))
    end)
  end

  it("are not all for scripts", function()
    assert.has_error(function()
      split { sends = 5 }
    end)
  end)

  for name, wrong in pairs {
    concurrency = "many", queue = 0.5, grace = "long", unknown = "never", on_failure = "stop", keep_days = {}, parked = "x",
    parked_seconds = -1, attempt = 5, budget = true,
  } do
    it("blame the script's line for a wrong one: " .. name, function()
      local ok, message = pcall(function()
        local own = split { [name] = wrong }
        return own
      end)
      assert.is_false(ok)
      assert.matches("options_spec.lua:%d+: cunnekt.bot: ", message)
      assert.truthy(message:find(name, 1, true))
    end)
  end
end)
