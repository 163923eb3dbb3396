-- SPDX-License-Identifier: MIT
-- What the calls of a turn gave, and how much of it is remembered. The turns that run again are in dialog/repeated_calls_spec.lua.

local answers = require "cunnekt.engine.answers"
local errors = require "cunnekt.base.errors"

describe("the answers of a turn", function()
  local its_turn, made

  before_each(function()
    its_turn, made = {}, 0
  end)

  local function call(subject, value, err)
    return answers.call(its_turn, "http", subject, function()
      made = made + 1
      return value, err
    end)
  end

  it("are given in the order of the calls with the same arguments", function()
    call({ "a" }, 1)
    call({ "b" }, 2)
    call({ "a" }, 3)
    answers.rewind(its_turn)
    assert.are.same({ 2, 1, 3 }, { call { "b" }, call { "a" }, call { "a" } })
    assert.equal(3, made)
    assert.equal(9, call({ "a" }, 9))
    answers.rewind(its_turn)
    assert.are.same({ 1, 3, 9 }, { call { "a" }, call { "a" }, call { "a" } })
  end)

  it("tell long arguments apart", function()
    local long = ("x"):rep(5000)
    call({ long, 1 }, "one")
    call({ long, 2 }, "two")
    answers.rewind(its_turn)
    assert.are.same({ "two", "one" }, { call { long, 2 }, call { long, 1 } })
  end)

  it("are not touched by what is done with them, and may be failures", function()
    call("a", { n = { 1 } }).n[1] = 7
    call("b", nil, errors.new("network", "no luck", { sent = false }))
    answers.rewind(its_turn)
    local value = call "a"
    assert.are.same({ n = { 1 } }, value)
    value.n = nil
    local _, err = call "b"
    assert.are.same({ "network", "no luck", false }, { err.kind, err.message, err.sent })
    answers.rewind(its_turn)
    assert.are.same({ n = { 1 } }, (call "a"))
  end)

  it("have no part for a call that another one makes, or that raises", function()
    local value = answers.call(its_turn, "download", "a", function()
      return call("inner", 5)
    end)
    assert.equal(5, value)
    assert.has_error(function()
      answers.call(its_turn, "http", "b", function()
        error "misuse"
      end)
    end)
    assert.equal(1, #its_turn.answers)
    call("c", 1)
    assert.equal(2, #its_turn.answers)
  end)

  it("are at most 32 MB; what is beyond is called again", function()
    local large = ("x"):rep(10 * 1024 * 1024)
    for i = 1, 4 do
      call({ i }, { body = large })
    end
    call({ 5 }, "small")
    answers.rewind(its_turn)
    for i = 1, 5 do
      call({ i }, "again")
    end
    assert.equal(6, made)
    assert.is_true(its_turn.answers.bytes <= 32 * 1024 * 1024)
  end)
end)
