-- SPDX-License-Identifier: MIT
-- The figures of the rounds: medians, and the medians of each round's own ratios, as tables.

local report = {}

local columns = {
  { "rate", "per second", "%.0f" },
  { "p50_ms", "p50 ms", "%.1f" },
  { "p99_ms", "p99 ms", "%.1f" },
  { "cpu_us", "CPU µs each: hosts", "%.0f" },
  { "first_cpu_us", "the first of them", "%.0f" },
  { "database_cpu_us", "database", "%.0f" },
  { "first_ms", "first answer ms", "%.0f" },
  { "cpu_ms", "host's CPU ms until then", "%.0f" },
  { "rss_kb", "host's MB", "%.0f", 1024 },
}

local function median(values)
  table.sort(values)
  local n = #values
  return n > 0 and (values[(n + 1) // 2] + values[n // 2 + 1]) / 2 or nil
end

---The figures of one measurement on a line.
function report.line(figures)
  local parts = {}
  for _, column in ipairs(columns) do
    local value = figures[column[1]]
    parts[#parts + 1] = value and ("%s %g"):format(column[1], value) or nil
  end
  return table.concat(parts, "  ")
end

function report.add(results, group, one, round, figures)
  local lines = results[group.group] or {}
  results[group.group] = lines
  lines[one[1]] = lines[one[1]] or {}
  lines[one[1]][round] = figures
end

local function figure(line, field)
  local values = {}
  for _, figures in pairs(line) do
    values[#values + 1] = figures[field]
  end
  return median(values)
end

local function ratio(line, other, field)
  local values = {}
  for round, figures in pairs(line) do
    values[#values + 1] = other[round] and figures[field] / other[round][field] or nil
  end
  return median(values)
end

local function add_table(out, group, lines)
  local used = {}
  for _, column in ipairs(columns) do
    for _, one in ipairs(group) do
      if figure(lines[one[1]], column[1]) then
        used[#used + 1] = column
        break
      end
    end
  end
  local head, rule = ("| %s |"):format(group.title), "| --- |"
  for _, column in ipairs(used) do
    head, rule = ("%s %s |"):format(head, column[2]), rule .. " ---: |"
    if column[1] == group.field then
      head, rule = head .. " × |", rule .. " ---: |"
    end
  end
  out[#out + 1], out[#out + 2] = head, rule
  for _, one in ipairs(group) do
    local line = lines[one[1]]
    local row = ("| %s |"):format(one[1])
    for _, column in ipairs(used) do
      local value = figure(line, column[1])
      row = row .. (value and (" " .. column[3] .. " |"):format(value / (column[4] or 1)) or " |")
      if column[1] == group.field then
        row = row .. (" %.2f |"):format(ratio(line, lines[one.against or group[1][1]], group.field))
      end
    end
    out[#out + 1] = row
  end
  out[#out + 1] = ""
end

---Writes the tables, and prints them.
---@param plan table groups
---@param results table<string, table> group → line → round → figures
---@param about string
---@param path string
function report.write(plan, results, about, path)
  local out = { about .. " Ratios (×) are of the same round.", "" }
  for _, group in ipairs(plan) do
    if results[group.group] then
      add_table(out, group, results[group.group])
    end
  end
  local text = table.concat(out, "\n")
  local file <close> = assert(io.open(path, "w"))
  file:write(text, "\n")
  print("\n" .. text)
end

return report
