-- SPDX-License-Identifier: MIT
-- Follows docs/tutorial.md on a bare Debian that has booted, from `cunnekt new` to the last line: each command as the page has it, and
-- what it prints as far as the page shows that. tutorial.sh has built and installed the program before, and starts this.
-- Usage: lua5.4 follow.lua PAGE, in the home of a user who has sudo.

package.path = arg[0]:match "^(.*/)" .. "?.lua;" .. package.path
local tutorial = require "tutorial"

-- What a machine without the internet cannot do. The packages are there already: the same command has installed them.
local cannot = { "^cloudflared ", "^sudo apt%-get install " }

-- The commands of section 1 were followed by tutorial.sh, which has counted them.
local cwd, count, said = os.getenv "HOME", assert(io.open "/var/tmp/passed"):read "n", ""
local patience = 10 -- seconds until a service that was just started must be ready

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function run(words, typed)
  write("/tmp/typed", typed or "")
  write("/tmp/command", words .. "\n")
  local pipe = assert(io.popen(("cd '%s' && sh /tmp/command 2>&1 < /tmp/typed"):format(cwd)))
  said = pipe:read "a"
  return pipe:close() == true
end

local function follow(block, words, is_right, typed)
  for _, pattern in ipairs(cannot) do
    if words:find(pattern) then
      return print(("   (not here) $ %s"):format(words))
    end
  end
  print(("%4d $ %s"):format(block.line, words))
  local is_done
  for _ = 1, patience do
    is_done = is_right(run(words, typed))
    if is_done then
      break
    end
    os.execute "sleep 1"
  end
  io.write((said:gsub("[^\n]+", "       %0")))
  if not is_done then
    print(("FAILED: line %d of the tutorial: %s"):format(block.line, words))
    print(("%d passed, 1 failed"):format(count))
    os.exit(1)
  end
  count = count + 1
end

local function ended_well(ok)
  return ok
end

local follow_block = {}

function follow_block.console(block)
  local typed = block.typed and block.typed:gsub("; ", "\n") .. "\n"
  for _, command in ipairs(tutorial.commands(block)) do
    local inner = command.words:match "^cd (.*)$"
    if inner then
      cwd = cwd .. "/" .. inner
    else
      follow(block, command.words, function()
        return tutorial.matches(command.shown, said)
      end, typed)
    end
  end
end

function follow_block.sh(block, next_block)
  -- What is shown after a command that looks at a log must come; what follows `editor` is what a person would type there.
  local shown = next_block and next_block.kind == "text" and next_block.text:gsub("%s+$", "")
  write("/tmp/content", next_block and next_block.kind == "nginx" and next_block.text or "")
  for i, line in ipairs(block) do
    follow(block, line, i == #block and shown and function(ok)
      return ok and said:find(shown, 1, true) ~= nil
    end or ended_well)
  end
end

function follow_block.diff(block)
  local path = cwd .. "/bot.lua"
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  write(path, tutorial.change(block, text))
end

local is_on = false
local blocks = tutorial.blocks(arg[1])
for i, block in ipairs(blocks) do
  is_on = is_on or block.text:find "^%$ cunnekt new "
  if is_on and follow_block[block.kind] then
    follow_block[block.kind](block, blocks[i + 1])
  end
end
assert(count >= 30, "fewer commands than there are")
print(("%d passed, 0 failed"):format(count))
