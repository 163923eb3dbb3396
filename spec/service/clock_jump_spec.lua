-- SPDX-License-Identifier: MIT
-- What counts hours and days while somebody sets the system's clock: service windows, which a clock that was put back
-- opened again, and the seen keys and dead letters, which a clock that ran ahead removed.

local inside = require("cunnekt.service").of
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"
local store_rig = require "spec.support.rigs.store_rig"

local hour, day, year = 3600, 86400, 365 * 86400
local contact = "919999999999"

describe("a clock that jumps", function()
  local bot, time, handled, write

  before_each(function()
    write = log.write
    log.write = function() end
    time, handled = clock.virtual():install(), 0
    bot = cunnekt.bot {
      api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = "memory:", attempts = 1,
    }
    bot:on("text", "^fail", function()
      error "on purpose"
    end)
    bot:on("text", function()
      handled = handled + 1
    end)
    assert(bot:listen())
  end)

  after_each(function()
    time:uninstall()
    bot:stop(1)
    log.write = write
  end)

  -- Steps the loop until everything that was asked of the store is done.
  local function settle()
    for _ = 1, 5 do
      bot.store:get "anything"
      core.step(false)
    end
  end

  -- A customer writes, and the provider stamps it with the true time.
  local function say(id, text, timestamp)
    local body = json.encode {
      metadata = { phone_number_id = "1" },
      messages = { { id = id, from = contact, timestamp = ("%d"):format(timestamp), type = "text", text = { body = text } } },
    }
    local is_done
    inside(bot).inbox:accept(body, function(err)
      assert(not err, err)
      is_done = true
    end)
    while not is_done do
      core.step(true)
    end
    settle()
  end

  local function pass(seconds)
    for _ = 1, seconds, 600 do
      time:advance(600)
      settle()
    end
  end

  local function window()
    return bot:chat(contact, "1"):window()
  end

  for label, jump in pairs { ["an hour"] = hour, ["ten years"] = 10 * year } do
    it("does not open a window when it is put back: " .. label, function()
      say("a", "hi", clock.now())
      assert.equal(day, window())
      pass(day + 600)
      assert.equal(0, window())
      time:set_wall(clock.now() - jump)
      assert.equal(0, window())
      pass(hour)
      assert.equal(0, window())
    end)

    it("makes no window longer than it is: " .. label, function()
      say("a", "hi", clock.now())
      pass(hour)
      time:set_wall(clock.now() - jump)
      assert.is_true(window() <= day - hour)
    end)

    it("opens windows again when it was ahead, and a message says that it is right now: " .. label, function()
      time:set_wall(clock.now() + jump)
      say("a", "hi", clock.now() - jump)
      time:set_wall(clock.now() - jump)
      say("b", "hi", clock.now())
      assert.is_true(window() > day - 60)
    end)
  end

  local function count(name)
    return store_rig.counts(inside(bot).store)[name]
  end

  it("clears nothing away before its time when it is ahead", function()
    say("a", "hi", clock.now())
    say("b", "fail", clock.now())
    assert.equal(1, count "dead")
    time:set_wall(clock.now() + 10 * year)
    pass(3 * hour)
    time:set_wall(clock.now() - 10 * year)
    say("a", "hi", clock.now())
    assert.equal(1, handled)
    assert.equal(1, count "dead")
  end)

  it("clears old rows away when it is right", function()
    say("a", "hi", clock.now())
    say("b", "fail", clock.now())
    time:advance(40 * day)
    say("c", "hi", clock.now())
    pass(3 * hour)
    assert.equal(0, count "dead")
    assert.equal(1, count "seen")
  end)
end)
