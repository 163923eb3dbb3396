-- SPDX-License-Identifier: MIT
-- Watching files, with virtual time.

local clock = require "cunnekt.time.clock"
local process = require "spec.support.process"
local watch = require "cunnekt.service.reload.watch"

describe("watched files", function()
  local virtual, folder, files, told, its_watch

  local function path(name)
    return folder.path .. "/" .. name
  end

  before_each(function()
    virtual = clock.virtual():install()
    folder, told = process.folder(), {}
    process.write(path "a", "one")
    files = { [path "a"] = "one" }
    its_watch = watch.new(function()
      return files
    end, function(texts)
      told[#told + 1] = texts
    end)
    its_watch:start()
    virtual:advance(1)
  end)

  after_each(function()
    its_watch:stop()
    virtual:uninstall()
  end)

  it("are silent as long as their text is the same", function()
    process.write(path "a", "one")
    virtual:advance(5)
    assert.same({}, told)
  end)

  it("tell of another text once", function()
    process.write(path "a", "two")
    virtual:advance(5)
    assert.same({ { [path "a"] = "two" } }, told)
  end)

  it("tell of it when it has settled", function()
    for i = 1, 10 do
      process.write(path "a", ("x"):rep(i))
      virtual:advance(0.1)
    end
    assert.same({}, told)
    virtual:advance(0.2)
    assert.same({ { [path "a"] = ("x"):rep(10) } }, told)
  end)

  it("tell of what has happened since the file was loaded, before it was watched", function()
    process.write(path "b", "new")
    files[path "b"] = "old"
    virtual:advance(1)
    assert.equal("new", told[1][path "b"])
  end)

  it("tell that one is gone, or has come", function()
    os.remove(path "a")
    files[path "b"] = false
    virtual:advance(1)
    process.write(path "b", "here")
    virtual:advance(1)
    assert.equal(false, told[1][path "a"])
    assert.equal("here", told[2][path "b"])
  end)

  it("are not looked at between stop and start", function()
    its_watch:stop()
    process.write(path "a", "two")
    virtual:advance(5)
    assert.same({}, told)
    its_watch:start()
    virtual:advance(1)
    assert.equal(1, #told)
  end)

  it("may be a folder or nothing that can be read", function()
    files[path "."] = false
    virtual:advance(5)
    assert.same({}, told)
  end)
end)
