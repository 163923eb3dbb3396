-- SPDX-License-Identifier: MIT
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"

-- A runner that notes what starts, and lets the test end it.
local function recorder()
  local log = { started = {}, done = {} }
  return log, function(item, done)
    log.started[#log.started + 1] = item
    log.done[item] = done
  end
end

describe("lanes", function()
  it("run the items of one lane one after the other, in order", function()
    local log, run = recorder()
    local it_ = core.lanes(10, run)
    for _, item in ipairs { "a1", "a2", "a3" } do
      it_:push("a", item)
    end
    assert.are.same({ "a1" }, log.started)
    log.done.a1()
    log.done.a2()
    assert.are.same({ "a1", "a2", "a3" }, log.started)
    assert.equal(1, it_:count())
  end)

  it("run different lanes side by side, up to the bound", function()
    local log, run = recorder()
    local it_ = core.lanes(2, run)
    it_:push("a", "a1")
    it_:push("b", "b1")
    it_:push("c", "c1")
    assert.are.same({ "a1", "b1" }, log.started)
    log.done.b1()
    assert.are.same({ "a1", "b1", "c1" }, log.started)
  end)

  it("give an item back to the head of its lane after a pause, while others go on", function()
    local virtual = clock.virtual():install()
    finally(function()
      virtual:uninstall()
    end)
    local log, run = recorder()
    local it_ = core.lanes(1, run)
    it_:push("a", "a1")
    it_:push("a", "a2")
    it_:push("b", "b1")
    log.done.a1(5)
    assert.are.same({ "a1", "b1" }, log.started)
    log.done.b1()
    virtual:advance(4.9)
    assert.equal(2, #log.started)
    virtual:advance(0.2)
    assert.are.same({ "a1", "b1", "a1" }, log.started)
    log.done.a1()
    assert.equal("a2", log.started[4])
  end)

  it("keep a reserved lane for its item, before whatever is added meanwhile", function()
    local log, run = recorder()
    local it_ = core.lanes(2, run)
    assert.is_true(it_:reserve "a")
    assert.is_false(it_:reserve "a")
    it_:push("a", "a2")
    it_:push_front("a", "a1")
    it_:push("b", "b1")
    it_:push("c", "c1")
    assert.is_false(it_:reserve "d") -- there is no slot
    assert.are.same({ "b1" }, log.started)
    it_:start_reserved("a", "a0")
    for _, item in ipairs { "a0", "b1", "c1", "a2", "a1" } do
      log.done[item]()
    end
    assert.are.same({ "b1", "a0", "c1", "a2", "a1" }, log.started)
    assert.equal(0, it_:count())
  end)

  it("give a reserved lane to those that were added, when its item does not come", function()
    local log, run = recorder()
    local it_, quiet = core.lanes(1, run), 0
    it_:when_quiet(function()
      quiet = quiet + 1
    end)
    assert.is_true(it_:reserve "a")
    it_:push_front("a", "a1")
    it_:push("b", "b1")
    assert.are.same({}, log.started)
    it_:release "a"
    log.done.b1()
    log.done.a1()
    assert.are.same({ "b1", "a1" }, log.started)
    assert.equal(0, it_:count() + it_:active())
    assert.is_true(quiet >= 2)
  end)

  it("let an item go before those that wait, but not before the one under way", function()
    local log, run = recorder()
    local it_ = core.lanes(1, run)
    it_:push("a", "a1")
    it_:push("a", "a2")
    it_:push_front("a", "a0")
    it_:push("b", "b1")
    it_:push_front("b", "b0")
    it_:push_front("c", "c0")
    assert.equal(6, it_:count())
    for _, item in ipairs { "a1", "b0", "c0", "a0", "b1", "a2" } do
      assert.equal(item, log.started[#log.started])
      log.done[item]()
    end
    assert.equal(0, it_:count())
  end)

  it("let such an item go at once when the head of its lane waits for another try", function()
    local virtual = clock.virtual():install()
    finally(function()
      virtual:uninstall()
    end)
    local log, run = recorder()
    local it_ = core.lanes(1, run)
    it_:push("a", "a1")
    log.done.a1(60)
    it_:push_front("a", "a0")
    assert.are.same({ "a1", "a0" }, log.started)
    log.done.a0()
    assert.are.same({ "a1", "a0", "a1" }, log.started)
    log.done.a1(60)
    it_:retry_now "a"
    it_:retry_now "b"
    assert.equal(4, #log.started)
    virtual:advance(100)
    assert.equal(4, #log.started)
  end)

  it("find an item, and say whether it is under way", function()
    local log, run = recorder()
    local it_ = core.lanes(1, run)
    it_:push("a", "a1")
    it_:push("a", "a2")
    local function is(wanted)
      return function(item)
        return item == wanted
      end
    end
    assert.are.same({ "a1", true }, { it_:find("a", is "a1") })
    assert.are.same({ "a2", false }, { it_:find("a", is "a2") })
    assert.are.same({ nil, false }, { it_:find("a", is "a3") })
    assert.are.same({ nil, false }, { it_:find("b", is "a1") })
    log.done.a1(60)
    assert.are.same({ "a1", false }, { it_:find("a", is "a1") })
    it_:stop()
  end)

  it("serve a long backlog of items that end at once without growing the stack", function()
    local count = 0
    local it_ = core.lanes(1, function(_, done)
      count = count + 1
      done()
    end)
    it_:push("a", "first")
    for i = 1, 100000 do
      it_:push("a", i)
    end
    assert.equal(100001, count)
    assert.equal(0, it_:count())
  end)

  it("take up again after a burst, and again", function()
    local log, run = recorder()
    local it_ = core.lanes(1, run)
    for round = 1, 3 do
      for i = 1, 5000 do
        it_:push("a", ("%d %d"):format(round, i))
      end
      for i = 1, 5000 do
        local item = ("%d %d"):format(round, i)
        assert.equal(item, log.started[#log.started])
        log.done[item]()
      end
      assert.equal(0, it_:count())
    end
    log.done["1 1"]()
    log.done["3 5000"]()
    assert.are.same({ 0, 0 }, { it_:count(), it_:active() })
  end)

  it("keep their items from the collector, and nothing that has left", function()
    local log, run = recorder()
    local it_ = core.lanes(1, run)
    local seen = setmetatable({}, { __mode = "k" })
    for _ = 1, 3 do
      local item = {}
      seen[item] = true
      it_:push("a", item)
    end
    log.done[log.started[1]]()
    log.started, log.done = { log.started[2] }, { [log.started[2]] = log.done[log.started[2]] }
    collectgarbage()
    local count = 0
    for _ in pairs(seen) do
      count = count + 1
    end
    assert.equal(2, count)
  end)

  it("go with their items when nobody has them any more, whatever waits", function()
    local seen, timers = setmetatable({}, { __mode = "v" }), core.counts().timers
    do
      local it_
      it_ = core.lanes(1, function(_, done)
        done(60)
        return it_
      end)
      seen.item = {}
      it_:push("a", seen.item)
      it_:push("b", "b1")
      seen.lanes = it_
    end
    assert.equal(timers + 2, core.counts().timers)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
    assert.equal(timers, core.counts().timers)
  end)

  it("go on when an item's function raises", function()
    local messages, started = {}, {}
    core.on_error(function(message)
      messages[#messages + 1] = message
    end)
    finally(function()
      core.on_error(function(message) io.stderr:write(message, "\n") end)
    end)
    local it_ = core.lanes(2, function(item, done)
      started[#started + 1] = item
      assert(item ~= "a1", "no good")
      done()
    end)
    it_:push("a", "a1")
    it_:push("b", "b1")
    assert.are.same({ "a1", "b1" }, started)
    assert.is_truthy(messages[1]:find("no good", 1, true))
    assert.are.same({ 1, 1 }, { it_:count(), it_:active() })
  end)

  it("refuse what is no lane's", function()
    local it_ = core.lanes(1, function() end)
    assert.has_error(function() it_:start_reserved("a", 1) end)
    assert.has_error(function() it_:release "a" end)
    assert.has_error(function() it_:open_empty "a" end)
    assert.has_error(function() it_.push(io.stdout, "a", 1) end)
    assert.has_error(function() core.lanes(0) end)
    assert.equal(0, it_:count())
  end)

  it("start nothing once stopped, and say when nothing is under way", function()
    local log, run = recorder()
    local it_ = core.lanes(1, run)
    it_:push("a", "a1")
    it_:push("b", "b1")
    it_:stop()
    local is_quiet = false
    it_:when_quiet(function()
      is_quiet = true
    end)
    assert.is_false(is_quiet)
    log.done.a1()
    assert.is_true(is_quiet)
    assert.are.same({ "a1" }, log.started)
  end)

  it("count an item that calls done twice once", function()
    local log, run = recorder()
    local it_ = core.lanes(2, run)
    it_:push("a", "a1")
    it_:push("b", "b1")
    log.done.a1()
    log.done.a1()
    assert.equal(1, it_:count())
    assert.equal(1, it_:active())
  end)
end)
