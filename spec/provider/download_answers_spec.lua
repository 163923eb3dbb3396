-- SPDX-License-Identifier: MIT
-- What the answer to a download may be beside the file: JSON that leads to it or says why there is none, and a text that does.

local client = require "cunnekt.provider.client"
local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local server = require "spec.support.server"

local KEY, ID = "s3cr3t-key", "wamid.a+b/c=="
local BYTES = "\xff\xd8 not a real picture \0\x01"
local SHA256 = core.base64_encode(core.sha256():update(BYTES):digest())

local http_server, others

local function client_of(handler)
  http_server = server.new(handler)
  return client.new { api_key = KEY, base_url = http_server.url .. "/v1" }
end

local function answering(status, body, mime_type)
  return function()
    return status, body, { ["Content-Type"] = mime_type }
  end
end

-- A server elsewhere, to which the key must not go.
local function other_server(handler)
  others[#others + 1] = server.new(handler)
  return others[#others]
end

local function assert_failed(kind, result, err)
  assert.is_nil(result)
  assert.are.equal(kind, err.kind)
  assert.is_nil(tostring(err):find(KEY, 1, true))
  return err
end

before_each(function()
  others = {}
end)

after_each(function()
  for _, it in ipairs(others) do
    it:close()
  end
  if http_server then
    http_server:close()
    http_server = nil
  end
end)

describe("an answer in JSON", function()
  local function download(body, opts, mime_type)
    local c = client_of(answering(200, type(body) == "table" and json.encode(body) or body, mime_type or "application/json"))
    return c:download(ID, opts)
  end

  for _, place in ipairs { "url", "link", "data.url", "media.url", "data" } do
    it(("is followed to the link in %s, without the key"):format(place), function()
      local cdn = other_server(answering(200, BYTES, "image/jpeg"))
      local outer, inner = place:match "^(%w+)%.?(%w*)$"
      local link = cdn.url .. "/file?x=1"
      local result = assert(download { status = "success", [outer] = inner == "" and link or { [inner] = link } })
      assert.are.equal(BYTES, result.body)
      assert.are.equal("image/jpeg", result.mime_type)
      assert.are.equal("/file", cdn.requests[1].path)
      assert.is_nil(cdn.requests[1].header "API-KEY")
    end)
  end

  it("is followed with the key to the provider itself", function()
    local c = client_of(function(request)
      if request.path == "/v1/getmediafile" then
        return 200, '{"url":"/files/1"}', { ["Content-Type"] = "application/json" }
      end
      return 200, BYTES, { ["Content-Type"] = "image/jpeg" }
    end)
    assert.are.equal(BYTES, assert(c:download(ID)).body)
    assert.are.equal("/files/1", http_server.requests[2].path)
    assert.are.equal(KEY, http_server.requests[2].header "API-KEY")
  end)

  for _, key in ipairs { "data", "base64", "file" } do
    it("is decoded from base64 in " .. key, function()
      local result = assert(download({ [key] = core.base64_encode(BYTES), mime_type = "image/jpeg" }, { sha256 = SHA256 }))
      assert.are.equal(BYTES, result.body)
      assert.are.equal("image/jpeg", result.mime_type)
    end)
  end

  it("may hold base64 as a data URL, in lines, or in the URL alphabet", function()
    local text = core.base64_encode "\251\255\254 some bytes"
    for _, form in ipairs { "data:image/png;base64," .. text, text:gsub("....", "%0\r\n"), (text:gsub("%+", "-"):gsub("/", "_"):gsub("=", "")) } do
      assert.are.equal("\251\255\254 some bytes", assert(download { data = form }).body)
      http_server:close()
    end
  end)

  it("is corrupt when its base64 is none", function()
    assert_failed("corrupt", download { data = "!!!!" })
  end)

  it("is an error when it tells of one", function()
    local err = assert_failed("rejected", download { status = "error", message = "media expired" })
    assert.are.equal("media expired", err.message)
    http_server:close()
    assert_failed("rejected", download { message = "File not found" })
    http_server:close()
    assert_failed("auth", download({ message = "authentication error for s3cr3t-key" }, nil, "text/html"))
  end)

  it("is the media itself when it is no envelope, or has the digest of the webhook", function()
    local list = "[1,2,3]"
    assert.are.equal(list, assert(download(list)).body)
    http_server:close()
    local document = '{"name":"a customer\'s file"}'
    assert.are.equal(document, assert(download(document)).body)
    http_server:close()
    document = '{"url":"https://e.com","error":"none of ours"}'
    local digest = core.base64_encode(core.sha256():update(document):digest())
    assert.are.equal(document, assert(download(document, { sha256 = digest })).body)
    http_server:close()
    assert.are.equal("{broken", assert(download "{broken").body)
  end)

  it("may be a string: a link, or base64", function()
    local cdn = other_server(answering(200, BYTES, "image/jpeg"))
    assert.are.equal(BYTES, assert(download(json.encode(cdn.url .. "/file"))).body)
    http_server:close()
    assert.are.equal(BYTES, assert(download(json.encode(core.base64_encode(BYTES)))).body)
    http_server:close()
    assert.are.equal('"quoted"', assert(download('"quoted"', nil, "text/html")).body)
  end)

  -- The words were taken for the customer's file.
  it("is not needed to say that the key is refused", function()
    for _, mime_type in ipairs { "text/plain; charset=utf-8", "text/html", "application/json" } do
      assert_failed("auth", download("authentication error", nil, mime_type))
      http_server:close()
    end
    local text = "authentication error"
    local digest = core.base64_encode(core.sha256():update(text):digest())
    assert.are.equal(text, assert(download(text, { sha256 = digest }, "text/plain")).body)
    http_server:close()
    for _, document in ipairs { "error in my order", text .. (" "):rep(200), "x", "" } do
      assert.are.equal(document, assert(download(document, nil, "text/plain")).body)
      http_server:close()
    end
  end)

  it("is not looked for in other types", function()
    local document = '{"url":"http://127.0.0.1:1/"}'
    assert.are.equal(document, assert(download(document, nil, "application/octet-stream")).body)
  end)

  it("leads to web addresses only", function()
    for _, link in ipairs { "file:///etc/passwd", "ftp://e.com/x", "http://a b/", "http://e.com\\@f.com/" } do
      assert_failed("rejected", download { url = link })
      http_server:close()
    end
  end)
end)
