-- SPDX-License-Identifier: MIT
-- An HTTPS server with a certificate of its own making: `openssl s_server`, which answers any GET with a page about the
-- connection. The certificate is what a client has to trust.

local tls_server = {}

local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local make_certificate = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
  .. "-subj /CN=localhost -addext subjectAltName=%s -keyout %s/key.pem -out %s/cert.pem 2>/dev/null"

local server_mt = { __index = {} }

function server_mt.__index:close()
  if self._pid then
    os.execute("kill " .. self._pid)
    self._output:close()
    os.execute("rm -rf " .. quoted(self._folder))
    self._pid = nil
  end
end

server_mt.__close = server_mt.__index.close
server_mt.__gc = server_mt.__index.close

---@param alternative_name? string what the certificate is for; "IP:127.0.0.1" by default
function tls_server.start(alternative_name)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  local name = alternative_name or "IP:127.0.0.1"
  assert(os.execute(make_certificate:format(name, folder, folder)), "openssl is needed")
  local command = "echo $$; exec openssl s_server -accept 127.0.0.1:0 -www -key %s/key.pem -cert %s/cert.pem 2>&1"
  local output = assert(io.popen(command:format(folder, folder)))
  local self = setmetatable({ _folder = folder, _output = output, _pid = output:read "l" }, server_mt)
  local port
  repeat
    local line = assert(output:read "l", "openssl s_server has ended")
    port = line:match "ACCEPT .*:(%d+)$"
  until port
  self.url = "https://127.0.0.1:" .. port
  self.certificate = folder .. "/cert.pem"
  return self
end

return tls_server
