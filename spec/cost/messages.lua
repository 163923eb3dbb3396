-- SPDX-License-Identifier: MIT
-- Instructions that a text takes which a script sends with `client:send_text`: those of a script that sends many, less those of one that
-- sends few. The provider is this process.
-- Usage: lua5.4 spec/cost/messages.lua HOST, run from the project's folder.

package.path = "spec/cost/?.lua;" .. package.path
local bounds = require "bounds"
local checks = require "checks"
local child = require "child"
local core = require "cunnekt.core"
local traffic = require "traffic"

local host = assert(arg[1], "the host's path is missing")
local FEW, MANY, MOST_SECONDS = 640, 3200, 120

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read("a"):gsub("%s+$", ""))
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local root, folder = capture "pwd", capture "mktemp -d"
local _ <close> = setmetatable({}, {
  __close = function()
    os.execute("rm -rf " .. folder)
  end,
})

-- So that the loop is left from time to time.
local function tick()
  core.timer(0.05, tick)
end
tick()

local function count(messages)
  local provider = traffic.provider(false)
  local command = ("/usr/bin/env valgrind --tool=callgrind --callgrind-out-file=%s/out %s run %s/spec/cost/sender.lua %d")
    :format(folder, host, root, messages)
  local words = {}
  for word in command:gmatch "%S+" do
    words[#words + 1] = word
  end
  local pid = child.start(words, {
    "CUNNEKT_API_KEY=cost",
    "CUNNEKT_BASE_URL=" .. provider.url,
    "CUNNEKT_RATE=0",
    "CUNNEKT_PAIR_RATE=0",
    -- As in cost.lua: the plain code of libc and libcrypto, on every processor.
    "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-AVX,-ERMS,-FSRM",
    "OPENSSL_ia32cap=0:0",
  }, folder, folder .. "/log")
  local deadline, how, code = core.monotonic() + MOST_SECONDS
  repeat
    core.step(true)
    how, code = child.wait(pid, false)
  until how or core.monotonic() > deadline
  local said = read(folder .. "/log")
  os.remove(folder .. "/log")
  assert(how and code == 0 and provider.taken == messages, said)
  return tonumber(said:match "Collected : (%d+)")
end

local each = (count(MANY) - count(FEW)) // (MANY - FEW)
checks.at_most("cost: message of a client", each, "instructions", bounds.cost.message)
os.exit(checks.finish(), true)
