-- SPDX-License-Identifier: MIT
local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local log = require "cunnekt.base.log"

describe("the log", function()
  local write, lines

  before_each(function()
    write, lines = log.write, {}
    log.write = function(line)
      lines[#lines + 1] = line
    end
  end)

  after_each(function()
    log.write = write
    log.configure "info,text"
  end)

  it("names the level of all but information", function()
    log.info("a %s", "line")
    log.warn "100 % sure"
    log.error "bad"
    assert.same({ "cunnekt: a line", "cunnekt: warning: 100 % sure", "cunnekt: error: bad" }, lines)
  end)

  it("writes one object a line as JSON", function()
    assert.is_nil(log.configure "json")
    log.warn("first\n%s", "second")
    local line = assert(json.decode(lines[1]))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", line.time)
    assert.same({ "warning", "first\nsecond" }, { line.level, line.msg })
    assert.not_matches("\n", lines[1])
  end)

  it("gives steps a time, and names and values", function()
    local time = core.virtual_clock(1700000000.25)
    time:install()
    log.debug("route", "event", 7, "to", "on:1 text", "nothing", nil)
    time:uninstall()
    assert.matches("^cunnekt: debug: %d%d:%d%d:20.250 route event=7 to=on:1_text$", lines[1])
    log.configure "json"
    log.debug("send", "message", 9)
    assert.equal(9, json.decode(lines[2]).message)
  end)

  it("is asked for by words, and says which one means nothing", function()
    assert.is_nil(log.configure "debug,json")
    assert.is_true(log.is_debug)
    assert.equal("'loud' is none of: debug, info, json, text", log.configure "debug loud")
    assert.is_nil(log.configure(nil))
    log.configure "info"
    assert.is_false(log.is_debug)
  end)
end)
