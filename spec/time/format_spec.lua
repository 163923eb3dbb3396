-- SPDX-License-Identifier: MIT
local clock = require "cunnekt.time.clock"
local format = require "cunnekt.time.format"

describe("an age", function()
  local virtual

  before_each(function()
    virtual = clock.virtual(1000000):install()
  end)

  after_each(function()
    virtual:uninstall()
  end)

  it("is read in seconds, minutes, hours and days", function()
    assert.equal(90, format.read_age "90")
    assert.equal(90, format.read_age "90s")
    assert.equal(90, format.read_age "1.5m")
    assert.equal(7200, format.read_age "2h")
    assert.equal(259200, format.read_age "3d")
  end)

  it("is refused when it is something else", function()
    for _, text in ipairs { "", "soon", "-1h", "1w", "h", "1 h" } do
      local seconds, problem = format.read_age(text)
      assert.is_nil(seconds)
      assert.matches("is not an age such as 90s, 15m, 2h or 3d", problem)
    end
  end)

  it("is shown in the largest unit of which it is at least two", function()
    local ages = { [0] = "0s", [119.5] = "119s", [120] = "2m", [7199] = "119m", [7200] = "2h", [172800] = "2d" }
    for seconds, text in pairs(ages) do
      assert.equal(text, format.age(clock.now() - seconds))
    end
  end)

  it("is none for a time in the future, and a dash for no time", function()
    assert.equal("0s", format.age(clock.now() + 60))
    assert.equal("-", format.age(nil))
  end)
end)

describe("a time", function()
  it("is written with date and seconds", function()
    assert.equal("1970-01-01 00:00:00", format.utc_time(0.9))
    assert.equal("2026-01-31 18:30:00", format.utc_time(1769884200))
    assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d$", format.local_time(1769884200.5))
  end)
end)

describe("a date of HTTP", function()
  it("is read in all of its three forms", function()
    for _, text in ipairs {
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    } do
      assert.equal(784111777, format.read_http_date(text))
    end
  end)

  it("is nothing when it cannot be read", function()
    for _, text in ipairs {
      "", "soon", "Sun, 06 Foo 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:37", "Sun, 29 Feb 1900 00:00:00 GMT",
      "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:00:61 GMT", "Sun,  6 Nov 1994 08:49:37 GMT",
    } do
      assert.is_nil(format.read_http_date(text), text)
    end
    assert.equal(784111777 + 23, format.read_http_date "Sun, 06 Nov 1994 08:49:60 GMT")
  end)

  it("knows leap years", function()
    assert.equal(951782400, format.read_http_date "Tue, 29 Feb 2000 00:00:00 GMT")
    assert.equal(4107542400, format.read_http_date "Mon, 01 Mar 2100 00:00:00 GMT")
    assert.equal(0, format.read_http_date "Thu, 01 Jan 1970 00:00:00 GMT")
  end)
end)
