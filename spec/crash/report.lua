-- SPDX-License-Identifier: MIT
-- What a torture test says: a line for each check, and the counts as the last line, as busted's own output ends.

local clock = require "cunnekt.time.clock"

local report = { passed = 0, failed = 0 }

local began = clock.monotonic()

---@param name string what is promised
---@param is_kept any
---@param details string?
function report.check(name, is_kept, details)
  local word = is_kept and "ok    " or "NOT OK"
  report[is_kept and "passed" or "failed"] = report[is_kept and "passed" or "failed"] + 1
  print(("%s  %s%s (%.0f s)"):format(word, name, details and ": " .. details or "", clock.monotonic() - began))
  io.stdout:flush()
  return is_kept
end

function report.say(format, ...)
  print("        " .. format:format(...))
  io.stdout:flush()
end

---The number after a word of the command line, such as --cycles 200.
---@param name string
---@param otherwise number
function report.option(name, otherwise)
  for i, word in ipairs(arg) do
    if word == "--" .. name then
      return tonumber(arg[i + 1]) or otherwise
    end
  end
  return otherwise
end

-- How often a control is played before it counts as not noticed: what it breaks takes a moment that a fault may miss.
local control_plays = 10

---A broken variant, of which the verdict must tell.
---@param name string of what is broken
---@param faults string[]? of which the verdict must count one; nil: any
---@param play fun(number: integer): table the verdict of one play, the first one is 1
function report.control(name, faults, play)
  local seen, verdict = 0, nil
  for number = 1, control_plays do
    verdict = play(number)
    seen = faults and 0 or verdict.total
    for _, fault in ipairs(faults or {}) do
      seen = seen + (verdict.counts[fault] or 0)
    end
    if seen > 0 then
      break
    end
  end
  report.check(("control %s is reported"):format(name), seen > 0, verdict:describe())
end

---The last line, and the end of the program.
function report.finish()
  print(("%d passed, %d failed"):format(report.passed, report.failed))
  io.stdout:flush()
  os.exit(report.failed == 0 and 0 or 1, true)
end

return report
