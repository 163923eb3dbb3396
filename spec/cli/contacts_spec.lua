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
  local function post(text)
    kept.sandbox.state:hear(ASHA)
    local body = cunnekt.json.encode {
      metadata = { phone_number_id = "1", display_phone_number = "15550000000" },
      contacts = { { wa_id = ASHA, user_id = USER_ID, profile = { name = "Asha Rao", username = "asha" } } },
      messages = { { from = ASHA, from_user_id = USER_ID, id = "wamid." .. text, timestamp = tostring(os.time()), type = "text",
        text = { body = text } } },
    }
    local answer = assert(cunnekt.http.request { method = "POST", url = "http://" .. kept.bot:address() .. "/webhook", body = body })
    assert.equal(200, answer.status)
  end

  local function write(text)
    post(text)
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

  -- The message was found under no id any more once it was answered, and stayed with its number and text.
  for name, fault in pairs { ["is lost"] = { kind = "drop", seconds = 1, accept = false }, comes = { kind = "slow", seconds = 1 } } do
    it("forgets the rest of a person as it told to, when the answer to a message " .. name, function()
      write "hello"
      kept:fault(fault)
      post "again"
      kept:wait_for_messages("sending", 1)
      local first = run("forget", USER_ID, "--yes")
      assert.equal(1, first.code)
      assert.matches("run this again when it is answered", first.err)
      kept:settle()
      assert.matches("stored: +1 message", run("show", USER_ID).out)
      local second = run("forget", USER_ID, "--yes")
      assert.same({ 0, "", "forgot 9199…99: 1 message, 0 events, 0 dialogs\n" }, { second.code, second.err, second.out })
      assert.equal(1, run("show", ASHA).code)
      kept:stop()
      assert.not_matches("9999999", everything(kept.path))
    end)
  end

  it("exports and forgets somebody to whom only the bot wrote", function()
    kept.bot:chat(BIPIN, { phone_number_id = "1" }):reply_template "offer"
    kept:wait_for_messages("read", 1)
    assert.equal("read", json.decode(run("export", BIPIN).out).contacts[1].messages[1].state)
    assert.matches("^forgot 9188…88: 1 message,", run("forget", BIPIN, "--yes").out)
    kept:stop()
    assert.not_matches("8888888", everything(kept.path))
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
