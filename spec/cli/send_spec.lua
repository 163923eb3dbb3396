-- SPDX-License-Identifier: MIT
local canonical = require "spec.support.canonical"
local json = require "cunnekt.base.json"
local process = require "spec.support.process"
local server = require "spec.support.server"

describe("cunnekt send", function()
  local api, answer

  before_each(function()
    answer = { 200, '{"messages":[{"id":"wamid.1"}]}' }
    api = server.new(function()
      return answer[1], answer[2]
    end)
  end)

  after_each(function()
    api:close()
  end)

  local function send(args, opts)
    opts = opts or {}
    opts.env = opts.env or { CUNNEKT_API_KEY = "the-key", CUNNEKT_BASE_URL = api.url .. "/v1" }
    return process.cunnekt({ "send", table.unpack(args) }, opts)
  end

  -- Sends, and gives the payload as canonical JSON.
  local function payload_of(args, opts)
    local result = send(args, opts)
    assert.equal("", result.err)
    assert.equal(0, result.code)
    assert.equal("wamid.1\n", result.out)
    assert.equal(1, #api.requests)
    return canonical.of(api.requests[1].body)
  end

  local to = "919999999999"
  -- arguments, endpoint, payload
  local kinds = {
    { { "text", to, "Hello" }, "sendreplymessage", [[{"mobile":"919999999999","type":"text","text":"Hello"}]] },
    {
      { "image", to, "https://x.example/a.jpg", "A caption" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"image","image":"https://x.example/a.jpg","caption":"A caption"}]],
    },
    {
      { "video", to, "https://x.example/a.mp4" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"video","video":"https://x.example/a.mp4"}]],
    },
    {
      { "document", to, "https://x.example/a.pdf" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"document","document":"https://x.example/a.pdf"}]],
    },
    {
      { "audio", to, "https://x.example/a.mp3" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"audio","audio":"https://x.example/a.mp3"}]],
    },
    {
      { "buttons", to, "--header", "H", "--body", "How?", "--button", "a=A", "--button", "b=B = b" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"button","header":{"type":"text","text":"H"},"body":"How?","buttons":[
        {"type":"reply","reply":{"id":"a","title":"A"}},{"type":"reply","reply":{"id":"b","title":"B = b"}}]}]],
    },
    {
      { "list", to, "--body", "B", "--list-title", "L", "--row", "a=A|first", "--row", "b=B" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"list","body":"B","list_title":"L","list":[
        {"id":"a","title":"A","description":"first"},{"id":"b","title":"B"}]}]],
    },
    {
      { "form", to, "--body", "B", "--form-cta", "C", "--form-id", "42" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"flow","body":"B","form_cta":"C","form_id":"42"}]],
    },
    {
      { "cta_url", to, "--body", "B", "--button-text", "T", "--button-url", "https://x.example" },
      "sendreplymessage",
      [[{"mobile":"919999999999","type":"cta_url","body":"B","button_text":"T","button_url":"https://x.example"}]],
    },
    {
      {
        "template", to, "4711", "--header-document", "https://x.example/a.pdf", "--filename", "bill.pdf",
        "--body", "Asha", "--body", "10 am", "--button", "1:url=abc", "--override-bot",
      },
      "sendnotification",
      [[{"mobile":"919999999999","templateid":"4711","overridebot":"yes","template":{"components":[
        {"type":"header","parameters":[{"type":"document",
          "document":{"link":"https://x.example/a.pdf","filename":"bill.pdf"}}]},
        {"type":"body","parameters":[{"type":"text","text":"Asha"},{"type":"text","text":"10 am"}]},
        {"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"abc"}]}]}}]],
    },
    {
      { "template", to, "4711", "--components", [=[[{"type":"body","parameters":[]}]]=] },
      "sendnotification",
      [[{"mobile":"919999999999","templateid":"4711","template":{"components":[{"type":"body","parameters":[]}]}}]],
    },
    { { "template", to, "4711" }, "sendnotification", [[{"mobile":"919999999999","templateid":"4711"}]] },
  }

  for _, case in ipairs(kinds) do
    it(("sends %s"):format(table.concat(case[1], " ")), function()
      assert.equal(canonical.of(case[3]), payload_of(case[1]))
      assert.equal("/v1/" .. case[2], api.requests[1].path)
      assert.equal("the-key", api.requests[1].header "API-KEY")
    end)
  end

  it("reads a text from standard input", function()
    local expected = [[{"mobile":"919999999999","type":"text","text":"two\nlines"}]]
    assert.equal(canonical.of(expected), payload_of({ "text", to, "-" }, { stdin = "two\nlines\n" }))
  end)

  it("sends a payload of the provider's own from a file, or from standard input to another number", function()
    local folder = process.folder()
    local raw = [[{"mobile":"918888888888","type":"text","text":"raw"}]]
    local path = process.write(folder.path .. "/payload.json", raw)
    assert.equal(canonical.of(raw), payload_of { "raw", path })
    api.requests[1] = nil
    assert.equal(canonical.of((raw:gsub("918888888888", to))), payload_of({ "raw", to, "-" }, { stdin = raw }))
  end)

  it("prints the result as JSON", function()
    local result = send { "text", to, "hi", "--json" }
    local sent = json.decode(result.out)
    assert.equal("wamid.1", sent.message_id)
    assert.equal(1, sent.attempts)
    assert.equal(0, result.code)
  end)

  it("exits with 1 and says why when the provider refuses", function()
    answer = { 400, '{"error":{"message":"Template does not exist","code":132001}}' }
    local result = send { "text", to, "hi", "--json" }
    assert.equal(1, result.code)
    assert.matches("cunnekt send: rejected: .*Template does not exist.*132001", result.err)
    local failure = json.decode(result.out).error
    assert.equal("rejected", failure.kind)
    assert.equal(132001, failure.code)
    assert.not_matches("the%-key", result.err .. result.out)
  end)

  it("checks the limits before anything is sent", function()
    local result = send { "buttons", to, "--body", "x", "--button", "a=" .. ("x"):rep(25) }
    assert.equal(1, result.code)
    assert.matches("invalid: buttons%[1%].title is 25 characters long; Cunnekt allows 24", result.err)
    assert.equal(0, #api.requests)
  end)

  it("says what to do when there is no key", function()
    local result = send({ "text", to, "hi" }, { env = {} })
    assert.equal(1, result.code)
    assert.matches("^cunnekt send: .*there is no API key; put it into the environment variable CUNNEKT_API_KEY", result.err)
  end)

  it("takes settings from its options first", function()
    local env = { CUNNEKT_API_KEY = "the-key", CUNNEKT_BASE_URL = "http://127.0.0.1:1/v1" }
    local args = { "text", "9999999999", "hi", "--base-url", api.url .. "/v1", "--default-country", "91" }
    assert.equal(canonical.of(kinds[1][3]:gsub("Hello", "hi"), nil), payload_of(args, { env = env }))
  end)
end)
