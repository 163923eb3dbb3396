-- SPDX-License-Identifier: MIT
-- What the log says of something that goes on and on.

local clock = require "cunnekt.time.clock"
local log_pace = require "cunnekt.time.log_pace"

describe("the pace of the log", function()
  local time, its_pace

  before_each(function()
    time = clock.virtual():install()
    its_pace = log_pace.new()
  end)

  after_each(function()
    time:uninstall()
  end)

  it("says a reason at once, then once a minute, with how often it was so", function()
    assert.equal(1, its_pace:note "full")
    for _ = 1, 1000 do
      assert.is_nil(its_pace:note "full")
    end
    time:advance(59)
    assert.is_nil(its_pace:note("full", 20))
    time:advance(1)
    assert.equal(1021, its_pace:note "full")
    assert.is_nil(its_pace:note "full")
  end)

  it("says each reason for itself", function()
    assert.are.same({ 1, 3, nil }, { its_pace:note "full", its_pace:note("lost", 3), its_pace:note "full" })
  end)

  it("knows nothing of what others say", function()
    its_pace:note "full"
    assert.equal(1, log_pace.new():note "full")
  end)
end)
