-- SPDX-License-Identifier: MIT
-- Reads docs/tutorial.md for those who follow it: spec/project/tutorial_spec.lua here, and spec/project/bare_debian/follow.lua on a
-- machine that has nothing but Lua.

local tutorial = {}

tutorial.page = "docs/tutorial.md"

---@class cunnekt.spec.tutorial_block
---@field kind string what stands behind the fence: "sh", "console", "diff", "text", "nginx"
---@field line integer
---@field text string
---@field typed? string what is typed into the next command, for the console
---@field [integer] string its lines

---The blocks of the page.
---@param path? string
---@return cunnekt.spec.tutorial_block[]
function tutorial.blocks(path)
  local blocks, block, typed, number = {}, nil, nil, 0
  for line in io.lines(path or tutorial.page) do
    number = number + 1
    local fence = line:match "^```(.*)$"
    if fence and block then
      block.text = table.concat(block, "\n") .. "\n"
      blocks[#blocks + 1], block = block, nil
    elseif fence then
      block, typed = { kind = fence, line = number, typed = typed }, nil
    elseif block then
      block[#block + 1] = line
    else
      typed = line:match "^<!%-%- typed: (.*) %-%->$" or typed
    end
  end
  return blocks
end

---The commands of a console block, each with the lines that it is to print.
---@param block cunnekt.spec.tutorial_block
---@return {words: string, shown: string[]}[]
function tutorial.commands(block)
  local commands = {}
  for _, line in ipairs(block) do
    local words = line:match "^%$ (.*)$"
    if words then
      commands[#commands + 1] = { words = words, shown = {} }
    else
      table.insert(commands[#commands].shown, line)
    end
  end
  return commands
end

---Whether a command has printed what is shown: `…` stands for anything, and on a line of its own for any lines.
---@param shown string[]
---@param printed string
---@return boolean
function tutorial.matches(shown, printed)
  local pattern = ("\n" .. table.concat(shown, "\n")):gsub("[%p%%]", "%%%0")
  pattern = pattern:gsub("\n…", "\0"):gsub("…", "[^\n]-"):gsub("%z", "\n.-")
  return ("\n" .. printed:gsub("%s+$", "")):find("^" .. pattern .. "$") ~= nil
end

---Makes a change, of which the lines before it must be there once.
---@param block cunnekt.spec.tutorial_block
---@param text string
---@return string
function tutorial.change(block, text)
  local before, after = {}, {}
  for _, line in ipairs(block) do
    local mark, rest = line:match "^([ +-])(.*)$"
    assert(mark, ("%s:%d: a line has no mark: %s"):format(tutorial.page, block.line, line))
    if mark ~= "+" then
      before[#before + 1] = rest
    end
    if mark ~= "-" then
      after[#after + 1] = rest
    end
  end
  local old, new = table.concat(before, "\n") .. "\n", table.concat(after, "\n") .. "\n"
  local from, to = text:find(old, 1, true)
  assert(from, ("%s:%d: these lines are not in the script:\n%s"):format(tutorial.page, block.line, old))
  assert(not text:find(old, to + 1, true), ("%s:%d: these lines are there twice"):format(tutorial.page, block.line))
  return text:sub(1, from - 1) .. new .. text:sub(to + 1)
end

return tutorial
