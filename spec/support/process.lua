-- SPDX-License-Identifier: MIT
-- Runs programs beside the specs. While one is waited for the loop goes on, so that a server in the spec's own process
-- can answer it.

local task = require "cunnekt.base.task"

local process = {}

local function absolute(path)
  if path:find "^/" then
    return path
  end
  local pipe = assert(io.popen "pwd")
  local folder = pipe:read "l"
  pipe:close()
  return folder .. "/" .. path
end

---The host under test, and the interpreter for plain Lua.
process.host = absolute(os.getenv "CUNNEKT_HOST" or "build/bin/cunnekt")
process.lua = os.getenv "CUNNEKT_LUA" or "lua5.4"

-- Longest a program may take before it counts as stuck, in seconds.
local PATIENCE = 60

function process.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local function quote_all(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = process.quote(word)
  end
  return table.concat(quoted, " ")
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a"
  if file then
    file:close()
  end
  return text
end

process.read = read

function process.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

---A new folder of its own; gone with the returned object's end.
---@return {path: string}
function process.folder()
  local pipe = assert(io.popen "mktemp -d")
  local path = pipe:read "l"
  pipe:close()
  return setmetatable({ path = path }, {
    __gc = function()
      os.execute("rm -rf " .. process.quote(path))
    end,
  })
end

-- What a program inherits must not depend on who runs the specs: make's own variables would change a make within, and
-- the settings of a developer's shell a host.
local CLEARED = "MAKEFLAGS MFLAGS MAKELEVEL CUNNEKT_API_KEY CUNNEKT_BASE_URL CUNNEKT_LISTEN CUNNEKT_STORE"

local function environment(opts)
  local words = { opts.is_bare and "env -i PATH=\"$PATH\" ASAN_OPTIONS=\"$ASAN_OPTIONS\"" or "env" }
  for name in CLEARED:gmatch "%S+" do
    words[#words + 1] = opts.is_bare and "" or "-u " .. name
  end
  for name, value in pairs(opts.env or {}) do
    words[#words + 1] = name .. "=" .. process.quote(value)
  end
  return table.concat(words, " ")
end

local running = {}
running.__index = running

---Starts a program.
---@param words string[] the program and its arguments
---@param opts? {cwd: string?, stdin: string?, keeps_input: boolean?, env: table<string, string>?, is_bare: boolean?} keeps_input: its input is empty and does not end; is_bare: no environment but env
---@return table handle `pid`; `out()`, `err()` so far; `signal(name)`; `wait()` → {code, out, err}
function process.start(words, opts)
  opts = opts or {}
  local folder = process.folder()
  local base = folder.path
  if opts.keeps_input then
    assert(os.execute(("mkfifo %s/in"):format(base)))
  else
    process.write(base .. "/in", opts.stdin or "")
  end
  local script = ("cd %s && %s sh -c 'echo $$ > %s/pid; exec \"$@\"' sh %s %s %s/in > %s/out 2> %s/err"):format(
    process.quote(opts.cwd or "."), environment(opts), base, quote_all(words), opts.keeps_input and "<>" or "<", base, base, base
  )
  -- The code comes last, and whole: its file is the sign that the program has ended.
  local done = ("echo $? > %s/code.part; mv %s/code.part %s/code"):format(base, base, base)
  assert(os.execute(("( ( %s ); %s ) > /dev/null 2>&1 &"):format(script, done)))
  return setmetatable({ _folder = folder, _base = base }, running)
end

local function wait_until(what, test)
  for _ = 1, PATIENCE * 200 do
    local value = test()
    if value then
      return value
    end
    task.sleep(0.005)
  end
  error("waited too long for " .. what, 2)
end

process.wait_until = wait_until

function running:out()
  return read(self._base .. "/out") or ""
end

function running:err()
  return read(self._base .. "/err") or ""
end

---Waits until its standard error (or output) matches a pattern; gives the first capture.
function running:expect(pattern, where)
  return wait_until(pattern, function()
    return self[where or "err"](self):match(pattern)
  end)
end

function running:signal(name)
  local pid = wait_until("a process id", function()
    return (read(self._base .. "/pid") or ""):match "%d+"
  end)
  os.execute(("kill -%s %s"):format(name, pid))
end

---Its exit code; nil while it runs.
function running:code()
  return tonumber((read(self._base .. "/code") or ""):match "%d+")
end

---Waits for its end.
---@return {code: integer, out: string, err: string}
function running:wait()
  local code = wait_until("the end of a program", function()
    return (read(self._base .. "/code") or ""):match "%d+"
  end)
  return { code = tonumber(code), out = self:out(), err = self:err() }
end

---Runs a program to its end.
function process.run(words, opts)
  return process.start(words, opts):wait()
end

---Runs the host: process.cunnekt({"run", "x.lua"}, opts).
function process.cunnekt(args, opts)
  return process.run({ process.host, table.unpack(args) }, opts)
end

return process
