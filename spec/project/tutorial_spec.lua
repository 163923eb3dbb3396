-- SPDX-License-Identifier: MIT
-- The tutorial is followed word for word: its changes are made to the script, its commands are run in order, and each prints what
-- the page shows. Blocks `sh` need root or the internet: `make bare-try` runs them on a bare Debian. Here they are compared with
-- what `cunnekt new` writes.

local process = require "spec.support.process"
local tutorial = require "spec.support.tutorial"

local PAGE, matches = tutorial.page, tutorial.matches
local SECRET = "SECRET"

describe("the tutorial", function()
  local folder, env, service

  before_each(function()
    folder = process.folder()
    -- The usual port is the machine's: another spec, or a bot, may have it.
    env = { PATH = process.host:gsub("/[^/]*$", ":") .. os.getenv "PATH", CUNNEKT_LISTEN = "127.0.0.1:0" }
  end)

  after_each(function()
    if service then
      service:signal "TERM"
      service:wait()
      service = nil
    end
  end)

  -- The folders of the machine are in the test's folder.
  local function here(text)
    local home = folder.path
    return (text:gsub("/var/lib/cunnekt%-shop", home .. "/var"):gsub("/etc/cunnekt%-shop", home .. "/etc/cunnekt-shop")
      :gsub("/srv/shop", home .. "/srv/shop"))
  end

  -- What the unit does, without root.
  local function start_service()
    local home = folder.path
    for _, name in ipairs { "/srv", "/etc", "/var" } do
      process.run { "mkdir", home .. name }
    end
    process.run { "cp", "-r", home .. "/shop", home .. "/srv/shop" }
    process.write(home .. "/etc/cunnekt-shop.service", here(process.read(home .. "/shop/cunnekt-shop.service")))
    local env_file = process.write(home .. "/etc/cunnekt-shop.env", ("CUNNEKT_API_KEY=key\nCUNNEKT_WEBHOOK_SECRET=%s\n"):format(SECRET))
    process.run { "chmod", "600", env_file }
    service = process.start({ process.host, "run", home .. "/srv/shop/bot.lua" }, {
      env = {
        CUNNEKT_API_KEY = "key", CUNNEKT_WEBHOOK_SECRET = SECRET, CUNNEKT_LISTEN = "127.0.0.1:0",
        CUNNEKT_BASE_URL = "http://127.0.0.1:9/v1", CUNNEKT_STORE = ("sqlite:%s/var/bot.db"):format(home),
      },
    })
    return "http://127.0.0.1:" .. service:expect "listening on 127%.0%.0%.1:(%d+)"
  end

  -- The same command where there are no root, no proxy and no units.
  local function command_of(words)
    if words:find "https://bot%.example%.com" or words:find "/var/lib" or words:find "%-%-unit" then
      env.ADDRESS = env.ADDRESS or start_service()
    end
    return (here(words):gsub("^sudo ", ""):gsub("https://bot%.example%.com", env.ADDRESS or "")
      :gsub("%-%-unit (%S+)", ("--unit %s/etc/%%1.service"):format(folder.path)))
  end

  local function back(printed)
    return (printed:gsub(folder.path:gsub("%p", "%%%0") .. "/var", "/var/lib/cunnekt-shop"))
  end

  it("is true, step by step", function()
    local cwd, count = folder.path, 0
    for _, block in ipairs(tutorial.blocks()) do
      if block.kind == "diff" then
        local path = folder.path .. "/shop/bot.lua"
        process.write(path, tutorial.change(block, process.read(path)))
      elseif block.kind == "console" then
        for _, command in ipairs(tutorial.commands(block)) do
          local where = ("%s:%d: $ %s"):format(PAGE, block.line, command.words)
          local inner = command.words:match "^cd (.*)$"
          if inner then
            cwd = cwd .. "/" .. inner
          else
            local result = process.run({ "sh", "-c", command_of(command.words) .. " 2>&1" }, {
              cwd = cwd, env = env, stdin = block.typed and block.typed:gsub("; ", "\n") .. "\n",
            })
            local printed = back(result.out)
            assert(matches(command.shown, printed), ("%s\nprinted:\n%s"):format(where, printed))
            count = count + 1
          end
        end
      end
    end
    assert.is_true(count >= 9)
  end)

  it("says the same as the README.md of the folder where root is needed", function()
    process.run({ process.host, "new", "shop" }, { cwd = folder.path })
    local readme, page = process.read(folder.path .. "/shop/README.md"), process.read(PAGE)
    local count = 0
    for line in readme:match("## Put it into service(.-)## Look"):gmatch "[^\n]+" do
      line = line:match "^ *(sudo .*)$"
      if line then
        assert.truthy(page:find(line .. "\n", 1, true), line)
        count = count + 1
      end
    end
    assert.is_true(count >= 7)
  end)

  it("shows the proxy of the operations page", function()
    local function location(path)
      return process.read(path):match "(  location /webhook/ {.-\n  })"
    end
    assert.equal(location "docs/operations.md", location(PAGE))
  end)

  it("is not believed where the output differs", function()
    assert.is_true(matches({ "a … c", "…", "end" }, "a b c\nx\ny\nend\n"))
    assert.is_false(matches({ "a … c" }, "a b d"))
    assert.is_false(matches({ "a" }, "a\nb"))
    assert.is_false(matches({ "a", "b" }, "a"))
  end)
end)
