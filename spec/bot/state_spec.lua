-- SPDX-License-Identifier: MIT
-- chat.state: one table for a conversation within a turn, whoever asks for it, kept when it has changed. Conflicts are in
-- spec/engine/turns_that_meet_spec.lua, waits in spec/dialog.

local engine_rig = require "spec.support.rigs.engine_rig"
local json = require "cunnekt.base.json"
local state = require "cunnekt.bot.state"

local contact = "1:919999999999"

describe("the state of a conversation", function()
  local it_

  before_each(function()
    it_ = engine_rig.new()
  end)

  after_each(function()
    it_:close()
  end)

  local function new(who)
    return state.new(it_.engine, who or contact)
  end

  local function within_turn(fn)
    local err = it_:turn(nil, fn)
    assert(not err, err and err.traceback or tostring(err))
  end

  local function set(value)
    within_turn(function()
      new():replace(value)
    end)
  end

  it("is an empty table where nothing is kept, and is not kept for that", function()
    within_turn(function()
      assert.are.same({}, new():load())
    end)
    assert.is_nil(it_.store:conversation(contact).state)
  end)

  it("is kept with the turn", function()
    within_turn(function()
      new():load().a = { list = { 1, "ä\0" } }
    end)
    within_turn(function()
      assert.are.same({ a = { list = { 1, "ä\0" } } }, new():load())
    end)
  end)

  it("is one table within a turn, whichever object it is asked of", function()
    within_turn(function()
      local value = new():load()
      assert.equal(value, new():load())
      local its_state = new()
      assert.equal(value, its_state:load())
      assert.equal(value, its_state:load())
    end)
  end)

  it("of another conversation is another", function()
    within_turn(function()
      new():load().n = 1
      assert.are.same({}, new("1:2"):load())
    end)
    assert.is_nil(it_.store:conversation("1:2").state)
  end)

  it("is written only when it has changed", function()
    set { n = 1 }
    local its_state = new()
    within_turn(function()
      its_state:load()
      assert.are.same({ '{"n":1}', false }, { its_state:encode() })
      its_state:load().n = 2
      assert.are.same({ '{"n":2}', true }, { its_state:encode() })
    end)
  end)

  it("may be emptied", function()
    set { n = 1 }
    within_turn(function()
      new():load().n = nil
    end)
    within_turn(function()
      assert.are.same({}, new():load())
    end)
    assert.equal("{}", it_.store:conversation(contact).state)
  end)

  it("may be replaced, and what was replaced is forgotten", function()
    set { a = 1, b = 2 }
    set { c = 3 }
    within_turn(function()
      assert.are.same({ c = 3 }, new():load())
    end)
  end)

  it("is read anew in each turn, into the table that the script may hold", function()
    local its_state, value = new(), nil
    within_turn(function()
      value = its_state:load()
      value.a = 1
    end)
    set { b = 2 }
    within_turn(function()
      assert.equal(value, its_state:load())
      assert.are.same({ b = 2 }, value)
    end)
  end)

  it("is read anew into the tables that are in it, which the script may hold as well", function()
    local its_state, cart, names = new(), nil, nil
    set { cart = { "tea" }, names = {}, plain = 1 }
    within_turn(function()
      local value = its_state:load()
      cart, names = value.cart, value.names
    end)
    set { cart = { "tea", "soup" }, names = json.array(), plain = { 1 } }
    within_turn(function()
      local value = its_state:load()
      assert.equal(cart, value.cart)
      assert.equal(names, value.names)
      assert.are.same({ cart = { "tea", "soup" }, names = {}, plain = { 1 } }, value)
      assert.equal('{"cart":["tea","soup"],"names":[],"plain":[1]}', json.encode(value))
      value.cart[3] = "cake"
    end)
    within_turn(function()
      assert.are.same({ "tea", "soup", "cake" }, new():load().cart)
    end)
  end)

  it("keeps two tables apart that were one when they were stored", function()
    local its_state = new()
    within_turn(function()
      local one = { 1 }
      local value = its_state:load()
      value.first, value.second = one, one
    end)
    set { first = { 1 }, second = { 2 } }
    within_turn(function()
      assert.are.same({ first = { 1 }, second = { 2 } }, its_state:load())
    end)
  end)

  it("does not become the table that it is replaced by", function()
    local given = { step = 1 }
    within_turn(function()
      local its_state = new()
      its_state:replace(given)
      its_state:load().secret = true
    end)
    assert.are.same({ step = 1 }, given)
    within_turn(function()
      assert.are.same({ step = 1, secret = true }, new():load())
    end)
  end)

  it("outside of turns is for reading", function()
    set { n = 1 }
    local value = new():load()
    value.n = 2
    assert.equal('{"n":1}', it_.store:conversation(contact).state)
    assert.are.same({ n = 1 }, new():load())
  end)

  it("is gone with a turn that failed", function()
    local its_state = new()
    it_:turn(nil, function()
      its_state:load().n = 1
      error "no luck"
    end)
    within_turn(function()
      assert.are.same({}, its_state:load())
    end)
  end)

  it("says what it cannot hold", function()
    local its_state = new()
    within_turn(function()
      its_state:load().fn = print
      local ok, err = pcall(its_state.encode, its_state)
      assert.are.same({ false, "invalid" }, { ok, err.kind })
      assert.matches("chat.state cannot be stored", err.message)
      its_state:load().fn = nil
    end)
  end)

  it("may hold megabytes", function()
    local large = ("x"):rep(3 * 1024 * 1024)
    set { text = large }
    within_turn(function()
      assert.is_true(new():load().text == large)
    end)
  end)
end)
