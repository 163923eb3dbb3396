-- SPDX-License-Identifier: MIT
-- Webhooks that other hosts have taken: whatever one of them is, it holds back the others no longer than it must.

local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local mail = require "cunnekt.engine.mail"
local samples = require "cunnekt.sandbox.samples"
local stored = require "cunnekt.store.mail"

describe("mail", function()
  local it_, others

  before_each(function()
    others = {}
  end)

  after_each(function()
    for _, other in ipairs(others) do
      other:stop()
    end
    it_.inbox.mail:stop()
    it_:close()
  end)

  local function post(body)
    it_:run(function()
      stored.post(it_.store, body, function(ok, err)
        assert(ok, err)
      end)
      it_.store:value "anything"
    end)
  end

  local function text(id)
    return (assert(samples.build("text", { id = id, from = "919999991001", text = id })))
  end

  local function waiting()
    local count
    it_:run(function()
      count = stored.count(it_.store)
    end)
    return count
  end

  local function is_gone()
    return waiting() == 0
  end

  it("is taken one webhook at a time, where one has more events than the queue may have", function()
    local handled = 0
    it_ = engine_rig.new { queue = 3, on_turn = function(record, done)
      handled = handled + 1
      it_.turns:run(record, function() end, function()
        done()
      end)
    end }
    local large = text "wamid.1"
    for i = 2, 5 do
      large.messages[i] = text("wamid." .. i).messages[1]
    end
    post(json.encode(large))
    post(json.encode(text "wamid.6"))
    it_.inbox.mail:start(false)
    it_:step_until(function()
      return handled == 6
    end, "six turns")
    it_:step_until(is_gone, "no mail")
  end)

  it("may be larger than all that a question is answered with", function()
    it_ = engine_rig.new()
    local large = ("x"):rep(3000000)
    for _ = 1, 24 do
      post(large)
    end
    post(json.encode(text "wamid.1"))
    it_.inbox.mail:start(true)
    it_:step_until(is_gone, "no mail")
    assert.equal(1, it_.counts.events_accepted)
  end)

  it("that cannot be stored is tried again after a pause, said, and stops no other", function()
    it_ = engine_rig.new()
    for _, body in ipairs { "first", "bad", "last" } do
      post(body)
    end
    local tries = {}
    others[1] = mail.new {
      store = it_.store,
      accept = function(body, done)
        tries[body] = (tries[body] or 0) + 1
        done(body == "bad" and errors.new("store", "the database is full") or nil)
        return true
      end,
    }
    others[1]:start(true)
    local began = clock.monotonic()
    it_:step_until(function()
      return clock.monotonic() > began + 0.5
    end, "half a second")
    assert.are.same({ first = 1, bad = 1, last = 1 }, tries)
    assert.equal(1, waiting())
    it_:step_until(function()
      return tries.bad == 2
    end, "another try")
    local _, said = table.concat(it_.lines, "\n"):gsub("webhooks that other hosts have taken cannot be stored now: the database is full", "")
    assert.equal(1, said)
  end)
end)
