-- SPDX-License-Identifier: MIT
-- Power loss, at length: see power_loss.lua. `power.lua --images 2000 --seed 1`

local power_loss = require "spec.crash.power_loss"
local report = require "spec.crash.report"

local images = report.option("images", 2000)
local seed = math.tointeger(report.option("seed", os.time()))

-- A recording is good for so many images; then another one is made, with other checkpoints.
local images_each = 1000
-- Every third time syncs of the database fail before the power does.
local kinds = { {}, { wal_pages = 4, in_flight = 100 }, { failing_syncs = 2 } }
-- What breaks the promise, and must be noticed.
local controls = {
  ["commits are not synced"] = { synchronous = "normal" },
  ["nothing is synced"] = { synchronous = "off" },
  ["the disk lies about syncs of the database"] = { lying = true },
}

local function run(kind, from_seed, count, tell)
  local options = { seed = from_seed, images = count }
  for name, value in pairs(kind) do
    options[name] = value
  end
  return power_loss.run(options, tell)
end

local function tell(message)
  report.say("%s", message)
end

local function main()
  report.say("power loss, seed %d", seed)
  local total = { images = 0, lost = 0, corrupt = 0, operations = 0, failed_syncs = 0 }
  for i = 1, math.ceil(images / images_each) do
    local result = run(kinds[i % #kinds + 1], seed + i, math.min(images_each, images - total.images), tell)
    for name, value in pairs(result) do
      total[name] = total[name] + value
    end
  end
  report.check(("%d crash images: nothing lost, nothing corrupt"):format(total.images), total.lost + total.corrupt == 0,
    ("%d lost, %d corrupt; of %d writes and syncs, after %d failed syncs"):format(
      total.lost, total.corrupt, total.operations, total.failed_syncs))
  for name, kind in pairs(controls) do
    local result = run(kind, seed, 200)
    report.check("control: " .. name, result.lost + result.corrupt > 0,
      ("%d lost, %d corrupt of %d"):format(result.lost, result.corrupt, result.images))
  end
  report.finish()
end

main()
