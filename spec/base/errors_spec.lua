-- SPDX-License-Identifier: MIT
local errors = require "cunnekt.base.errors"

describe("an expected failure", function()
  it("prints as its kind and a sentence, with a code where there is one", function()
    assert.equal("network: no route", tostring(errors.new("network", "no route")))
    assert.equal("rejected: refused (code 131047)", tostring(errors.new("rejected", "refused", { code = 131047 })))
  end)

  it("joins texts as what it prints, and nothing else", function()
    local err = errors.new("network", "no route")
    assert.equal("not sent: network: no route", "not sent: " .. err)
    assert.equal("network: no route, 2 times", err .. ", " .. 2 .. " times")
    assert.equal("network: no routenetwork: no route", err .. err)
    for _, value in ipairs { {}, false, print } do
      local ok, problem = pcall(function()
        return err .. value
      end)
      assert.is_false(ok)
      assert.matches("errors_spec.lua:%d+: attempt to concatenate a " .. type(value), problem)
    end
  end)

  it("keeps its fields", function()
    local err = errors.new("http", "busy", { status = 503, retryable = true })
    assert.same({ "http", "busy", 503, true }, { err.kind, err.message, err.status, err.retryable })
  end)

  it("is told from everything else that is raised", function()
    assert.is_true(errors.is(errors.new("store", "full")))
    for _, value in ipairs { "store: full", { kind = "store", message = "full" }, 7, false } do
      assert.is_false(errors.is(value))
    end
    assert.is_false(errors.is(nil))
  end)
end)
