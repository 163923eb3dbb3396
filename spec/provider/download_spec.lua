-- SPDX-License-Identifier: MIT
-- Media in every form in which the provider may answer, to every place; and that nothing half-done is left behind.

local client = require "cunnekt.provider.client"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local fault_server = require "spec.support.fault_server"
local json = require "cunnekt.base.json"
local server = require "spec.support.server"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local KEY = "s3cr3t-key"
local ID = "wamid.HBgM+x/y="
-- Not UTF-8, not JSON, and larger than one piece from the network.
local BYTES = ("\255\216\0\1 picture %d\n"):rep(40000)
local SHA256 = core.base64_encode(core.sha256():update(BYTES):digest())

local http_server, others, folder, random

local function client_of(handler, opts)
  http_server = server.new(handler)
  opts = opts or {}
  opts.api_key, opts.base_url = KEY, http_server.url .. "/v1"
  return client.new(opts)
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

local function content(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read "a"
  file:close()
  return text
end

local function entries()
  local names = {}
  local pipe = assert(io.popen(("find '%s' -mindepth 1 | LC_ALL=C sort"):format(folder)))
  for line in pipe:lines() do
    names[#names + 1] = line:sub(#folder + 2)
  end
  pipe:close()
  return names
end

local function assert_failed(kind, result, err)
  assert.is_nil(result)
  assert.are.equal(kind, err.kind)
  assert.is_nil(tostring(err):find(KEY, 1, true))
  return err
end

before_each(function()
  others = {}
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir '%s'"):format(folder)))
  random = clock.random
  clock.random = function()
    return 0.001
  end
end)

after_each(function()
  clock.random = random
  for _, it in ipairs(others) do
    it:close()
  end
  if http_server then
    http_server:close()
    http_server = nil
  end
  os.execute(("chmod -R u+w '%s'; rm -r '%s'"):format(folder, folder))
end)

describe("a download", function()
  it("asks for the message by its percent-encoded id, with the key", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    assert(c:download(ID))
    local request = http_server.requests[1]
    assert.are.same({ "GET", "/v1/getmediafile" }, { request.method, request.path })
    assert.are.equal("messageId=wamid.HBgM%2Bx%2Fy%3D", request.query)
    assert.are.equal(KEY, request.header "API-KEY")
  end)

  it("gives bytes in memory", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    local result = assert(c:download(ID, { sha256 = SHA256 }))
    assert.are.equal(BYTES, result.body)
    assert.are.same({ #BYTES, SHA256, "image/jpeg", 200 }, { result.size, result.sha256, result.mime_type, result.status })
  end)

  it("writes a file, makes its folders and leaves nothing else", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    local path = folder .. "/a/b/picture.jpg"
    local result = assert(c:download(ID, { path = path, sha256 = SHA256 }))
    assert.are.equal(path, result.path)
    assert.is_nil(result.body)
    assert.are.equal(BYTES, content(path))
    assert.are.same({ "a", "a/b", "a/b/picture.jpg" }, entries())
  end)

  it("replaces a file that is there", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    local path = folder .. "/picture.jpg"
    assert(io.open(path, "w")):close()
    assert(c:download(ID, { path = path }))
    assert.are.equal(BYTES, content(path))
  end)

  it("hands the bytes to a function, and tells how far it is", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    local chunks, seen, total = {}, 0, nil
    local result = assert(c:download(ID, {
      sink = function(chunk)
        chunks[#chunks + 1] = chunk
      end,
      on_progress = function(received, whole)
        assert.is_true(received > seen)
        seen, total = received, whole
      end,
    }))
    assert.is_true(#chunks > 1)
    assert.are.equal(BYTES, table.concat(chunks))
    assert.are.same({ #BYTES, #BYTES, #BYTES }, { seen, total, result.size })
  end)

  it("works inside a task and for an empty file", function()
    local c = client_of(answering(200, "", "text/plain"))
    local result = task.run(function()
      return assert(c:download(ID, { path = folder .. "/empty" }))
    end)
    assert.are.equal(0, result.size)
    assert.are.equal("", content(folder .. "/empty"))
  end)
end)

describe("a redirect", function()
  it("is followed, and takes the key to the provider's own origin only", function()
    local cdn = other_server(answering(200, BYTES, "image/jpeg"))
    local c = client_of(function(request)
      if request.path == "/v1/getmediafile" then
        return 302, "", { Location = "/v1/hop" }
      end
      return 307, "", { Location = cdn.url .. "/file" }
    end)
    assert.are.equal(BYTES, assert(c:download(ID)).body)
    assert.are.equal(KEY, http_server.requests[2].header "API-KEY")
    assert.is_nil(cdn.requests[1].header "API-KEY")
  end)

  it("is followed a few times only", function()
    local c = client_of(function()
      return 302, "", { Location = "/v1/again" }
    end)
    assert_failed("http", c:download(ID))
    assert.is_true(#http_server.requests < 10)
  end)
end)

describe("a failed download", function()
  local function download(handler, opts, client_opts)
    opts = opts or {}
    opts.path = folder .. "/file"
    return client_of(handler, client_opts):download(ID, opts)
  end

  after_each(function()
    assert.are.same({}, entries())
  end)

  it("leaves no file when the digest differs", function()
    local err = assert_failed("corrupt", download(answering(200, BYTES .. "x", "image/jpeg"), { sha256 = SHA256 }))
    assert.matches("sha256", err.message)
  end)

  it("leaves no file when it is too large, whether the server says so or not", function()
    local err = assert_failed("too_large", download(answering(200, BYTES, "image/jpeg"), { max_bytes = 1000 }))
    assert.are.equal(1000, err.limit)
    http_server:close()
    assert_failed("too_large", download(answering(200, json.encode { data = core.base64_encode(BYTES) }, "application/json"), { max_bytes = 1000 }))
  end)

  it("leaves no file when the server refuses", function()
    local err = assert_failed("rejected", download(answering(404, '{"error":{"message":"unknown media"}}', "application/json")))
    assert.are.same({ 404, "unknown media" }, { err.status, err.message })
    http_server:close()
    assert_failed("auth", download(answering(401, "", "text/plain")))
    http_server:close()
    assert_failed("http", download(answering(404, "<html>", "text/html")))
  end)

  it("leaves no file when it is called off in the middle", function()
    local is_begun = false
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    local t = task.spawn(function()
      c:download(ID, {
        path = folder .. "/file",
        on_progress = function()
          is_begun = true
        end,
      })
    end)
    while not is_begun do
      core.step(true)
    end
    assert.are.equal(1, #entries())
    task.cancel(t)
    while core.counts().files > 0 or #entries() > 0 do
      assert(core.step(true))
    end
  end)

  it("leaves no file when a function of the caller raises", function()
    local ok, message = pcall(download, answering(200, BYTES, "image/jpeg"), {
      on_progress = function()
        error("no more", 0)
      end,
    })
    assert.is_false(ok)
    assert.are.equal("no more", message)
  end)

  it("leaves no file when nothing comes any more", function()
    local err = assert_failed("timeout", download(function() end, nil, { timeout = 0.1, retries = 0 }))
    assert.is_true(err.retryable)
  end)
end)

-- A download that trickled went on for an hour, and its handler with it: bytes came, so that it was never thought to hang.
describe("a download that takes too long", function()
  local virtual, fault

  before_each(function()
    virtual = clock.virtual(1000):install()
  end)

  after_each(function()
    virtual:uninstall()
    if fault then
      fault:close()
      fault = nil
    end
  end)

  -- Downloads from a fault server, with a second between two steps of the loop, into a file.
  local function download_slowly(actions, client_opts, opts)
    fault = fault_server.start(nil, table.unpack(actions))
    client_opts.api_key, client_opts.base_url = KEY, fault.url
    local c, got = client.new(client_opts), nil
    opts.path = folder .. "/file"
    local it = task.spawn(function()
      got = table.pack(c:download(ID, opts))
    end)
    wire.step_until(function()
      if not got then
        virtual:advance(1)
      end
      return got
    end)
    task.join(it)
    return got[1], got[2]
  end

  it("ends when it is slower than its least speed, says how far it got, and leaves nothing", function()
    local err = assert_failed("timeout", download_slowly({ "trickle:9000" }, { retries = 0 }, { min_speed = 20 }))
    assert.is_true(err.received > 0 and err.received < 9000)
    assert.are.same({ 9000, true }, { err.total, err.retryable })
    assert.matches("^the download has %d+ of 9000 bytes: GET http://127.0.0.1:%d+: slower than 20 bytes/s for 30 s, .*min_speed",
      err.message)
    assert.are.same({}, entries())
  end)

  it("may take as long as it wants where its bounds are wide", function()
    local file = assert(download_slowly({ "trickle:200" }, {}, { min_speed = 0, timeout = math.huge }))
    assert.are.equal(200, file.size)
  end)

  it("ends after its time, whatever takes it, and leaves nothing", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    local err = assert_failed("timeout", c:download(ID, {
      path = folder .. "/file",
      timeout = 600,
      on_progress = function()
        virtual:advance(400)
      end,
    }))
    assert.are.equal(#BYTES, err.total)
    assert.matches(("^the download has %%d+ of %d bytes: it took more than 600 s; try again later, or allow more with the option timeout$"):format(#BYTES),
      err.message)
    assert.are.same({}, entries())
  end)

  it("is not tried again when its time does not allow that", function()
    local c = client_of(function()
      return 503, "", { ["Retry-After"] = "5" }
    end)
    assert_failed("http", c:download(ID, { timeout = 4 }))
    assert.are.equal(1, #http_server.requests)
  end)

  it("ends in time while the head of the answer trickles", function()
    local _, err = download_slowly({ "drip:5" }, { timeout = 3600, retries = 0 }, { timeout = 50 })
    assert_failed("timeout", nil, err)
    assert.is_true(clock.monotonic() <= 60)
    assert.are.same({}, entries())
  end)

  it("ends in time when each of many attempts is answered slowly", function()
    local _, err = download_slowly({ "status:503:20", "status:503:20", "status:503:20", "stall" }, { timeout = 3600, retries = 9 }, { timeout = 90 })
    assert.is_not_nil(err)
    assert.is_true(clock.monotonic() <= 100)
    assert.are.same({}, entries())
  end)

  it("ends in time while it is opened, redirects included", function()
    local _, err = download_slowly({ "stall" }, { timeout = 3600, retries = 5 }, { timeout = 20 })
    assert_failed("timeout", nil, err)
    assert.matches("^the download has 0 bytes: it took more than 20 s", err.message)
    assert.is_true(clock.monotonic() < 60)
  end)
end)

describe("a download that fails for now", function()
  it("is tried again, since fetching twice does no harm", function()
    local n = 0
    local c = client_of(function(request)
      n = n + 1
      if n == 1 then
        return 503, ""
      elseif n == 2 then
        request.exchange:cut()
        return nil
      elseif n == 3 then
        return 502, "<html>"
      end
      return 200, BYTES, { ["Content-Type"] = "image/jpeg" }
    end)
    assert.are.equal(BYTES, assert(c:download(ID)).body)
    assert.are.equal(4, n)
  end)

  it("is given up after the number of retries", function()
    local c = client_of(answering(500, "", "text/html"), { retries = 1 })
    local err = assert_failed("http", c:download(ID))
    assert.are.same({ 500, 2 }, { err.status, err.attempts })
  end)
end)

describe("what the caller gives", function()
  it("is checked before the network", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    assert_failed("invalid", c:download "")
    assert.are.equal("sha256", assert_failed("invalid", c:download(ID, { sha256 = "abc" })).field)
    assert.are.equal("path", assert_failed("invalid", c:download(ID, { path = "" })).field)
    assert.error_matches(function()
      c:download(ID, { pth = "x" })
    end, "client:download: unknown option 'pth' %(did you mean 'path'")
    assert.error_matches(function()
      c:download(ID, { path = "x", sink = print })
    end, "exclude each other")
    assert.error_matches(function()
      c:download(ID, { timeout = 0 })
    end, "client:download: option 'timeout' must be more than 0")
    assert.error_matches(function()
      c:download(ID, { min_speed = -1 })
    end, "client:download: option 'min_speed' must not be negative")
    assert.error_matches(function()
      c:download()
    end, "message_id must be a string")
    assert.are.equal(0, #http_server.requests)
  end)

  it("may be a place that cannot be written", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    assert(os.execute(("mkdir '%s/folder'; touch '%s/file'"):format(folder, folder)))
    assert.are.equal("path", assert_failed("invalid", c:download(ID, { path = folder .. "/file/below" })).field)
    assert_failed("invalid", c:download(ID, { path = folder .. "/folder" }))
    assert.are.same({ "file", "folder" }, entries())
  end)

  it("may be a function that has enough", function()
    local c = client_of(answering(200, BYTES, "image/jpeg"))
    local err = assert_failed("cancelled", c:download(ID, {
      sink = function()
        return nil, "disk full"
      end,
    }))
    assert.matches("disk full", err.message)
  end)

  it("is limited to 16 MB when it is memory", function()
    local c = client_of(answering(200, ("x"):rep(16 * 1024 * 1024 + 1), "image/jpeg"))
    assert.are.equal(16 * 1024 * 1024, assert_failed("too_large", c:download(ID)).limit)
  end)
end)
