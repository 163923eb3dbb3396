-- SPDX-License-Identifier: MIT
-- HTTP over a Unix socket: core.listen and http.request with `unix`.

local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local process = require "spec.support.process"

describe("a Unix socket", function()
  local folder, path, listeners

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/x.ctl"
    listeners = {}
  end)

  after_each(function()
    for _, listener in ipairs(listeners) do
      listener:close()
    end
  end)

  local function listen(on_request)
    local listener, message = core.listen({ unix = path }, on_request or function(exchange)
      exchange:answer(200, exchange:peer())
    end)
    listeners[#listeners + 1] = listener
    return listener, message
  end

  local function get(opts)
    opts = opts or {}
    opts.unix = opts.unix or path
    return http.get("http://localhost/where?a=b", opts)
  end

  local function exists()
    return os.execute("test -e " .. process.quote(path)) == true
  end

  it("carries requests and answers", function()
    local seen
    local listener = assert(listen(function(exchange, ...)
      seen = table.pack(...)
      exchange:answer(201, exchange:peer())
    end))
    assert.equal(path, listener:address())
    assert.equal(0, listener:port())
    local answer = assert(get())
    assert.equal(201, answer.status)
    assert.equal("unix", answer.body)
    assert.same({ "GET", "/where", "a=b", "", n = 4 }, seen)
    assert.equal(201, assert(http.post("http://localhost/", ("x"):rep(1000000), { unix = path })).status)
    assert.equal(1000000, #seen[4])
  end)

  it("is for its owner alone", function()
    assert(listen())
    local pipe = assert(io.popen("stat -c %a " .. process.quote(path)))
    assert.equal("600", pipe:read "l")
    pipe:close()
  end)

  it("goes with its listener, be it paused or closed", function()
    local listener = assert(listen())
    listener:pause()
    assert.is_false(exists())
    listener:close()
    listener = assert(listen())
    assert.is_true(exists())
    listener:close()
    assert.is_false(exists())
    local answer, err = get()
    assert.is_nil(answer)
    assert.equal("network", err.kind)
    assert.is_false(err.sent)
  end)

  it("is replaced when its process died, and not while somebody listens", function()
    local script = [[
      local core = require "cunnekt.core"
      assert(core.listen({ unix = arg[1] }, function() end))
      os.exit(0, false)
    ]]
    process.write(folder.path .. "/dead.lua", script)
    assert.equal(0, process.run({ process.lua, folder.path .. "/dead.lua", path }).code)
    assert.is_true(exists())
    assert(listen())
    local second, message = listen()
    assert.is_nil(second)
    assert.matches("x.ctl: Address already in use", message)
    assert.equal(200, assert(get()).status)
  end)

  it("leaves a file of its name alone", function()
    process.write(path, "precious")
    local listener, message = listen()
    assert.is_nil(listener)
    assert.matches("Address already in use", message)
    assert.equal("precious", process.read(path))
  end)

  it("says when its name is too long", function()
    path = folder.path .. "/" .. ("x"):rep(120)
    local listener, message = listen()
    assert.is_nil(listener)
    assert.matches("a socket's name has 1 to %d+ bytes", message)
    assert.equal("network", select(2, get()).kind)
  end)

  it("is not mixed up with a port or another socket", function()
    assert(listen(function(exchange)
      exchange:answer(200, "one")
    end))
    local first = path
    path = folder.path .. "/y.ctl"
    assert(listen(function(exchange)
      exchange:answer(200, "two")
    end))
    local port = assert(core.listen({}, function(exchange)
      exchange:answer(200, "port")
    end))
    listeners[#listeners + 1] = port
    local url = ("http://127.0.0.1:%d/"):format(port:port())
    for _ = 1, 3 do
      assert.equal("one", assert(http.get(url, { unix = first })).body)
      assert.equal("two", assert(http.get(url, { unix = path })).body)
      assert.equal("port", assert(http.get(url)).body)
    end
  end)
end)
