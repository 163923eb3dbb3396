-- SPDX-License-Identifier: MIT
-- Every request of the provider's Postman collection, as it stands there, sent to the sandbox: only the placeholders are
-- filled in and the base URL is ours.

local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local sandbox = require "cunnekt.sandbox"

local PLACEHOLDERS = {
  mobile_number_with_country_code = "919999999999",
  ["yes/no"] = "yes",
  ["{URL}"] = "https://example.com/card.jpg",
  videofile_url = "https://example.com/film.mp4",
  documentfile_url = "https://example.com/bill.pdf",
  audiofile_url = "https://example.com/voice.mp3",
  ["link-to-image-file.com/image.jpg"] = "https://example.com/image.jpg",
}

local function read_collection()
  local file = assert(io.open "spec/fixtures/cunnekt.postman_collection.json")
  local collection = json.decode(file:read "a")
  file:close()
  return collection
end

-- Folders hold folders; leaves hold a request.
local function each_request(item, found)
  for _, inner in ipairs(item.item or {}) do
    if inner.request then
      found[#found + 1] = { name = inner.name, request = inner.request }
    end
    each_request(inner, found)
  end
  return found
end

local function fill_in(text)
  for placeholder, value in pairs(PLACEHOLDERS) do
    text = text:gsub('"' .. placeholder:gsub("%p", "%%%0") .. '"', '"' .. value .. '"')
  end
  return text
end

describe("the provider's collection, sent to the sandbox:", function()
  local box

  setup(function()
    box = assert(sandbox.new())
  end)

  teardown(function()
    box:close()
  end)

  local function send(request)
    local headers = {}
    for _, header in ipairs(request.header) do
      if header.key ~= "" then
        headers[header.key] = header.value
      end
    end
    local body = request.body and fill_in(request.body.raw)
    local url = request.url:gsub("^https://app2%.cunnekt%.com", box.url)
    return assert(http.request { method = request.method, url = url, headers = headers, body = body })
  end

  local requests = each_request(read_collection(), {})

  it("there are thirteen requests", function()
    assert.equal(13, #requests)
  end)

  for i, case in ipairs(requests) do
    it(("%d. %s"):format(i, case.name), function()
      local id = case.request.url:match "messageId=(.+)$"
      if id then
        local answer = send(case.request)
        assert.equal(404, answer.status)
        assert.equal("string", type(json.decode(answer.body).error.message))
        assert(box:say { type = "image", message_id = id })
      end
      local answer = send(case.request)
      assert.equal(200, answer.status, answer.body)
    end)
  end
end)
