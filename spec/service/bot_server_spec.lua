-- SPDX-License-Identifier: MIT
local inside = require("cunnekt.service").of
local bot_rig = require "spec.support.rigs.bot_rig"
local cunnekt = require "cunnekt"
local lists = require "cunnekt.store.lists"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local body_of = bot_rig.body_of
local wait_for = bot_rig.wait_for

describe("a bot's address", function()
  local rig, bot, lines

  before_each(function()
    rig = bot_rig.new()
    lines = rig.lines
  end)

  after_each(function()
    rig:close()
    bot = nil
  end)

  local function new_bot(opts)
    bot = rig:new_bot(opts)
    return bot
  end

  local function start()
    rig:start()
  end

  local function outgoing()
    return rig:outgoing()
  end

  local function say(text, from)
    return rig:say(text, from)
  end

  it("answers a wrong request with what is wrong", function()
    new_bot { verify_token = "token" }
    start()
    local base = "http://" .. bot:address()
    local function status(method, path, body)
      return assert(cunnekt.http.request { method = method, url = base .. path, body = body }).status
    end
    assert.equal(400, status("POST", "/webhook", "{"))
    assert.equal(404, status("POST", "/other", "{}"))
    assert.equal(405, status("PUT", "/webhook", "{}"))
    assert.equal(413, status("POST", "/webhook", ("x"):rep(3 * 1024 * 1024 + 1)))
    assert.equal(200, status("POST", "/webhook", '{"some":"thing"}'))
    assert.equal(403, status("GET", "/webhook?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1"))
    local ok = assert(cunnekt.http.get(base .. "/webhook?hub.mode=subscribe&hub.verify_token=token&hub.challenge=abc"))
    assert.equal("abc", ok.body)
  end)

  -- The lines about refused requests.
  local function refusals()
    local found = {}
    for _, line in ipairs(lines) do
      found[#found + 1] = line:match "^cunnekt: warning: (refused with .*)$"
    end
    return found
  end

  it("logs what it refuses, once a minute for each status, whether the body came or not", function()
    new_bot { app_secret = "app" }
    start()
    local base = "http://" .. bot:address()
    for _ = 1, 3 do
      assert.equal(404, assert(cunnekt.http.post(base .. "/webhok", "{}")).status) -- before its body
      assert.equal(404, assert(cunnekt.http.get(base .. "/webhok")).status)
      assert.equal(401, assert(cunnekt.http.post(base .. "/webhook", "{}")).status)
    end
    local signed = { ["X-Hub-Signature-256"] = "sha256=" .. ("0"):rep(64) }
    local answer = assert(cunnekt.http.request { method = "POST", url = base .. "/webhook", body = "{}", headers = signed })
    assert.equal(401, answer.status)
    answer = assert(cunnekt.http.request { method = "POST", url = base .. "/webhook", body = ("x"):rep(4 << 20), headers = signed })
    assert.equal(413, answer.status)
    wait_for(function()
      return #refusals() >= 3
    end, "the log")
    table.sort(lines)
    local found = refusals()
    assert.equal(3, #found)
    assert.matches("^refused with 401: the signature is missing or does not match", found[1])
    assert.matches("^refused with 404: the path is another one than the webhook's: .*CUNNEKT_WEBHOOK_PATH", found[2])
    assert.matches("^refused with 413: the body is too large", found[3])
  end)

  it("logs a handshake that fails, and what to compare", function()
    local handshake = "/webhook?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1"
    for token, expected in pairs { [false] = "405: it asks for a handshake: set CUNNEKT_VERIFY_TOKEN", token = "403: its verify token is another one: compare" } do
      new_bot { verify_token = token or nil }
      start()
      local base = "http://" .. bot:address()
      assert(cunnekt.http.get(base .. "/webhook")) -- somebody looks with a browser
      assert(cunnekt.http.get(base .. handshake))
      assert(cunnekt.http.get(base .. handshake))
      local found = refusals()
      assert.equal(1, #found, table.concat(found, "\n"))
      assert.equal("refused with " .. expected, found[1]:sub(1, #"refused with " + #expected))
      bot:stop(0)
      for i = #lines, 1, -1 do
        lines[i] = nil
      end
    end
  end)

  it("logs a page of another site that asks", function()
    new_bot {}
    start()
    local answer = assert(cunnekt.http.request {
      method = "POST", url = "http://" .. bot:address() .. "/webhook", body = "{}", headers = { Origin = "https://example.com" },
    })
    assert.equal(403, answer.status)
    assert.matches("^refused with 403: a page of another site asked", refusals()[1])
  end)

  it("warns when it listens on all addresses, and nothing keeps strangers out", function()
    local function warned(opts)
      opts.listen = opts.listen or "0.0.0.0:0"
      local from = #lines
      new_bot(opts)
      assert(bot:listen())
      bot:stop(0)
      return table.concat(lines, "\n", from + 1):find "listening on all addresses without a secret" ~= nil
    end
    assert.is_true(warned {})
    assert.is_false(warned { webhook_secret = "s3cret" })
    assert.is_false(warned { app_secret = "app" })
    assert.is_false(warned { listen = "127.0.0.1:0" })
  end)

  it("refuses a wrong path, secret or missing signature before the body comes", function()
    new_bot { app_secret = "app", webhook_secret = "s3cret" }
    start()
    local port = math.tointeger(bot:address():match ":(%d+)$")
    local function status_before_body(path, fields)
      local head = "POST %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: 3000000\r\n\r\n"
      return wire.ask(port, head:format(path, fields or "")).status
    end
    local signature = "X-Hub-Signature-256: sha256=" .. ("0"):rep(64) .. "\r\n"
    assert.equal(404, status_before_body("/webhook", signature))
    assert.equal(404, status_before_body("/webhook/s3creT", signature))
    assert.equal(404, status_before_body("/webhook/?secret=s3cret", signature))
    assert.equal(401, status_before_body "/webhook/s3cret")
  end)

  -- 3 MB can hold a million events, which took two seconds and half a gigabyte. What refuses them must not build them first.
  it("refuses bodies that cost more than they hold, before it has built them", function()
    new_bot()
    start()
    local url = "http://" .. bot:address() .. "/webhook"
    local function list(item, count)
      return "[" .. (item .. ","):rep(count - 1) .. item .. "]"
    end
    local function form(count)
      return ('{"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"response_json":"%s"}}}'):format(list("0", count))
    end
    local costly = {
      list("0", 1400000), list("{}", 1000000), list("[]", 900000), list("1e5", 700000), '["' .. ("\xff"):rep(2900000) .. '"]',
      '{"messages":' .. list("0", 90000) .. "}", '{"statuses":' .. list("{}", 90000) .. "}", '{"entry":' .. list("{}", 90000) .. "}",
      '{"messages":' .. list(form(9000), 150) .. "}",
      '{"metadata":{"phone_number_id":"' .. ("1"):rep(1000000) .. '"},"messages":' .. list('{"from":"1"}', 4000) .. "}",
      '{"contacts":[{"wa_id":"1","profile":{"name":"' .. ("x"):rep(1000000) .. '"}}],"messages":' .. list('{"from":"1"}', 4000) .. "}",
    }
    for _, body in ipairs(costly) do
      local answer = assert(cunnekt.http.post(url, body))
      assert.equal(413, answer.status)
      assert.matches("^the body holds .*more than %d+ ", answer.body)
    end
    assert.equal(0, inside(bot).inbox:count())
    collectgarbage()
    local before = collectgarbage "count"
    collectgarbage "stop"
    assert.equal(413, assert(cunnekt.http.post(url, costly[2])).status)
    local grown = collectgarbage "count" - before
    collectgarbage "restart"
    assert.is_true(grown < 8192, ("%.0f KB"):format(grown)) -- two texts of 3 MB; their values took 517 MB
  end)

  it("takes the largest bodies that the provider sends", function()
    new_bot()
    start()
    local messages = {}
    for i = 1, 1000 do
      messages[i] = { id = "wamid." .. i, from = "919999999999", type = "text", timestamp = "1700000000", text = { body = ("x"):rep(2000) } }
    end
    local answer = cunnekt.http.post("http://" .. bot:address() .. "/webhook", cunnekt.json.encode { messages = messages })
    assert.equal(200, assert(answer).status)
  end)

  -- RFC 8259 allows limits of depth (9) and of numbers (6). Ours are in docs/operations.md.
  it("says what is wrong with JSON that is beyond its limits", function()
    new_bot()
    start()
    local function answer_to(body)
      local answer = assert(cunnekt.http.post("http://" .. bot:address() .. "/webhook", body))
      return answer.status .. " " .. answer.body
    end
    assert.equal("400 not JSON: a number beyond the range of a double at byte 2\n", answer_to "[1e400]")
    assert.equal("400 not JSON: nested deeper than 128 levels at byte 129\n", answer_to(("["):rep(500) .. ("]"):rep(500)))
    assert.equal("200 ", answer_to(("["):rep(128) .. ("]"):rep(128)))
    assert.equal("200 ", answer_to "[1e308,1e-400,123456789012345678901234567890]")
  end)

  it("takes nothing but a POST when there is no verify token", function()
    new_bot()
    start()
    local url = "http://" .. bot:address() .. "/webhook?hub.mode=subscribe&hub.verify_token=&hub.challenge=1"
    local refused = assert(cunnekt.http.get(url))
    assert.equal(405, refused.status)
    assert.equal("POST", refused.headers.allow)
  end)

  it("checks signatures, and is found at its secret path only", function()
    new_bot { app_secret = "app", webhook_secret = "s3cret" }
    start()
    local core = require "cunnekt.core"
    local base = "http://" .. bot:address()
    local function post(path, signature)
      local headers = { ["X-Hub-Signature-256"] = signature }
      return assert(cunnekt.http.request { method = "POST", url = base .. path, body = "{}", headers = headers }).status
    end
    local good = "sha256=" .. core.hex(core.hmac_sha256("app", "{}"))
    assert.equal(404, post("/webhook", good))
    assert.equal(404, post("/webhook/s3cre", good))
    assert.equal(401, post("/webhook/s3cret", nil))
    assert.equal(401, post("/webhook/s3cret", "sha256=" .. ("0"):rep(64)))
    assert.equal(200, post("/webhook/s3cret", good))
  end)

  it("refuses with 503 and Retry-After when too much is waiting, and recovers", function()
    local release
    new_bot { queue = 1, concurrency = 1 }
    bot:on("text", function()
      task.await(function(done)
        release = done
      end)
    end)
    start()
    local url = "http://" .. bot:address() .. "/webhook"
    local function post()
      return assert(cunnekt.http.post(url, body_of { type = "text", text = "x" }))
    end
    assert.equal(200, post().status)
    wait_for(function()
      return release
    end, "the handler")
    local refused = post()
    assert.equal(503, refused.status)
    assert.is_number(tonumber(refused.headers["retry-after"]))
    assert.equal("refused with 503: too many events are waiting", refusals()[1])
    release()
    release = nil
    wait_for(function()
      return post().status == 200
    end, "room")
    wait_for(function()
      return release
    end, "the handler")
    release()
  end)

  it("hands 1,000 events of one body to their handlers, in order", function()
    local seen, contacts = 0, {}
    new_bot():on("text", function(msg)
      seen = seen + 1
      local before = contacts[msg.from] or 0
      local number = tonumber(msg.text)
      assert(number > before)
      contacts[msg.from] = number
    end)
    start()
    local messages = {}
    for i = 1, 1000 do
      messages[i] = {
        from = ("91%d"):format(i % 37), id = "wamid." .. i, timestamp = "1700000000", type = "text",
        text = { body = tostring(i) },
      }
    end
    local body = cunnekt.json.encode {
      messaging_product = "whatsapp",
      metadata = { display_phone_number = "91", phone_number_id = "1" },
      messages = messages,
    }
    assert.equal(200, assert(cunnekt.http.post("http://" .. bot:address() .. "/webhook", body)).status)
    wait_for(function()
      return seen == 1000
    end, "1,000 events")
    assert.are.same({}, lines)
  end)

  it("keeps a body of a form that nobody knows, where no handler hears it", function()
    local heard
    new_bot():on("text", function() end)
    start()
    local url = "http://" .. bot:address() .. "/webhook"
    assert.equal(200, assert(cunnekt.http.post(url, '{"template":"approved"}')).status)
    wait_for(function()
      return lists.count_dead_letters(inside(bot).store).dead == 1
    end, "the body on the list")
    bot:on("unknown", function(event)
      heard = event.raw
    end)
    assert.equal(200, assert(cunnekt.http.post(url, '{"campaign":7}')).status)
    wait_for(function()
      return heard
    end, "the handler")
    assert.are.same({ campaign = 7 }, heard)
    assert.equal(1, lists.count_dead_letters(inside(bot).store).dead)
  end)

  it("finishes what is under way when it is stopped", function()
    new_bot():on("text", function(msg)
      task.sleep(0.02)
      msg:reply_text "done"
    end)
    start()
    say "x"
    wait_for(function()
      return inside(bot).inbox:active() > 0
    end, "the handler")
    assert.is_true(bot:stop(5))
    assert.equal(1, #outgoing())
  end)
end)
