-- SPDX-License-Identifier: MIT
-- The operations on values, over the admin socket of a running bot and on the store alone.

local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local task = require "cunnekt.base.task"

describe("the operations on values", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function keys(args)
    local list = {}
    local result = assert(kept:call("values.list", args))
    for i, value in ipairs(result.values) do
      list[i] = value.key
    end
    return list, result.has_more
  end

  it("list, show and set, with a running bot and without one", function()
    local bot = kept:start()
    assert(bot.store:set("order:1", { "tea" }))
    assert(bot.store:set("order:2", "soup"))
    assert(bot.store:set("seats", 5))
    for _, value in ipairs { 6, 7 } do
      assert.are.same({ "order:1", "order:2" }, (keys { prefix = "order:" }))
      assert.are.same({ "order:1", "order:2", "seats" }, (keys()))
      assert.are.same({ key = "order:1", bytes = 7 }, assert(kept:call "values.list").values[1])
      assert.are.same({ key = "order:1", value = { "tea" } }, assert(kept:call("values.get", { key = "order:1" })))
      assert.is_false(assert(kept:call("values.set", { key = "seats", json = tostring(value) })).is_deleted)
      assert.equal(value, assert(kept:call("values.get", { key = "seats" })).value)
      kept:stop()
    end
    assert.equal(7, kept:start().store:get "seats")
  end)

  it("lists up to a limit, and says whether there are more", function()
    local bot = kept:start()
    for i = 1, 250 do
      assert(bot.store:set(("k%03d"):format(i), i))
    end
    for limit, wanted in pairs { [1] = true, [100] = true, [101] = true, [249] = true, [250] = false, [1000] = false } do
      local list, has_more = keys { limit = limit, prefix = "k" }
      assert.are.same({ math.min(limit, 250), wanted }, { #list, has_more })
      assert.equal(("k%03d"):format(#list), list[#list])
    end
    assert.equal(100, #keys())
    assert.are.same({}, (keys { prefix = "none" }))
  end)

  it("shorten numbers in keys, and nothing else of them", function()
    local bot = kept:start()
    local whole = { "a%41\\u0041", "cart:+91 99999 99999", "cart:919999999999", "day:2024-05-01", "id:wamid.HBgMOTE5OTk5OTk5OTk5", "seat:12" }
    for _, key in ipairs(whole) do
      assert(bot.store:set(key, "918888888888"))
    end
    assert.are.same({ "a%41\\u0041", "cart:9199…99", "cart:9199…99", "day:2024-05-01", "id:…k5OTk5", "seat:12" }, (keys()))
    assert.are.same(whole, (keys { reveal = true }))
    assert.is_nil(json.encode(assert(kept:call("values.list", { reveal = true }))):find("8888", 1, true))
  end)

  it("let a turn that has read the value run again with the new one", function()
    local go, seen = nil, {}
    kept:start(function(bot)
      bot:on("text", function()
        local n = bot.store:get("n", 0)
        seen[#seen + 1] = n
        if #seen == 1 then
          task.await(function(done)
            go = done
          end)
        end
        bot.store:set("n", n + 1)
      end)
    end)
    kept:say "hello"
    kept:wait_for("the handler", function()
      return go
    end)
    assert(kept:call("values.set", { key = "n", json = "10" }))
    go()
    kept:settle()
    assert.are.same({ 0, 10 }, seen)
    assert.equal(11, assert(kept:call("values.get", { key = "n" })).value)
  end)

  it("delete by null, and say when there is nothing to delete or to show", function()
    local bot = kept:start()
    assert(bot.store:set("seats", 5))
    assert.is_true(assert(kept:call("values.set", { key = "seats", json = "null" })).is_deleted)
    assert.is_nil(bot.store:get "seats")
    for _, case in ipairs { { "values.set", { key = "seats", json = "null" } }, { "values.get", { key = "seats" } } } do
      local result, err = kept:call(table.unpack(case))
      assert.are.same({ nil, "not_found", "there is no value 'seats'" }, { result, err.kind, err.message })
    end
  end)

  it("refuse what is no key and no JSON", function()
    kept:start()
    for _, case in ipairs {
      { "values.get", {}, "the key of a value" },
      { "values.get", { key = "" }, "the key of a value" },
      { "values.set", { json = "1" }, "the key of a value" },
      { "values.set", { key = "a" }, "the value is not JSON: " },
      { "values.set", { key = "a", json = "hello" }, "the value is not JSON: " },
      { "values.get", { key = 7 }, "key" },
    } do
      local result, err = kept:call(case[1], case[2])
      assert.is_nil(result)
      assert.equal("invalid", err.kind)
      assert.matches(case[3], err.message)
    end
    assert.are.same({}, (keys()))
  end)
end)
