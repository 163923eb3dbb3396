-- SPDX-License-Identifier: MIT
local errors = require "cunnekt.base.errors"

describe("an expected failure", function()
  it("prints as its kind and a sentence, with a code where there is one", function()
    assert.equal("network: no route", tostring(errors.new("network", "no route")))
    assert.equal("rejected: refused (code 131047)", tostring(errors.new("rejected", "refused", { code = 131047 })))
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
