-- SPDX-License-Identifier: MIT
-- For pipeline_nginx.conf: takes the texts out of a webhook, answers 200, and sends an answer to each from a timer.
local cjson = require "cjson.safe"

local pipeline = {}

local host, port, path = os.getenv("BENCH_SINK"):match "^http://([^:]+):(%d+)(.*)$"
local head = "POST " .. path .. "/sendreplymessage HTTP/1.1\r\nHost: " .. host .. ":" .. port
  .. "\r\nAPI-KEY: bench\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: "
local KEPT, IDLE_MS, LONGEST_MS = 256, 60000, 10000

local function texts_of(webhook)
  local texts = {}
  for _, entry in ipairs(webhook.entry) do
    for _, change in ipairs(entry.changes) do
      local value = change.value
      for _, message in ipairs(value.messages or {}) do
        if message.type == "text" then
          texts[#texts + 1] = {
            id = message.id,
            from = message.from,
            name = value.contacts[1].profile.name,
            at = tonumber(message.timestamp),
            to = value.metadata.phone_number_id,
            text = message.text.body,
          }
        end
      end
    end
  end
  return texts
end

-- Status and body of an answer with a Content-Length.
local function read_answer(socket)
  local line, err = socket:receive "*l"
  local status, size = line and tonumber(line:match "^HTTP/1%.1 (%d+)")
  while line and line ~= "" do
    line, err = socket:receive "*l"
    size = line and tonumber(line:match "^[Cc]ontent%-[Ll]ength: *(%d+)") or size
  end
  if not line or not size then
    return nil, err or "an answer without a length"
  end
  return status, socket:receive(size)
end

local function send(body)
  local socket = ngx.socket.tcp()
  socket:settimeout(LONGEST_MS)
  local ok, err = socket:connect(host, tonumber(port))
  if ok then
    ok, err = socket:send { head, #body, "\r\n\r\n", body }
  end
  if not ok then
    return nil, err
  end
  local status, text = read_answer(socket)
  local answer = status == 200 and text and cjson.decode(text)
  if not answer then
    return nil, text or status
  end
  socket:setkeepalive(IDLE_MS, KEPT)
  return answer.messages[1].id
end

local function reply(_, event)
  local text = "Thank you for your " .. event.text .. ". It will be with you tomorrow evening."
  local id, err = send(cjson.encode { mobile = event.from, type = "text", text = text })
  if not id then
    ngx.log(ngx.ERR, "not sent: ", err)
  end
end

function pipeline.receive()
  ngx.req.read_body()
  local webhook = cjson.decode(ngx.req.get_body_data() or "")
  if not webhook then
    return ngx.exit(400)
  end
  for _, event in ipairs(texts_of(webhook)) do
    local ok, err = ngx.timer.at(0, reply, event)
    if not ok then
      ngx.log(ngx.ERR, "no timer: ", err)
      return ngx.exit(503)
    end
  end
  ngx.status = 200
  ngx.header["Content-Length"] = 0
  ngx.eof()
end

return pipeline
