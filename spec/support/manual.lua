-- SPDX-License-Identifier: MIT
-- Plays the Lua blocks of a Markdown page as `cunnekt test` plays transcripts (cunnekt.testing). Besides its lines, a block may
-- say in `print(x) --> TEXT` that what is printed holds this text.
--
-- A block that begins with `-- in a handler` is the body of a handler of every message, `-- cunnekt.conf.lua` is that
-- file, and `-- not run: WHY` is only compiled. `cunnekt`, `client` and `bot` are there for blocks that don't make them.

local cunnekt = require "cunnekt"
local lfs = require "lfs"
local parse = require "cunnekt.testing.parse"
local report = require "cunnekt.testing.report"
local settings = require "cunnekt.provider.settings"
local stage = require "cunnekt.testing.stage"
local testing = require "cunnekt.testing"
local world = require "cunnekt.dialog.engine.world"

local manual = {}

-- ---- reading ---------------------------------------------------------------------------------------------------------

local function read_steps(block)
  -- As many line ends before it as lines of the page, so that steps know their lines.
  local text = ("\n"):rep(block.line) .. block.code
  local transcript = parse.text(text, { path = block.path, script = block.path })[1]
  block.steps = transcript and transcript.steps or {}
  for line in (block.code .. "\n"):gmatch "(.-)\n" do
    table.insert(block.prints, (line:match "%-%->%s*(.-)%s*$"))
  end
end

---The Lua blocks of a page.
---@param path string
---@return table[] blocks code, line, path, steps, prints, kind: "script", "handler", "conf" or "compiled"
function manual.blocks(path)
  local blocks, block, number = {}, nil, 0
  for line in io.lines(path) do
    number = number + 1
    local fence = line:match "^%s*```(.*)$"
    if fence and block then
      block.code = table.concat(block, "\n") .. "\n"
      if block.is_lua then
        read_steps(block)
        blocks[#blocks + 1] = block
      end
      block = nil
    elseif fence then
      block = { path = path, line = number, is_lua = fence:lower():find "^%s*lua" ~= nil, steps = {}, prints = {} }
    elseif block then
      if #block == 0 then
        block.kind = line:find "^%-%- in a handler" and "handler" or line:find "^%-%- cunnekt%.conf%.lua" and "conf"
          or line:find "^%-%- not run: %S" and "compiled" or "script"
      end
      block[#block + 1] = line
    end
  end
  assert(not block, path .. ": a block is not closed")
  return blocks
end

---Compiles a block. Messages name the page and its line.
---@param block table
---@param env table?
---@return function
function manual.compile(block, env)
  local code = block.code
  if block.kind == "handler" then
    code = ("bot:on('message', function(msg) %s\nend)"):format(code)
  end
  return assert(load(("\n"):rep(block.line) .. code, "@" .. block.path, "t", env or {}))
end

-- ---- playing -----------------------------------------------------------------------------------------------------------

-- What examples ask over HTTP: the shop's own order book, and a language model.
local function answer_for_shop(request)
  local bodies = {
    ["http://crm.example/orders/4711"] = '{"id":4711,"state":"packed"}',
  }
  local body = bodies[request.url]
  return { status = body and 200 or 404, body = body or '{"error":"no such order"}', headers = { "Content-Type: application/json" } }
end

-- `cunnekt`, `client` and `bot` are there for blocks that don't make them. They are made when the block asks for them.
local function new_environment()
  local makers = {
    cunnekt = function() return cunnekt end, client = function() return cunnekt.client() end, bot = function() return cunnekt.bot() end,
  }
  return world.new(setmetatable({}, {
    __index = function(t, name)
      if makers[name] then
        rawset(t, name, makers[name]())
        return rawget(t, name)
      end
      return _G[name]
    end,
  }))
end

local function check_prints(block, printed)
  local rest = {}
  for i, line in ipairs(printed) do
    rest[i] = line:gsub("\t", " ")
  end
  for _, wanted in ipairs(block.prints) do
    local found
    for i, line in ipairs(rest) do
      if not found and line:find(wanted, 1, true) then
        found = table.remove(rest, i)
      end
    end
    if not found then
      error(("'%s' was to be printed; printed was:\n%s"):format(wanted, table.concat(printed, "\n")), 0)
    end
  end
end

local stage_methods = {}
local stage_mt = { __index = stage_methods }

---A folder for one block, which becomes the working folder.
function manual.stage()
  local self = setmetatable({ home = lfs.currentdir(), folder = os.tmpname() }, stage_mt)
  os.remove(self.folder)
  assert(lfs.mkdir(self.folder) and lfs.chdir(self.folder))
  return self
end

---Plays a block, and raises what did not come as it says.
---@param block table
function stage_methods:play(block)
  local transcript = { path = block.path, script = block.path, line = block.line, steps = block.steps }
  local result = testing.play(transcript, {
    http = answer_for_shop,
    environment = { CRM_URL = "http://crm.example", SANDBOX = stage.sandbox_url },
    may_be_empty = true,
    load = function()
      return manual.compile(block, new_environment())
    end,
    until_done = function(on)
      return #on.printed >= #block.prints
    end,
  })
  if #result.problems > 0 then
    error("\n" .. report.failure(result, report.plain), 0)
  end
  check_prints(block, result.printed)
end

---Reads a block as cunnekt.conf.lua.
---@param block table
function stage_methods:read_conf(block)
  local file <close> = assert(io.open("cunnekt.conf.lua", "w"))
  file:write(block.code)
  file:flush()
  settings.set_host()
  return (settings.load { getenv = function() end })
end

---Ends it all.
function stage_methods:close()
  lfs.chdir(self.home)
  os.execute(("rm -rf '%s'"):format(self.folder))
end

return manual
