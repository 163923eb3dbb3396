-- SPDX-License-Identifier: MIT
local errors = require "cunnekt.base.errors"
local options = require "cunnekt.base.options"

local spec = { timeout = "number", retries = "integer", name = "string|table", unknown = { "hold", "fail" } }

local function open(opts)
  local checked = options.check("cunnekt.thing", opts, spec)
  return checked
end

describe("options", function()
  it("pass what fits, and take nil for none", function()
    assert.are.same({}, open(nil))
    assert.are.same({ timeout = 1.5, retries = 2, name = {} }, open { timeout = 1.5, retries = 2, name = {} })
    assert.are.same({ retries = 2.0 }, open { retries = 2.0 })
  end)

  it("name the function, the option and what may be meant", function()
    assert.error_matches(function()
      open { tmeout = 1 }
    end, "cunnekt.thing: unknown option 'tmeout' %(did you mean 'timeout'%?%)")
    assert.error_matches(function()
      open { zebra = 1 }
    end, "known: name, retries, timeout, unknown")
    assert.error_matches(function()
      open { [1] = 1 }
    end, "unknown option '1'")
  end)

  it("name the type that is wanted and the one that came", function()
    assert.error_matches(function()
      open { timeout = "5" }
    end, "option 'timeout' must be a number, got string")
    assert.error_matches(function()
      open { retries = 1.5 }
    end, "must be an integer, got number")
    assert.error_matches(function()
      open { name = true }
    end, "must be a string or a table, got boolean")
    assert.error_matches(function()
      open { unknown = "held" }
    end, "must be one of: hold, fail; got held")
    assert.error_matches(function()
      open "x"
    end, "options must be a table, got string")
  end)

  it("blame the line that called", function()
    local ok, message = pcall(function()
      open { tmeout = 1 }
    end)
    assert.is_false(ok)
    assert.matches("options_spec.lua", message)
  end)
end)

describe("errors", function()
  it("print as a sentence and keep a stable kind", function()
    local err = errors.new("rejected", "the provider says no", { code = 131047 })
    assert.equal("rejected: the provider says no (code 131047)", tostring(err))
    assert.is_true(errors.is(err))
    assert.is_false(errors.is {})
    assert.is_false(errors.is "x")
  end)
end)
