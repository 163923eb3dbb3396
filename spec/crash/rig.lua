-- SPDX-License-Identifier: MIT
-- What every torture test stands on: a folder, a sandbox in a process of its own, the bot in another, and the ways to
-- start, kill and look at them. Everything is on the loopback, and ends with the test: processes are ended by their ids.

local child = require "child"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local sqltool = require "sqltool"
local task = require "cunnekt.base.task"

local rig = {}

local rig_methods = {}
local rig_mt = { __index = rig_methods, __name = "rig" }

local SIGKILL, SIGTERM = 9, 15

---Runs a command of the shell and gives its output.
function rig.run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local function absolute(path)
  return path:find "^/" and path or rig.run "pwd" .. "/" .. path
end

---The host under test, and where the tests are.
rig.host = absolute(os.getenv "CUNNEKT_HOST" or arg[-1] or "build/bin/cunnekt")
---The same program, built so that its store can break promises.
rig.breaking_host = absolute(os.getenv "CUNNEKT_BREAKING_HOST" or "build/breaking/bin/cunnekt")
rig.here = absolute(debug.getinfo(1, "S").source:match "^@(.*)/" or ".")

---A port at which nobody listens now.
function rig.free_port()
  local listener = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
  local port = listener:port()
  listener:close()
  return port
end

---Waits until `test` gives something, and gives it back; nil when the time is over.
---@param seconds number
---@param test fun(): any
function rig.wait(seconds, test)
  local deadline = clock.monotonic() + seconds
  repeat
    local value = test()
    if value then
      return value
    end
    task.sleep(0.005)
  until clock.monotonic() > deadline
  return nil
end

---@param opts? {folder: string?} a folder that is there already, such as a small file system
function rig.new(opts)
  local self = setmetatable({}, rig_mt)
  self.folder = opts and opts.folder or rig.run "mktemp -d"
  self.keeps_folder = opts and opts.folder ~= nil
  self.log_path = rig.run "mktemp"
  self.store_path = self.folder .. "/bot.db"
  self.port = rig.free_port()
  self.url = ("http://127.0.0.1:%d/webhook"):format(self.port)
  self.log_mark = 0
  self.received, self.received_last, self.received_count = {}, 0, 0
  self.arrived = {} -- the texts of all, in the order of arrival
  return self
end

-- ---- processes -----------------------------------------------------------------------------------------------------

local function environment_list(values)
  local list = {}
  for name, value in pairs(values) do
    list[#list + 1] = name .. "=" .. tostring(value)
  end
  return list
end

---Starts the sandbox. Everybody's window is open, and the bot hears of statuses unless `flags` say otherwise.
---@param flags string[]?
function rig_methods:start_sandbox(flags)
  local port = rig.free_port()
  local words = { rig.host, "sandbox", "--listen", "127.0.0.1:" .. port, "--webhook", self.url, "--open", "--quiet", "--history", "2000000" }
  table.move(flags or {}, 1, #(flags or {}), #words + 1, words)
  self.sandbox_pid = child.start(words, {}, "/", self.log_path)
  self.sandbox_port = port
  self.sandbox = "http://127.0.0.1:" .. port
  self.api = self.sandbox .. "/v1"
  assert(rig.wait(20, function()
    return http.get(self.sandbox .. "/control/state")
  end), "the sandbox does not start")
end

---Starts the bot, which need not be ready when this returns.
---@param opts? {script: string?, api: string?, args: string[]?, env: table<string, any>?}
function rig_methods:start_bot(opts)
  assert(not self.pid, "the bot runs already")
  opts = opts or {}
  local env = {
    CUNNEKT_API_KEY = "torture",
    CUNNEKT_BASE_URL = opts.api or self.api,
    CUNNEKT_LISTEN = "127.0.0.1:" .. self.port,
    CUNNEKT_STORE = "sqlite:" .. self.store_path,
    CUNNEKT_RATE = 0,
    CUNNEKT_PAIR_RATE = 0,
  }
  for name, value in pairs(opts.env or {}) do
    env[name] = value
  end
  local words = { env.CRASH_BREAK and rig.breaking_host or rig.host, "run" }
  table.move(opts.args or {}, 1, #(opts.args or {}), 3, words)
  words[#words + 1] = rig.here .. "/bots/" .. (opts.script or "counter.lua")
  self.pid = child.start(words, environment_list(env), self.folder, self.log_path)
end

---Whether the bot answers.
function rig_methods:is_ready()
  return http.request { method = "GET", url = self.url, timeout = 2 } ~= nil
end

---Starts the bot and waits until it answers.
---@return boolean
function rig_methods:start_ready_bot(opts)
  self:start_bot(opts)
  return rig.wait(60, function()
    return self:is_ready() or self:has_ended()
  end) ~= nil and not self:has_ended()
end

---How the bot ended, if it did: "exit", code or "signal", number.
function rig_methods:has_ended()
  if not self.pid then
    return self.end_how, self.end_code
  end
  local how, code = child.wait(self.pid, false)
  if how then
    self.pid, self.end_how, self.end_code = nil, how, code
  end
  return how, code
end

---Ends the bot at once, as a power button would end the process.
function rig_methods:kill_bot()
  if self.pid then
    child.kill(self.pid, SIGKILL)
    self.end_how, self.end_code = child.wait(self.pid, true)
    self.pid = nil
  end
end

---Asks the bot to stop; kills it when it does not.
---@return string? how "exit" or "signal"; nil when it had to be killed
---@return integer? code
function rig_methods:stop_bot(seconds)
  if not self.pid then
    return self.end_how, self.end_code
  end
  child.kill(self.pid, SIGTERM)
  if not rig.wait(seconds or 30, function()
    return (self:has_ended())
  end) then
    self:kill_bot()
    return nil
  end
  return self.end_how, self.end_code
end

---Resident memory of the bot, in bytes.
function rig_methods:memory()
  local file = io.open(("/proc/%d/statm"):format(self.pid or 0))
  local pages = file and file:read "a":match "^%d+ (%d+)"
  if file then
    file:close()
  end
  return tonumber(pages or 0) * 4096
end

---Sends the bot a signal.
function rig_methods:signal(number)
  child.kill(self.pid, number)
end

---What was written on standard error since the last call.
function rig_methods:new_log()
  local file = assert(io.open(self.log_path))
  file:seek("set", self.log_mark)
  local text = file:read "a"
  self.log_mark = file:seek()
  file:close()
  return text
end

---Texts that were ever held because their outcome was unknown; see bots/counter.lua.
---@return table<string, boolean>
function rig_methods:ever_held()
  local held = {}
  for line in io.lines(self.log_path) do
    local text = line:match "^held (.*)"
    if text then
      held[text] = true
    end
  end
  return held
end

---Ends everything.
function rig_methods:close()
  self:kill_bot()
  if self.sandbox_pid then
    child.kill(self.sandbox_pid, SIGKILL)
    child.wait(self.sandbox_pid, true)
    self.sandbox_pid = nil
  end
  os.remove(self.log_path)
  if self.orders then
    self.orders:close()
  end
  if not self.keeps_folder then
    os.execute("rm -rf '" .. self.folder .. "'")
  end
end

rig_mt.__close = rig_methods.close

-- ---- the far end ---------------------------------------------------------------------------------------------------

---Calls the sandbox's control API.
function rig_methods:control(method, path, value)
  local answer, err = http.request {
    method = method,
    url = self.sandbox .. "/control/" .. path,
    json = value,
    timeout = 60,
    max_bytes = 64 * 1024 * 1024,
  }
  assert(answer, err)
  assert(answer.status == 200, answer.body)
  return json.decode(answer.body)
end

---Reads what arrived at the sandbox since the last call, into `received`: contact → texts in the order of arrival.
---@return integer count of all that arrived so far
function rig_methods:collect()
  repeat
    local page = self:control("GET", ("messages?direction=out&limit=1000&after=%d"):format(self.received_last))
    for _, message in ipairs(page.messages) do
      local texts = self.received[message.contact] or {}
      self.received[message.contact] = texts
      texts[#texts + 1] = message.payload.text
      self.arrived[#self.arrived + 1] = message.payload.text
    end
    self.received_count = self.received_count + #page.messages
    self.received_last = page.last
  until #page.messages == 0
  return self.received_count
end

---Starts the bot, again and again, until nothing waits any more, and stops it. A life ends when nothing has arrived for a while.
---@param opts table as start_bot; patience: seconds at most
---@param quiet number seconds without an arrival
function rig_methods:drain(opts, quiet)
  local deadline = clock.monotonic() + opts.patience
  repeat
    self:start_ready_bot(opts)
    local last, quiet_since = -1, clock.monotonic()
    repeat
      task.sleep(0.1)
      local count = self:collect()
      if count ~= last then
        last, quiet_since = count, clock.monotonic()
      end
    until clock.monotonic() - quiet_since > quiet or clock.monotonic() > deadline
    self:stop_bot()
    local events, messages = self:waiting()
  until events + messages == 0 or clock.monotonic() > deadline
  self:collect()
end

-- ---- the store, while the bot is down ------------------------------------------------------------------------------

---Rows of the store, by plain SQLite.
---@param statement string
---@return table[] rows
function rig_methods:rows(statement)
  local db = assert(sqltool.open(self.store_path))
  local rows = assert(db:rows(statement))
  db:close()
  return rows
end

-- provider/status.lua names these numbers.
local state_names = { [0] = "queued", "sending", "unknown", "rejected", "failed" }

---What the outbox holds, but for what was accepted and may be sent again: state → contact → text → how often.
---@return table<string, table<string, table<string, integer>>> by_state
---@return table<string, integer> counts
function rig_methods:outbox()
  local by_state, counts = {}, {}
  for _, name in pairs(state_names) do
    by_state[name], counts[name] = {}, 0
  end
  for _, row in ipairs(self:rows "SELECT state, payload FROM outbox WHERE state >= 0 ORDER BY id") do
    local name, payload = state_names[row[1]], json.decode(row[2])
    local texts = by_state[name][payload.mobile] or {}
    by_state[name][payload.mobile] = texts
    texts[payload.text] = (texts[payload.text] or 0) + 1
    counts[name] = counts[name] + 1
  end
  return by_state, counts
end

---How many events and messages the store still has to work on.
function rig_methods:waiting()
  local row = self:rows [[SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM outbox WHERE state BETWEEN 0 AND 1),
    (SELECT count(*) FROM dead)]][1]
  return row[1], row[2], row[3]
end

return rig
