-- SPDX-License-Identifier: MIT
local clock = require "cunnekt.time.clock"
local filters = require "cunnekt.operate.filters"
local json = require "cunnekt.base.json"

describe("a filter", function()
  local virtual

  before_each(function()
    virtual = clock.virtual(1000):install()
  end)

  after_each(function()
    virtual:uninstall()
  end)

  it("turns ages into times", function()
    local filter = filters.of { older = 60, newer = 600 }
    assert.same({ 940, 400 }, { filter.before, filter.after })
  end)

  it("asks for one row more than is shown", function()
    assert.equal(101, filters.of({}).limit)
    assert.equal(3, filters.of({ limit = 2 }).limit)
    assert.is_nil(filters.of({ limit = 2 }, true).limit)
  end)

  it("takes options of its own beside the usual ones", function()
    local types = filters.types_with { state = { "a", "b" } }
    assert.same({ "a", "b" }, types.state)
    assert.equal("string", types.contact)
    assert.is_nil(filters.types.state)
  end)
end)

describe("a list", function()
  it("is cut to its limit, and says whether there is more", function()
    local function page(rows, args)
      local views, has_more = filters.page(rows, args, function(row)
        return row
      end)
      return { table.move(views, 1, #views, 1, {}), has_more }
    end
    assert.same({ { 1, 2 }, true }, page({ 1, 2, 3 }, { limit = 2 }))
    assert.same({ { 1, 2 }, false }, page({ 1, 2 }, { limit = 2 }))
    assert.same({ {}, false }, page({}, {}))
  end)

  it("shows each row, with or without what is secret", function()
    local args = { reveal = true }
    local views = filters.page({ "a", "b" }, args, function(row, has_to_reveal)
      return { row, has_to_reveal }
    end)
    assert.equal('[["a",true],["b",true]]', json.encode(views))
    assert.equal("[]", json.encode((filters.page({}, args, error))))
  end)
end)
