-- SPDX-License-Identifier: MIT
-- No number and no word of a customer reaches a log, an error or the command line, unless asked for. The provider's texts
-- repeat what was sent, a script's errors what was received: both were once printed as they came.
local bot_rig = require "spec.support.rigs.bot_rig"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local log = require "cunnekt.base.log"
local redact = require "cunnekt.base.redact"

local ASHA = "919999912345"
-- Parts of the customer's words and number that must not be seen.
local PRIVATE = { "geheimnis", "blaubeer", "rosenweg", "केला", "8154711", "9999912345", "99999 12345", "99999-12345", "12345" }
local WORDS = "Mein Geheimnis: Blaubeeren, Rosenweg 17, केला केला केला, 8154711"

local function assert_private(text, what)
  local folded = text:lower()
  for _, part in ipairs(PRIVATE) do
    assert.is_nil(folded:find(part, 1, true), ("%s has %q:\n%s"):format(what, part, text))
  end
end

describe("what is private", function()
  local kept

  before_each(function()
    kept = kept_bot.new { pair_rate = 0 }
  end)

  after_each(function()
    kept:close()
  end)

  local function shown(...)
    local result = kept:run(...)
    assert.equal(0, result.code, result.err)
    return result.out .. result.err
  end

  local function assert_logs_private()
    assert.is_true(#kept.lines > 0)
    assert_private(table.concat(kept.lines, "\n"), "the log")
  end

  -- The provider's sentences, as they were seen and as they might be.
  local titles = {
    "Recipient +91 99999 12345 is not allowed",
    "(#100) Invalid parameter: text.body = '" .. WORDS .. "'",
    "Parameter value Re: Mein Geheimnis: Blaub... is too long",
    "MEIN GEHEIMNIS may not be sent to 99999-12345",
    "text \"geheimnis\" of 0919999912345 refused; \\u0917\\u0947\\u0939 Rosenweg",
    "blocked: केला, code 8154711",
    "Re: Mein Geheimnis: Blaubeeren, Rosenweg 17, केला केला केला, 8154711",
  }

  it("is in no error of a refused message", function()
    local seen = {}
    kept:start(function(bot)
      bot:on("text", function(msg)
        msg:reply_text("Re: " .. msg.text)
      end)
      bot:on_error(function(err)
        seen[#seen + 1] = tostring(err)
        log.warn("%s", err)
      end)
    end)
    for i, title in ipairs(titles) do
      kept:fault { kind = "status", count = 1, status = 400, code = 100, title = title }
      kept:say(WORDS, ASHA)
      kept:wait_for_messages("rejected", i)
    end
    kept:settle()
    assert.equal(#titles, #seen)
    assert_private(table.concat(seen, "\n"), "an error")
    assert.matches("rejected: Recipient the recipient is not allowed", seen[1])
    assert_logs_private()
    for _, state in ipairs { "running", "stopped" } do
      local list = shown("outbox", "list", "--json")
      assert_private(shown("outbox", "list") .. list, "outbox list, " .. state)
      assert_private(shown("outbox", "show", tostring(json.decode(list).messages[1].id)), "outbox show, " .. state)
      assert.matches("Blaubeeren", shown("outbox", "show", "--reveal", tostring(json.decode(list).messages[2].id)))
      kept:stop()
    end
  end)

  it("is in what a script may look at", function()
    local got
    kept:start(function(bot)
      bot:on("text", function(msg)
        local _, err = bot.client:send_text(ASHA, msg.text)
        got = err
      end)
    end)
    kept:fault { kind = "status", count = 1, status = 400, code = 100, title = titles[2] }
    kept:say(WORDS, ASHA)
    bot_rig.wait_for(function()
      return got
    end, "the error")
    assert_private(tostring(got), "the error")
    assert.equal(titles[2], got.raw.error.message)
    assert.matches("Blaubeeren", got.body)
    kept:settle()
  end)

  it("is in no log of messages that wait", function()
    kept:start(function(bot)
      bot:on("text", function(msg)
        msg:reply_text("Re: " .. msg.text)
      end)
    end)
    kept:fault { kind = "status", count = 1, status = 429, code = 130429, title = titles[2] .. titles[1] }
    kept:say(WORDS, ASHA)
    bot_rig.wait_for(function()
      return kept.lines[1]
    end, "the warning")
    assert.matches("messages wait and will be retried", kept.lines[1])
    assert_logs_private()
  end)

  it("is in no log and no dead letter of a handler that raises with it", function()
    kept:start(function(bot)
      bot:on("text", function(msg)
        error(("cannot handle '%s' of %s (%s)"):format(msg.text, msg.from, msg.text:sub(1, 20)))
      end)
    end)
    kept:say(WORDS, ASHA)
    kept:wait_for_events("dead", 1)
    assert_logs_private()
    assert.matches("privacy_spec.lua:%d+: cannot handle '…", kept.lines[1])
    for _, state in ipairs { "running", "stopped" } do
      local list = shown("events", "list", "--json")
      local seq = tostring(json.decode(list).events[1].seq)
      assert_private(shown("events", "list") .. list .. shown("events", "show", seq), "events, " .. state)
      assert.matches("Blaubeeren", shown("events", "show", "--reveal", seq))
      kept:stop()
    end
  end)

  it("would be seen by these tests: with nothing taken out it is in the log and in the error", function()
    local sentence, err = redact.sentence, nil
    redact.sentence = function(text)
      return text
    end
    finally(function()
      redact.sentence = sentence
    end)
    kept:start(function(bot)
      bot:on("text", function(msg)
        err = select(2, bot.client:send_text(ASHA, msg.text))
        error(msg.text)
      end)
    end)
    kept:fault { kind = "status", count = 1, status = 400, code = 100, title = titles[2] }
    kept:say(WORDS, ASHA)
    kept:wait_for_events("dead", 1)
    assert.is_false((pcall(assert_private, table.concat(kept.lines, "\n"), "the log")))
    assert.is_false((pcall(assert_private, tostring(err), "the error")))
  end)

  it("is in no log and no list of a dialog that broke with it", function()
    kept:start(function(bot)
      bot:dialog("order", function(chat)
        local answer = chat:ask "What shall it be?"
        error("no such thing: " .. answer.text)
      end)
      bot:on("text", function(msg)
        msg:start "order"
      end)
    end)
    kept:say("hello", ASHA)
    kept:settle()
    kept:say(WORDS, ASHA)
    bot_rig.wait_for(function()
      for _, line in ipairs(kept.lines) do
        if line:find "is broken" then
          return true
        end
      end
    end, "the break")
    kept:settle()
    assert_logs_private()
    local list = shown("dialogs", "list", "--json")
    local id = tostring(json.decode(list).dialogs[1].id)
    assert_private(shown("dialogs", "list") .. list .. shown("dialogs", "show", id), "dialogs")
    assert.matches("Blaubeeren", shown("dialogs", "show", "--reveal", id))
  end)

  it("is in no error that a status brings later", function()
    local handle
    kept:start(function(bot)
      bot:on("text", function(msg)
        handle = msg:reply_text("Re: " .. msg.text)
      end)
    end)
    kept:fault { kind = "failed", count = 1, code = 131026, title = titles[2] .. titles[1] }
    kept:say(WORDS, ASHA)
    kept:wait_for_messages("failed", 1)
    kept:settle()
    assert_private(tostring(handle.err), "the handle's error")
    local list = shown("outbox", "list", "--state", "failed")
    assert.matches("9199…45 ", list)
    assert.matches("Invalid parameter: text.body = '…", list)
    assert_private(list, "outbox list")
  end)
end)
