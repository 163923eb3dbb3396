-- SPDX-License-Identifier: MIT
local log = require "cunnekt.base.log"

describe("the log", function()
  local write, lines = log.write, nil

  before_each(function()
    lines = {}
    log.write = function(line)
      lines[#lines + 1] = line
    end
  end)

  after_each(function()
    log.write = write
  end)

  it("has one line per event, with the program and the level", function()
    log.info("listening on %s", "127.0.0.1:8080")
    log.warn("%d messages wait", 2)
    log.error("%s", "no disk")
    assert.same({
      "cunnekt: listening on 127.0.0.1:8080", "cunnekt: warning: 2 messages wait", "cunnekt: error: no disk",
    }, lines)
  end)

  it("takes a text without values as it is", function()
    log.info "100% done"
    assert.same({ "cunnekt: 100% done" }, lines)
  end)
end)
