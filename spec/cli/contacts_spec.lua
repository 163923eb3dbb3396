-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"

local sql = require "spec.support.sql"

local ASHA, USER_ID, BIPIN = "919999999999", "IN.1349120865530274", "918888888888"

-- All values of all tables, as text, without the script itself.
local function everything(path)
  local db, found = sql.open(path), {}
  for _, one in ipairs(db:rows "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'code'") do
    for _, row in ipairs(db:rows("SELECT * FROM " .. one[1])) do
      for _, value in pairs(row) do
        found[#found + 1] = tostring(value)
      end
    end
  end
  db:close()
  return table.concat(found, "\n")
end

describe("cunnekt contacts", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
    kept:start(function(bot)
      bot:dialog("order", function(chat)
        chat:ask "Size?"
      end)
      bot:on("text", "^order$", function(msg)
        msg:start "order"
      end)
      bot:on("text", function(msg)
        msg.chat.state.said = msg.text
        msg:reply_text("Re: " .. msg.text)
      end)
    end)
  end)

  after_each(function()
    kept:close()
  end)

  -- Asha writes with both of her ids.
  local function write(text)
    kept.sandbox.state:hear(ASHA)
    local body = cunnekt.json.encode {
      metadata = { phone_number_id = "1", display_phone_number = "15550000000" },
      contacts = { { wa_id = ASHA, user_id = USER_ID, profile = { name = "Asha Rao", username = "asha" } } },
      messages = { { from = ASHA, from_user_id = USER_ID, id = "wamid." .. text, timestamp = tostring(os.time()), type = "text",
        text = { body = text } } },
    }
    local answer = assert(cunnekt.http.request { method = "POST", url = "http://" .. kept.bot:address() .. "/webhook", body = body })
    assert.equal(200, answer.status)
    kept:settle()
  end

  local function run(...)
    local result = kept:run("contacts", ...)
    return result
  end

  it("lists who wrote, by a running host and by none", function()
    write "secret words"
    for _ = 1, 2 do
      local out = run("list").out
      assert.matches("^CONTACT +USER ID +NAME +LINE +LAST WROTE +WINDOW\n9199…99 +IN.1…74 +%- +1 +%ds +open\n$", out)
      assert.matches(ASHA .. " +" .. USER_ID .. " +Asha Rao ", run("list", "--reveal").out)
      assert.equal("none\n", run("list", "--older", "1h").out)
      kept:stop()
    end
  end)

  it("shows a person by each id, with the others", function()
    write "hello"
    for _, id in ipairs { ASHA, USER_ID, "+91 99999-99999" } do
      local out = run("show", id).out
      assert.matches("^contact: +9199…99\n", out)
      assert.matches("\nother ids: +IN.1…74\n", out)
      assert.matches("\nstored: +1 message, 0 events, 0 dialogs\n", out)
      assert.not_matches("Asha", out)
    end
    assert.matches("\nother ids: +" .. USER_ID .. "\n", run("show", ASHA, "--reveal").out)
    local missing = run("show", BIPIN)
    assert.same({ 1, "" }, { missing.code, missing.out })
    assert.matches("nobody with that number or user id is in this store", missing.err)
  end)

  it("exports all that is stored of a person, and of nobody else", function()
    write "hello"
    write "order"
    kept:say("not hers", BIPIN)
    kept:settle()
    local export = json.decode(run("export", USER_ID).out).contacts
    assert.equal(1, #export)
    assert.same({ ASHA, "Asha Rao", "asha" }, { export[1].number, export[1].name, export[1].username })
    assert.same({ said = "hello" }, export[1].state)
    local texts = {}
    for i, message in ipairs(export[1].messages) do
      texts[i] = message.payload and message.payload.text or message.state
    end
    assert.equal(2, #texts)
    assert.equal("order", export[1].dialogs[1].name)
    assert.not_matches("not hers", json.encode(export))
  end)

  for _, is_running in ipairs { true, false } do
    it("forgets a person from every table, " .. (is_running and "while a host runs" or "without a host"), function()
      write "hello"
      write "order"
      kept:say("stays", BIPIN)
      kept:settle()
      assert.equal(0, kept:run("dialogs", "pause", ASHA).code)
      write "hello again"
      assert.equal(0, kept:run("dialogs", "signal", ASHA, "hello", "--keep", "1h").code)
      kept:settle()
      assert.equal(1, run("forget", USER_ID).code)
      if not is_running then
        kept:stop()
      end
      local result = run("forget", USER_ID, "--yes")
      assert.same({ 0, "" }, { result.code, result.err })
      assert.matches("^forgot 9199…99: 2 messages, 0 events, 1 dialog, 2 kept events\n$", result.out)
      assert.equal(1, run("show", ASHA).code)
      kept:stop()
      local dump = everything(kept.path)
      assert.matches("stays", dump)
      assert.not_matches("9999999", dump)
      assert.not_matches("IN.1349", dump)
      assert.not_matches("hello", dump)
    end)
  end
end)
