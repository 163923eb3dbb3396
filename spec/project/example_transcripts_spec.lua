-- SPDX-License-Identifier: MIT
-- The transcript at the end of an example is what happens. How it is played: support/manual.lua.

local manual = require "spec.support.manual"
local lfs = require "lfs"

-- Those that serve no bot of their own, or play themselves.
local has_none = { ["notify.lua"] = true, ["order_api.lua"] = true, ["demo_player.lua"] = true }

describe("the transcript of", function()
  local stage

  before_each(function()
    stage = manual.stage()
  end)

  after_each(function()
    stage:close()
  end)

  for name in lfs.dir "examples" do
    if name:find "%.lua$" and not has_none[name] then
      local block = manual.script("examples/" .. name) -- read before the stage is in a folder of its own
      it(name, function()
        assert(#block.steps > 0, "the example has no transcript")
        stage:play(block)
      end)
    end
  end
end)
