-- SPDX-License-Identifier: MIT
-- The client over real sockets: what goes out, what is repeated, and above all what is not.

local client = require "cunnekt.provider.client"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local fault_server = require "spec.support.fault_server"
local json = require "cunnekt.base.json"
local server = require "spec.support.server"
local task = require "cunnekt.base.task"

local NUMBER = "919999999999"
local KEY = "s3cr3t/key+with.dots"
local TAKEN = '{"messages":[{"id":"wamid.1"}]}'

local http_server, random

-- A client of a server that answers with `handler`; its waits are short, for the random draw is tiny.
local function client_of(handler, opts)
  http_server = server.new(handler)
  opts = opts or {}
  opts.api_key, opts.base_url = KEY, http_server.url .. "/v1"
  return client.new(opts)
end

-- Answers each request with the next of the given ones, each {status, body, headers}.
local function in_turn(answers)
  local n = 0
  return function()
    n = n + 1
    return table.unpack(answers[n] or answers[#answers], 1, 3)
  end
end

-- Until the end of the test.
local function set_environment(variables)
  local getenv = os.getenv
  rawset(os, "getenv", function(name)
    return variables[name]
  end)
  finally(function()
    rawset(os, "getenv", getenv)
  end)
end

local function meta_error(code)
  return json.encode { error = { message = "refused", code = code } }
end

before_each(function()
  random = clock.random
  clock.random = function()
    return 0.001
  end
end)

after_each(function()
  clock.random = random
  if http_server then
    http_server:close()
    http_server = nil
  end
end)

describe("a send", function()
  it("posts JSON to the right endpoint, with the key", function()
    local c = client_of(in_turn { { 200, TAKEN } })
    local sent = assert(c:send_text("+91 99999-99999", "Hi"))
    assert.are.same({ "wamid.1", 200, TAKEN, 1 }, { sent.message_id, sent.status, sent.body, sent.attempts })
    assert.are.equal("wamid.1", sent.raw.messages[1].id)
    local request = http_server.requests[1]
    assert.are.same({ "POST", "/v1/sendreplymessage" }, { request.method, request.path })
    assert.are.equal(KEY, request.header "API-KEY")
    assert.matches("^application/json", request.header "Content-Type")
    assert.are.same({ mobile = NUMBER, type = "text", text = "Hi" }, json.decode(request.body))
    assert(c:send_template(NUMBER, "x"))
    assert.are.equal("/v1/sendnotification", http_server.requests[2].path)
  end)

  it("exists for every kind of message", function()
    local c = client_of(in_turn { { 200, TAKEN } })
    local buttons = { { id = "1", title = "a" } }
    assert(c:send_buttons(NUMBER, { body = "b", buttons = buttons }))
    assert(c:send_list(NUMBER, { body = "b", list_title = "l", list = buttons }))
    assert(c:send_form(NUMBER, { body = "b", form_cta = "c", form_id = "1" }))
    assert(c:send_image(NUMBER, "https://e.com/a"))
    assert(c:send_video(NUMBER, "https://e.com/a", "c"))
    assert(c:send_document(NUMBER, "https://e.com/a"))
    assert(c:send_audio(NUMBER, "https://e.com/a"))
    assert(c:send_cta_url(NUMBER, { body = "b", button_text = "c", button_url = "https://e.com" }))
    assert(c:send { mobile = NUMBER, type = "text", text = "raw" })
    local types = {}
    for i, request in ipairs(http_server.requests) do
      types[i] = json.decode(request.body).type
    end
    assert.are.same({ "button", "list", "flow", "image", "video", "document", "audio", "cta_url", "text" }, types)
  end)

  it("of an invalid message never reaches the network", function()
    local c = client_of(in_turn { { 200, TAKEN } })
    local sent, err = c:send_text(NUMBER, ("x"):rep(4097))
    assert.is_nil(sent)
    assert.are.same({ "invalid", "text", 4096, 4097 }, { err.kind, err.field, err.limit, err.length })
    assert.is_nil((c:send { mobile = NUMBER, type = "txt" }))
    assert.are.equal(0, #http_server.requests)
  end)

  it("writes the number as the client was told", function()
    local c = client_of(in_turn { { 200, TAKEN } }, { mobile_format = "plus", default_country = "91" })
    assert(c:send_text("99999 99999", "Hi"))
    -- Built elsewhere, without this client's options.
    assert(c:deliver { mobile = NUMBER, type = "text", text = "Hi" })
    for _, request in ipairs(http_server.requests) do
      assert.are.equal("+919999999999", json.decode(request.body).mobile)
    end
  end)

  it("tolerates slashes at the end of the base URL", function()
    http_server = server.new(in_turn { { 200, TAKEN } })
    assert(client.new({ api_key = KEY, base_url = http_server.url .. "/v1//" }):send_text(NUMBER, "Hi"))
    assert.are.equal("/v1/sendreplymessage", http_server.requests[1].path)
  end)

  it("yields inside a task, so that many are under way", function()
    local waiting = {}
    local c = client_of(function(request)
      waiting[#waiting + 1] = request.exchange
      if #waiting == 20 then
        for _, exchange in ipairs(waiting) do
          exchange:answer(200, TAKEN)
        end
      end
    end)
    local count = 0
    task.run(function()
      local tasks = {}
      for i = 1, 20 do
        tasks[i] = task.spawn(function()
          assert(c:send_text("9199999999" .. i + 10, "Hi"))
          count = count + 1
        end)
      end
      for _, t in ipairs(tasks) do
        task.join(t)
      end
    end)
    assert.are.equal(20, count)
  end)
end)

describe("a message that surely was not taken", function()
  for _, refusal in ipairs {
    { "429", 429, "" }, { "503", 503, "<html>" }, { "130429 with status 400", 400, meta_error(130429) },
    { "131000 with status 200", 200, meta_error(131000) }, { "131016 with status 500", 500, meta_error(131016) },
  } do
    it("is sent again after " .. refusal[1], function()
      local c = client_of(in_turn { { refusal[2], refusal[3] }, { refusal[2], refusal[3] }, { 200, TAKEN } })
      assert.are.equal(3, assert(c:send_text(NUMBER, "Hi")).attempts)
      assert.are.equal(3, #http_server.requests)
      assert.are.equal(http_server.requests[1].body, http_server.requests[3].body)
    end)
  end

  it("is given up after the number of retries", function()
    local c = client_of(in_turn { { 503, "" } })
    local sent, err = c:send_text(NUMBER, "Hi")
    assert.is_nil(sent)
    assert.are.same({ "http", 503, true, 4 }, { err.kind, err.status, err.retryable, err.attempts })
    assert.are.equal(4, #http_server.requests)
    local _, other = c:deliver({ mobile = NUMBER, type = "text", text = "Hi" }, { retries = 0 })
    assert.are.equal(1, other.attempts)
  end)

  it("is sent again when nobody listens", function()
    local c = client.new { api_key = KEY, base_url = server.nobody(), retries = 2 }
    local sent, err = c:send_text(NUMBER, "Hi")
    assert.is_nil(sent)
    assert.are.same({ "network", true, 3 }, { err.kind, err.retryable, err.attempts })
  end)

  it("waits as long as Retry-After says", function()
    local c = client_of(in_turn { { 429, "", { ["Retry-After"] = "1" } }, { 200, TAKEN } })
    local started = clock.monotonic()
    assert.are.equal(2, assert(c:send_text(NUMBER, "Hi")).attempts)
    assert.is_true(clock.monotonic() - started >= 0.99)
  end)

  for _, value in ipairs { ("9"):rep(400), "-1", "1e9", "0x7fffffff" } do
    it("does not wait for what Retry-After cannot mean: " .. value:sub(1, 12), function()
      local c = client_of(in_turn { { 429, "", { ["Retry-After"] = value } }, { 200, TAKEN } })
      assert.are.equal(2, assert(c:send_text(NUMBER, "Hi")).attempts)
    end)
  end

  it("does not hang for an hour, but says how long", function()
    local c = client_of(in_turn { { 429, "", { ["Retry-After"] = "3600" } }, { 200, TAKEN } })
    local _, err = c:send_text(NUMBER, "Hi")
    assert.are.same({ "rate_limited", 3600, 1, true }, { err.kind, err.retry_after, err.attempts, err.retryable })
  end)

  it("waits for its recipient alone after 131056", function()
    local c = client_of(in_turn { { 400, meta_error(131056) }, { 200, TAKEN } })
    local started = clock.monotonic()
    task.run(function()
      local first = task.spawn(c.send_text, c, NUMBER, "Hi")
      while #http_server.requests == 0 do
        task.sleep(0.001)
      end
      assert(c:send_text("918888888888", "Hi"))
      assert.is_true(clock.monotonic() - started < 0.9)
      task.join(first)
    end)
    assert.is_true(clock.monotonic() - started >= 0.99)
    assert.are.equal(3, #http_server.requests)
  end)
end)

describe("a message that may have been taken", function()
  local function assert_unknown(c)
    local sent, err = c:send_text(NUMBER, "Hi")
    assert.is_nil(sent)
    assert.are.same({ "unknown_outcome", 1, false }, { err.kind, err.attempts, err.retryable })
    assert.are.equal(1, #http_server.requests)
    return err
  end

  it("is not sent again when the answer does not come in time", function()
    local err = assert_unknown(client_of(function() end, { timeout = 0.2 }))
    assert.are.equal("timeout", err.cause)
  end)

  it("is not sent again when the connection breaks before the answer", function()
    local err = assert_unknown(client_of(function(request)
      request.exchange:cut()
    end))
    assert.are.equal("network", err.cause)
  end)

  it("is not sent again when the answer is too large to be read", function()
    assert_unknown(client_of(in_turn { { 200, ("x"):rep(2 * 1024 * 1024) } }))
  end)

  for _, status in ipairs { 500, 502, 504 } do
    it("is not sent again after " .. status, function()
      assert.are.equal(status, assert_unknown(client_of(in_turn { { status, "<html>" } })).status)
    end)
  end

  -- libcurl calls such an answer a bad argument, and it was taken for a message that was never sent.
  it("is not sent again after an answer that cannot be read", function()
    for _, action in ipairs { "garbage", "garbled" } do
      local fault <close> = setmetatable({ server = fault_server.start(nil, action) }, { __close = function(self)
        self.server:close()
      end })
      local c = client.new { api_key = "k", base_url = fault.server.url }
      local _, err = c:send_text(NUMBER, "Hi")
      assert.are.same({ "unknown_outcome", 1, true }, { err.kind, err.attempts, err.sent })
      assert.matches("its answer was lost %(POST http://[%d.:]+: the answer is not HTTP%)", err.message)
    end
  end)

  it("is not sent again after a second answer that is lost", function()
    local n = 0
    local c = client_of(function(request)
      n = n + 1
      if n == 1 then
        return 503, ""
      end
      request.exchange:cut()
    end)
    local _, err = c:send_text(NUMBER, "Hi")
    assert.are.same({ "unknown_outcome", 2 }, { err.kind, err.attempts })
    assert.are.equal(2, #http_server.requests)
  end)
end)

describe("a refusal", function()
  for _, row in ipairs {
    { 401, '{"message":"authentication error"}', "auth" }, { 200, "authentication error", "auth" },
    { 400, meta_error(131047), "window_closed" }, { 400, meta_error(131026), "rejected" },
    { 200, '{"status":"failed","message":"no credits"}', "rejected" }, { 404, "nothing here", "rejected" },
    { 404, "<html>nothing here", "http" }, { 302, "", "http" },
  } do
    it(("is final: %d %s"):format(row[1], row[2]), function()
      local c = client_of(in_turn { { row[1], row[2], { Location = "/elsewhere" } } })
      local _, err = c:send_text(NUMBER, "Hi")
      assert.are.same({ row[3], 1 }, { err.kind, err.attempts })
      assert.are.equal(1, #http_server.requests)
    end)
  end
end)

describe("the key", function()
  local function assert_absent(value)
    local seen = {}
    local function walk(it)
      if type(it) == "table" and not seen[it] then
        seen[it] = true
        for key, item in pairs(it) do
          walk(key)
          walk(item)
        end
      elseif type(it) == "string" then
        assert.is_nil(it:find("s3cr3t", 1, true))
      end
    end
    walk(value)
    assert.is_nil(tostring(value):find("s3cr3t", 1, true))
  end

  it("is in no field and no text of the client", function()
    local c = client_of(in_turn { { 200, TAKEN } })
    assert_absent(c)
    assert.are.equal(("cunnekt.client (%s)"):format(http_server.url), tostring(c))
  end)

  it("is in no error, even when the server repeats it", function()
    for _, body in ipairs {
      "Invalid API key " .. KEY, json.encode { error = { message = "bad key " .. KEY, code = 190, seen = { KEY } } },
      '{"message":"bad key s3cr3t\\/key+with.dots"}', "<html>" .. KEY,
    } do
      local c = client_of(in_turn { { 401, body } })
      local _, err = c:send_text(NUMBER, "Hi")
      assert.are.equal("auth", err.kind)
      assert_absent(err)
      http_server:close()
    end
    local _, err = client.new({ api_key = KEY, base_url = server.nobody(), retries = 0 }):send_text(NUMBER, "Hi")
    assert_absent(err)
  end)

  it("must be given, and be one", function()
    set_environment {}
    assert.error_matches(function()
      client.new {}
    end, "no API key; put it into the environment variable CUNNEKT_API_KEY")
    local ok, message = pcall(client.new, { api_key = "s3cr3t\r\nX: y" })
    assert.is_false(ok)
    assert.matches("api_key", message)
    assert_absent(message)
  end)

  it("and the limits come from the environment", function()
    local environment = { CUNNEKT_API_KEY = "from-env", CUNNEKT_RATE = "0", CUNNEKT_PAIR_RATE = "0" }
    http_server = server.new(in_turn { { 200, TAKEN } })
    environment.CUNNEKT_BASE_URL = http_server.url
    set_environment(environment)
    local c = client.new()
    for _ = 1, 100 do
      assert(c:send_text(NUMBER, "Hi"))
    end
    assert.are.equal("from-env", http_server.requests[1].header "API-KEY")
    environment.CUNNEKT_RATE = "abc"
    assert.error_matches(client.new, "CUNNEKT_RATE: 'abc' is not a number")
  end)
end)

describe("errors", function()
  it("don't name the recipient", function()
    local c = client_of(in_turn { { 400, json.encode { message = "Recipient +919999999999 is unknown" } } })
    local _, err = c:send_text(NUMBER, "Hi")
    assert.are.equal("rejected: Recipient the recipient is unknown", tostring(err))
  end)

  it("about options raise, with what was meant", function()
    assert.error_matches(function()
      client.new { api_key = KEY, tmeout = 5 }
    end, "cunnekt.client: unknown option 'tmeout' %(did you mean 'timeout'")
    for name, value in pairs { timeout = 0, retries = -1, rate = 0 / 0, base_url = "ftp://x", default_country = "x" } do
      assert.error_matches(function()
        client.new { api_key = KEY, [name] = value }
      end, name)
    end
    assert.error_matches(function()
      client.new({ api_key = KEY }):deliver "text"
    end, "client:deliver")
  end)
end)

describe("the limits", function()
  it("make a contact's messages wait, one after the other, on the clock", function()
    local times, virtual = {}, clock.virtual():install()
    finally(function()
      virtual:uninstall()
    end)
    local c = client_of(function()
      times[#times + 1] = clock.monotonic()
      return 200, TAKEN
    end, { rate = 0, pair_rate = 1 / 6 })
    local tasks = {}
    for i = 1, 48 do
      tasks[i] = task.spawn(function()
        assert(c:send_text(NUMBER, "Hi"))
      end)
    end
    local function drain(count)
      while #times < count do
        assert(core.step(true))
      end
    end
    drain(45)
    for i = 1, 3 do
      virtual:advance(5.5)
      assert.are.equal(44 + i, #times)
      virtual:advance(0.5)
      drain(45 + i)
    end
    while not tasks[48].is_done do
      core.step(true)
    end
  end)

  it("take the forms of a number for one contact, and other numbers for another", function()
    local c = client_of(in_turn { { 200, TAKEN } }, { rate = 0, pair_rate = 1 / 6 })
    for _, forms in ipairs { { "551187654321", "+5511987654321" }, { "525512345678", "5215512345678" }, { "541112345678", "5491112345678" } } do
      for i = 1, 45 do
        assert.equal(0, (c:take_permit { mobile = forms[i % 2 + 1] }))
      end
      assert.is_true(c:take_permit { mobile = forms[1] } > 0)
      assert.is_true(c:take_permit { mobile = forms[2] } > 0)
      assert.equal(0, (c:take_permit { mobile = forms[1]:gsub("..$", "99") }))
      c:return_permit { mobile = forms[1] }
      assert.equal(0, (c:take_permit { mobile = forms[2] }))
    end
  end)

  it("are forgotten by a send that is called off while it waits", function()
    local c = client_of(in_turn { { 200, TAKEN } }, { rate = 0.001 })
    assert(c:send_text(NUMBER, "Hi"))
    local waiting = task.spawn(c.send_text, c, NUMBER, "Hi")
    task.cancel(waiting)
    assert.are.equal(1, #http_server.requests)
  end)
end)
