-- SPDX-License-Identifier: MIT
-- Power loss: what a disk may hold after a cut at any moment of the store's work, looked into with plain SQLite. The work,
-- the images and the judge are in power_loss.lua; here they are counted.
--
--   cunnekt run spec/crash/power.lua [--images 2000] [--seed N]

local power_loss = require "power_loss"
local report = require "report"

local images = report.option("images", 2000)
local seed = report.option("seed", os.time())

-- Images of one piece of work.
local in_a_run = 1000

-- Runs until there are so many images; gives the sums, and the first bad one.
local function run(count, options)
  local sums, first = { images = 0, lost = 0, corrupt = 0, operations = 0 }, nil
  for i = 1, math.ceil(count / in_a_run) do
    options.images, options.seed = math.min(in_a_run, count - sums.images), seed + i
    local result = power_loss.run(options, function(message)
      first = first or message
    end)
    for name, sum in pairs(sums) do
      sums[name] = sum + (result[name] or 0)
    end
  end
  return sums, ("%d images of %d disk operations: %d lost, %d corrupt%s"):format(sums.images, sums.operations,
    sums.lost, sums.corrupt, first and "; " .. first or "")
end

local function main()
  report.say("power loss, seed %d", seed)
  local kept, words = run(images, {})
  report.check("power loss: nothing acknowledged is lost", kept.lost + kept.corrupt == 0, words)
  kept, words = run(images // 4, { failing_syncs = 2 })
  report.check("power loss after failed syncs", kept.lost + kept.corrupt == 0, words)
  for _, control in ipairs { { synchronous = "normal" }, { synchronous = "off" }, { lying = true } } do
    local name = control.lying and "lying disk" or "synchronous=" .. control.synchronous
    local broken, said = run(300, control)
    report.check(("control %s is reported"):format(name), broken.lost + broken.corrupt > 0, said)
  end
  report.finish()
end

main()
