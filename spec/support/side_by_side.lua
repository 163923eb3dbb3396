-- SPDX-License-Identifier: MIT
-- Runs spec files side by side, each in a process of its own. What a file prints is shown when it failed; the last line
-- has the counts of all. A single file is simply run: its output is shown as it comes.
-- Usage: lua5.4 spec/support/side_by_side.lua JOBS COMMAND [--option=value ...] FILE|FOLDER ...
-- COMMAND runs one file. make/check.mk calls this.

-- They start first, so that at the end nothing waits for them. All others are shorter.
local LONGEST = {
  "spec/project/example_bots_spec.lua", "spec/project/make_spec.lua", "spec/project/example_dialogs_spec.lua", "spec/dialog/replay_spec.lua",
  "spec/store/sqlite/faults_spec.lua", "spec/store/conformance/schedules_spec.lua",
}
local SLOWEST_NAMED = 5

-- The files of folders; everything else is named as it is given.
local LIST = [[for path; do test -d "$path" && find "$path" -name '*_spec.lua' | LC_ALL=C sort || echo "$path"; done]]

-- Runs one file and prints a line when it has ended. The file gets a session of its own where the system can do that, so
-- that an interrupt also ends the programs that it started. After 255 xargs starts no other file.
local RUN_ONE = [[
eval "exec $(command -v setsid) $COMMAND \"\$1\"" </dev/null >"$RESULTS/$(echo "$1" | tr / :)" 2>&1 &
trap 'echo "cunnekt: interrupted $1" >&2; kill -s TERM -- -$! $! 2>/dev/null; exit 255' HUP INT TERM
wait $!
echo "$? $1"
]]

local function quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function shell(script, words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = quote(word)
  end
  return ("sh -c %s sh %s"):format(quote(script), table.concat(quoted, " "))
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function list(paths)
  local files, first = {}, {}
  local pipe <close> = assert(io.popen(shell(LIST, paths)))
  for file in pipe:lines() do
    files[#files + 1] = file
  end
  for i, file in ipairs(LONGEST) do
    first[file] = i
  end
  for i, file in ipairs(files) do
    first[file] = first[file] or #LONGEST + i
  end
  table.sort(files, function(a, b)
    return first[a] < first[b]
  end)
  return files
end

-- ---- what is shown -------------------------------------------------------------------------------------------------

local terminal = os.execute "test -t 1"
local totals = { files = 0, passed = 0, failed = 0, seconds = {} }

-- On a terminal, one line that is written over; nothing in a log.
local function show(format, ...)
  if terminal then
    io.write("\r\27[K", format:format(...))
    io.flush()
  end
end

-- Its last line are the counts, which a process that crashed has not written.
local function add(file, code, output)
  local text, passed, failed = output:match "^(.-)(%d+) passed, (%d+) failed\n$"
  local is_fine = code == 0 and passed
  totals.files = totals.files + 1
  totals.passed = totals.passed + (tonumber(passed) or 0)
  totals.failed = totals.failed + math.max(tonumber(failed) or 0, is_fine and 0 or 1)
  table.insert(totals.seconds, { file = file, seconds = tonumber(output:match ": ([%d.]+) seconds\n") or 0 })
  if not is_fine then
    show ""
    print(("== %s, exit status %d\n%s"):format(file, code, text or output))
  end
end

local function summarize(began)
  local slowest = {}
  table.sort(totals.seconds, function(a, b)
    return a.seconds > b.seconds
  end)
  for i, each in ipairs { table.unpack(totals.seconds, 1, SLOWEST_NAMED) } do
    slowest[i] = ("%s %.0f s"):format(each.file, each.seconds)
  end
  show ""
  print(("%d files in %d s; the slowest: %s"):format(totals.files, os.time() - began, table.concat(slowest, ", ")))
  print(("%d passed, %d failed"):format(totals.passed, totals.failed))
end

-- ---- running -------------------------------------------------------------------------------------------------------

local function run(jobs, command, files)
  local pipe <close> = assert(io.popen "mktemp -d")
  local results = pipe:read "l"
  local _ <close> = setmetatable({}, { __close = function() os.execute("rm -rf " .. results) end })
  local began = os.time()
  local environment = ("COMMAND=%s RESULTS=%s"):format(quote(command), quote(results))
  local xargs = ("xargs -P %d -n 1 env %s sh -c %s sh"):format(jobs, environment, quote(RUN_ONE))
  local runner <close> = assert(io.popen(("%s | %s"):format(shell("printf '%s\\n' \"$@\"", files), xargs)))
  show("%d files", #files)
  for line in runner:lines() do
    local code, file = line:match "^(%d+) (.*)$"
    add(file, tonumber(code), read(results .. "/" .. file:gsub("/", ":")))
    show("%d of %d files, %d passed, %d failed", totals.files, #files, totals.passed, totals.failed)
  end
  summarize(began)
  return totals.files == #files and totals.failed == 0
end

local jobs, command = table.unpack(arg, 1, 2)
local options, paths = {}, {}
for _, word in ipairs { table.unpack(arg, 3) } do
  table.insert(word:find "^%-" and options or paths, word:find "^%-" and quote(word) or word)
end
command = command .. " " .. table.concat(options, " ")
local files = list(paths)
if #files == 0 then
  io.stderr:write("cunnekt: no spec files, which end in _spec.lua, in ", table.concat(paths, " "), "\n")
  os.exit(false)
elseif #files == 1 then
  os.exit(os.execute(command .. " " .. quote(files[1])) == true)
end
local ok, result = pcall(run, tonumber(jobs), command, files)
if not ok then
  io.stderr:write("cunnekt: ", result, "\n")
end
os.exit(ok and result, true)
