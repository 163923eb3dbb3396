-- SPDX-License-Identifier: MIT
-- What the machine says of itself.

local core = require "cunnekt.core"
local process = require "spec.support.process"

describe("the machine", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  it("names the working folder and the process", function()
    local script = [[
      local core = require "cunnekt.core"
      print(core.folder(), core.pid())
      io.stdout:flush()
      os.execute "pwd; echo $PPID"
    ]]
    process.write(folder.path .. "/where.lua", script)
    local result = process.run({ process.lua, "where.lua" }, { cwd = folder.path })
    local place, pid, other, parent = result.out:match "^(%S+)\t(%d+)\n(%S+)\n(%d+)\n$"
    assert.equal(other, place)
    assert.equal(parent, pid)
  end)

  it("lists a folder", function()
    assert.same({}, core.names(folder.path))
    local wanted = {}
    for i = 1, 300 do
      wanted[i] = ("ü%03d"):format(i)
      process.write(folder.path .. "/" .. wanted[i], "")
    end
    local names = core.names(folder.path)
    table.sort(names)
    assert.same(wanted, names)
    local found, message = core.names(folder.path .. "/none")
    assert.is_nil(found)
    assert.equal("no such file or directory", message)
  end)

  it("tells files, folders, sockets, and what is not there", function()
    local path = process.write(folder.path .. "/file", "12345")
    os.execute("chmod 640 " .. process.quote(path))
    local owner = core.stat(folder.path).owner
    assert.same({ size = 5, mode = tonumber("640", 8), kind = "file", owner = owner }, core.stat(path))
    assert.equal("folder", core.stat(folder.path).kind)
    local listener = assert(core.listen({ unix = folder.path .. "/s" }, function() end))
    assert.equal("socket", core.stat(folder.path .. "/s").kind)
    listener:close()
    local found, message = core.stat(folder.path .. "/none")
    assert.is_nil(found)
    assert.equal("no such file or directory", message)
  end)

  it("counts free space and memory in bytes", function()
    assert.is_true(core.disk_free(folder.path) > 1000000)
    assert.equal("no such file or directory", select(2, core.disk_free(folder.path .. "/none")))
    local ballast = ("x"):rep(50 * 1024 * 1024)
    assert.is_true(core.memory() > #ballast)
  end)

  it("names its libraries", function()
    local libraries = core.libraries()
    for _, name in ipairs { "libuv", "libcurl", "libmicrohttpd", "libcrypto", "libutf8proc" } do
      assert.matches("%d+%.%d+", libraries[name], 1, nil, name)
    end
  end)
end)
