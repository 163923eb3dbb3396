-- SPDX-License-Identifier: MIT
-- What holds for requests, whatever a script puts into them and whatever a server answers: one request goes out as it was
-- said, or none, and each ends with an answer or an error of a known kind. An input is texts with a zero byte between: flags,
-- method, path, name and value of a header, body; and what the server writes. All goes to a Unix socket of this process.

local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local rawclient = require "rawclient"
local task = require "cunnekt.base.task"

local MOST_BODY = 4000
local path = os.tmpname()
local server = rawclient.listen(path)
local kinds = { network = true, tls = true, timeout = true, too_large = true, cancelled = true, invalid = true }

-- Reads what has been written to the server, and answers once a head is there.
local function serve(answer, log)
  local links = {}
  return function()
    local client = server:accept()
    if client then
      links[#links + 1] = { client = client, got = "" }
      log[#log + 1] = links[#links]
    end
    for _, link in ipairs(links) do
      local data = not link.is_closed and link.client:receive() or ""
      link.got = link.got .. data
      if not link.is_closed and link.got:find "\r\n\r\n" then
        link.client:send(answer)
        link.client:close()
        link.is_closed = true
      end
    end
  end, function()
    for _, link in ipairs(links) do
      link.client:close()
    end
  end
end

-- The head that went out: only lines that were meant.
local function check_request(got, opts)
  local line, head, from = got:match "^([^\r\n]*)\r\n(.-)\r\n\r\n()"
  assert(line, "a head without an end")
  local method, target = line:match "^([^ ]+) ([^ ]+) HTTP/1%.[01]$"
  assert(method and not target:find "%c", "a request line that is none: " .. line)
  local names = {}
  for field in (head .. "\r\n"):gmatch "(.-)\r\n" do
    local name = field:match "^([%w!#$%%&'*+.^_`|~-]+):"
    assert(name and not field:find "[%z\1-\8\10-\31\127]", "a line that is no field: " .. field)
    names[#names + 1] = name:lower()
  end
  table.sort(names)
  local known = {
    accept = true, host = true, ["content-length"] = true, ["content-type"] = true, ["user-agent"] = true, connection = true,
    upgrade = true, ["http2-settings"] = true, authorization = true, [opts.name:lower()] = true,
  }
  for i, name in ipairs(names) do
    assert(known[name], "a field that nobody said: " .. name)
    assert(names[i + 1] ~= name or name == opts.name:lower(), "a field twice: " .. name)
  end
  local length = head:lower():match "content%-length: (%d+)"
  assert(#got - from + 1 <= (tonumber(length) or 0), "more than one request")
end

local function check_answer(answer)
  assert(math.type(answer.status) == "integer" and answer.status >= 100 and answer.status < 1000, "no status")
  assert(#(answer.body or "") <= MOST_BODY, "a body beyond the limit")
  for name, value in pairs(answer.headers) do
    assert(name == name:lower() and not name:find "[%s:]" and not value:find "[\r\n]", "a header that is none")
  end
end

local function request_of(texts)
  local flags = texts[1]:byte() or 0
  local is_plain = flags % 2 == 0
  local methods = { "GET", "POST", "HEAD", "PUT", "DELETE" }
  return {
    method = is_plain and methods[flags // 2 % #methods + 1] or texts[2],
    url = "http://a/" .. texts[3],
    headers = { [texts[4]] = texts[5] },
    body = flags & 16 ~= 0 and texts[6] or nil,
    max_bytes = MOST_BODY,
    max_redirects = flags & 32 ~= 0 and 2 or 0,
    timeout = 0.5,
    unix = path,
  }, flags & 64 ~= 0
end

local function send(opts, is_stream)
  if not is_stream then
    return http.request(opts)
  end
  local stream, err = http.stream(opts)
  if not stream then
    return nil, err
  end
  local parts = {}
  while true do
    local chunk, problem = stream:read()
    if not chunk then
      stream:close()
      return not problem and { status = stream.status, headers = stream.headers, body = table.concat(parts) }, problem
    end
    parts[#parts + 1] = chunk
  end
end

local function check(input)
  local texts, at = {}, 1
  for i = 1, 6 do
    local to = input:find("\0", at, true) or #input + 1
    texts[i], at = input:sub(at, to - 1), to + 1
  end
  local opts, is_stream = request_of(texts)
  local log, result, err, is_over = {}, nil, nil, false
  local step, close = serve(input:sub(at), log)
  task.spawn(function()
    if texts[4]:find(":", 1, true) then
      local ok, message = pcall(send, opts, is_stream)
      assert(not ok and message:find "has a colon in its name", "a name with a colon is sent")
      err = { kind = "invalid", message = message }
    else
      result, err = send(opts, is_stream)
    end
    is_over = true
  end)
  local ends = core.real_monotonic() + 2
  while not is_over do
    assert(core.real_monotonic() < ends, "a request without an end")
    local tick = core.real_timer(0.0005, function() end)
    core.step(#log > 0)
    tick:close()
    step()
  end
  step()
  close()
  for _, link in ipairs(log) do
    if link.got:find "\r\n\r\n" then
      check_request(link.got, { name = texts[4] })
    end
  end
  if result then
    check_answer(result)
  else
    assert(kinds[err.kind] and type(err.message) == "string", "an unknown error")
    assert(err.kind ~= "invalid" or #log == 0, "refused, and sent: " .. err.message)
  end
  assert(core.counts().requests == 0, "a request is left")
end

-- Planted is a check of values that lets line breaks through, in c/planted.c.
return { check = check }
