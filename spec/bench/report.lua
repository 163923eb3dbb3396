-- SPDX-License-Identifier: MIT
-- What the figures of several rounds amount to: medians, ratios of one round, goals; as a table and a chart.
local chart = require "chart"

local report = {}

local function median(values)
  table.sort(values)
  local n = #values
  return n == 0 and 0 / 0 or (values[(n + 1) // 2] + values[n // 2 + 1]) / 2
end

-- The figures of one round on a line.
function report.line(figures)
  local parts = {}
  for _, name in ipairs { "rate", "p50_ms", "p99_ms", "cpu_us", "rss_kb", "start_ms", "first_ms", "cpu_ms" } do
    if figures[name] then
      parts[#parts + 1] = ("%s %g"):format(name, figures[name])
    end
  end
  return table.concat(parts, "  ")
end

local function figure(group, name, field)
  local values = {}
  for _, round in ipairs(group.rounds) do
    if round[name] and round[name][field] then
      values[#values + 1] = round[name][field]
    end
  end
  return #values > 0 and median(values) or nil
end

-- The median of each round's own ratio.
local function ratio(group, field, ours, theirs)
  local values = {}
  for _, round in ipairs(group.rounds) do
    if round[ours] and round[theirs] then
      values[#values + 1] = round[ours][field] / round[theirs][field]
    end
  end
  return median(values)
end

-- group, what is compared, field, ours, theirs, what the ratio must be, what it should be; ">" at least, "<" at most. A goal
-- without a bound that must hold has nil there.
local goals = {
  { "pipeline", "event to message, durable, against nginx with Lua that stores nothing", "rate", "cunnekt", "nginx + Lua", ">", 0.8, 1.0 },
  { "pipeline", "the same against Bun with SQLite, durable", "rate", "cunnekt", "Bun + SQLite", ">", 1.0, 1.3 },
  { "pipeline", "the same against Node with undici in memory", "rate", "cunnekt", "Node", ">", 1.5, 2 },
  { "pipeline", "the same against Node with better-sqlite3 and undici, durable", "rate", "cunnekt", "Node + SQLite", ">", 2, 2.5 },
  { "pipeline", "the same against whatsapp-api-js in memory", "rate", "cunnekt", "whatsapp-api-js", ">", 10, 12 },
  { "latency", "p99 at 3,000 events/s, against Bun with SQLite", "p99_ms", "cunnekt", "Bun + SQLite", "<", 1.0, 1.0 },
  { "latency", "the same against Node in memory", "p99_ms", "cunnekt", "Node", "<", nil, 0.5 },
  { "receive", "durable receive, against nginx with Lua that stores nothing", "rate", "cunnekt", "nginx + Lua", ">", 0.8, 1.0 },
  { "receive", "the same, p99", "p99_ms", "cunnekt", "nginx + Lua", "<", 2, 1.5 },
  { "send", "sending, against undici", "rate", "cunnekt", "undici", ">", 1.3, 2 },
  { "send", "sending, against bare libcurl", "rate", "cunnekt", "libcurl", ">", nil, 1.5 },
  { "start", "start-up to listening, against Node", "start_ms", "cunnekt", "Node", "<", nil, 0.1 },
  { "conversations", "CPU for an event, 1,000,000 conversations against 1,000", "cpu_us", "1000000", "1000", "<", 1.2, 1.2 },
}

local most_memory_mb, longest_first_ms = 24, 1000

local titles = {
  receive = "Receive: 473-byte webhooks, 64 connections",
  pipeline = "Webhook in, message out: 64 events under way",
  latency = "Webhook in, message out: 3,000 events a second",
  send = "Send only: 150-byte messages, 64 under way",
  start = "Start to listening; memory when idle",
  pending = "Start to the first answer, by events in the store",
  conversations = "Webhook in, message out, by conversations in the store",
}
local order = { "pipeline", "latency", "receive", "send", "start", "pending", "conversations" }

-- What the programs of a group do with an event before they answer it.
local stores = {
  cunnekt = "the event",
  ["Bun + SQLite"] = "the event",
  ["Node + SQLite"] = "the event",
  ["nginx + Lua"] = "nothing",
  ["Node"] = "nothing",
  ["whatsapp-api-js"] = "nothing",
}
local storing_groups = { pipeline = true, latency = true, receive = true }

local columns = {
  { "rate", "per second", "%.0f" },
  { "p50_ms", "p50 ms", "%.2f" },
  { "p99_ms", "p99 ms", "%.2f" },
  { "cpu_us", "CPU µs each", "%.0f" },
  { "start_ms", "start ms", "%.1f" },
  { "first_ms", "first answer ms", "%.0f" },
  { "cpu_ms", "CPU ms until then", "%.0f" },
  { "rss_kb", "RSS MB", "%.0f", 1024 },
  { "peak_kb", "peak MB", "%.0f", 1024 },
}

local function cell(group, name, column)
  local value = figure(group, name, column[1])
  return value and column[3]:format(value / (column[4] or 1)) or ""
end

local function add_tables(out, results)
  for _, key in ipairs(order) do
    local group = results[key]
    if group then
      local used = {}
      for _, column in ipairs(columns) do
        if figure(group, group.names[1], column[1]) then
          used[#used + 1] = column
        end
      end
      local head, line = "| " .. titles[key] .. " |", "| --- |"
      if storing_groups[key] then
        head, line = head .. " stored before the 200 |", line .. " --- |"
      end
      for _, column in ipairs(used) do
        head, line = head .. " " .. column[2] .. " |", line .. " ---: |"
      end
      out[#out + 1], out[#out + 2] = head, line
      for _, name in ipairs(group.names) do
        local row = "| " .. name .. " |"
        if storing_groups[key] then
          row = row .. " " .. stores[name] .. " |"
        end
        for _, column in ipairs(used) do
          row = row .. " " .. cell(group, name, column) .. " |"
        end
        out[#out + 1] = row
      end
      out[#out + 1] = ""
    end
  end
end

local function is_within(bound, value, limit)
  if bound == ">" then
    return value >= limit
  end
  return value <= limit
end

local function verdict(bound, value, must, goal)
  if must and not is_within(bound, value, must) then
    return "missed"
  elseif is_within(bound, value, goal) then
    return "goal met"
  end
  return must and "met" or "goal missed"
end

local function add_goals(out, results)
  out[#out + 1] = "| compared | must be | goal | measured | by CPU time | |"
  out[#out + 1] = "| --- | ---: | ---: | ---: | ---: | --- |"
  for _, one in ipairs(goals) do
    local group, title, field, ours, theirs, bound, must, goal = table.unpack(one, 1, 8)
    if results[group] then
      local value = ratio(results[group], field, ours, theirs)
      local sign = bound == ">" and "≥" or "≤"
      -- What one core could do if nobody else had it: others disturb a rate more than the time that was used.
      local by_cpu = field == "rate" and ("%.2f ×"):format(1 / ratio(results[group], "cpu_us", ours, theirs)) or ""
      out[#out + 1] = ("| %s | %s | %s %g × | %.2f × | %s | %s |"):format(
        title, must and ("%s %g ×"):format(sign, must) or "", sign, goal, value, by_cpu, verdict(bound, value, must, goal))
    end
  end
  local peak = results.pipeline and figure(results.pipeline, "cunnekt", "peak_kb")
  if peak then
    out[#out + 1] = ("| memory at full load | ≤ %d MB | ≤ %d MB | %.0f MB | | %s |"):format(most_memory_mb, most_memory_mb, peak / 1024,
      verdict("<", peak / 1024, most_memory_mb, most_memory_mb))
  end
  local first = results.pending and figure(results.pending, "100000", "first_ms")
  if first then
    out[#out + 1] = ("| start with 100,000 pending events, to the first answer | ≤ %d ms | ≤ %d ms | %.0f ms | | %s |"):format(
      longest_first_ms, longest_first_ms, first, verdict("<", first, longest_first_ms, longest_first_ms))
  end
end

local function bars(results)
  local groups = {}
  for _, key in ipairs { "pipeline", "receive", "send" } do
    local group = results[key]
    if group then
      local made = { title = titles[key] .. ", per second" }
      for i, name in ipairs(group.names) do
        made[i] = { name = name .. (storing_groups[key] and stores[name] ~= "nothing" and ", durable" or ""), value = figure(group, name, "rate"), is_ours = name == "cunnekt" }
      end
      groups[#groups + 1] = made
    end
  end
  return groups
end

---Writes the table and the chart, and prints the table.
---@param results table group → {names, rounds}
---@param about {rounds: integer, seconds: integer, where: string}
---@param table_path string
---@param chart_path string
function report.write(results, about, table_path, chart_path)
  local out = {
    ("Medians of %d interleaved rounds of %d s each, on %s. Ratios are of the same round."):format(
      about.rounds, about.seconds, about.where),
    "",
  }
  add_goals(out, results)
  out[#out + 1] = ""
  add_tables(out, results)
  local text = table.concat(out, "\n")
  local file = assert(io.open(table_path, "w"))
  file:write(text, "\n")
  file:close()
  print("\n" .. text)
  file = assert(io.open(chart_path, "w"))
  file:write(chart.bars(bars(results)))
  file:close()
end

return report
