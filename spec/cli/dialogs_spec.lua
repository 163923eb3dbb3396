-- SPDX-License-Identifier: MIT
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local process = require "spec.support.process"

local ASHA, BALA = "919999999999", "918888888888"

describe("cunnekt dialogs", function()
  local kept, text

  before_each(function()
    kept = kept_bot.new()
    text = "How many?"
  end)

  after_each(function()
    kept:close()
  end)

  local function define(bot)
    bot:dialog("order", function(chat)
      chat:reply_text(text)
      local answer = chat:ask("Which?", { timeout = 3600 })
      chat:reply_text("noted " .. answer.text)
    end)
    bot:on("text", "^order", function(msg)
      msg:start "order"
    end)
    bot:on("text", function(msg)
      msg:reply_text "heard"
    end)
  end

  -- Two dialogs; with `is_broken` the first of them is broken, after its customer sent a secret.
  local function fill(is_broken)
    kept:start(define)
    kept:say "order"
    kept:say("order", BALA)
    kept:settle()
    if is_broken then
      kept:stop()
      text = "How much?"
      kept:start(define)
      kept:say "my secret"
      kept:settle()
    end
  end

  local function run(...)
    local result = kept:run("dialogs", ...)
    assert.equal(0, result.code, result.err)
    return result.out
  end

  local function ids()
    local list = {}
    for i, dialog in ipairs(json.decode(run("list", "--json")).dialogs) do
      list[i] = tostring(dialog.id)
    end
    return list
  end

  it("lists in columns what waits for what, by a running host and by none", function()
    fill()
    for _ = 1, 2 do
      local lines = {}
      for line in run "list":gmatch "[^\n]+" do
        lines[#lines + 1] = line
      end
      assert.matches("^ID%s+NAME%s+CONTACT%s+STATE%s+WAITS FOR%s+UNTIL%s+STEPS%s+AGE%s+ERROR$", lines[1])
      assert.matches("^%d+%s+order%s+9199…99%s+waiting%s+text%s+20%d%d%-%S+ %S+%s+3%s+%d+s%s+%-$", lines[2])
      assert.matches("9188…88", lines[3])
      kept:stop()
    end
  end)

  it("lists what the filters leave", function()
    fill(true)
    assert.equal(2, #ids())
    assert.matches("broken .*differs", run("list", "--broken"))
    assert.is_nil(run("list", "--open"):find "broken")
    assert.matches(BALA, run("list", "--contact", BALA, "--reveal"))
    assert.equal("none\n", run("list", "--older", "1h"))
  end)

  it("shows the journal, and what was said only where that is asked for", function()
    fill(true)
    local id = ids()[1]
    local out = run("show", id)
    assert.matches("broke at:   step 1", out)
    assert.matches("STEP  KIND\n1     send\n2     send\n", out)
    assert.is_nil(out:find "How")
    assert.is_nil(out:find(ASHA, 1, true))
    out = run("show", id, "--reveal")
    assert.matches("was:        send .*How many%?", out)
    assert.matches("is now:     send .*How much%?", out)
    assert.matches(ASHA, out)
    assert.equal(1, kept:run("dialogs", "show", "4711").code)
  end)

  it("ends dialogs, in a running host and in none", function()
    fill()
    local first, second = table.unpack(ids())
    assert.matches("^ended 1 dialog: " .. first, run("end", first))
    kept:say "three"
    kept:settle()
    kept:stop()
    assert.matches("^ended 1 dialog: " .. second, run("end", "--all", "--contact", BALA))
    assert.are.same({}, ids())
    assert.equal(1, kept:run("dialogs", "end", first).code)
    assert.equal(2, kept:run("dialogs", "end").code)
    kept:start(define)
    kept:say("four", BALA)
    kept:settle()
    local said = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 100)) do
      if entry.direction == "out" and entry.payload.text == "heard" then
        said[#said + 1] = entry.contact
      end
    end
    assert.are.same({ ASHA, BALA }, said)
  end)

  it("hands a conversation to a person and takes it back", function()
    fill()
    assert.matches("a person has the conversation with 9199…99", run("pause", "+91 99999 99999"))
    kept:say "to the person"
    kept:settle()
    kept:stop()
    assert.matches("the bot has the conversation", run("resume", ASHA))
    kept:start(define)
    kept:say "seven"
    kept:settle()
    local last = kept.sandbox.state:since(0, nil, 100)
    assert.equal("noted seven", last[#last].payload and last[#last].payload.text)
    assert.equal(1, kept:run("dialogs", "pause", "917777777777").code)
  end)

  it("says what it does not understand", function()
    assert.equal(2, kept:run("dialogs").code)
    assert.equal(2, kept:run("dialogs", "lst").code)
    assert.equal(2, kept:run("dialogs", "show", "x").code)
    assert.matches("cunnekt dialogs %- list", kept:run("dialogs", "-h").out)
  end)

  it("takes a number as sends do, with the default country of cunnekt.conf.lua", function()
    fill()
    process.write(kept.folder.path .. "/cunnekt.conf.lua", "return { default_country = 91 }")
    for _, number in ipairs { "9999999999", "099999-99999", "+91 99999\u{2011}99999", "919999999999.0", "123456789:+91 99999 99999" } do
      assert.equal(1, #json.decode(run("list", "--json", "--contact", number)).dialogs)
    end
    assert.equal("a person has the conversation with 9199…99 now\n", run("pause", "99999 99999"))
    os.remove(kept.folder.path .. "/cunnekt.conf.lua")
    for _, words in ipairs { { "list", "--contact", "9876543210" }, { "pause", "9876543210" }, { "end", "--all", "--contact", "9.19877E+11" } } do
      local result = kept:run("dialogs", table.unpack(words))
      assert.equal(2, result.code)
      assert.matches("cunnekt dialogs: %-?%-?[%au]+ l", result.err)
      assert.not_matches("9.?1?98", result.err)
    end
  end)
end)
