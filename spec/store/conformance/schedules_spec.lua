-- SPDX-License-Identifier: MIT
-- The seam: engines that take turns on one store in every order. No update is lost, and none is applied twice. That this
-- finds a store that does not check is shown in breakage_spec.lua.

local schedules = require "spec.store.conformance.schedules"
local seam_rig = require "spec.support.rigs.seam_rig"

seam_rig.describe("engines that share a store", function(open, backend)
  -- A store that syncs takes much longer, and what it checks is the same. spec/crash/schedules.lua runs ten thousand.
  local counts = backend.is_kept and { plain = 300, moving = 200 } or { plain = 1000, moving = 1000 }

  for kind, what in pairs {
    plain = "lose and double nothing in %d random schedules",
    moving = "lose and double nothing in %d random schedules in which values are deleted and made again",
  } do
    it(what:format(counts[kind]), function()
      local seed = os.time()
      local failure, failed = schedules.run(open(), { count = counts[kind], seed = seed, kind = kind })
      assert.equal(0, failed, ("seed %d: %s"):format(seed, failure))
      assert.equal(0, open():counts().events)
    end)
  end
end)
