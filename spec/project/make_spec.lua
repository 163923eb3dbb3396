-- SPDX-License-Identifier: MIT
-- The build and its packaging, as users and packagers meet them. #packaging: it builds with other flags, so it is no part
-- of a sanitized run.
local process = require "spec.support.process"

local function executable(path, text)
  process.write(path, "#!/bin/sh\n" .. text)
  os.execute("chmod +x " .. path)
end

describe("make deps #packaging", function()
  local folder, tools

  -- A PATH of its own, where apt's tools are ours: dpkg-query knows only what is in `installed`.
  before_each(function()
    folder = process.folder()
    tools = folder.path .. "/bin"
    os.execute("mkdir " .. tools)
    for _, name in ipairs { "cat", "sh", "env", "grep" } do
      os.execute(("ln -s \"$(command -v %s)\" %s/%s"):format(name, tools, name))
    end
  end)

  local function debian(installed, uid)
    process.write(folder.path .. "/installed", installed)
    executable(tools .. "/dpkg-query", ([[
for package; do :; done
if grep -qx "$package" %s/installed; then printf installed; else exit 1; fi
]]):format(folder.path))
    executable(tools .. "/apt-get", ('echo "$DEBIAN_FRONTEND: $*" >> %s/apt\n'):format(folder.path))
    executable(tools .. "/id", "echo " .. (uid or 0) .. "\n")
  end

  local function deps(...)
    local shell = process.run({ "sh", "-c", "command -v sh" }).out:gsub("\n", "")
    return process.run({ shell, "make/deps.sh", ... }, { env = { PATH = tools } })
  end

  it("touches nothing when everything is there, and says so", function()
    debian "gcc\nlua5.4\n"
    local result = deps("gcc", "lua5.4")
    assert.equal(0, result.code)
    assert.matches("nothing to install, all 2 packages are there", result.out)
    assert.is_nil(process.read(folder.path .. "/apt"))
  end)

  it("installs only what is missing, without questions", function()
    debian "gcc\n"
    local result = deps("gcc", "lua5.4", "libuv1-dev")
    assert.equal(0, result.code)
    assert.matches("installing lua5.4 libuv1%-dev", result.out)
    local calls = process.read(folder.path .. "/apt")
    assert.matches("noninteractive: update", calls)
    assert.matches("noninteractive: install .*%-y .*%-%-no%-install%-recommends lua5.4 libuv1%-dev\n", calls)
    assert.not_matches("gcc", calls)
  end)

  it("goes through sudo for others than root, and says what to do where it may not", function()
    debian("", 1000)
    local result = deps "gcc"
    assert.equal(1, result.code)
    assert.matches("sudo apt%-get install %-%-no%-install%-recommends gcc", result.err)
    executable(tools .. "/sudo", '[ "$1" = -n ] && shift && "$@"\n')
    assert.equal(0, deps("gcc").code)
    assert.matches("noninteractive: install .* gcc\n", process.read(folder.path .. "/apt"))
  end)

  it("names the packages on other systems, and exits with 2", function()
    local result = deps "gcc"
    assert.equal(2, result.code)
    for _, manager in ipairs { "dnf", "apk", "pacman", "brew" } do
      assert.matches("\n  " .. manager .. " .*libuv", result.err)
    end
  end)
end)

describe("make #packaging", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  it("stops with one message that names the package of a missing library", function()
    local deny = folder.path .. "/pkg-config"
    executable(deny, 'case " $* " in *" libmicrohttpd "*) exit 1;; esac\nexec pkg-config "$@"\n')
    local result = process.run { "make", "BUILD=" .. folder.path .. "/b", "PKG_CONFIG=" .. deny }
    assert.equal(2, result.code)
    local said = result.err:gsub("make:[^\n]*\n", "")
    assert.equal(
      "cunnekt: the library libmicrohttpd is missing; on Debian: apt-get install libmicrohttpd-dev (or: make deps)\n",
      said
    )
  end)

  it("finds lua-cjson beside the host, where no static one goes into it", function()
    local tree = folder.path .. "/tree"
    local built = process.run { "make", "-j2", "BUILD=" .. folder.path .. "/b", "CFLAGS=-O0", "CJSON_STATIC=", "host" }
    assert.equal(0, built.code, built.err)
    local where = process.run({ process.lua, "-e", "print(package.searchpath('cjson', package.cpath))" }).out:gsub("\n", "")
    process.run { "mkdir", "-p", tree .. "/bin", tree .. "/lib/lua/5.4" }
    process.run { "cp", folder.path .. "/b/bin/cunnekt", tree .. "/bin" }
    local opts = { cwd = "/", is_bare = true, env = { LUA_CPATH = "/nowhere/?.so" } }
    opts.stdin = "print(require('cunnekt').json.encode { 1 })"
    assert.matches("module 'cjson' not found", process.run({ tree .. "/bin/cunnekt", "run", "-" }, opts).err)
    -- The pages can be made all the same: a rock is built before its libraries are where the host finds them.
    local pages = process.run({ "make", "pages", "BUILD=" .. folder.path .. "/b", "CFLAGS=-O0", "CJSON_STATIC=" }, { env = opts.env })
    assert.equal(0, pages.code, pages.err)
    process.run { "cp", where, tree .. "/lib/lua/5.4/cjson.so" }
    assert.equal("[1]\n", process.run({ tree .. "/bin/cunnekt", "run", "-" }, opts).out)
  end)

  it("builds anew what other flags or another file concern, and nothing else", function()
    -- The object files that a run of make compiles, by their names. -W: as if that file had just been changed.
    local function compiled(...)
      local out = process.run({ "make", "-j2", "BUILD=" .. folder.path .. "/b", "CFLAGS=-O0", ... }).out
      local names = {}
      for name in out:gmatch " %-c %-o [^\n]-([^/ ]+%.o) " do
        names[name] = true
      end
      return names
    end
    assert.is_true(compiled()["loop.o"])
    assert.same({}, compiled())
    assert.same({ ["embedded.o"] = true }, compiled("-W", "lua/cunnekt/base/task.lua"))
    assert.same({ ["search.o"] = true }, compiled("-W", "src/host/search.c"))
    -- Of what the rest concerns, these will do.
    local objects = {}
    for i, name in ipairs { "src/bind/core", "src/host/search", "embedded" } do
      objects[i] = ("%s/b/obj/%s.o"):format(folder.path, name)
    end
    assert.same({ ["core.o"] = true }, compiled("-W", "src/bind/bind.h", table.unpack(objects)))
    assert.same({ ["core.o"] = true, ["search.o"] = true, ["embedded.o"] = true }, compiled("CFLAGS=-O0 -DCALLERS_OWN", table.unpack(objects)))
  end)

  it("sets a shell up for the module tree", function()
    local script = [[eval "$(make -s env)" && cd / && "$0" -e 'print(require("cunnekt").version, require("cunnekt.core"))']]
    local result = process.run({ "sh", "-c", script, process.lua }, { env = { LUA_PATH = ";;", LUA_CPATH = ";;" } })
    assert.equal("", result.err)
    assert.matches("^%d+%.%d+%.%d+\ttable.*/lua/cunnekt/core.so\n$", result.out)
  end)

  it("installs below DESTDIR and takes it away again", function()
    local where = { "DESTDIR=" .. folder.path, "PREFIX=/usr" }
    assert.equal(0, process.run({ "make", "install", table.unpack(where) }).code)
    local result = process.run({ folder.path .. "/usr/bin/cunnekt", "-V" }, { cwd = "/" })
    assert.matches("^cunnekt ", result.out)
    assert.truthy(process.read(folder.path .. "/usr/share/lua/5.4/cunnekt/init.lua"))
    assert.truthy(process.read(folder.path .. "/usr/lib/lua/5.4/cunnekt/core.so"))
    for _, name in ipairs {
      "man/man1/cunnekt.1", "man/man1/cunnekt-run.1", "man/man5/cunnekt.conf.5", "bash-completion/completions/cunnekt",
      "zsh/site-functions/_cunnekt", "fish/vendor_completions.d/cunnekt.fish", "doc/cunnekt/README.md", "doc/cunnekt/docs/reference/README.md",
      "doc/cunnekt/docs/howto/handover.md",
      "doc/cunnekt/examples/echo.lua", "lua/5.4/cunnekt/_meta/core.lua",
    } do
      assert.truthy(process.read(folder.path .. "/usr/share/" .. name), name)
    end
    assert.matches("ExecStart=cunnekt run", process.read(folder.path .. "/usr/lib/systemd/system/cunnekt.service"))
    assert.equal(0, process.run({ "make", "uninstall", table.unpack(where) }).code)
    assert.equal("", process.run({ "find", folder.path .. "/usr", "-type", "f" }).out)
  end)
end)

describe("the rock #packaging", function()
  local tree

  setup(function()
    tree = process.folder()
    process.run { "rm", "-rf", "build-rock" }
    local built = process.run {
      "luarocks", "--lua-version=5.4", "--tree=" .. tree.path, "make", "--deps-mode=none",
      "rockspec/cunnekt-scm-1.rockspec", "CFLAGS=-O0 -fPIC -DCALLERS_OWN",
    }
    assert(built.code == 0, built.err)
    tree.said = built.out
  end)

  it("builds with the caller's CFLAGS beside the project's own", function()
    assert.matches("%-std=c11 .* %-O0 %-fPIC %-DCALLERS_OWN %-c %-o", tree.said)
  end)

  it("serves a plain interpreter", function()
    local result = process.run({ process.lua, "-e", "print(require('cunnekt').json.encode { 1 })" }, {
      cwd = "/",
      env = {
        LUA_PATH = ("%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;;"):format(tree.path, tree.path),
        LUA_CPATH = tree.path .. "/lib/lua/5.4/?.so;;",
      },
    })
    assert.equal("", result.err)
    assert.equal("[1]\n", result.out)
  end)

  it("brings man pages, completions, the unit and examples in its own folder", function()
    local own = tree.path .. "/lib/luarocks/rocks-5.4/cunnekt/scm-1/"
    for _, name in ipairs {
      "doc/README.md", "doc/examples/echo.lua", "share/man/man1/cunnekt.1", "share/man/man5/cunnekt.conf.5",
      "share/bash-completion/completions/cunnekt", "systemd/cunnekt.service",
    } do
      assert.truthy(process.read(own .. name), name)
    end
  end)

  it("brings a host that runs a script beside it", function()
    local script = "print(require('cunnekt').version) require 'beside'"
    process.write(tree.path .. "/share/lua/5.4/beside.lua", "print 'beside'")
    local result = process.run({ tree.path .. "/bin/cunnekt", "run", "-" }, { cwd = "/", is_bare = true, stdin = script })
    assert.equal("", result.err)
    assert.matches("^%d+%.%d+%.%d+\nbeside\n$", result.out)
  end)
end)
