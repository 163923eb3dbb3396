-- SPDX-License-Identifier: MIT
-- What the programs of `make cost` share: a folder of their own, and a host in callgrind that counts alike on every processor.

local child = require "child"

local counted = {}

-- libc and libcrypto choose code by what the processor can do, and are told to take the plain one, as far as these settings reach.
counted.plain_code = {
  "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-AVX,-ERMS,-FSRM",
  "OPENSSL_ia32cap=0:0",
}

---What a command prints, without white space at the end.
---@param command string
---@return string
function counted.capture(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read("a"):gsub("%s+$", ""))
end

---A file's content, or "" where there is none.
---@param path string
---@return string
function counted.read(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

---A new folder.
---@return string path
---@return any guard what removes it when it is closed
function counted.folder()
  local folder = counted.capture "mktemp -d"
  return folder, setmetatable({}, {
    __close = function()
      os.execute("rm -rf " .. folder)
    end,
  })
end

---Starts a host in callgrind, which writes to `out` and `log` in the folder, without limits on how fast it sends.
---@param folder string
---@param before string what comes before valgrind: words, or ""
---@param arguments string of the host, which is the first of them
---@param environment string[] "NAME=value"; what all have is added
---@return integer pid
function counted.start(folder, before, arguments, environment)
  local command = ("/usr/bin/env %s valgrind --tool=callgrind --callgrind-out-file=%s/out %s"):format(before, folder, arguments)
  local words = {}
  for word in command:gmatch "%S+" do
    words[#words + 1] = word
  end
  local all = { "CUNNEKT_API_KEY=cost", "CUNNEKT_RATE=0", "CUNNEKT_PAIR_RATE=0" }
  table.move(counted.plain_code, 1, #counted.plain_code, #all + 1, all)
  table.move(environment, 1, #environment, #all + 1, all)
  return child.start(words, all, folder, folder .. "/log")
end

return counted
