-- SPDX-License-Identifier: MIT
-- Every Lua block of the reference, of the how-to pages and of the README is played, and does what its comments say. How: support/manual.lua.

local manual = require "spec.support.manual"
local pages = require "spec.support.pages"

-- Blocks that are only compiled; each says why in its first line. Not to grow.
local most_compiled = 2

describe("the Lua blocks of", function()
  local compiled = 0

  for _, path in ipairs(pages.of_scripts()) do
    describe(path, function()
      local blocks = manual.blocks(path)
      local stage

      before_each(function()
        stage = manual.stage()
      end)

      after_each(function()
        stage:close()
      end)

      for _, block in ipairs(blocks) do
        local name = ("%s:%d"):format(path, block.line)
        if block.kind == "compiled" then
          compiled = compiled + 1
          it("compile: " .. name, function()
            manual.compile(block)
          end)
        elseif block.kind == "conf" then
          it("are settings: " .. name, function()
            stage:read_conf(block)
          end)
        else
          it("do what they say: " .. name, function()
            assert(#block.steps + #block.prints > 0, "the block shows nothing that a test could look at")
            stage:play(block)
          end)
        end
      end
    end)
  end

  it("are there", function()
    local count = 0
    for _, path in ipairs(pages.of_scripts()) do
      count = count + #manual.blocks(path)
    end
    assert.is_true(count > 50)
  end)

  it("either run or say why not", function()
    assert.is_true(compiled <= most_compiled)
  end)
end)

-- The player itself, held to blocks that don't do what they say.
describe("the player of the manual", function()
  local stage

  before_each(function()
    stage = manual.stage()
  end)

  after_each(function()
    stage:close()
  end)

  local function block(code)
    local path = stage.folder .. "/page.md"
    local file = assert(io.open(path, "w"))
    file:write("```lua\n", code, "\n```\n")
    file:close()
    return manual.blocks(path)[1]
  end

  local function problem_of(code)
    local ok, problem = pcall(stage.play, stage, block(code))
    assert.is_false(ok)
    return problem
  end

  it("notices an answer other than the one shown", function()
    local problem = problem_of [[
bot:on("text", function(msg) msg:reply_text "yes" end)
-- customer: hi
-- bot: no]]
    assert.truthy(problem:find("- no\n  + yes", 1, true))
  end)

  it("notices an answer that is not shown", function()
    local problem = problem_of [[
bot:on("text", function(msg) msg:reply_text "one" msg:reply_text "two" end)
-- customer: hi
-- bot: one]]
    assert.truthy(problem:find("said more\n  + two", 1, true))
  end)

  it("notices another print, and a handler that fails", function()
    assert.truthy(problem_of("print(1) --> 2"):find("'2' was to be printed", 1, true))
    assert.truthy(problem_of([[
bot:on("text", function(msg) msg:reply_text "ok" msg.nothing.at_all() end)
-- customer: hi]]):find("nothing", 1, true))
  end)

  it("names the line of what does not compile", function()
    assert.truthy(problem_of("local x = 1\nlocal = 2"):find("page.md:3:", 1, true))
  end)
end)
