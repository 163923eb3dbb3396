-- SPDX-License-Identifier: MIT
-- bot.store:keys and bot.store:each: which values they find, in a turn, outside of any and in a dialog that is rebuilt.

local engine_rig = require "spec.support.rigs.engine_rig"
local json = require "cunnekt.base.json"
local talk = require "spec.support.rigs.talk"
local values = require "cunnekt.bot.values"

-- Of both ways to list: the keys, and the keys with their values.
local function all_of(store, prefix)
  local found = {}
  for key, value in store:each(prefix) do
    found[#found + 1] = key .. "=" .. tostring(value)
  end
  return found
end

describe("a list of bot.store", function()
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

  -- More than a page of them.
  local function fill(count)
    within_turn(function()
      for i = 1, count do
        store:set(("k%04d"):format(i), i)
      end
    end)
  end

  it("has the keys that begin with a prefix, and no others, by their bytes", function()
    for i, key in ipairs { "b", "a:2", "a:10", "a", "a;", "a:", "A:1", "a:\xff", "a:\0", "a:ä", "\xff" } do
      store:set(key, i)
    end
    assert.are.same({ "a:", "a:\0", "a:10", "a:2", "a:ä", "a:\xff" }, store:keys "a:")
    assert.are.same({ "a:=6", "a:\0=9", "a:10=3", "a:2=2", "a:ä=10", "a:\xff=8" }, all_of(store, "a:"))
    assert.are.same({ "\xff" }, store:keys "\xff")
    assert.are.same({}, store:keys "c")
    assert.are.same({}, all_of(store, "c"))
    assert.equal(11, #store:keys())
    assert.are.same(store:keys "", store:keys())
    assert.equal(11, #all_of(store))
  end)

  it("gives every kind of value, false too", function()
    local some = { 1, 0.5, "", false, { a = { 1, 2 } }, json.array {}, json.null }
    for i, value in ipairs(some) do
      store:set(tostring(i), value)
    end
    local found = {}
    for key, value in store:each() do
      found[tonumber(key)] = value
    end
    assert.are.same(some, found)
  end)

  for _, count in ipairs { 99, 100, 101, 200, 1001 } do
    it(("is whole when it has %d keys"):format(count), function()
      fill(count)
      store:set("j", 0)
      store:set("l", 0)
      for _, run in ipairs {
        function(fn)
          fn()
        end,
        within_turn,
      } do
        run(function()
          local keys = store:keys "k"
          assert.are.same({ count, "k0001", ("k%04d"):format(count) }, { #keys, keys[1], keys[#keys] })
          local n = 0
          for key, value in store:each "k" do
            n = n + 1
            assert.are.same({ keys[n], n }, { key, value })
          end
          assert.equal(count, n)
        end)
      end
    end)
  end

  it("ends, however often it is asked for more", function()
    store:set("a", 1)
    local next_value = store:each()
    assert.equal("a", (next_value()))
    assert.is_nil(next_value())
    store:set("b", 1)
    assert.is_nil(next_value())
  end)

  it("shows a turn what it has changed, and nobody else", function()
    fill(250)
    within_turn(function()
      store:delete "k0001"
      store:set("k0100", "changed")
      store:delete "k0101"
      store:set("k00995", "added")
      store:set("k0000", "first")
      store:set("k9", "last")
      store:set("other", 1)
      store:delete "k7"
      local keys, found = store:keys "k", {}
      assert.equal(251, #keys)
      for key, value in store:each "k" do
        found[#found + 1] = key
        found[key] = value
      end
      assert.are.same(keys, { table.unpack(found) })
      assert.are.same({ "first", nil, 99, "added", "changed", nil, "last" }, {
        found.k0000, found.k0001, found.k0099, found.k00995, found.k0100, found.k0101, found.k9,
      })
      assert.equal("k0000", keys[1])
      assert.equal("k9", keys[#keys])
      assert.are.same({ "k00995" }, store:keys "k00995")
    end)
    assert.equal(251, #store:keys "k")
  end)

  it("can be emptied, or changed, while a turn goes through it", function()
    fill(450)
    within_turn(function()
      local n = 0
      for key, value in store:each "k" do
        n = n + 1
        assert.equal(n, value)
        if n % 2 == 0 then
          store:delete(key)
        else
          store:set(key, -value)
        end
      end
      assert.equal(450, n)
      assert.equal(225, #store:keys "k")
    end)
    assert.are.same({ 225, -449 }, { #store:keys "k", (store:get "k0449") })
  end)

  it("has all that stays, while other turns change the rest", function()
    fill(600)
    local found = {}
    for key in store:each "k" do
      found[#found + 1] = key
      if #found % 50 == 0 then
        within_turn(function()
          store:delete(key)
          store:set(("k%04d"):format(#found - 10), "changed")
          store:set(key .. "x", "added")
        end)
      end
    end
    local is_there = {}
    for _, key in ipairs(found) do
      assert.is_nil(is_there[key], "twice: " .. key)
      is_there[key] = true
    end
    for i = 1, 600 do
      assert.is_true(is_there[("k%04d"):format(i)])
    end
  end)

  it("sees no conflicts", function()
    fill(3)
    local runs = 0
    within_turn(function()
      runs = runs + 1
      assert.equal(3, #store:keys "k")
      assert.equal(3, #all_of(store, "k"))
      local err = it_:turn(nil, function()
        store:set("k0001", "changed")
        store:delete "k0002"
      end)
      assert.is_nil(err)
      store:set("count", 3)
    end)
    assert.equal(1, runs)
  end)

  -- What `get` has read does, so the list above is not free of conflicts because nothing is noticed.
  it("differs in that from a value that was read", function()
    fill(3)
    local runs = 0
    within_turn(function()
      runs = runs + 1
      store:get "k0001"
      if runs == 1 then
        assert.is_nil(it_:turn(nil, function()
          store:set("k0001", "changed")
        end))
      end
      store:set("count", 3)
    end)
    assert.equal(2, runs)
  end)

  -- A page of a million values is as small as one of a hundred.
  it("takes no memory for what is gone through, outside of handlers", function()
    within_turn(function()
      for i = 1, 2000 do
        store:set(("k%04d"):format(i), ("x"):rep(10000))
      end
    end)
    within_turn(function()
      collectgarbage()
      local before, peak = collectgarbage "count", 0
      local n = 0
      for _ in store:each "k" do
        n = n + 1
        if n % 100 == 50 then
          collectgarbage()
          peak = math.max(peak, collectgarbage "count" - before)
        end
      end
      assert.equal(2000, n)
      assert.is_true(peak < 5000, peak .. " KiB for 20 MB of values")
    end)
  end)
end)

describe("a list of bot.store in a dialog", function()
  after_each(talk.finish)

  local function fill(bot)
    for i = 1, 150 do
      assert(bot.store:set(("k%03d"):format(i), i))
    end
  end

  for _, how in ipairs { "resident", "rebuilt" } do
    it("is the same after a wait within it, whatever has changed: " .. how, function()
      local ran = 0
      talk.begin(function(bot)
        bot:dialog("it", function(chat)
          ran = ran + 1
          local keys, sum = bot.store:keys "k", 0
          for key, value in bot.store:each "k" do
            sum = sum + value
            if key == "k010" or key == "k120" then
              chat:ask(key .. "?")
            end
          end
          chat:reply_text(("%d keys, last %s, sum %d"):format(#keys, keys[#keys], sum))
        end)
      end)
      fill(talk.bot)
      talk.say "go"
      for answer = 1, 2 do
        if answer == 1 then
          -- In the page that was read, and in one that was not.
          assert(talk.bot.store:set("k020", 1000))
          assert(talk.bot.store:set("k130", 1130))
          assert(talk.bot.store:delete "k140")
          assert(talk.bot.store:delete "k005")
        end
        if how == "rebuilt" then
          talk.all:kill()
        end
        talk.say "yes"
      end
      local sum = 150 * 151 // 2 + 1000 - 140
      assert.are.same({ "k010?", "k120?", ("150 keys, last k150, sum %d"):format(sum) }, talk.said())
      assert.equal(how == "rebuilt" and 3 or 1, ran)
      assert.equal("", talk.logged())
      assert.are.same({}, talk.stored())
    end)

    it("has what the dialog itself has changed, before a wait and after it: " .. how, function()
      talk.begin(function(bot)
        bot:dialog("it", function(chat)
          bot.store:set("m\xff1", "before")
          local seen = {}
          for key, value in bot.store:each "m" do
            seen[#seen + 1] = value
            chat:ask(value .. "?")
            bot.store:delete(key)
          end
          bot.store:set("m2", "after")
          chat:reply_text(table.concat(all_of(bot.store, "m"), " ") .. #seen)
        end)
      end)
      talk.say "go"
      if how == "rebuilt" then
        talk.all:kill()
      end
      talk.say "yes"
      assert.are.same({ "before?", "m2=after1" }, talk.said())
      assert.are.same({ "m2" }, talk.bot.store:keys "m")
    end)
  end
end)
