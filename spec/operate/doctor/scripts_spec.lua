-- SPDX-License-Identifier: MIT
-- Open dialogs and the scripts that they began with, as `cunnekt doctor` finds them: a real host, before and after its script
-- has changed.

local doctor = require "spec.support.rigs.doctor"
local process = require "spec.support.process"
local sandbox = require "cunnekt.sandbox"
local sql = require "spec.support.sql"

local SCRIPT = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
bot:dialog("book", function(chat)
  chat:ask "When?"
  chat:reply_text "%s"
end%s)
bot:on("text", function(msg) msg:start "book" end)
]]

describe("cunnekt doctor, asked about open dialogs,", function()
  local folder, box, host

  before_each(function()
    folder = process.folder()
    box = assert(sandbox.new())
  end)

  after_each(function()
    if host then
      host:signal "KILL"
      host:wait()
      host = nil
    end
    box:close()
  end)

  local function write(words, options)
    process.write(folder.path .. "/bot.lua", SCRIPT:format(words, options or ""))
  end

  local function start()
    host = process.start({ process.host, "run", folder.path .. "/bot.lua" }, {
      env = { CUNNEKT_API_KEY = "k", CUNNEKT_LISTEN = "127.0.0.1:0", CUNNEKT_BASE_URL = box.url .. "/v1" },
    })
    box:aim("http://" .. host:expect "listening on (%S+)" .. "/webhook")
  end

  local function stop()
    host:signal "TERM"
    host:wait()
    host = nil
  end

  local function ask(words)
    return doctor.run(words or { folder.path .. "/bot.lua" }, { cwd = folder.path })
  end

  local function open_dialog()
    write "Noted."
    start()
    box:say { type = "text", text = "hi" }
    process.wait_until("the question", function()
      local listed = process.cunnekt({ "dialogs", "list", "--open", "--script", folder.path .. "/bot.lua" })
      return listed.out:find("book", 1, true)
    end)
  end

  it("says nothing while they go on with the current script", function()
    open_dialog()
    assert.is_nil(ask().note:find("dialogs:", 1, true))
    stop()
    assert.is_nil(ask().note:find("dialogs:", 1, true))
  end)

  it("finds those that need an older one", function()
    open_dialog()
    stop()
    write "Written down."
    local result = ask()
    assert.matches("dialogs: 1 open dialog of 'book' began with another version of the script, which the store keeps", result.note)
    start()
    result = ask()
    assert.equal("", result.wrong)
    assert.matches("dialogs: 1 open dialog of 'book' needs an older version of the script: the store keeps it, and they go on with it", result.note)
    stop()
    write("Written down.", ', { on_change = "restart" }')
    start()
    assert.matches("dialogs: 1 open dialog of 'book' will begin again at the next answer", ask().note)
  end)

  it("goes by the dialog, not by the file", function()
    open_dialog()
    stop()
    process.write(folder.path .. "/bot.lua", SCRIPT:format("Noted.", "") .. "-- a comment\n")
    start()
    assert.is_nil(ask().note:find("dialogs:", 1, true))
  end)

  it("finds those whose script is gone", function()
    open_dialog()
    stop()
    local db = sql.open(folder.path .. "/cunnekt.db")
    db:run "DELETE FROM code"
    db:close()
    write "Written down."
    start()
    local result = ask()
    assert.matches("dialogs: 1 open dialog of 'book' needs an older version of the script, which the store does not have, and will break: "
      .. "put that version back, or end them with cunnekt dialogs end", result.wrong)
  end)
end)
