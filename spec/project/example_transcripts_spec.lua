-- SPDX-License-Identifier: MIT
-- The transcript at the end of an example is what happens, by `cunnekt test`.

local lfs = require "lfs"
local process = require "spec.support.process"
local report = require "cunnekt.testing.report"
local testing = require "cunnekt.testing"

-- Those that serve no bot of their own, or play themselves.
local has_none = { ["notify.lua"] = true, ["order_api.lua"] = true, ["demo_player.lua"] = true }

describe("the transcript of", function()
  local home, folder = lfs.currentdir(), nil

  before_each(function() -- examples write files
    folder = process.folder()
    assert(lfs.chdir(folder.path))
  end)

  after_each(function()
    lfs.chdir(home)
  end)

  for name in lfs.dir "examples" do
    if name:find "%.lua$" and not has_none[name] then
      it(name, function()
        local transcripts = assert(testing.read(home .. "/examples/" .. name))
        assert(#transcripts > 0, "the example has no transcript")
        for _, transcript in ipairs(transcripts) do
          local result = testing.play(transcript)
          assert(#result.problems == 0, "\n" .. report.failure(result, report.plain))
        end
      end)
    end
  end
end)
