-- SPDX-License-Identifier: MIT
-- The Debian package: built, checked by lintian where that is installed, and installed into a folder of its own.

local process = require "spec.support.process"

local function found(program)
  return process.run({ "sh", "-c", "command -v " .. program }).code == 0
end

local pending_where = not found "dpkg-deb" and "no Debian"

describe("make deb #packaging", function()
  local package, root

  setup(function()
    if pending_where then
      return
    end
    -- A build may take longer than a program of a spec may.
    local log = process.folder()
    local words = "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -j2 deb > %s/log 2>&1"
    assert(os.execute(words:format(log.path)), process.read(log.path .. "/log"))
    local said = process.read(log.path .. "/log")
    package = assert(said:match "built (%S+%.deb)", said)
  end)

  before_each(function()
    root = process.folder()
  end)

  local function test(name, is_possible, fn)
    if pending_where or not is_possible then
      pending(name)
    else
      it(name, fn)
    end
  end

  test("holds the program, the module, the pages, the unit and the docs, and needs what it is linked with", true, function()
    assert.equal(0, process.run({ "dpkg-deb", "-x", package, root.path }).code)
    for _, name in ipairs {
      "usr/share/man/man1/cunnekt.1.gz", "usr/share/man/man5/cunnekt.conf.5.gz", "usr/share/bash-completion/completions/cunnekt",
      "usr/share/zsh/vendor-completions/_cunnekt", "usr/share/fish/vendor_completions.d/cunnekt.fish",
      "usr/share/doc/cunnekt/examples/echo.lua", "usr/share/doc/cunnekt/docs/operations.md", "usr/share/doc/cunnekt/copyright",
      "usr/share/lua/5.4/cunnekt/_meta/core.lua", "lib/systemd/system/cunnekt.service",
    } do
      assert.truthy(process.read(root.path .. "/" .. name), name)
    end
    local depends = process.run({ "dpkg-deb", "-f", package, "Depends" }).out
    for _, library in ipairs { "libc6", "liblua5.4%-0", "libuv1", "libcurl4", "libmicrohttpd12", "libsqlite3%-0", "libssl3", "libpq5" } do
      assert.matches(library, depends)
    end
  end)

  test("has a program that runs, and makes a bot that passes its check", true, function()
    process.run { "dpkg-deb", "-x", package, root.path }
    local host = root.path .. "/usr/bin/cunnekt"
    local opts = { cwd = root.path, is_bare = true }
    assert.matches("^cunnekt %d", process.run({ host, "-V" }, opts).out)
    assert.equal(0, process.run({ host, "new", "shop", "--from", "menu" }, opts).code)
    assert.equal(0, process.run({ host, "check", "shop/bot.lua" }, opts).code)
  end)

  test("passes lintian", found "lintian", function()
    local result = process.run { "make", "-s", "lint-deb" }
    assert.equal(0, result.code, result.out .. result.err)
  end)

  -- Only root may let dpkg write to another root.
  local is_root = process.run({ "id", "-u" }).out == "0\n"
  test("installs and removes cleanly", is_root, function()
    local dpkg = { "dpkg", "--root=" .. root.path, "--force-script-chrootless", "--force-depends", "--log=/dev/null" }
    process.run { "mkdir", "-p", root.path .. "/var/lib/dpkg/info", root.path .. "/var/lib/dpkg/updates" }
    process.write(root.path .. "/var/lib/dpkg/status", "")
    local function run(...)
      local words = { table.unpack(dpkg) }
      for _, word in ipairs { ... } do
        words[#words + 1] = word
      end
      return process.run(words)
    end
    assert.equal(0, run("-i", package).code)
    assert.truthy(process.read(root.path .. "/usr/bin/cunnekt"))
    assert.equal(0, run("-r", "cunnekt").code)
    assert.equal(0, run("-P", "cunnekt").code)
    local left = process.run { "find", root.path, "-path", root.path .. "/var/lib/dpkg", "-prune", "-o", "-not", "-type", "d", "-print" }
    assert.equal("", left.out)
  end)
end)
