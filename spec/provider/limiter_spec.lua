-- SPDX-License-Identifier: MIT
-- Both limits on a clock that stands still: how many at once, how fast after that, and what is remembered.

local clock = require "cunnekt.time.clock"
local limiter = require "cunnekt.provider.limiter"

local virtual

before_each(function()
  virtual = clock.virtual():install()
end)

after_each(function()
  virtual:uninstall()
end)

-- How many tokens can be taken without a wait.
local function taken(limits, contact, most)
  local count = 0
  while count < most and limits:delay(contact(count)) == 0 do
    count = count + 1
  end
  return count
end

local function one()
  return "919999999999"
end

local function many(i)
  return "91" .. i
end

local function about(expected, actual)
  assert.is_true(math.abs(expected - actual) < 1e-6, ("expected about %g, got %g"):format(expected, actual))
end

describe("the number's limit", function()
  it("lets 80 go at once, then 80 a second, by default", function()
    local limits = limiter.new()
    assert.are.equal(80, taken(limits, many, 1000))
    about(1 / 80, limits:delay "x")
    virtual:advance(0.5)
    assert.are.equal(40, taken(limits, many, 1000))
    virtual:advance(3600)
    assert.are.equal(80, taken(limits, many, 1000))
  end)

  it("never lets more than rate and burst go, over any time", function()
    local limits = limiter.new { rate = 10, pair_rate = 0 }
    local count = 0
    for _ = 1, 1000 do
      count = count + taken(limits, many, 1000)
      virtual:advance(0.013)
    end
    assert.is_true(count <= 10 + 13 * 10 and count >= 13 * 10 - 1, count)
  end)

  it("takes rates below one a second, and 0 for none", function()
    local slow = limiter.new { rate = 0.5 }
    assert.are.equal(1, taken(slow, many, 100))
    about(2, slow:delay "x")
    assert.are.equal(5000, taken(limiter.new { rate = 0 }, many, 5000))
  end)
end)

describe("a contact's limit", function()
  it("lets 45 go at once, then one in 6 seconds, for that contact alone", function()
    local limits = limiter.new { rate = 0 }
    assert.are.equal(45, taken(limits, one, 1000))
    about(6, limits:delay(one()))
    assert.are.equal(0, limits:delay "another")
    virtual:advance(6)
    assert.are.equal(1, taken(limits, one, 1000))
    virtual:advance(45 * 6)
    assert.are.equal(45, taken(limits, one, 1000))
  end)

  it("is none with 0", function()
    assert.are.equal(500, taken(limiter.new { rate = 0, pair_rate = 0 }, one, 500))
  end)

  it("takes no token of the number while the contact must wait", function()
    local limits = limiter.new { rate = 100 }
    assert.are.equal(45, taken(limits, one, 1000))
    for _ = 1, 500 do
      assert.is_true(limits:delay(one()) > 0)
    end
    assert.are.equal(55, taken(limits, many, 1000))
  end)
end)

describe("reservations", function()
  it("line up in the order in which they were asked for", function()
    local limits = limiter.new { rate = 2, pair_rate = 0 }
    local waits = {}
    for i = 1, 5 do
      waits[i] = limits:reserve_number()
    end
    for i, expected in ipairs { 0, 0, 0.5, 1, 1.5 } do
      about(expected, waits[i])
    end
  end)

  it("of one contact don't move another's", function()
    local limits = limiter.new { rate = 0, pair_rate = 1, pair_burst = 1 }
    assert.are.equal(0, limits:reserve_pair "a")
    about(1, limits:reserve_pair "a")
    about(2, limits:reserve_pair "a")
    assert.are.equal(0, limits:reserve_pair "b")
  end)
end)

describe("after 131056", function()
  it("waits 1, 4, 16, … seconds, for that contact alone, until one gets through", function()
    local limits = limiter.new()
    for _, expected in ipairs { 1, 4, 16, 64, 256 } do
      about(expected, limits:penalise "a")
      about(expected, limits:delay "a")
      assert.are.equal(0, limits:delay "b")
      virtual:advance(expected)
      assert.are.equal(0, limits:delay "a")
    end
    limits:forgive "a"
    about(1, limits:penalise "a")
  end)

  it("stops growing at a little over an hour", function()
    local limits = limiter.new()
    local wait
    for _ = 1, 100 do
      wait = limits:penalise "a"
    end
    assert.are.equal(4096, wait)
  end)
end)

describe("the memory of contacts", function()
  it("is dropped when they are quiet", function()
    local limits = limiter.new { rate = 0 }
    for i = 1, 20000 do
      limits:delay("quiet" .. i)
    end
    limits:penalise "penalised"
    assert.is_true(limits:remembered() >= 20000)
    for i = 1, 12000 do
      limits:delay("busy" .. i % 10)
      virtual:advance(0.1)
    end
    assert.is_true(limits:remembered() < 50, limits:remembered())
  end)

  it("is not dropped while it matters", function()
    local limits = limiter.new { rate = 0 }
    for _ = 1, 100 do
      limits:reserve_pair "waiting"
    end
    for i = 1, 3000 do
      limits:delay("other" .. i)
      virtual:advance(0.1)
    end
    -- 100 tokens of 6 s each were taken, and 300 s have passed.
    about(55 * 6 - 300 + 6, limits:delay "waiting")
  end)

  it("costs little for each message, with 200,000 contacts", function()
    local limits = limiter.new { rate = 0 }
    local started = os.clock()
    for i = 1, 200000 do
      limits:delay(i)
      if i % 100 == 0 then
        virtual:advance(1)
      end
    end
    -- Some 2 µs each; an order of magnitude is left for slow machines and sanitizers.
    assert.is_true(os.clock() - started < 20)
  end)
end)
