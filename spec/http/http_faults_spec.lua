-- SPDX-License-Identifier: MIT
-- HTTP out, when the other side or the caller gives up: what is told, and what is never done twice, of requests and of the
-- messages of an endpoint alike. spec/support/fault_server.c lists the actions of the server.

local core = require "cunnekt.core"
local clock = require "cunnekt.time.clock"
local fault_server = require "spec.support.fault_server"
local http = require "cunnekt.provider.http"
local http_rig = require "spec.support.rigs.http_rig"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local rig = http_rig.new()
local serve, times = rig.serve, http_rig.times
local senders = { { "request", http.post }, { "message", http_rig.post_message } }

for _, sender in ipairs(senders) do
  local name_of_it, post = table.unpack(sender)

  describe("a failed " .. name_of_it, function()
    local outcomes = {
      { "close", "network", true },
      { "reset", "network", true },
      { "cut", "network", true },
      { "garbage", "network", true },
      { "garbled", "network", true },
      { "half-close", "network", true },
      { "half-reset", "network", true },
      { "half-stall", "timeout", true },
      { "stall", "timeout", true },
      { "deaf", "timeout", true },
      { "drip:20", "timeout", true },
      { "body:2000", "too_large", true },
      { "chunked:2000", "too_large", true },
      { "endless", "too_large", true },
      { "head:200000", "too_large", true },
    }
    for _, outcome in ipairs(outcomes) do
      local action, kind, sent = table.unpack(outcome)
      it(("is of the kind %s after %s"):format(kind, action), function()
        local url = serve(action, "ok")
        local began = clock.monotonic()
        local answer, err = post(url .. "/x", "body", { timeout = 0.2, max_bytes = 1999 })
        assert.is_nil(answer)
        assert.are.same({ kind, sent }, { err.kind, err.sent }, tostring(err))
        assert.is_true(clock.monotonic() - began < 5)
        assert.are.equal(200, assert(post(url, "body", { timeout = 5 })).status)
      end)
    end

    -- libcurl 7.88 appended the line to a header of the request before, which it had freed, and the program ended.
    it("does not end the program when an answer goes on with a line that is not there", function()
      local url = serve("ok", "folded", "folded", "redirect:/x", "folded", "ok")
      assert.are.equal(200, assert(http.get(url, { timeout = 5 })).status)
      for _ = 1, 2 do
        http.get(url, { timeout = 5 })
      end
      http.get(url, { timeout = 5, max_redirects = 1 })
      assert.are.equal(200, assert(http.get(url, { timeout = 5 })).status)
    end)

    it("was not sent when there was nobody to send it to", function()
      local _, refused = post("http://127.0.0.1:1/", "body")
      local _, unknown = post("http://nobody.invalid/", "body")
      local _, bad_proxy = post("https://nobody.invalid/", "body", { proxy = "http://127.0.0.1:1" })
      for _, err in ipairs { refused, unknown, bad_proxy } do
        assert.are.same({ "network", false }, { err.kind, err.sent })
      end
    end)

    it("was not sent when TLS did not come about", function()
      local url = serve("stall", "garbage"):gsub("^http:", "https:")
      local _, slow = post(url, "body", { connect_timeout = 0.1 })
      assert.are.same({ "timeout", false }, { slow.kind, slow.sent })
      url = serve("garbage"):gsub("^http:", "https:")
      local answer, garbage = post(url, "\r\n\r\n", { timeout = 0.3 })
      assert.is_nil(answer)
      assert.is_false(garbage.sent)
    end)

    it("keeps its deadline while it waits behind others", function()
      local url = serve "stall"
      local kinds = {}
      local began = clock.monotonic()
      times(600, function(i)
        local _, err = post(url, "body", { timeout = i <= 256 and 1 or 0.2 })
        local what = err.kind .. tostring(err.sent)
        kinds[what] = (kinds[what] or 0) + 1
      end)
      assert.are.same({ timeouttrue = 256, timeoutfalse = 344 }, kinds)
      assert.is_true(clock.monotonic() - began < 5)
    end)
  end)

  -- libcurl by itself writes a request again when a kept connection ends before the first byte of the answer. A server
  -- that took the request and died would see it twice; with messages, so would a customer.
  describe("a " .. name_of_it .. " on a connection that dies", function()
    for _, action in ipairs { "close", "reset" } do
      for name, body in pairs { small = "body", empty = "", none = false, large = ("0123456789"):rep(50000) } do
        it(("is not written twice after %s (%s body)"):format(action, name), function()
          local url = serve("ok", action, "ok")
          assert(post(url, "first"))
          local answer, err = post(url, body or nil)
          assert.is_nil(answer)
          assert.are.same({ "network", true }, { err.kind, err.sent })
          assert.are.equal(2, (rig.server:count()))
        end)
      end
    end

    it("is not written twice, whatever its method may change", function()
      for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE", "SEND" } do
        local url = serve("ok", "close", "ok")
        assert(http.get(url))
        assert.is_nil((http.request { method = method, url = url }))
        assert.are.equal(2, (rig.server:count()))
      end
    end)

    it("is repeated when that is harmless, as often as it takes", function()
      local actions = { "ok" }
      for _ = 1, 12 do
        actions[#actions + 1] = "close"
        actions[#actions + 1] = "ok"
      end
      local url = serve(table.unpack(actions))
      for _ = 1, 13 do
        assert.are.equal(200, assert(http.get(url)).status)
      end
      assert.are.equal(25, (rig.server:count()))
    end)

    it("is not written twice when a hundred of them meet it at once", function()
      local url = serve "ok"
      times(100, function()
        assert(post(url, "warm up"))
      end)
      local closes = {}
      for i = 1, 100 do
        closes[i] = i % 2 == 0 and "close" or "ok"
      end
      local before = rig.server:next(table.unpack(closes))
      local failed = 0
      times(100, function(i)
        local answer, err = post(url, "body " .. i)
        failed = failed + (answer and 0 or 1)
        assert.is_true(answer ~= nil or err.sent)
      end)
      assert.are.equal(50, failed)
      local seen = {}
      for i, request in ipairs(rig.server:requests()) do
        if i > before then
          assert.is_nil(seen[request.hash])
          seen[request.hash] = true
        end
      end
    end)

    it("goes to a new connection when the old one was closed while idle", function()
      local url = serve("ok-close", "ok")
      assert(post(url, "body"))
      rig.server:count() -- by now the server has closed
      core.step(false)
      assert.are.equal(200, assert(post(url, "body")).status)
      assert.are.same({ 2, 2 }, { rig.server:count() })
    end)

    it("reached the server once, when only its answer came too late or got lost", function()
      local upstream <close> = fault_server.start(nil, "ok")
      local url = rig.serve_with({ upstream = upstream.port }, "pass", "pass-late:300", "pass-lost", "pass")
      assert.are.equal(200, assert(post(url, "1")).status)
      local _, late = post(url, "2", { timeout = 0.1 })
      assert.are.same({ "timeout", true }, { late.kind, late.sent })
      local _, lost = post(url, "3")
      assert.are.same({ "network", true }, { lost.kind, lost.sent })
      assert.are.equal(200, assert(post(url, "4")).status)
      assert.are.same({ 4, 4 }, { upstream:count() })
    end)

    it("is read to its end when the server answers early", function()
      local answer = assert(post(serve("early:413"), ("x"):rep(3000000)))
      assert.are.equal(413, answer.status)
    end)
  end)

  describe("cancelling a " .. name_of_it, function()
    -- Starts a task, lets the loop go on until `is_there` says that it has come so far, and calls the task off.
    local function cancel_when(is_there, fn)
      task.run(function()
        local t = task.spawn(fn)
        wire.step_until(is_there, "the phase")
        assert.is_false(t.is_done)
        task.cancel(t)
      end)
      core.step(false)
      assert.are.equal(0, core.counts().requests)
    end

    -- Whether the server has read one more request, or accepted one more connection, than now.
    local function one_more(which)
      local before = select(which, rig.server:count())
      return function()
        return select(which, rig.server:count()) > before
      end
    end

    local function request_read()
      return one_more(1)
    end

    local function connection_made()
      return one_more(2)
    end

    it("works in every phase", function()
      local url = serve "stall"
      local secure_url = url:gsub("^http:", "https:")
      local function always()
        return true
      end
      cancel_when(always, function() post(url, "body") end) -- before anything
      cancel_when(request_read(), function() post(url, "body") end) -- waiting for the answer
      cancel_when(connection_made(), function() post(secure_url, "body") end) -- shaking hands
      rig.server:next("half-stall")
      cancel_when(request_read(), function() post(url, "body") end) -- amid the answer
      rig.server:next("deaf")
      cancel_when(connection_made(), function() post(url, ("x"):rep(20000000)) end) -- amid the request
      rig.server:next("half-stall")
      local is_reading
      cancel_when(function()
        return is_reading
      end, function() -- reading a stream
        local stream <close> = assert(http.stream { url = url })
        is_reading = true
        repeat until not stream:read()
      end)
    end)

    it("tells the one who waits", function()
      local kind, sent
      local request = core.request({ url = serve "stall" }, function(_, ...)
        kind, _, sent = ...
      end)
      request:close()
      request:close()
      assert.is_nil(kind) -- never from inside
      core.step(false)
      assert.are.same({ "cancelled", false }, { kind, sent })
    end)

    it("reaches those that wait their turn, and their places are taken", function()
      local url = serve "stall"
      local requests, kinds = {}, {}
      for i = 1, 600 do
        requests[i] = core.request({ url = url, method = "POST", body = "x" }, function(_, kind)
          kinds[kind] = (kinds[kind] or 0) + 1
        end)
      end
      for i = 600, 1, -1 do
        requests[i]:close()
      end
      while core.counts().requests > 0 do
        core.step(true)
      end
      assert.are.same({ cancelled = 600 }, kinds)
      rig.server:next("ok")
      assert.are.equal(200, assert(http.get(serve "ok")).status)
    end)
  end)
end

describe("core.request", function()
  it("may be closed, repeated and stepped inside its own callback", function()
    local url, depth, most = serve "ok", 0, 0
    local function again(n)
      local request
      request = core.request({ url = url }, function(status)
        assert(status == 200)
        request:close()
        depth = depth + 1
        most = math.max(most, depth)
        if n > 1 then
          again(n - 1)
          core.step(true)
        end
        depth = depth - 1
      end)
    end
    again(20)
    while core.counts().requests > 0 do
      core.step(true)
    end
    assert.are.equal(0, depth)
    assert.is_true(most >= 1)
  end)

  it("counts what is under way", function()
    local url = serve "ok"
    local left = 3
    for _ = 1, 3 do
      core.request({ url = url }, function()
        left = left - 1
      end)
    end
    assert.are.equal(3, core.counts().requests)
    collectgarbage() -- nobody holds them, and they go on
    while left > 0 do
      core.step(true)
    end
    assert.are.equal(0, core.counts().requests)
    assert.is_false(core.step(true)) -- kept connections keep nothing going
  end)

  it("leaves nothing behind at the end of a state, whatever is under way", function()
    local url = serve("ok", "stall", "endless")
    local script = ([[
      local core = require "cunnekt.core"
      local held = {}
      local function go(opts, done) opts.url = "%s"; held[#held + 1] = core.request(opts, done or function() end) end
      local first
      go({}, function() first = true end)
      while not first do core.step(true) end
      go { method = "POST", body = "x" }
      for _ = 1, 3 do core.step(false) end
      go { stream = true }
      for _ = 1, 300 do go {} end
      setmetatable(held, { __gc = function() pcall(core.request, { url = "%s" }, print); core.step(false) end })
      if ... then held = nil end
    ]]):format(url, url)
    local file = os.tmpname()
    finally(function()
      os.remove(file)
    end)
    local handle = assert(io.open(file, "w"))
    handle:write(script)
    handle:close()
    local lua = os.getenv "CUNNEKT_LUA" or "lua5.4"
    assert.is_true(os.execute(("%s %s"):format(lua, file)))
    assert.is_true(os.execute(("%s %s 1"):format(lua, file)))
  end)
end)
