-- SPDX-License-Identifier: MIT
-- Results of transcripts as text: for a terminal with colours or without, and as JUnit's XML, which build servers read.

local words = require "cunnekt.base.words"

local report = {}

-- ---- text ------------------------------------------------------------------------------------------------------------------

---@class cunnekt.testing.style
---@field bad fun(text: string): string
---@field good fun(text: string): string
---@field strong fun(text: string): string

local function colour(code)
  return function(text)
    return ("\27[%sm%s\27[0m"):format(code, text)
  end
end

local function same(text)
  return text
end

---@type cunnekt.testing.style
report.colours = { bad = colour "31", good = colour "32", strong = colour "1" }
---@type cunnekt.testing.style
report.plain = { bad = same, good = same, strong = same }

---What a transcript is called: its file, and its name or the line where it begins.
---@param transcript cunnekt.testing.transcript
---@return string
function report.name_of(transcript)
  local name = transcript.name and ": " .. transcript.name or ""
  return ("%s:%d%s"):format(transcript.path, transcript.line, words.plain(name))
end

-- Differences and printed lines that are shown of one transcript.
local max_problems, max_printed = 20, 20

local function indented(text)
  return (text:gsub("\n", "\n  "))
end

---What did not come as a transcript says, a line for each place, expected and got.
---@param result cunnekt.testing.result
---@param style cunnekt.testing.style
---@return string several lines, each with its line end
function report.failure(result, style)
  local lines, path = {}, result.transcript.path
  for i = 1, math.min(#result.problems, max_problems) do
    local problem = result.problems[i]
    lines[#lines + 1] = style.strong(("%s:%d: %s"):format(path, problem.line, indented(problem.message)))
    if problem.expected then
      lines[#lines + 1] = style.bad("  - " .. words.plain(problem.expected))
    end
    if problem.got then
      lines[#lines + 1] = style.good("  + " .. words.plain(problem.got))
    end
  end
  if #result.problems > max_problems then
    lines[#lines + 1] = ("%s: and %d more differences"):format(path, #result.problems - max_problems)
  end
  for i = math.max(1, #result.printed - max_printed + 1), #result.printed do
    lines[#lines + 1] = "  printed: " .. words.plain(result.printed[i])
  end
  return table.concat(lines, "\n") .. "\n"
end

---The last line.
---@param results cunnekt.testing.result[]
---@param style cunnekt.testing.style
---@return string
function report.summary(results, style)
  local failed, seconds = 0, 0
  for _, result in ipairs(results) do
    failed = failed + (#result.problems > 0 and 1 or 0)
    seconds = seconds + result.seconds
  end
  local text = ("%s, %s in %.2f s\n"):format(words.count(#results, "transcript"), failed == 0 and "all passed" or failed .. " failed", seconds)
  return (failed == 0 and style.good or style.bad)(text:sub(1, -2)) .. "\n"
end

---The handlers, dialogs and jobs that no transcript reached.
---@param missed {path: string, line: integer, what: string}[]
---@param total integer
---@return string several lines; empty when all were reached
function report.missed(missed, total)
  if #missed == 0 then
    return ""
  end
  local lines = { ("no transcript reached %d of %d handlers, dialogs and jobs:"):format(#missed, total) }
  for _, entry in ipairs(missed) do
    lines[#lines + 1] = ("  %s:%d: %s"):format(entry.path, entry.line, entry.what)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- JUnit -----------------------------------------------------------------------------------------------------------------

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- XML 1.0 has no other control characters, and bytes that are no UTF-8 would make the file unreadable.
local function xml(text)
  if not utf8.len(text) then
    text = text:gsub("[\x80-\xff]", "?")
  end
  return (text:gsub('[&<>"]', entities):gsub("[\0-\8\11\12\14-\31\127]", "?"))
end

---Results as JUnit's XML: a test case for each transcript.
---@param results cunnekt.testing.result[]
---@return string
function report.junit(results)
  local cases, failures, seconds = {}, 0, 0
  for _, result in ipairs(results) do
    local transcript = result.transcript
    local open = ('    <testcase classname="%s" name="%s" time="%.3f"'):format(
      xml(transcript.path), xml(report.name_of(transcript)), result.seconds)
    seconds = seconds + result.seconds
    if #result.problems == 0 then
      cases[#cases + 1] = open .. "/>\n"
    else
      failures = failures + 1
      cases[#cases + 1] = ('%s>\n      <failure message="%s">%s</failure>\n    </testcase>\n'):format(
        open, xml(words.first_line(result.problems[1].message)), xml(report.failure(result, report.plain)))
    end
  end
  local counts = ('tests="%d" failures="%d" time="%.3f"'):format(#results, failures, seconds)
  return ('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites %s>\n  <testsuite name="cunnekt test" %s>\n%s  </testsuite>\n</testsuites>\n'):format(
    counts, counts, table.concat(cases))
end

return report
