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

  -- One that notes what it is given to accept, in order, and may keep the answer to a body. Until `is_over` there is mail for whoever minds.
  local function new_mail(keeps)
    local its = { accepted = {}, kept = {} }
    its.mail = mail.new {
      store = it_.store,
      accept = function(body, done, letter)
        if letter == nil and not its.is_over then
          done(errors.new("store", "there is mail that came before", { code = "mail" }))
          return true
        end
        its.accepted[#its.accepted + 1] = body
        if body == keeps then
          its.kept[#its.kept + 1] = done
        else
          done()
        end
        return true
      end,
    }
    others[#others + 1] = its.mail
    return its
  end

  -- One in the middle of a look, at "letter", whose answer it keeps.
  local function stuck_mail()
    local its = new_mail "letter"
    post "letter"
    its.mail:start(true)
    it_:step_until(function()
      return its.kept[1]
    end, "the letter")
    return its
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

  it("comes before a webhook of this host that came after it, which waits for no more than that", function()
    it_ = engine_rig.new()
    local its, answered = new_mail(), nil
    local function post_some(first, last)
      for i = first, last do
        post(("letter %d"):format(i))
      end
    end
    post_some(1, 450) -- more than a look reads
    its.mail:start(true)
    assert(its.mail:accept("own", function(err, subject)
      answered = { err, subject }
    end, "exchange"))
    assert(its.mail:accept("own, later", function() end))
    it_:step_until(function()
      return #its.accepted > 0
    end, "the first ones")
    post_some(451, 900)
    it_:step_until(is_gone, "no mail")
    assert.are.same({ nil, "exchange" }, answered)
    local place, expected = nil, {}
    for i, body in ipairs(its.accepted) do
      place = place or body == "own" and i or nil
    end
    for i = 1, 900 do
      expected[i] = ("letter %d"):format(i)
    end
    table.insert(expected, place, "own")
    table.insert(expected, place + 1, "own, later")
    assert.are.same(expected, its.accepted)
    assert.is_true(place > 450 and place < 900, place)
  end)

  it("is looked for again after whatever went wrong, and webhooks of this host with it", function()
    it_ = engine_rig.new()
    local its = new_mail()
    local accept, raised, tries = its.mail._accept, 0, 0
    its.mail._accept = function(body, ...)
      tries = tries + 1
      if body == "bad" and raised < 1 then
        raised = raised + 1
        error "a fault of ours"
      elseif body == "odd" and tries < 4 then
        return nil, errors.new("store", "not enough memory for a call")
      end
      return accept(body, ...)
    end
    for _, body in ipairs { "bad", "odd", "last" } do
      post(body)
    end
    its.mail:start(true)
    assert(its.mail:accept("own", function() end))
    it_:step_until(is_gone, "no mail")
    it_:step_until(function()
      return #its.accepted == 4
    end, "all of them")
    assert.are.same({ "bad", "odd", "last", "own" }, its.accepted)
    local said = table.concat(it_.lines, "\n")
    assert.truthy(said:find("cannot be stored now: .*a fault of ours"))
  end)

  it("lets no webhook of this host overtake one that waits, however long a look takes", function()
    it_ = engine_rig.new()
    local its = stuck_mail()
    assert(its.mail:accept("first", function() end))
    local began = clock.monotonic()
    it_:step_until(function()
      return clock.monotonic() > began + 1.1 -- no more mail is expected
    end, "a second")
    its.is_over = true
    assert(its.mail:accept("second", function() end))
    its.kept[1]()
    it_:step_until(function()
      return #its.accepted == 3
    end, "both")
    assert(its.mail:accept("third", function() end))
    it_:step_until(function()
      return #its.accepted == 4
    end, "the third")
    assert.are.same({ "letter", "first", "second", "third" }, its.accepted)
  end)

  it("becomes what waits for the next host, where this one stops while a webhook of its own is held", function()
    it_ = engine_rig.new()
    local its, answers, bodies = stuck_mail(), {}, {}
    for i = 1, 3 do
      bodies[i] = json.encode(text("wamid." .. i))
    end
    local function on_answer(err, subject)
      answers[#answers + 1] = err and err.kind or subject
    end
    for i = 1, 2 do
      assert(its.mail:accept(bodies[i], on_answer, i))
    end
    assert(its.mail:accept("{", on_answer))
    its.mail:stop()
    assert(its.mail:accept(bodies[3], on_answer, 3))
    it_:step_until(function()
      return #answers == 4
    end, "four answers")
    assert.are.same({ "invalid", 1, 2, 3 }, answers)
    its.kept[1]()
    it_:step_until(function()
      return waiting() == 3
    end, "the three")
    local posted
    it_:run(function()
      posted = stored.read(it_.store)
    end)
    for i, letter in ipairs(posted) do
      assert.equal(bodies[i], letter.body)
    end
    assert.are.same({ "letter" }, its.accepted)
  end)

  it("holds no more of this host's webhooks than 64 MB", function()
    it_ = engine_rig.new()
    local its, large = stuck_mail(), ("x"):rep(3000000)
    for _ = 1, 22 do
      assert(its.mail:accept(large, function() end))
    end
    local function is_refused()
      local is_held, err = its.mail:accept(large, function() end)
      return not is_held and err.kind == "busy"
    end
    assert.is_true(is_refused())
    post "letter"
    its.kept[1]()
    it_:step_until(function()
      return its.kept[2]
    end, "another look")
    assert.is_true(is_refused())
    its.kept[2]()
    it_:step_until(function()
      return #its.accepted == 24
    end, "all of them")
    assert.is_false(is_refused())
  end)

  it("does not hide what a webhook of this host is that cannot be read", function()
    it_ = engine_rig.new()
    post(json.encode(text "wamid.1"))
    local refused
    it_.inbox.mail:start(true)
    it_:step_until(is_gone, "no mail")
    assert(it_.inbox.mail:accept("{", function(err)
      refused = err
    end))
    it_:step_until(function()
      return refused
    end, "the refusal")
    assert.equal("invalid", refused.kind)
  end)
end)
