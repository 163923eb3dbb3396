-- SPDX-License-Identifier: MIT
-- A TLS server with a certificate of its own making, which a client has to trust: `openssl s_server`. It answers any GET with a
-- page about the connection, or is one that a spec speaks for: `received` and `send`.

local tls_server = {}

local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local make_certificate = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
  .. "-subj /CN=localhost -addext subjectAltName=%s -keyout %s/key.pem -out %s/cert.pem 2>/dev/null"

local server_mt = { __index = {} }

---Everything that clients have said so far, between what s_server says itself. It serves one connection after the other.
---@return string
function server_mt.__index:received()
  local file <close> = assert(io.open(self._folder .. "/out", "rb"))
  return file:read "a"
end

function server_mt.__index:received_bytes()
  local file <close> = assert(io.open(self._folder .. "/out", "rb"))
  return file:seek "end"
end

---Says something to the client that is connected.
---@param text string whose first letter is no command of s_server's, which are in its manual
function server_mt.__index:send(text)
  self._input:write(text)
  self._input:flush()
end

---@param signal string "STOP" or "CONT"
function server_mt.__index:signal(signal)
  os.execute(("kill -%s %s"):format(signal, self._pid))
end

function server_mt.__index:close()
  if self._pid then
    os.execute(("kill -CONT %s; kill %s"):format(self._pid, self._pid))
    if self._input then
      self._input:close()
    end
    self._output:close()
    os.execute("rm -rf " .. quoted(self._folder))
    self._pid = nil
  end
end

server_mt.__close = server_mt.__index.close
server_mt.__gc = server_mt.__index.close

-- Gives the server, and its folder with key and certificate, before it has said its port.
local function prepare(alternative_name)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  assert(os.execute(make_certificate:format(alternative_name or "IP:127.0.0.1", folder, folder)), "openssl is needed")
  return setmetatable({ _folder = folder, certificate = folder .. "/cert.pem" }, server_mt), folder
end

local function run(self, options)
  local command = "cd %s; echo $$; exec openssl s_server -accept 127.0.0.1:0 -key key.pem -cert cert.pem %s 2>&1"
  self._output = assert(io.popen(command:format(quoted(self._folder), options)))
  self._pid = self._output:read "l"
end

local function set_port(self, port)
  self.port = math.tointeger(port)
  self.url = "https://127.0.0.1:" .. port
  return self
end

---@param alternative_name? string what the certificate is for; "IP:127.0.0.1" by default
function tls_server.start(alternative_name)
  local self = prepare(alternative_name)
  run(self, "-www")
  local port
  repeat
    local line = assert(self._output:read "l", "openssl s_server has ended")
    port = line:match "ACCEPT .*:(%d+)$"
  until port
  return set_port(self, port)
end

---One that a spec speaks for.
function tls_server.start_silent()
  local self, folder = prepare()
  assert(os.execute(("mkfifo %s/in && touch %s/out"):format(folder, folder)))
  run(self, "<in >out")
  self._input = assert(io.open(folder .. "/in", "w")) -- waits for the server
  local port
  repeat
    port = self:received():match "ACCEPT [^\n]*:(%d+)\n"
  until port
  return set_port(self, port)
end

return tls_server
