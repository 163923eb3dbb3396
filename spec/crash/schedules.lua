-- SPDX-License-Identifier: MIT
-- Two engines on one store that take turns in every order: no update of a value or a state is lost, and none is applied twice.
-- The engines and the judge are those of the conformance suite. The control is a build whose turns do not say what they read.
--
--   cunnekt run spec/crash/schedules.lua [--count 10000] [--seed N]

local report = require "report"
local rig = require "rig"
package.path = rig.here .. "/../../?.lua;" .. package.path
local schedules = require "spec.store.conformance.schedules"
local seam_rig = require "spec.support.rigs.seam_rig"

local count = report.option("count", 10000)
local seed = report.option("seed", os.time())

local function count_failures(how_many, is_quick)
  local seam = assert(seam_rig.open_at "memory:")
  local failure, failed = schedules.run(seam, { count = how_many, seed = seed, kind = "plain", is_quick = is_quick })
  seam:close()
  return failed, failure
end

-- The control is this script again, in the other build: it says with its exit status whether something was noticed.
if os.getenv "CRASH_BREAK" then
  os.exit(count_failures(200, true) > 0 and 0 or 1)
end

report.say("schedules, seed %d", seed)
local failed, failure = count_failures(count, false)
report.check(("%d schedules: no update lost, none applied twice"):format(count), failed == 0, failure or "none failed")
local command = ("CRASH_BREAK=no_versions %s run %s/schedules.lua --seed %d"):format(rig.breaking_host, rig.here, seed)
report.check("control no_versions is reported", os.execute(command) == true, "200 schedules")
report.finish()
