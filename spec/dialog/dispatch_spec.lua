-- SPDX-License-Identifier: MIT
-- Where an event goes: to the handlers, to a dialog, or to nobody; and which events report the outcome of a message. The
-- dialogs and the judge of failures are the spec's, the engine is real.

local clock = require "cunnekt.time.clock"
local dispatch = require "cunnekt.dialog.dispatch"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local hooks = require "cunnekt.bot.hooks"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local record_of = require "cunnekt.engine.record"
local recovery = require "cunnekt.store.recovery"
local route = require "cunnekt.bot.route"
local sent = require "cunnekt.bot.sent"
local stored_messages = require "cunnekt.store.messages"

local contact = "1:919999999999"

describe("dispatch", function()
  local it_, time, routes, dialogs, scope, its_dispatch, heard, failed, offered

  before_each(function()
    time = clock.virtual(1700000000):install()
    heard, failed, offered = {}, {}, {}
    it_ = engine_rig.new {
      on_turn = function(record, done)
        its_dispatch.on_turn(record, done)
      end,
    }
    routes = route.new()
    dialogs = { is_used = false, has_paused = false, sent_waits = {}, script = { routes = routes, known = {} } }
    function dialogs:offer(it, record, on_end, context)
      offered[#offered + 1] = it.text or it.status
      return self.takes and it_.turns:new(record, function() end, on_end, nil, context) or nil
    end
    function dialogs:on_status(it, its_turn)
      self.noted = { it.status, its_turn }
    end
    function dialogs:start_stored(it, record, on_end)
      self.started = it.name
      it_.turns:run(record, function() end, on_end)
    end
    function dialogs.sent_record()
      return nil
    end
    scope = { engine = it_.engine, hooks = hooks.new(), dialogs = dialogs }
    its_dispatch = dispatch.new {
      engine = it_.engine,
      dialogs = dialogs,
      routes = routes,
      scope = scope,
      taps = { is_used = false },
      failure = {
        on_turn = function(_, record, err, what, done)
          failed[#failed + 1] = { record = record, err = err, what = what }
          done()
        end,
      },
    }
  end)

  after_each(function()
    it_:close()
    time:uninstall()
  end)

  local function hear(what, reply)
    routes:add(what, nil, function(it)
      heard[#heard + 1] = it.text or it.status or it.kind
      if reply then
        reply(it)
      end
    end, nil, 2)
  end

  local function settle()
    it_:step_until(function()
      return it_.inbox:count() == 0
    end, "the events")
  end

  local function post(fields)
    fields.metadata = { phone_number_id = "1" }
    local body, is_done = json.encode(fields), nil
    it_.inbox:accept(body, function(err)
      assert(not err, err)
      is_done = true
    end)
    it_:step_until(function()
      return is_done
    end)
  end

  local function text(words, id)
    return { id = id or words, from = "919999999999", timestamp = "1700000000", type = "text", text = { body = words } }
  end

  local function say(...)
    local messages = {}
    for i, words in ipairs { ... } do
      messages[i] = text(words)
    end
    post { messages = messages }
  end

  local function say_and_settle(...)
    say(...)
    settle()
  end

  local function put_own(event)
    local record = record_of.own(contact, event)
    assert(it_.engine:put_own(record))
    settle()
  end

  -- ---- handlers ------------------------------------------------------------------------------------------------------

  it("brings an event to its handler, in a turn that finishes it", function()
    hear("text", function(msg)
      assert(msg:reply_text "hello")
    end)
    say_and_settle "hi"
    it_:settle()
    assert.are.same({ { "hi" }, { "hello" }, 0, 1 }, { heard, it_:texts(), #recovery.events(it_.store), it_.counts.events_finished })
    assert.are.same({}, offered)
  end)

  it("finishes an event that nobody hears", function()
    say_and_settle "hi"
    assert.are.same({ 0, 1 }, { #recovery.events(it_.store), it_.counts.events_finished })
  end)

  it("remembers the business number that was written to", function()
    say_and_settle "hi"
    assert.are.same({ "1", ["1"] = true }, it_.engine.lines)
  end)

  it("asks the judge about a failure, with the event, and drops what the handler did", function()
    hear("text", function(msg)
      msg:reply_text "never"
      error "no luck"
    end)
    say_and_settle "hi"
    assert.are.same({ "handler", "hi", false, nil }, {
      failed[1].err.kind, failed[1].what.event.text, failed[1].what.is_finished, failed[1].what.run,
    })
    assert.are.same({ {}, 0 }, { it_:texts(), it_.counts.events_finished })
  end)

  it("asks the judge about an event that cannot be read", function()
    dialogs.is_used = true
    it_.store.event_body = function()
      return nil, errors.new("store", "disk")
    end
    its_dispatch.on_turn({ id = 1, contact = contact, attempts = 0 }, function() end)
    it_:step_until(function()
      return failed[1]
    end)
    assert.equal("store", failed[1].err.kind)
  end)

  it("gives a turn that runs again the event anew", function()
    local runs = 0
    hear("text", function(msg)
      runs = runs + 1
      msg.text = msg.text .. "!"
      if runs == 1 then
        error(errors.new("conflict", "once more"), 0)
      end
    end)
    say_and_settle "hi"
    assert.are.same({ { "hi", "hi" }, {} }, { heard, failed })
  end)

  it("does nothing for an event that an operator dropped meanwhile", function()
    hear "text"
    local is_done
    its_dispatch.on_turn({ id = 99, contact = contact, attempts = 0 }, function(pause)
      is_done = pause == nil
    end)
    it_:step_until(function()
      return is_done ~= nil
    end)
    assert.are.same({ true, {}, {} }, { is_done, heard, failed })
  end)

  it("keeps an unknown event that nobody hears as a dead letter", function()
    post { some = "thing" }
    settle()
    local dead = lists.events(it_.store, "dead", {}, true)
    assert.equal(1, #dead)
    assert.matches("there is no handler for 'unknown'", dead[1].error)
    assert.are.same({}, failed)
  end)

  it("brings an unknown event to whoever hears those", function()
    hear "unknown"
    post { some = "thing" }
    settle()
    assert.are.same({ { "unknown" }, {} }, { heard, lists.events(it_.store, "dead", {}) })
  end)

  -- ---- texts that are joined -----------------------------------------------------------------------------------------

  it("waits until a contact has been quiet, and joins its texts", function()
    routes:add("text", nil, function(msg)
      heard[#heard + 1] = msg.text
    end, { debounce = 5 }, 2)
    say "one"
    time:advance(3)
    say "two"
    time:advance(4)
    assert.are.same({}, heard)
    time:advance(1)
    settle()
    assert.are.same({ { "one\ntwo" }, 0 }, { heard, #recovery.events(it_.store) })
  end)

  it("joins no text that another handler would hear", function()
    routes:add("text", "^stop", function(msg)
      heard[#heard + 1] = msg.text
    end, nil, 2)
    routes:add("text", nil, function(msg)
      heard[#heard + 1] = msg.text
    end, { debounce = 5 }, 2)
    say("one", "stop", "two")
    time:advance(5)
    it_:step_until(function()
      time:advance(5)
      return #heard == 3
    end)
    assert.are.same({ "one", "stop", "two" }, heard)
  end)

  -- ---- dialogs -------------------------------------------------------------------------------------------------------

  describe("where there are dialogs", function()
    before_each(function()
      dialogs.is_used = true
      hear "text"
    end)

    it("offers an event to them first", function()
      say_and_settle "hi"
      assert.are.same({ { "hi" }, { "hi" } }, { offered, heard })
    end)

    it("gives an event that a dialog takes to no handler", function()
      dialogs.takes = true
      say_and_settle "hi"
      assert.are.same({ { "hi" }, {}, 1 }, { offered, heard, it_.counts.events_finished })
    end)

    it("gives a word that works everywhere to its handler, whatever dialogs wait for", function()
      dialogs.takes = true
      routes:add_global("stop", function()
        heard[#heard + 1] = "global"
      end)
      say_and_settle(" STOP ")
      assert.are.same({ {}, { "global" } }, { offered, heard })
    end)

    it("begins a dialog for an event that asks for it", function()
      put_own { status = "dialog_start", name = "order" }
      assert.are.same({ "order", {} }, { dialogs.started, offered })
    end)

    it("gives messages and timers to nobody while a person has the conversation", function()
      dialogs.has_paused = true
      assert(it_.store:commit_turn { pauses = { { contact = contact, is_paused = true } } })
      say_and_settle "hi"
      put_own { status = "dialog_timeout", run = 1, n = 1 }
      assert.are.same({ {}, {}, 2 }, { offered, heard, it_.counts.events_finished })
      put_own { status = "dialog_signal", name = "paid" }
      assert.are.same({ "dialog_signal" }, offered)
    end)

    it("leaves other conversations alone then", function()
      dialogs.has_paused = true
      assert(it_.store:commit_turn { pauses = { { contact = "1:2", is_paused = true } } })
      say_and_settle "hi"
      assert.are.same({ "hi" }, heard)
    end)
  end)

  it("offers an event that continues a run, even where no dialog is known yet", function()
    dialogs.takes = true
    local record = it_:accept(contact, record_of.own(contact, { status = "dialog_resume", run = 1 }).body)
    record.is_resume = true
    it_.inbox:enqueue { record }
    settle()
    assert.are.same({ "dialog_resume" }, offered)
  end)

  -- ---- statuses --------------------------------------------------------------------------------------------------------

  describe("for statuses", function()
    local function status(name, id)
      post { statuses = { { id = id, status = name, timestamp = "1700000000", recipient_id = "919999999999" } } }
      settle()
    end

    local function send(delivery)
      local handle = it_:send(it_:row(contact, "x", delivery))
      it_:settle()
      return handle.message_id
    end

    local function hear_tracks()
      local tracks = {}
      routes:add("status", nil, function(it)
        tracks[#tracks + 1] = it.track or "none"
      end, nil, 2)
      return tracks
    end

    it("gives back what the script kept with the message", function()
      local tracks = hear_tracks()
      status("read", send { track = { n = 7 } })
      status("delivered", send())
      status("read", "wamid.of another program")
      assert.are.same({ { n = 7 }, "none", "none" }, tracks)
    end)

    it("tells the dialogs, in the turn", function()
      status("read", "wamid.1")
      assert.equal("read", dialogs.noted[1])
    end)

    it("waits for the answer that brings the message's id", function()
      local tracks = hear_tracks()
      it_:hold(1)
      it_:send(it_:row(contact, "x", { track = { n = 8 } }))
      post { statuses = { { id = "wamid.x", status = "read", timestamp = "1700000000", recipient_id = "919999999999" } } }
      assert.are.same({}, tracks)
      it_:let_go(1, 1)
      settle()
      assert.are.same({ { n = 8 } }, tracks)
    end)

    it("settles the message whose answer was lost", function()
      local tracks = hear_tracks()
      it_.answers[1] = errors.new("unknown_outcome", "lost", { sent = true })
      it_:send(it_:row(contact, "x", { track = { n = 9 } }))
      it_:settle()
      status("delivered", "wamid.late")
      assert.are.same({ { { n = 9 } }, false }, { tracks, stored_messages.has_unknown(it_.store) })
    end)
  end)

  -- ---- outcomes of messages ---------------------------------------------------------------------------------------------

  describe("for the outcome of a message", function()
    local row

    before_each(function()
      row = {
        id = 5, contact = contact, track = { n = 1 }, payload = { mobile = "919999999999", text = "hi" },
        handle = sent.new {},
      }
      row.handle.message_id = "wamid.1"
    end)

    it("makes no event that nobody hears", function()
      assert.is_nil(its_dispatch.on_answer(row, "accepted"))
    end)

    it("makes one for a handler that hears it", function()
      hear "accepted"
      local records = its_dispatch.on_answer(row, "accepted")
      assert.equal(1, #records)
      assert.are.same({
        kind = "own", status = "accepted", id = "wamid.1", recipient = "919999999999", track = { n = 1 }, payload = row.payload,
      }, record_of.read_body(records[1].body))
    end)

    it("says why it was rejected, without the provider's answer", function()
      hear "rejected"
      local fields = { code = 100, status = 400, retryable = false, retry_after = 86400, body = "secret", raw = { print } }
      local err = errors.new("rejected", "no", fields)
      local told = record_of.read_body(its_dispatch.on_answer(row, "rejected", err)[1].body)
      assert.are.same({ "rejected: no (code 100)", nil, nil }, { tostring(told.err), told.err.body, told.err.raw })
      assert.are.same({ 400, false, 86400 }, { told.err.status, told.err.retryable, told.err.retry_after })
    end)

    it("wakes a dialog that waits for it, which needs no handler", function()
      local woken = record_of.own(contact, { status = "dialog_sent", run = 9, sent = 5 })
      dialogs.sent_waits = { [5] = { id = 9, contact = contact } }
      dialogs.sent_record = function(_, id)
        return id == 5 and woken or nil
      end
      assert.are.same({ woken }, its_dispatch.on_answer(row, "accepted"))
      row.id = 6
      assert.are.same({}, its_dispatch.on_answer(row, "accepted"))
      hear "accepted"
      row.id = 5
      assert.equal(2, #its_dispatch.on_answer(row, "accepted"))
    end)
  end)
end)
