-- SPDX-License-Identifier: MIT
-- Starts the fault server (fault_server.c, which lists the actions), compiling it when it is older than its source.
-- The server ends with the handle, or with this process.

local fault_server = {}

local here = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
local program

local function run(command)
  assert(os.execute(command), command)
end

-- Compiled once a run, into a temporary folder: specs must not depend on where the build is.
local function compile()
  if program then
    return program
  end
  local folder = os.tmpname()
  os.remove(folder)
  run("mkdir " .. folder)
  local sources = ("%sfault_server.c %sfault_link.c"):format(here, here)
  run(("%s -std=c11 -O1 -o %s/fault_server %s"):format(os.getenv "CC" or "cc", folder, sources))
  program = folder .. "/fault_server"
  fault_server._folder = setmetatable({}, {
    __gc = function()
      os.execute("rm -rf " .. folder)
    end,
  })
  return program
end

local server_methods = {}
local server_mt = { __index = server_methods }

-- Reads one answer of the server, such as "port 4711".
function server_methods:_expect(word)
  local line = assert(self._answers:read "l", "the fault server has ended")
  return assert(line:match("^" .. word .. " (.*)"), line)
end

---How many requests it has read to the end, and how many connections it has accepted.
function server_methods:count()
  self._commands:write "count\n"
  self._commands:flush()
  local requests, connections = self:_expect("count"):match "(%d+) (%d+)"
  return math.tointeger(requests), math.tointeger(connections)
end

---How many bytes of answers it could send: what a client does not take stays with the server, but for the kernel's buffers.
function server_methods:bytes_sent()
  self._commands:write "count\n"
  self._commands:flush()
  return math.tointeger(self:_expect("count"):match "(%d+)$")
end

---Actions to be done before whatever is left.
function server_methods:next(...)
  self._commands:write("next ", table.concat({ ... }, " "), "\n")
  return self:count() -- it has been read now
end

---The requests seen, in order.
---@return {method: string, path: string, bytes: integer, hash: string, connection: integer, action: string}[]
function server_methods:requests()
  self:count()
  local seen = {}
  for line in io.lines(self._log) do
    local method, path, bytes, hash, connection, action = line:match "^%d+ (%S+) (%S+) (%d+) (%x+) (%d+) (%S+)$"
    seen[#seen + 1] = {
      method = method,
      path = path,
      bytes = math.tointeger(bytes),
      hash = hash,
      connection = math.tointeger(connection),
      action = action,
    }
  end
  return seen
end

function server_methods:close()
  if self._commands then
    self._commands:close()
    self._answers:close()
    os.remove(self._log)
    self._commands = nil
  end
end

server_mt.__close = server_methods.close
server_mt.__gc = server_methods.close

---@param opts {upstream: integer?, log: boolean?}? upstream: the port for the actions that pass requests on; log: false
---for speed, without `requests`
---@param ... string actions
function fault_server.start(opts, ...)
  local pipe, log = os.tmpname(), os.tmpname()
  os.remove(pipe)
  run("mkfifo " .. pipe)
  local words = { "exec", compile() }
  if not opts or opts.log ~= false then
    words[#words + 1] = "--log " .. log
  end
  if opts and opts.upstream then
    words[#words + 1] = "--upstream " .. opts.upstream
  end
  for _, action in ipairs { ... } do
    words[#words + 1] = ("'%s'"):format(action)
  end
  local self = setmetatable({ _log = log }, server_mt)
  self._commands = assert(io.popen(table.concat(words, " ") .. " > " .. pipe, "w"))
  self._answers = assert(io.open(pipe)) -- waits for the server
  os.remove(pipe)
  self.port = math.tointeger(self:_expect "port")
  self.url = "http://127.0.0.1:" .. self.port
  return self
end

return fault_server
