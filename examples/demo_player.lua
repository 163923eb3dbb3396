-- The customer of `make demo`: writes to the bot through the sandbox's control API, and checks the replies.
-- cunnekt run demo_player.lua SANDBOX_URL WEBHOOK_URL, in the bot's working folder.
-- SPDX-License-Identifier: MIT
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local transcript = require "cunnekt.transcript.line"

local sandbox, webhook = arg[1], arg[2]
local BUSINESS, PATIENCE = "feedback.lua", 5
local read_until = 0 -- position in the transcript

local function fail(message, ...)
  io.stderr:write("demo: ", message:format(...), "\n")
  os.exit(1)
end

local function control(method, call, fields)
  local answer, err = cunnekt.http.request {
    method = method, url = ("%s/control/%s"):format(sandbox, call), json = fields, timeout = PATIENCE + 5,
  }
  if not answer then
    fail("expected the sandbox to answer %s %s: %s", method, call, err)
  elseif answer.status ~= 200 then
    fail("expected 200 from %s %s, got %d: %s", method, call, answer.status, answer.body)
  end
  return cunnekt.json.decode(answer.body)
end

local function get_message(id, status)
  local query = ("messages?id=%s&wait=%d"):format(cunnekt.http.url_encode(id), PATIENCE)
  return control("GET", status and query .. "&status=" .. status or query).messages[1]
end

local function show(message)
  print(transcript.format(message, BUSINESS) .. "\n")
end

-- The customer writes.
local function say(fields)
  fields.name = "Vivek"
  local message = get_message(control("POST", "messages", fields).id)
  show(message)
  return message
end

-- The bot's next message must have this type and contain this text, and must reach the status read.
local function expect(kind, text)
  local answer = control("GET", ("messages?direction=out&after=%d&limit=1&wait=%d"):format(read_until, PATIENCE))
  local message = answer.messages[1]
  if not message then
    fail("expected a %s with '%s', and nothing came in %d s", kind, text, PATIENCE)
  end
  read_until = message.n
  local words = table.concat(transcript.describe(message), "\n")
  if message.type ~= kind or not words:find(text, 1, true) then
    fail("expected a %s with '%s', got a %s: %s", kind, text, message.type, words)
  end
  local settled = get_message(message.id, "read")
  local ticks = {}
  for i, status in ipairs(settled.statuses) do
    ticks[i] = status.status
  end
  if table.concat(ticks, " ") ~= "sent delivered read" then
    fail("expected the statuses sent delivered read, got '%s'", table.concat(ticks, " "))
  end
  show(settled)
end

-- The stored file must be identical to the one that the customer sent.
local function expect_file(path, sent)
  local file = io.open(path, "rb")
  local bytes = file and file:read "a"
  if not bytes then
    fail("expected the document at %s, and there is none", path)
  end
  file:close()
  local sha256 = core.base64_encode(core.sha256():update(bytes):digest())
  if sha256 ~= sent.media.sha256 then
    fail("expected sha256 %s of %s, got %s", sent.media.sha256, path, sha256)
  end
  print(("-- %s was downloaded: %d bytes, sha256 %s\n"):format(path, #bytes, sha256))
end

control("POST", "settings", { webhook = webhook })
say { text = "Hi" }
expect("button", "Hello Vivek! How was your order?")
say { type = "button", id = "bad" }
expect("list", "What went wrong?")
say { type = "list", id = "wrong" }
expect("text", "Noted: The wrong thing.")
expect("flow", "Tell us more")
say { type = "form", form = { rating = "2", comment = "Green, not black" } }
expect("text", "Thank you for your 2 of 5.")
local bill = say { type = "document", filename = "bill 4711.pdf", text = "here it is" }
expect("template", "refund_on_its_way")
expect_file(("inbox/%s bill 4711.pdf"):format(bill.id:gsub("%W", "")), bill)
