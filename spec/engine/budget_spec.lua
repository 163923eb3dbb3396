-- SPDX-License-Identifier: MIT
-- The errors of the budget, and the notes of turns that could not be stopped. That turns are stopped is seen in
-- spec/crash/runaway.lua: it takes the host.

local budget = require "cunnekt.engine.budget"

describe("a budget", function()
  local path, its_budget

  before_each(function()
    path = os.tmpname()
    its_budget = budget.new { seconds = 2, memory = 64 << 20, notes = path }
  end)

  after_each(function()
    os.remove(path)
  end)

  local function write(text)
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
  end

  local function exists()
    local file = io.open(path)
    return file ~= nil and file:close()
  end

  local function all()
    return true
  end

  it("knows the limits that are Lua's own", function()
    local err = its_budget:failure "bot.lua:3: stack overflow"
    assert.are.same({ "budget", "depth", "bot.lua:3" }, { err.kind, err.reason, err.where })
    assert.equal("budget: bot.lua:3: the turn has used more nested calls than Lua allows", tostring(err))
    err = its_budget:failure "bot.lua:4: resulting string too large"
    assert.equal("budget: bot.lua:4: the turn has used more memory than its budget of 64 MB for all of Lua", tostring(err))
  end)

  it("is not why other errors were raised", function()
    assert.is_nil(its_budget:failure "bot.lua:3: no luck")
    assert.is_nil(its_budget:failure "the customer says: stack overflow")
    assert.is_nil(its_budget:failure(nil))
  end)

  it("reads which turns an earlier process could not stop", function()
    write "seconds\t12\tbot.lua:7\t\nmemory\t0\t\tjob report\n"
    its_budget:load(all)
    local err = its_budget:noted_error(12)
    assert.equal("budget: bot.lua:7: the turn has used its budget of 2 seconds of CPU time", tostring(err))
    assert.equal("memory", its_budget:noted_error("job report").reason)
    assert.is_nil(its_budget:noted_error(13))
    assert.is_true(exists())
  end)

  it("forgets a note whose event is finished, and does not trip over a torn one", function()
    write "seconds\t12\tbot.lua:7\t\nsecon"
    its_budget:load(function(event)
      return event ~= 12
    end)
    assert.is_nil(its_budget.noted)
    assert.is_false(exists())
  end)

  it("keeps functions of bot:on_error and bot:tap from running until the next start where they could not be stopped", function()
    write "seconds\t0\tbot.lua:7\tbot:tap\nseconds\t0\tbot.lua:9\tbot:on_error\n"
    its_budget:load(all)
    assert.matches("bot.lua:7", its_budget.stopped_tap.message)
    assert.matches("bot.lua:9", its_budget.stopped_listener.message)
    assert.is_nil(its_budget.noted)
    assert.is_false(exists())
  end)

  it("removes the note when the store has the failure", function()
    write "seconds\t12\tbot.lua:7\t\n"
    its_budget:load(all)
    its_budget:settle(12, { query = function() return true end })
    assert.is_nil(its_budget:noted_error(12))
    assert.is_false(exists())
  end)

  it("keeps the note while the store cannot write", function()
    write "seconds\t12\tbot.lua:7\t\n"
    its_budget:load(all)
    its_budget:settle(12, { query = function() return nil, "full" end })
    assert.is_true(exists())
  end)
end)
