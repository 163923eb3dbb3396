-- SPDX-License-Identifier: MIT
-- Turns: what one makes effective together, and what a failure drops. Turns side by side are in turns_that_meet_spec.lua.

local cunnekt = require "cunnekt"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local lists = require "cunnekt.store.lists"
local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"
local state = require "cunnekt.bot.state"
local status = require "cunnekt.provider.status"

local contact = "1:919999999999"

describe("a turn", function()
  local it_, store

  before_each(function()
    it_ = engine_rig.new()
    store = it_.store
  end)

  after_each(function()
    it_:close()
  end)

  local function state_of(who)
    return state.new(it_.engine, who or contact)
  end

  local function rows_in_outbox()
    return #lists.messages(store, status.shown, {})
  end

  -- A change of everything that a turn without a run can change.
  local function change_all(current)
    current:send(it_:row(contact, "hi"))
    current:buffer("values").key = "1"
    state_of():load().n = 5
    current:buffer("watches")[contact] = 60
    current:buffer("pauses")["1:2"] = true
    current:buffer("jobs").tick = { kind = "put", name = "tick", spec = "every 60", due = 9, catch_up = "once", attempts = 0 }
    table.insert(current:buffer "own_events", rig.record("1:3", "\1{}"))
  end

  -- What of it the store has.
  local function changed()
    return {
      events = #recovery.events(store), messages = rows_in_outbox(), value = store:value "key", state = store:conversation(contact).state,
      watched = #store:query("closing_windows", { window = 60, ["until"] = 1 }), is_paused = store:conversation("1:2").is_paused,
      jobs = #recovery.jobs(store),
    }
  end

  it("makes everything effective together when its handler returns", function()
    local record = it_:accept(contact, "a", { inbound_at = 1 })
    local before
    assert.is_nil(it_:turn(record, function(current)
      change_all(current)
      before = changed()
    end))
    assert.are.same({ events = 1, messages = 0, watched = 0, is_paused = false, jobs = 0 }, before)
    it_:settle()
    assert.are.same({ events = 0, messages = 1, value = "1", state = '{"n":5}', watched = 1, is_paused = true, jobs = 1 }, changed())
  end)

  it("hands its messages and own events on only after the commit", function()
    assert.is_nil(it_:turn(nil, function(current)
      change_all(current)
      assert.are.same({ 0, 0 }, { it_.outbox:count(), it_.inbox:count() })
    end))
    it_:settle()
    assert.are.same({ "hi" }, it_:texts())
    assert.equal(1, #it_.heard.commits)
  end)

  it("drops everything when its handler fails, and says of the messages that they were dropped", function()
    local record = it_:accept(contact, "a")
    local handle, its_state
    local err, rest = it_:turn(record, function(current)
      change_all(current)
      handle, its_state = current.sends[1].handle, current.states[contact]
      error "no luck"
    end)
    assert.equal("handler", err.kind)
    assert.matches("no luck", err.message)
    assert.matches("turn_spec.lua", err.traceback)
    assert.equal(record, rest)
    assert.are.same({ events = 1, messages = 0, watched = 0, is_paused = false, jobs = 0 }, changed())
    assert.are.same({ "dropped", "cancelled" }, { handle.state, handle.err.kind })
    assert.is_nil(its_state.value)
    assert.are.same({}, it_.heard.commits)
  end)

  it("drops everything when its commit fails", function()
    local record = it_:accept(contact, "a")
    local row = it_:row(contact, "hi")
    it_:hold(1)
    it_:send(row)
    local err, rest = it_:turn(record, function(current)
      change_all(current)
      current.sends[1].id = row.id
    end)
    assert.are.same({ "store", record }, { err.kind, rest })
    assert.is_nil(store:value "key")
    assert.equal(1, #recovery.events(store))
  end)

  it("drops everything when a state cannot be kept", function()
    local err = it_:turn(nil, function(current)
      current:buffer("values").key = "1"
      state_of():load().fn = print
    end)
    assert.are.same({ "invalid", "state" }, { err.kind, err.field })
    assert.is_nil(store:value "key")
  end)

  describe("with a message that cannot be written as JSON", function()
    local function send_broken(current)
      local row = it_:row(contact, "broken", { track = { fn = print } })
      current:send(row)
      return row
    end

    it("fails, and holds no later message of the contact up", function()
      local broken
      local err = it_:turn(nil, function(current)
        broken = send_broken(current)
      end)
      assert.are.same({ "handler", "dropped" }, { err.kind, broken.handle.state })
      assert.matches("cannot encode a function", err.message)
      assert.equal(0, it_.outbox:active())
      it_:send(it_:row(contact, "later"))
      it_:settle()
      assert.are.same({ "later" }, it_:texts())
    end)

    it("sends the others when the script catches the failure and mends the message", function()
      local err = it_:turn(nil, function(current)
        local row = send_broken(current)
        assert.is_false(pcall(current.commit_more, current))
        row.track = nil
        current:send(it_:row(contact, "second"))
      end)
      assert.is_nil(err)
      it_:send(it_:row(contact, "later"))
      it_:settle()
      assert.are.same({ "broken", "second", "later" }, it_:texts())
    end)
  end)

  it("passes a failure of a known kind on as it is", function()
    local failure = errors.new("timeout", "late")
    assert.equal(failure, (it_:turn(nil, function()
      error(failure, 0)
    end)))
  end)

  it("makes a failure of anything that is raised", function()
    local messages = { [7] = "7", [false] = "an error that is false", [{}] = "an error that is an empty table", text = "text" }
    for value, message in pairs(messages) do
      local err = it_:turn(nil, function()
        error(value, 0)
      end)
      assert.are.same({ "handler", message }, { err.kind, err.message })
    end
  end)

  it("that did nothing writes nothing", function()
    local before = store:stats().calls
    assert.is_nil(it_:turn(nil, function() end))
    assert.is_nil(it_:turn(nil, function()
      local _ = state_of():load().n
    end))
    local read = 1 -- the state
    assert.equal(before + read, store:stats().calls)
    assert.are.same({}, it_.heard.commits)
  end)

  it("that did nothing still finishes its event", function()
    assert.is_nil(it_:turn(it_:accept(contact, "a"), function() end))
    assert.are.same({}, recovery.events(store))
  end)

  it("must be asked for what it buffers", function()
    assert.error_matches(function()
      it_.turns:new().values.x = 1
    end, "call turn:buffer first")
  end)

  -- ---- in the middle -------------------------------------------------------------------------------------------------

  describe("that commits in the middle", function()
    it("keeps what came before when it fails afterwards", function()
      local record = it_:accept(contact, "a")
      local err, rest = it_:turn(record, function(current)
        change_all(current)
        current:commit_more()
        assert.equal("1", store:value "key")
        current:buffer("values").key = "2"
        current:send(it_:row(contact, "never"))
        error "after"
      end)
      assert.are.same({ "handler", nil }, { err.kind, rest })
      it_:settle()
      assert.are.same({ "hi" }, it_:texts())
      assert.equal("1", store:value "key")
    end)

    it("keeps the states that the script holds, and their later changes", function()
      assert.is_nil(it_:turn(nil, function(current)
        local value = state_of():load()
        value.a = 1
        current:commit_more()
        value.b = 2
      end))
      assert.are.same({ a = 1, b = 2 }, cunnekt.json.decode(store:conversation(contact).state))
    end)

    it("raises what the store says", function()
      local err = it_:turn(nil, function(current)
        current:buffer("values").key = "1"
        store:close()
        current:commit_more()
      end)
      assert.equal("store", err.kind)
    end)

    it("may do so with nothing to commit", function()
      assert.is_nil(it_:turn(nil, function(current)
        current:commit_more()
        current:commit_more()
        current:buffer("values").key = "1"
      end))
      assert.equal("1", store:value "key")
    end)
  end)

  -- ---- outside -------------------------------------------------------------------------------------------------------

  it("is made for a change outside of any, which is effective at once", function()
    assert.equal("result", it_.turns:within(function(current)
      current:buffer("values").key = "1"
      return "result"
    end))
    assert.equal("1", store:value "key")
    assert.equal(0, it_.turns:count())
  end)

  it("is the one that runs, for a change inside of it", function()
    assert.is_nil(it_:turn(nil, function(current)
      assert.equal(current, it_.turns:current())
      it_.turns:within(function(inner)
        assert.equal(current, inner)
      end)
    end))
    assert.is_nil(it_.turns:current())
  end)

  it("raises outside of any where the change does, and says what the store says", function()
    assert.error_matches(function()
      it_.turns:within(function()
        error("wrong", 0)
      end)
    end, "wrong")
    store:close()
    local result, err = it_.turns:within(function(current)
      current:buffer("values").key = "1"
      return true
    end)
    assert.are.same({ nil, "store" }, { result, err.kind })
  end)

  it("of another bot is none of this one's", function()
    local other = engine_rig.new()
    assert.is_nil(it_:turn(nil, function()
      assert.is_nil(other.turns:current())
    end))
    other:close()
  end)
end)
