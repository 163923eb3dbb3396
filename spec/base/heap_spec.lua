-- SPDX-License-Identifier: MIT
-- The queue by time: whatever is pushed and popped in between, the earliest comes first.

local heap = require "cunnekt.base.heap"

describe("heap", function()
  it("gives entries in the order of their time, pushed and popped at random", function()
    math.randomseed(3)
    local queue, model = heap.new(), {}
    assert.is_nil(queue:first())
    assert.is_nil(queue:pop())
    for _ = 1, 5000 do
      if math.random(5) <= 3 then
        local entry = { at = math.random(1, 300) }
        queue:push(entry)
        table.insert(model, entry.at)
        table.sort(model)
      else
        local first = queue:first()
        local popped = queue:pop()
        assert.equal(first, popped)
        assert.equal(table.remove(model, 1), popped and popped.at)
      end
    end
    for _, at in ipairs(model) do
      assert.equal(at, queue:pop().at)
    end
    assert.is_nil(queue:pop())
  end)
end)
