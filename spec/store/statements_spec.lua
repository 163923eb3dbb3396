-- SPDX-License-Identifier: MIT
-- The compiled SQL: each statement is used, and each that is used is there.

local process = require "spec.support.process"
local rig = require "spec.support.rigs.store_rig"

describe("the statements of the store", function()
  local store, sources

  setup(function()
    local texts = {}
    local pipe <close> = assert(io.popen "find lua/cunnekt/store -name '*.lua'")
    for path in pipe:lines() do
      if not path:find "statements.lua$" then
        texts[#texts + 1] = process.read(path)
      end
    end
    sources = table.concat(texts, "\n")
  end)

  before_each(function()
    store = rig.open()
  end)

  after_each(function()
    store:close()
  end)

  it("are all used", function()
    for name in pairs(store._sql) do
      local is_used = sources:find("sql%." .. name .. "%f[^%w_]") or sources:find(('"%s"'):format(name), 1, true)
      assert.is_truthy(is_used, name .. " is used nowhere")
    end
  end)

  it("are all there", function()
    for name in sources:gmatch "sql%.([%l_]+)%f[^%w_]" do
      assert.is_not_nil(store._sql[name], name .. " is no statement")
    end
  end)
end)
