-- SPDX-License-Identifier: MIT
-- Answers to a send, in every form that was seen or that Meta documents; the provider documents none.

local answer = require "cunnekt.provider.answer"
local clock = require "cunnekt.time.clock"
local json = require "cunnekt.base.json"
local json_texts = require "spec.support.json_texts"

local function meta_error(code, message, details)
  return json.encode {
    error = {
      message = message or "(#" .. code .. ") refused",
      type = "OAuthException",
      code = code,
      error_data = details and { details = details },
      fbtrace_id = "A",
    },
  }
end

local function failure(status, body, headers)
  local sent, err = answer.read(status, headers, body)
  assert.is_nil(sent)
  return err
end

describe("the message id is found", function()
  local forms = {
    { "where Meta and Cunnekt's newer API have it", '{"contacts":[{"wa_id":"91"}],"messages":[{"id":"wamid.1"}]}' },
    { "in data", '{"status":"success","data":{"id":"wamid.1"}}' },
    { "in data, by another name", '{"data":{"message_id":"wamid.1"}}' },
    { "in data, as Meta's answer", '{"data":{"messages":[{"id":"wamid.1"}]}}' },
    { "in a list in data", '{"data":[{"id":"wamid.1"}]}' },
    { "as messageId", '{"messageId":"wamid.1"}' },
    { "as message_id", '{"status":true,"message_id":"wamid.1"}' },
    { "as id", '{"id":"wamid.1"}' },
    { "in a list of one answer", '[{"id":"wamid.1"}]' },
    { "beside errors that say there is none", '{"error":false,"errors":[],"status":200,"id":"wamid.1"}' },
    { "beside a null error", '{"error":null,"message":"ok","id":"wamid.1"}' },
    { "behind a byte order mark", '\xEF\xBB\xBF{"id":"wamid.1"}' },
  }
  for _, form in ipairs(forms) do
    it(form[1], function()
      local sent = assert(answer.read(200, {}, form[2]))
      assert.are.equal("wamid.1", sent.message_id)
      assert.are.equal(form[2], sent.body)
      assert.is_table(sent.raw)
    end)
  end

  it("as text, when it is a number", function()
    assert.are.equal("123456789012345678", assert(answer.read(200, {}, '{"id":123456789012345678}')).message_id)
  end)

  it("or is absent, and the message is accepted all the same", function()
    for _, body in ipairs { "", "OK", "queued", "{}", "[]", '{"status":"success"}', '{"message":"Message sent"}', "true" } do
      local sent = assert(answer.read(202, nil, body))
      assert.are.same({ 202, body }, { sent.status, sent.body })
      assert.is_nil(sent.message_id)
    end
  end)
end)

describe("the usual answer", function()
  -- As the client takes it first, and as `read` does.
  local function is_usual(body, status)
    local usual = answer.read_usual(status or 200, body)
    if usual then
      assert.are.same(assert(answer.read(status or 200, {}, body)), usual)
    end
    return usual ~= nil
  end

  it("is read as any other, with all that it holds", function()
    assert.is_true(is_usual '{"messaging_product":"whatsapp","contacts":[{"input":"91","wa_id":"91"}],"messages":[{"id":"wamid.1"}]}')
    assert.is_true(is_usual('{"messages":[{"id":"wamid.\\u0041\\/=","message_status":"accepted"}],"n":[1,1.0,-0,[],{},null,true]}', 202))
    for _, text in ipairs(json_texts.accepted) do -- but for the one behind a byte order mark
      assert.is_true(is_usual('{"messages":[{"id":"wamid.1"}],"more":' .. text[1]:gsub("^\xEF\xBB\xBF", "") .. "}"), text[1])
    end
  end)

  it("is none that may say something else", function()
    local others = {
      "", "OK", "null", "[]", "{}", "<html>", '{"messages":[]}', '{"messages":{"id":"wamid.1"}}', '{"messages":[{"id":""}]}',
      '{"messages":[{"id":1}]}', '{"messages":[{"id":"wamid.1"}]', '[{"messages":[{"id":"wamid.1"}]}]',
    }
    for _, member in ipairs { "error", "errors", "status", "success", "data" } do
      table.insert(others, ('{"messages":[{"id":"wamid.1"}],"%s":false}'):format(member))
    end
    for _, body in ipairs(others) do
      assert.is_false(is_usual(body), body)
    end
    assert.is_false(is_usual('{"messages":[{"id":"wamid.1"}]}', 400))
  end)
end)

describe("a failure inside a 200", function()
  local forms = {
    { '{"status":"error","message":"no credits"}', "no credits" },
    { '{"status":"failed","msg":"no credits"}', "no credits" },
    { '{"status":false,"error":"no credits"}', "no credits" },
    { '{"status":"false","error":{"message":"no credits"}}', "no credits" },
    { '{"success":false,"message":"no credits"}', "no credits" },
    { '{"errors":[{"title":"no credits"}]}', "no credits" },
    { '{"errors":["no credits"]}', "no credits" },
    { '{"errors":"no credits"}', "no credits" },
    { '{"data":{"status":"failed","message":"no credits"}}', "no credits" },
    { '{"id":"wamid.1","error":{"message":"no credits"}}', "no credits" },
    { '{"code":422,"message":"no credits"}', "no credits" },
    { "Error: no credits", "Error: no credits" },
  }
  for _, form in ipairs(forms) do
    it("is one: " .. form[1], function()
      local err = failure(200, form[1])
      assert.are.equal("rejected", err.kind)
      assert.are.equal(form[2], err.message)
      assert.are.equal(200, err.status)
      assert.are.equal(form[1], err.body)
      assert.is_false(err.retryable)
    end)
  end

  it("without a word is one as well", function()
    assert.are.equal("rejected", failure(200, '{"status":"failed"}').kind)
  end)

  it("tells a refused key by its text", function()
    for _, body in ipairs {
      "authentication error", '{"message":"Authentication Error"}', '{"status":"error","message":"Invalid API key"}',
      '{"status":401,"message":"no"}', '"authentication error"',
    } do
      assert.are.equal("auth", failure(200, body).kind)
    end
    -- A category of templates, not a key.
    assert.are.equal("rejected", failure(200, '{"error":"Authentication templates take one button"}').kind)
  end)
end)

describe("Meta's code decides, whatever the status is", function()
  local codes = {
    { 130429, "rate_limited", true }, { 131056, "rate_limited", true }, { 4, "rate_limited", true },
    { 80007, "rate_limited", true }, { 1, "rejected", true }, { 2, "rejected", true }, { 131000, "rejected", true },
    { 131016, "rejected", true }, { 131057, "rejected", true }, { 133004, "rejected", true },
    { 131047, "window_closed", false }, { 131026, "rejected", false }, { 131050, "rejected", false },
    { 132001, "rejected", false }, { 131008, "rejected", false }, { 131042, "rejected", false },
    { 131049, "rejected", false }, { 190, "auth", false },
  }
  for _, row in ipairs(codes) do
    local code, kind, is_retryable = table.unpack(row)
    it(("%d is %s"):format(code, kind), function()
      for _, status in ipairs { 200, 400, 403, 429, 500 } do
        local err = failure(status, meta_error(code))
        assert.are.same({ kind, code, is_retryable, status }, { err.kind, err.code, err.retryable, err.status })
      end
    end)
  end

  it("also when it is a string, in a list, or in JSON inside a string", function()
    assert.are.equal("window_closed", failure(400, '{"errors":[{"code":"131047","title":"Re-engagement message"}]}').kind)
    assert.are.equal("window_closed", failure(200, json.encode { status = "error", message = meta_error(131047) }).kind)
    assert.are.equal("window_closed", failure(200, '{"code":131047,"message":"Re-engagement message"}').kind)
    assert.are.equal("window_closed", failure(400, '{"data":{"error":{"code":131047}}}').kind)
  end)

  it("and the details are part of the message", function()
    local err = failure(400, meta_error(131009, "Parameter value is not valid", "Button title length invalid"))
    assert.are.equal("Parameter value is not valid: Button title length invalid", err.message)
    assert.are.equal("rejected: Parameter value is not valid: Button title length invalid (code 131009)", tostring(err))
    assert.are.equal("OAuthException", err.raw.error.type)
  end)

  it("and 131049 is not to be tried for a day", function()
    assert.are.equal(86400, failure(400, meta_error(131049)).retry_after)
  end)
end)

describe("the status decides where there is no code", function()
  local rows = {
    { 401, "", "auth", false }, { 403, "{}", "auth", false }, { 429, "", "rate_limited", true },
    { 503, "<html>", "http", true }, { 500, "", "unknown_outcome", false }, { 502, "<html>", "unknown_outcome", false },
    { 504, "", "unknown_outcome", false }, { 500, '{"message":"Server Error"}', "unknown_outcome", false },
    { 408, "", "unknown_outcome", false }, { 404, "<html>not found</html>", "http", false }, { 405, "\n<!DOCTYPE html>", "http", false },
    { 404, '{"message":"no such template"}', "rejected", false }, { 404, "", "rejected", false },
    { 400, '{"message":"mobile is wrong"}', "rejected", false }, { 400, "<html>", "rejected", false },
    { 413, "<html>too large</html>", "rejected", false }, { 302, "", "http", false }, { 301, "<html>moved</html>", "http", false },
    { 307, '{"message":"Temporary Redirect"}', "http", false }, { 303, "", "unknown_outcome", false },
  }
  for _, row in ipairs(rows) do
    local status, body, kind, is_retryable = table.unpack(row)
    it(("%d %s is %s"):format(status, body, kind), function()
      local err = failure(status, body)
      assert.are.same({ kind, status, is_retryable }, { err.kind, err.status, err.retryable })
    end)
  end

  it("and a page or a broken text in a 200 is no word that the message was taken", function()
    assert.are.equal("unknown_outcome", failure(200, "<!DOCTYPE html><title>Maintenance</title>").kind)
    assert.are.equal("unknown_outcome", failure(200, '{"status":"x","error":{"mess').kind)
  end)
end)

describe("an answer of any size or content", function()
  it("is kept to 2 KB in the error, and to characters that are whole", function()
    local err = failure(500, ("é"):rep(5000))
    assert.is_true(#err.body <= 2048 and #err.body > 2040)
    assert.is_truthy(utf8.len(err.body))
    err = failure(400, json.encode { error = ("é"):rep(5000) })
    assert.is_true(#err.message <= 500)
  end)

  it("never raises", function()
    local parts = { "{", "}", "[", "]", '"error"', '"status"', ":", ",", "null", "1", '"id"', '"data"', '"x"', "\xff", '"errors"', "true" }
    math.randomseed(20240501)
    for _ = 1, 5000 do
      local words = {}
      for i = 1, math.random(12) do
        words[i] = parts[math.random(#parts)]
      end
      local sent, err = answer.read(math.random(2) == 1 and 200 or 400, {}, table.concat(words))
      assert.is_true(sent ~= nil or err ~= nil)
    end
    for _, body in ipairs {
      '{"error":{}}', '{"error":[]}', '{"error":[1]}', '{"errors":{"mobile":["bad"]}}', '{"data":5}', '{"messages":{}}',
      '{"messages":[5]}', '{"messages":[{"id":{}}]}', '{"error":{"message":5,"code":{}}}', '{"status":{}}', "[[]]", "[null]",
    } do
      answer.read(200, {}, body)
      answer.read(400, {}, body)
    end
  end)
end)

describe("Retry-After", function()
  local virtual

  before_each(function()
    virtual = clock.virtual(784111777):install() -- Sun, 06 Nov 1994 08:49:37 GMT
  end)

  after_each(function()
    virtual:uninstall()
  end)

  local function after(value)
    return failure(429, "", { ["retry-after"] = value }).retry_after
  end

  it("is read as seconds and as a date in any form", function()
    assert.are.equal(120, after "120")
    assert.are.equal(0, after " 0 ")
    assert.are.equal(60, after "Sun, 06 Nov 1994 08:50:37 GMT")
    assert.are.equal(60, after "Sunday, 06-Nov-94 08:50:37 GMT")
    assert.are.equal(60, after "Sun Nov  6 08:50:37 1994")
    assert.are.equal(0, after "Sun, 06 Nov 1994 08:00:00 GMT")
  end)

  it("is an hour at most, whatever it asks for", function()
    assert.are.equal(3600, after "3600")
    assert.are.equal(3600, after "3601")
    assert.are.equal(3600, after "9999999999")
    assert.are.equal(3600, after "Sun, 06 Nov 1994 09:49:38 GMT")
    assert.are.equal(3600, after "Fri, 31 Dec 9999 23:59:59 GMT")
    assert.are.equal(0, after "Thu, 01 Jan 1970 00:00:00 GMT")
    assert.are.equal(0, after "Sat, 01 Jan 0000 00:00:00 GMT")
  end)

  -- 400 digits are an infinite number of seconds, and a message waited for ever.
  it("is left out when it is nonsense", function()
    for _, value in ipairs {
      "", "soon", "-1", "+1", "1.5", "1e3", "0x10", "1 0", "1, 2", "10s", "inf", "nan", ("9"):rep(11), ("9"):rep(400), ("0"):rep(400),
      "Sun, 06 Foo 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:37", "Sun, 6 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 19940 08:50:37 GMT",
      "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 31 Nov 1994 08:50:37 GMT", "Sun, 00 Nov 1994 08:50:37 GMT", "Sun,06 Nov 1994 08:50:37 GMT",
      "Xyz, 06 Nov 1994 08:50:37 GMT", "Sun, 06-Nov-94 08:50:37 GMT", "Sunday, 06 Nov 1994 08:50:37 GMT", "Sun Nov 6 08:50:37 1994",
      "Sun, 06 Nov 1994 08:50:37 +0100",
    } do
      assert.is_nil(after(value), value)
    end
  end)
end)
