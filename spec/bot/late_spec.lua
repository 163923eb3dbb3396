-- SPDX-License-Identifier: MIT
-- bot:on in a handler is what people write who come from libraries with callbacks: "for the next message, call this". It was taken
-- in silence, worked in a transcript, and then answered all other customers, once more for each, until a restart took it away.

local process = require "spec.support.process"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot()\n'

local function run(command, code)
  local folder = process.folder()
  process.write(folder.path .. "/bot.lua", HEAD .. code)
  return process.cunnekt({ command, "bot.lua" }, { cwd = folder.path }).out
end

local calls = {
  on = 'bot:on("image", print)', use = "bot:use(function(_, next) return next() end)", tap = "bot:tap(print)",
  before_send = "bot:before_send(print)", on_error = "bot:on_error(print)", on_restart = "bot:on_restart(print)",
  dialog = 'bot:dialog("d", print)', global = 'bot:global("stop", print)', job = 'bot:job("j", print)',
}

describe("what registers something", function()
  for name, call in pairs(calls) do
    it("is refused in a handler, with its line: bot:" .. name, function()
      local code = ('bot:on("text", function(msg)\n%s\nend)\n'):format(call)
      local refusal = ("bot.lua:3: bot:%s: it is for all customers, so it belongs at the top of the script"):format(name)
      assert.matches(refusal, run("check", code), 1, true)
      assert.matches("error: " .. refusal, run("test", code .. "-- customer: hi\n-- bot: x"), 1, true)
    end)
  end

  it("is refused in a dialog, a job and a function of the script's own as well", function()
    for around, played in pairs {
      ['bot:dialog("d", function(chat)\n%s\nend) bot:on("text", function(msg) msg:start "d" end)'] = "-- customer: hi\n-- bot: x",
      ['bot:after(1, "x", function()\n%s\nend) bot:on("text", function(msg) msg:reply_text "y" end)'] = "-- customer: hi\n-- bot: y\n-- 1 minute later",
      ['local function hear(msg)\n%s\nend bot:on("text", hear)'] = "-- customer: hi\n-- bot: x",
    } do
      local code = around:format(calls.on)
      assert.matches("bot.lua:3: bot:on: it is for all customers", run("check", code), 1, true)
      assert.matches("bot.lua:3: bot:on: it is for all customers", run("test", code .. "\n" .. played), 1, true)
    end
  end)

  it("is fine in functions that the script calls at its start, and in bot:on_restart", function()
    local code = [[
local function add(word)
  bot:on("text", word, function(msg) msg:reply_text(word) end)
end
for _, word in ipairs { "a", "b" } do add(word) end
bot:on_restart(function() bot:on("image", print) end)
]]
    assert.equal("bot.lua: no mistakes found\n", run("check", code))
    assert.matches("all passed", run("test", code .. "-- customer: b\n-- bot: b"))
  end)
end)
