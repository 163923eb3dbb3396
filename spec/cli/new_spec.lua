-- SPDX-License-Identifier: MIT
local process = require "spec.support.process"

describe("cunnekt new", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function new(...)
    return process.run({ process.host, "new", ... }, { cwd = folder.path })
  end

  local function read(name)
    return process.read(folder.path .. "/" .. name)
  end

  it("makes a folder with everything from the script to the service, and says what each file is", function()
    local result = new "shop"
    assert.equal(0, result.code, result.err)
    for _, name in ipairs { "bot.lua", "cunnekt.conf.lua", ".env.example", "cunnekt-shop.service", "README.md", ".gitignore", ".luarc.json" } do
      assert.truthy(read("shop/" .. name), name)
      assert.matches("shop/" .. name:gsub("%p", "%%%0"), result.out)
    end
    assert.matches("ExecStart=cunnekt run /srv/shop/bot.lua\n", read "shop/cunnekt-shop.service")
    assert.matches("EnvironmentFile=/etc/cunnekt%-shop.env\n", read "shop/cunnekt-shop.service")
    assert.matches("/etc/cunnekt%-shop.env", read "shop/README.md")
    for _, name in ipairs { "cunnekt-shop.service", "README.md", ".env.example" } do
      assert.not_matches("%%%u+%%", read("shop/" .. name))
    end
  end)

  it("makes a script that passes the check and does what its transcript says", function()
    new "shop"
    local checked = process.run({ process.host, "check", "shop/bot.lua" }, { cwd = folder.path })
    assert.equal(0, checked.code, checked.out)
    local tested = process.run({ process.host, "test", "shop/bot.lua" }, { cwd = folder.path })
    assert.equal(0, tested.code, tested.out)
    assert.matches("1 transcript, all passed", tested.out)
  end)

  it("writes commands for trying it that work as they stand", function()
    new "shop"
    local commands = read("shop/README.md"):match "## Try it\n.-```sh\n(.-)```"
    local env = { PATH = process.host:gsub("/[^/]*$", ":") .. os.getenv "PATH", CUNNEKT_LISTEN = "127.0.0.1:0" }
    local result = process.run({ "sh", "-e", "-c", commands }, { cwd = folder.path .. "/shop", env = env, stdin = "hi\n/button call\nat ten\n" })
    assert.equal(0, result.code, result.err)
    assert.matches("no mistakes found", result.out)
    assert.matches("all passed", result.out)
    assert.matches("We call you: at ten%.", result.out)
  end)

  it("makes a bot that starts once the key is filled in", function()
    new "shop"
    local words = { process.host, "run", "shop/bot.lua" }
    local env = { CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_STORE = "memory:", CUNNEKT_API_KEY = "" }
    local refused = process.run(words, { cwd = folder.path, env = env })
    assert.equal(1, refused.code)
    assert.matches("CUNNEKT_API_KEY: is empty", refused.err)
    env.CUNNEKT_API_KEY = "any"
    local host = process.start(words, { cwd = folder.path, env = env })
    host:expect "listening on"
    host:signal "TERM"
    assert.equal(0, host:wait().code)
  end)

  it("overwrites nothing", function()
    process.run { "mkdir", folder.path .. "/shop" }
    process.write(folder.path .. "/shop/README.md", "mine")
    local result = new "shop"
    assert.equal(1, result.code)
    assert.matches("shop/README.md exists, and nothing is overwritten", result.err)
    assert.equal("mine", read "shop/README.md")
    assert.is_nil(read "shop/bot.lua")
    process.write(folder.path .. "/file", "mine")
    assert.matches("file exists, and is not a folder", new("file").err)
  end)

  it("begins with each of the examples, unchanged, and each passes the check", function()
    local words, count = { process.host, "check" }, 0
    for name in new("--list").out:gmatch "[^\n]+" do
      name = name:match "^%S+"
      assert.equal(0, new("bots/" .. name, "--from", name).code)
      assert.equal(process.read("examples/" .. name .. ".lua"), read("bots/" .. name .. "/bot.lua"))
      words[#words + 1], count = "bots/" .. name .. "/bot.lua", count + 1
    end
    assert.is_true(count > 10)
    local checked = process.run(words, { cwd = folder.path })
    assert.equal(0, checked.code, checked.out)
  end)

  it("takes an example by its file's name, and helps with one that is not there", function()
    assert.equal(0, new("shop", "--from", "examples/menu.lua").code)
    local result = new("other", "--from", "menue")
    assert.equal(2, result.code)
    assert.matches("there is no example 'menue' %(did you mean 'menu'%?%)", result.err)
    assert.is_nil(read "other/bot.lua")
  end)

  it("refuses names that cannot be those of a service", function()
    for _, name in ipairs { "9", "a b", "..", "/", "a.lua" } do
      local result = new(name)
      assert.equal(2, result.code, name)
      assert.matches("a name has letters, digits, %- and _", result.err)
    end
    assert.matches("a name is missing", new().err)
  end)
end)
