-- SPDX-License-Identifier: MIT
-- `cunnekt check` raises no false alarm: on the examples, on the snippets of the manual, on the bots of the specs. Those that are
-- wrong on purpose are listed.

local lexer = require "cunnekt.base.source.lexer"
local manual = require "spec.support.manual"
local pages = require "spec.support.pages"
local process = require "spec.support.process"
local rules = require "cunnekt.cli.check.rules"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() local client = cunnekt.client() '

local function files(folder)
  local pipe, list = io.popen(("find %s -name '*.lua'"):format(folder)), {}
  for path in pipe:lines() do
    list[#list + 1] = path
  end
  pipe:close()
  table.sort(list)
  return list
end

-- The problems of a source that some lines around it complete, and of its modules, each once.
local function alarms(where, source, list)
  if not load(source) then
    return
  end
  for _, problem in ipairs(rules.check(source, "")) do
    local alarm = ("%s: %s"):format(problem.path == "" and where or problem.path, problem.message)
    -- Snippets leave out what surrounds them.
    if not list[alarm] and not problem.message:find "^undefined global" and not problem.message:find "^bot:on: this handler never runs" then
      list[#list + 1] = alarm
      list[alarm] = true
    end
  end
end

local function sorted(list)
  table.sort(list)
  return table.move(list, 1, #list, 1, {})
end

local function completed(code)
  return code:find "cunnekt%.bot" and 'local cunnekt = require "cunnekt" local client = cunnekt.client() ' .. code or HEAD .. code
end

describe("cunnekt check is silent", function()
  it("about the examples and the project's own sources", function()
    local list = {}
    for _, path in ipairs(files "examples lua") do
      for _, problem in ipairs(rules.check(process.read(path), path:match "^.*/")) do
        list[#list + 1] = ("%s:%d: %s"):format(path, problem.line, problem.message)
      end
    end
    assert.same({}, list)
  end)

  it("about a script that uses everything there is", function()
    local source = process.read "spec/fixtures/usual_bot.txt"
    local list = {}
    for i, problem in ipairs(rules.check(source, "")) do
      list[i] = ("%d: %s"):format(problem.line, problem.message)
    end
    assert.same({}, list)
  end)

  it("about what scripts for several versions of Lua ask", function()
    local source = [[
local unpack = table.unpack or unpack
local power = math.pow or function(a, b) return a ^ b end
if string.gfind then print(string.gfind("a", "b")) end
function string.trim(text) return text:match "^%s*(.-)%s*$" end
local os = { tim = function() end }
bot:on("text", "^.*", function(msg, _) return msg.text ~= string.trim(msg.text) and "next" or os.tim() end)
bot:on("text", "menu", function(...) print(power, unpack, ...) end)
bot:on("button", "[", function() end)
]]
    local list = {}
    alarms("it", HEAD .. source, list)
    assert.same({}, sorted(list))
  end)

  it("about tables that a script changes before it sends them", function()
    local long = '{ { id = "a", title = "A title that is far too long" } }'
    for _, change in ipairs {
      "for _, one in ipairs(B) do one.title = 'x' end", "B[1].title = 'x'", "B = nil", "local C = B C[1] = nil", "table.remove(B)",
      "local function f(t) t[1] = nil end f(B)", "M.buttons = {}", "M.buttons[1].title = 'x'", "local t = M t.buttons = {}",
    } do
      local list = {}
      alarms(change, HEAD .. ("local B = %s local M = { body = 'x', buttons = %s } %s "):format(long, long, change)
        .. (change:find "M" and "bot:on('text', function(msg) msg:reply_buttons(M) end)"
        or "bot:on('text', function(msg) msg:reply_buttons { body = 'x', buttons = B } end)"), list)
      assert.same({}, sorted(list))
    end
  end)

  -- It raised an error of ours.
  it("about optional content that is one of two tables", function()
    local list = {}
    alarms("bot.lua", HEAD .. 'bot:on("text", function(msg) msg:reply_template("55", msg.text == "a" and { body = { "b" } } or {}) end)', list)
    assert.same({}, list)
  end)

  it("about the manual, but for what it shows to be refused", function()
    local list = {}
    for _, page in ipairs(pages.all()) do
      for _, block in ipairs(manual.blocks(page)) do
        local code = block.kind == "handler" and ("bot:on('message', function(msg) %s end)"):format(block.code) or block.code
        if block.kind ~= "conf" and not code:find "^%-%- not run: it shows mistakes" then
          alarms(page, completed(code), list)
        end
      end
    end
    assert.same({
      "docs/reference/client.md: client:send_buttons: buttons[1].title is 28 characters long; Cunnekt allows 24",
      "docs/reference/messages.md: cunnekt.build.send_template: body[1] has a line break; WhatsApp allows none in a template's parameter; write it in one line",
      "docs/reference/messages.md: cunnekt.build.send_text: text is empty; leave the reply out, or write something",
    }, sorted(list))
  end)

  it("about nothing that the manual's own example of it shows", function()
    local page = process.read "docs/reference/commands.md"
    local code, printed = page:match "```lua\n(%-%- not run: it shows mistakes.-)```\n\nit prints\n\n```\n(.-)```"
    local list = {}
    for _, problem in ipairs(rules.check(HEAD .. code, "")) do
      list[#list + 1] = ("bot.lua:%d: %s\n"):format(problem.line, problem.message)
    end
    assert.equal(printed, table.concat(list))
  end)

  -- Specs that are about refusals, and write what is refused.
  local about_refusals = {
    ["spec/cli/check_spec.lua"] = true, ["spec/cli/check/mistakes_spec.lua"] = true,
    ["spec/cli/check/modules_spec.lua"] = true, ["spec/bot/refusals_spec.lua"] = true, ["spec/bot/returned_calls_spec.lua"] = true,
    ["spec/cli/run_spec.lua"] = true, ["spec/project/first_hour_spec.lua"] = true,
    ["spec/provider/build_values_spec.lua"] = true, ["spec/bot/chat_spec.lua"] = true, ["spec/bot/action_spec.lua"] = true,
  }

  it("about the bots of the specs", function()
    local list = {}
    for _, path in ipairs(files "spec/bot spec/dialog spec/jobs spec/service spec/cli spec/crash spec/project spec/support spec/bench") do
      local source = process.read(path)
      local is_about = not about_refusals[path] and source:find "bot[:.]"
      for _, token in ipairs(is_about and lexer.tokens(source) or {}) do
        if token.kind == "string" and token.value:find "bot:" and not token.value:find "%%[sd]" then
          alarms(path, completed(token.value), list)
        end
      end
      if is_about then
        alarms(path, source, list)
      end
    end
    assert.same({
      "spec/bot/bot_spec.lua: cunnekt.bot: unknown option 'concurency' (did you mean 'concurrency'?)",
      "spec/dialog/engine/old_script_spec.lua: bot:start: name is missing: it must be a string",
      "spec/dialog/engine/old_script_spec.lua: bot:start: there is no dialog 'other'",
      "spec/dialog/engine/old_script_spec.lua: client has no field 'name'",
      "spec/dialog/engine/old_script_spec.lua: client:send_text: text is missing: it must be a string",
      "spec/dialog/flow/step_spec.lua: cunnekt.build.send_text: text is empty; leave the reply out, or write something",
      "spec/dialog/flow/template_spec.lua: ask_template: body[1] has a line break; WhatsApp allows none in a template's parameter; write it in one line",
      "spec/dialog/mend_spec.lua: msg:start: there is no dialog 'it' (bot:dialog registers one)", -- the spec adds it
      "spec/project/script_manual_spec.lua: msg has no field 'nothing'",
      "spec/support/dialogs/programs.lua: reply_text: text is empty; leave the reply out, or write something",
    }, sorted(list))
  end)
end)
