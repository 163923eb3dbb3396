-- SPDX-License-Identifier: MIT
-- Dialogs of real scripts in the real host, which is killed with kill -9 and started again, with the script changed
-- meanwhile.

local process = require "spec.support.process"
local sandbox = require "cunnekt.sandbox"

local script = [[
local cunnekt = require "cunnekt"
local words = require "words"
local bot = cunnekt.bot { rate = 0, pair_rate = 0 }
local drawn = {}
for i = 1, 5 do drawn[i] = math.random(1000000) end

bot:dialog("order", function(chat)
  local number = math.random(1000000)
  local name = chat:ask(words.name).text
  local order = {}
  for key in pairs { tea = 1, milk = 2, sugar = 3 } do order[#order + 1] = key end
  local what = chat:ask_buttons { body = words.what, buttons = { { id = "tea", title = "Tea" } } }.reply.id
  chat:reply_text(("%s %s %s %s %d"):format(words.thanks, name, what, table.concat(order, ","), number))
  chat:reply_text(("%d"):format(number))
end)
bot:on("text", "^order", function(msg) msg:start "order" end)
]]

describe("dialogs in the host", function()
  local folder, box, running

  before_each(function()
    folder = process.folder()
    box = assert(sandbox.new())
    process.write(folder.path .. "/bot.lua", script)
    process.write(folder.path .. "/words.lua", 'return { name = "Your name?", what = "What?", thanks = "Thanks" }')
  end)

  after_each(function()
    if running then
      running:signal "KILL"
      running:wait()
      running = nil
    end
    box:close()
  end)

  local function start()
    running = process.start({ process.host, "run", "bot.lua" }, {
      cwd = folder.path,
      env = { CUNNEKT_API_KEY = "key", CUNNEKT_BASE_URL = box.url .. "/v1", CUNNEKT_LISTEN = "127.0.0.1:0" },
    })
    box:aim("http://" .. running:expect "listening on (%S+)" .. "/webhook")
  end

  local function kill()
    running:signal "KILL"
    running:wait()
    start()
  end

  local function said(count)
    return process.wait_until(count .. " messages", function()
      local texts = {}
      for _, entry in ipairs(box.state:since(0, nil, 1000)) do
        if entry.direction == "out" then
          texts[#texts + 1] = entry.payload.text or entry.payload.body
        end
      end
      return #texts >= count and not box:is_busy() and texts
    end)
  end

  local function say(text)
    assert(box:say { type = "text", text = text })
  end

  it("go on after kill -9 where they stood, chance and order included", function()
    start()
    say "order"
    said(1)
    kill()
    say "Asha"
    said(2)
    kill()
    say "Tea"
    local texts = said(4)
    assert.are.same({ "Your name?", "What?" }, { texts[1], texts[2] })
    local number = texts[3]:match "^Thanks Asha tea milk,sugar,tea (%d+)$"
    assert.equal(number, texts[4])
  end)

  it("may load a module of their own while they run", function()
    process.write(folder.path .. "/bot.lua", (script:gsub("local words = require \"words\"\n", ""):gsub("local number = math.random", "local words = require 'words' %0", 1)))
    start()
    say "order"
    assert.are.same({ "Your name?" }, said(1))
    process.write(folder.path .. "/words.lua", 'return { name = "Who?", what = "Which?", thanks = "Ta" }')
    process.write(folder.path .. "/bot.lua", (script:gsub('require "words"', "{}"):gsub("1000000%)", "999999)")))
    kill()
    say "Asha"
    assert.equal("What?", said(2)[2])
    say "Tea"
    assert.matches("^Thanks Asha tea", said(4)[3])
  end)

  it("go on with the old script and its modules where these have changed", function()
    start()
    say "order"
    said(1)
    process.write(folder.path .. "/words.lua", 'return { name = "Who?", what = "Which?", thanks = "Ta" }')
    process.write(folder.path .. "/bot.lua", (script:gsub("chat:reply_text%(%(\"%%d\"", 'chat:ask("really?") chat:reply_text(("%%d"')))
    kill()
    say "Asha"
    said(2)
    say "Tea"
    local texts = said(4)
    assert.are.same({ "Your name?", "What?" }, { texts[1], texts[2] })
    assert.matches("^Thanks Asha tea", texts[3])
    say "order"
    assert.equal("Who?", said(5)[5])
  end)
end)
