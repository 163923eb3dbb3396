-- SPDX-License-Identifier: MIT
-- bot.store: values that all conversations share, within a turn and outside of any. Conflicts are in
-- spec/engine/turns_that_meet_spec.lua, lists of keys in values_list_spec.lua.

local engine_rig = require "spec.support.rigs.engine_rig"
local json = require "cunnekt.base.json"
local values = require "cunnekt.bot.values"

describe("bot.store", function()
  local it_, store

  before_each(function()
    it_ = engine_rig.new()
    store = values.new(it_.engine)
  end)

  after_each(function()
    it_:close()
  end)

  local function within_turn(fn)
    local err = it_:turn(nil, fn)
    assert(not err, err and err.traceback or tostring(err))
  end

  local some = { 1, 0.5, "", "ä\0", true, false, { a = { 1, 2 } }, json.array {} }
  for i, value in ipairs(some) do
    it("gives back what was kept: " .. i, function()
      assert.is_true(store:set("key", value))
      assert.are.same(value, store:get "key")
    end)
  end

  it("gives another value where there is none", function()
    assert.is_nil(store:get "key")
    assert.equal("none", store:get("key", "none"))
    store:set("key", false)
    assert.is_false(store:get("key", "none"))
  end)

  it("takes keys of any bytes, each its own", function()
    for _, key in ipairs { "a", "a\0", "a\0b", "\xff", (" "):rep(1000) } do
      store:set(key, #key)
    end
    assert.are.same({ 1, 2, 3, 1, 1000 }, {
      store:get "a", store:get "a\0", store:get "a\0b", store:get "\xff", store:get((" "):rep(1000)),
    })
  end)

  it("keeps values of megabytes", function()
    local large = ("x"):rep(3 * 1024 * 1024)
    store:set("key", large)
    assert.is_true(store:get "key" == large)
  end)

  it("deletes by nil", function()
    store:set("key", 1)
    assert.is_true(store:delete "key")
    assert.is_nil(store:get "key")
    store:set("key", 1)
    store:set("key", nil)
    assert.is_nil(store:get "key")
    assert.is_true(store:delete "never")
  end)

  it("gives a slot to the first", function()
    assert.is_true(store:add("slot", "a"))
    assert.is_false(store:add("slot", "b"))
    assert.equal("a", store:get "slot")
    store:delete "slot"
    assert.is_true(store:add("slot", "b"))
  end)

  it("counts from 0, by any amount", function()
    assert.are.same({ 1, 2, 12, 11.5 }, {
      store:increment "n", store:increment "n", store:increment("n", 10), store:increment("n", -0.5),
    })
  end)

  it("does not count what is no number", function()
    store:set("key", "text")
    assert.error_matches(function()
      store:increment "key"
    end, "store:increment%('key'%): the value is a string, not a number")
    assert.equal("text", store:get "key")
    store:set("large", 1e308)
    assert.error_matches(function()
      store:increment("large", 1e308)
    end, "store:increment%('large'%): the sum is inf, which cannot be stored")
    assert.equal(1e308, store:get "large")
  end)

  describe("within a turn", function()
    it("shows what the turn changed, and nobody else before its commit", function()
      store:set("a", 1)
      within_turn(function()
        store:set("a", 2)
        store:set("b", 3)
        store:delete "c"
        assert.are.same({ 2, 3, nil }, { store:get "a", store:get "b", store:get "c" })
        assert.equal("1", it_.store:value "a")
      end)
      assert.are.same({ "2", "3" }, { it_.store:value "a", (it_.store:value "b") })
    end)

    it("shows what the turn deleted as gone", function()
      store:set("a", 1)
      within_turn(function()
        store:delete "a"
        assert.equal("none", store:get("a", "none"))
        assert.is_true(store:add("a", 5))
        assert.is_false(store:add("a", 6))
      end)
      assert.equal(5, store:get "a")
    end)

    it("counts on what the turn has counted", function()
      within_turn(function()
        store:increment "n"
        assert.equal(2, store:increment "n")
      end)
      assert.equal(2, store:get "n")
    end)

    it("drops everything with a turn that fails", function()
      it_:turn(nil, function()
        store:set("a", 1)
        store:increment "n"
        error "no luck"
      end)
      assert.are.same({ nil, nil }, { store:get "a", store:get "n" })
    end)

    it("gives another table each time", function()
      within_turn(function()
        store:set("a", { 1 })
        store:get("a")[1] = "changed"
        assert.are.same({ 1 }, store:get "a")
      end)
    end)
  end)

  it("takes no fields, and says what to call", function()
    local function assign(name)
      local ok, message = pcall(function()
        store[name] = 1
      end)
      assert.is_false(ok)
      assert.matches("values_spec.lua:%d+: ", message)
      return (message:gsub("^.-:%d+: ", ""))
    end
    assert.equal('bot.store keeps nothing in its fields: call bot.store:set("seats", value)', assign "seats")
    assert.equal('bot.store keeps nothing in its fields: call bot.store:set("get", value)', assign "get")
    assert.equal("bot.store keeps nothing in its fields: call bot.store:set(7, value)", assign(7))
    assert.is_nil(store:get "seats")
    assert.is_nil(store.seats)
  end)

  it("says what the store says, outside of turns", function()
    it_.store:close()
    for _, name in ipairs { "set", "add", "increment" } do
      local result, err = store[name](store, "key", 1)
      assert.are.same({ nil, "store" }, { result, err.kind }, name)
    end
    local ok, err = pcall(store.get, store, "key")
    assert.are.same({ false, "store" }, { ok, err.kind })
    ok, err = pcall(store.keys, store)
    assert.are.same({ false, "store" }, { ok, err.kind })
    ok, err = pcall(store:each())
    assert.are.same({ false, "store" }, { ok, err.kind })
  end)

  it("blames the script's line for a mistake", function()
    local function problem(name, ...)
      local args = table.pack(...)
      local ok, message = pcall(function()
        local result = store[name](store, table.unpack(args, 1, args.n))
        return result
      end)
      assert.is_false(ok)
      assert.matches("values_spec.lua:%d+: ", message)
      return (message:gsub("^.-:%d+: ", ""))
    end
    assert.equal("store:get: the key must be a string, got nil", problem "get")
    assert.equal("store:set: the key must be a string, got an empty one", problem("set", "", 1))
    assert.equal("store:increment: the key must be a string, got number", problem("increment", 7))
    assert.equal("store:add('slot'): expected a value, got nil", problem("add", "slot"))
    assert.equal("store:keys: the prefix must be a string, got number", problem("keys", 7))
    assert.equal("store:each: the prefix must be a string, got table", problem("each", {}))
    assert.matches("^store:set%('key'%): ", problem("set", "key", print))
    assert.matches("^store:add%('key'%): ", problem("add", "key", 0 / 0))
    assert.matches("^store:increment%('key'%): the amount is %-?nan, which cannot be stored", problem("increment", "key", 0 / 0))
  end)
end)
