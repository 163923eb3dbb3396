-- SPDX-License-Identifier: MIT
-- The least speed of a transfer. A server, or a line, that gave a byte now and then held its caller until the timeout, and
-- for ever where there was none. The clock is virtual: between two bytes, which come at once, any time can pass.
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local rig = require("spec.support.rigs.http_rig").new()
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local FOREVER = math.huge
local virtual

before_each(function()
  virtual = clock.virtual(1000):install()
end)

after_each(function()
  virtual:uninstall()
end)

-- Runs `fn` in a task while the clock goes on, a second after every step of the loop; at most `most` seconds.
local function while_time_passes(fn, most)
  local got
  task.spawn(function()
    got = table.pack(fn())
  end)
  local ends = clock.monotonic() + most
  wire.step_until(function()
    if not got and clock.monotonic() < ends then
      virtual:advance(1)
    end
    return got or clock.monotonic() >= ends
  end)
  if got then
    return table.unpack(got, 1, got.n)
  end
end

-- Lets sockets have their turn, for as long as something arrives.
local function until_sent(bytes)
  wire.step_until(function()
    return rig.server:bytes_sent() >= bytes
  end)
  for _ = 1, 20 do
    core.step(false)
  end
end

-- Reads a stream to its end, with a second between two pieces.
local function read_slowly(stream)
  local size = 0
  while true do
    local chunk, err = stream:read()
    if not chunk then
      return size, err
    end
    size = size + #chunk
    virtual:advance(1)
  end
end

describe("a transfer that trickles", function()
  it("ends when it is slower than its least speed, and says how far it got and what to do", function()
    local url = rig.serve "trickle:5000"
    local answer, err = while_time_passes(function()
      return http.get(url .. "/orders", { timeout = FOREVER, min_speed = 50 })
    end, 3600)
    assert.is_nil(answer)
    assert.are.same({ "timeout", true }, { err.kind, err.sent })
    assert.matches("slower than 50 bytes/s for 30 s, with %d+ bytes of the answer; try again later, or allow less with the option min_speed",
      err.message)
    assert.are.equal(0, core.counts().requests)
  end)

  it("ends by default, where there is no timeout", function()
    local url = rig.serve "trickle:5000"
    local _, err = while_time_passes(function()
      return http.get(url, { timeout = FOREVER })
    end, 3600)
    assert.matches("slower than 100 bytes/s", err.message)
  end)

  it("comes to its end where none is wanted", function()
    local url = rig.serve "trickle:300"
    local answer = while_time_passes(function()
      return http.get(url, { timeout = FOREVER, min_speed = 0 })
    end, 1e6)
    assert.are.equal(300, #answer.body)
  end)

  it("ends as a stream too, however short each read is", function()
    local stream <close> = assert(http.stream { url = rig.serve "trickle:5000", timeout = FOREVER, min_speed = 10 })
    -- The reader takes a second for a byte, which is not the server's fault: only what the reads wait counts.
    local size, err = while_time_passes(function()
      return read_slowly(stream)
    end, 3600)
    assert.is_true(size < 5000)
    assert.are.equal("timeout", err.kind)
  end)

  it("ends as an upload that the server does not take", function()
    local url = rig.serve "deaf"
    local _, err = while_time_passes(function()
      return http.post(url, ("x"):rep(30 << 20), { timeout = FOREVER, min_speed = 1 })
    end, 3600)
    assert.are.same({ "timeout", true }, { err.kind, err.sent })
    assert.matches("slower than 1 bytes/s", err.message)
  end)
end)

describe("a least speed does not end", function()
  it("a request whose answer is prepared for long", function()
    local url = rig.serve "stall"
    local ended = false
    local one = core.request({ url = url, timeout_ms = 0, min_speed = 1000000 }, function()
      ended = true
    end)
    wire.step_until(function()
      return rig.server:count() == 1
    end)
    virtual:advance(24 * 3600)
    core.step(false)
    assert.is_false(ended)
    one:close()
    wire.step_until(function() return ended end)
  end)

  it("a stream that its reader leaves waiting", function()
    local stream <close> = assert(http.stream { url = rig.serve "body:300000", timeout = FOREVER, min_speed = 1000000, max_bytes = 1 << 20 })
    until_sent(64 * 1024)
    virtual:advance(24 * 3600)
    local size = 0
    for chunk in function() return assert(stream:read()) end do
      size = size + #chunk
      virtual:advance(3600)
      if size == 300000 then break end
    end
    assert.are.equal(300000, size)
    assert.are.same({}, { stream:read() })
  end)
end)

describe("the option min_speed", function()
  it("must not be negative", function()
    local ok, message = pcall(function()
      http.get("http://x", { min_speed = -1 })
    end)
    assert.is_false(ok)
    assert.matches("speed_spec.lua:%d+: http.get: option 'min_speed' must not be negative", message)
  end)
end)
