-- SPDX-License-Identifier: MIT
-- Files on the thread pool: what callbacks get, one thing at a time, and nothing left open.
local core = require "cunnekt.core"

--- Calls start(..., callback) and steps until the callback came. Returns what it got.
local function wait(start, ...)
  local got
  local args = table.pack(...)
  args[args.n + 1] = function(...)
    got = table.pack(...)
  end
  start(table.unpack(args, 1, args.n + 1))
  assert.is_nil(got, "called back at once")
  while not got do
    core.step(true)
  end
  return table.unpack(got, 1, got.n)
end

local function method(file, name)
  return function(...)
    return file[name](file, ...)
  end
end

local function write_file(path, mode, data)
  local file = assert(wait(core.open, path, mode))
  assert.is_true(wait(method(file, "write"), data))
  assert.is_true(wait(method(file, "close")))
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local data = file:read "a"
  file:close()
  return data
end

describe("files", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert.is_true(wait(core.mkdir, folder))
  end)

  after_each(function()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  it("hold what was written, to the byte", function()
    local data = core.random_bytes(300000)
    write_file(folder .. "/a", "w", data)
    assert.is_true(read_file(folder .. "/a") == data)
    write_file(folder .. "/a", "a", "more")
    assert.is_true(read_file(folder .. "/a") == data .. "more")
    write_file(folder .. "/a", "w", "")
    assert.equal("", read_file(folder .. "/a"))
  end)

  it("are read in parts, with nil at the end", function()
    write_file(folder .. "/a", "w", "hello world")
    local file = assert(wait(core.open, folder .. "/a", "r"))
    assert.equal("hello", wait(method(file, "read"), 5))
    assert.equal(" world", wait(method(file, "read"), 100))
    assert.equal(1, select("#", wait(method(file, "read"), 100)))
    assert.is_nil(wait(method(file, "read"), 100))
    assert.is_true(wait(method(file, "close")))
  end)

  it("are synced", function()
    local file = assert(wait(core.open, folder .. "/a", "w"))
    assert.is_true(wait(method(file, "write"), "x"))
    assert.is_true(wait(method(file, "sync")))
    assert.is_true(wait(method(file, "close")))
  end)

  it("say what went wrong, with the path where there is one", function()
    local missing = folder .. "/no/file"
    local file, message = wait(core.open, missing, "r")
    assert.is_nil(file)
    assert.equal(missing .. ": no such file or directory", message)
    write_file(folder .. "/a", "wx", "first")
    assert.equal(folder .. "/a: file already exists", select(2, wait(core.open, folder .. "/a", "wx")))
    assert.equal("first", read_file(folder .. "/a"))
    assert.equal(missing .. ": no such file or directory", select(2, wait(core.unlink, missing)))
    assert.equal(missing .. ": no such file or directory", select(2, wait(core.rename, missing, folder .. "/b")))
    file = assert(wait(core.open, folder .. "/a", "r"))
    local ok
    ok, message = wait(method(file, "write"), "x")
    assert.is_nil(ok)
    assert.equal("bad file descriptor", message)
    assert.is_true(wait(method(file, "close")))
  end)

  it("say when the disk is full", function()
    local file = wait(core.open, "/dev/full", "a")
    if file then -- not every system has it
      assert.equal("no space left on device", select(2, wait(method(file, "write"), "x")))
      assert.is_true(wait(method(file, "close")))
    end
  end)

  it("are renamed over others, and unlinked", function()
    write_file(folder .. "/a", "w", "new")
    write_file(folder .. "/b", "w", "old")
    assert.is_true(wait(core.rename, folder .. "/a", folder .. "/b"))
    assert.equal("new", read_file(folder .. "/b"))
    assert.is_nil(io.open(folder .. "/a"))
    assert.is_true(wait(core.unlink, folder .. "/b"))
    assert.is_nil(io.open(folder .. "/b"))
  end)

  it("get folders with all their parents", function()
    assert.is_true(wait(core.mkdir, folder .. "/x//y/z/"))
    assert.is_true(wait(core.mkdir, folder .. "/x/y/z"))
    write_file(folder .. "/x/y/z/a", "w", "x")
    assert.equal(folder .. "/x/y/z/a/b: not a directory", select(2, wait(core.mkdir, folder .. "/x/y/z/a/b")))
    assert.equal(folder .. "/x/y/z/a: file already exists", select(2, wait(core.mkdir, folder .. "/x/y/z/a")))
  end)

  it("do one thing at a time", function()
    local file = assert(wait(core.open, folder .. "/a", "w"))
    local results = {}
    local function note(ok)
      results[#results + 1] = ok
    end
    file:write("one", note)
    assert.has_error(function() file:write("two", note) end)
    assert.has_error(function() file:sync(note) end)
    assert.has_error(function() file:close(note) end)
    while #results == 0 do
      core.step(true)
    end
    assert.is_true(wait(method(file, "close")))
    assert.same({ true }, results)
    assert.equal("one", read_file(folder .. "/a"))
    assert.has_error(function() file:write("three", note) end)
    assert.has_error(function() file:close() end)
  end)

  it("can be used again from their own callback", function()
    local file = assert(wait(core.open, folder .. "/a", "w"))
    local is_closed
    file:write("a", function()
      file:write("b", function()
        file:close(function() is_closed = true end)
      end)
    end)
    while not is_closed do
      core.step(true)
    end
    assert.equal("ab", read_file(folder .. "/a"))
  end)

  it("live as long as something is under way, and no longer", function()
    local before = core.counts().files
    local is_done
    core.open(folder .. "/a", "w", function(file)
      file:write(("x"):rep(100000), function() is_done = true end)
    end)
    assert.equal(before + 1, core.counts().files)
    while not is_done do
      collectgarbage()
      core.step(true)
    end
    collectgarbage()
    collectgarbage()
    while core.counts().files > before do -- the descriptor is closed by the collector's doing
      core.step(true)
    end
    assert.equal(100000, #read_file(folder .. "/a"))
  end)

  it("are closed with their scope", function()
    local before = core.counts().files
    do
      local _ <close> = assert(wait(core.open, folder .. "/a", "w"))
      assert.equal(before + 1, core.counts().files)
    end
    while core.counts().files > before do
      core.step(true)
    end
  end)

  it("refuse misuse", function()
    local function none() end
    assert.has_error(function() core.open(folder .. "/a", "rw", none) end)
    assert.has_error(function() core.open("", "r", none) end)
    assert.has_error(function() core.open(folder .. "/a\0b", "r", none) end)
    assert.has_error(function() core.open(folder .. "/a", "r") end)
    assert.has_error(function() core.rename(folder .. "/a", folder .. "/b", 7) end)
    local file = assert(wait(core.open, folder .. "/a", "w"))
    assert.has_error(function() file:read(0, none) end)
    assert.has_error(function() file:read(1 << 40, none) end)
    assert.has_error(function() file:write(7, none) end)
    assert.has_error(function() file:write("x") end)
    assert.is_true(wait(method(file, "close")))
  end)
end)
