-- SPDX-License-Identifier: MIT
local inside = require("cunnekt.service").of
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local server = require "spec.support.server"

local ASHA = "919999999999"

describe("cunnekt outbox", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function start()
    kept:start(function(bot)
      bot:on("text", function(msg)
        msg:reply_text("Re: " .. msg.text)
      end)
    end)
  end

  -- One message of each: read, rejected, unknown.
  local function fill()
    start()
    kept:say "fine"
    kept:wait_for_messages("read", 1)
    kept:fault { kind = "status", count = 1, status = 400, code = 100 }
    kept:say "refused"
    kept:wait_for_messages("rejected", 1)
    kept:fault { kind = "reset", count = 1, accept = false }
    kept:say "doubtful"
    kept:wait_for_messages("unknown", 1)
    kept:settle()
  end

  local function list(...)
    local result = kept:run("outbox", "list", "--json", ...)
    assert.equal(0, result.code, result.err)
    return json.decode(result.out).messages
  end

  local function id_of(state)
    return tostring(list("--state", state)[1].id)
  end

  it("lists what needs an eye, by a running host and by none", function()
    fill()
    for _ = 1, 2 do
      local result = kept:run("outbox", "list")
      assert.equal(0, result.code, result.err)
      assert.matches("^ID +STATE +CONTACT +TYPE +EVENT +TRIES +AGE +NEXT TRY +ERROR OR ID\n", result.out)
      assert.matches("\n%d+ +rejected +9199…99 +text +%d+ +1 +%d+s +%- +rejected: [^\n]+%(code 100%)\n", result.out)
      assert.matches("\n%d+ +unknown +9199…99 +text +%d+ +1 +%d+s +%- +unknown_outcome: ", result.out)
      assert.not_matches("read", result.out)
      kept:stop()
    end
  end)

  it("says when a message that failed is tried again, for which event, and when one with a time is due", function()
    kept:start(function(bot)
      bot:on("text", function(msg)
        msg:reply_text("now", { expires = 3600 })
        msg:reply_text("later", { not_before = os.time() + 7300 })
      end)
    end)
    kept:fault { kind = "status", count = 1, status = 429, code = 130429, retry_after = 3000 }
    kept:say "hello"
    kept:wait_for_messages("queued", 2)
    local waiting = list("--state", "queued")
    local event = waiting[1].event
    assert.equal(1, waiting[1].attempts)
    assert.is_true(event > 0 and event == waiting[2].event)
    local out = kept:run("outbox", "list").out
    assert.matches(("\n%%d+ +queued +9199…99 +text +%d +1 +%%d+s +in %%d+m +rate_limited: "):format(event), out)
    assert.matches(("\n%%d+ +queued +9199…99 +text +%d +0 +%%d+s +in 2h +%%-\n"):format(event), out)
    local shown = kept:run("outbox", "show", tostring(waiting[1].id)).out
    assert.matches(("\nevent: +%d\n"):format(event), shown)
    assert.matches("\nnext try: +%d%d%d%d%-%d%d%-%d%d ", shown)
  end)

  it("shows a message that waits while something else answers in the place of the API, and that is sent then", function()
    local is_back = false
    local web = server.new(function()
      if is_back then
        return 200, '{"messages":[{"id":"wamid.1"}]}'
      end
      return 302, "<html>We are back soon</html>", { Location = "/maintenance" }
    end)
    finally(web.close)
    kept:close()
    kept = kept_bot.new { base_url = web.url }
    start()
    kept:say "hello"
    kept:wait_for("the first try", function()
      return web.requests[1] and inside(kept.bot).outbox:active() == 0
    end)
    local waiting = list()[1]
    assert.are.same({ "queued", "http: the provider answered with HTTP status 302" }, { waiting.state, waiting.error })
    is_back = true
    kept:wait_for_messages("accepted", 1)
    for _, request in ipairs(web.requests) do
      assert.are.same({ "POST", web.requests[1].path }, { request.method, request.path }) -- it was not followed
    end
  end)

  it("filters by state, contact and age", function()
    fill()
    assert.equal(1, #list("--state", "unknown"))
    assert.equal(2, #list("--state", "unknown,rejected"))
    assert.equal(2, #list("--state", "unknown", "--state", "read"))
    assert.equal(3, #list("--state", "all"))
    assert.equal(0, #list("--state", "queued"))
    assert.equal(2, #list("--contact", ASHA))
    assert.equal(0, #list("--contact", "918888888888"))
    assert.equal(0, #list("--older", "1h"))
    assert.equal(2, #list("--newer", "1h"))
    assert.equal("none\n", kept:run("outbox", "list", "--state", "queued").out)
  end)

  it("shows numbers, ids and texts only when asked", function()
    fill()
    local unknown, read = id_of "unknown", id_of "read"
    for _, words in ipairs { { "list", "--state", "all" }, { "show", unknown }, { "show", unknown, "--json" }, { "show", read } } do
      local hidden = kept:run("outbox", table.unpack(words))
      assert.equal(0, hidden.code, hidden.err)
      assert.not_matches(ASHA, hidden.out)
      assert.not_matches("doubtful", hidden.out)
      assert.not_matches("wamid", hidden.out)
      words[#words + 1] = "--reveal"
      assert.matches(ASHA, kept:run("outbox", table.unpack(words)).out)
    end
    assert.matches("Re: doubtful", kept:run("outbox", "show", unknown, "--reveal").out)
    local message_id = json.decode(kept:run("outbox", "show", read, "--reveal", "--json").out).message_id
    assert.matches("\nstate: +read\n", kept:run("outbox", "show", message_id).out)
  end)

  it("retries what was rejected, and an unknown one only for a yes, in plain words", function()
    fill()
    local unknown, rejected = id_of "unknown", id_of "rejected"
    local result = kept:run("outbox", "retry", unknown, rejected)
    assert.equal(1, result.code)
    assert.equal("", result.out)
    assert.matches("the delivery of " .. unknown .. " is uncertain", result.err)
    assert.matches("the\ncustomer may get it twice", result.err)
    assert.matches("%-%-yes", result.err)
    assert.equal(2, #list())
    result = kept:run("outbox", "retry", rejected)
    assert.same({ 0, ("1 message will be sent again now: %s\n"):format(rejected) }, { result.code, result.out })
    kept:wait_for_messages("read", 2)
    kept:stop()
    result = kept:run("outbox", "retry", "--yes", unknown)
    assert.same({ 0, ("1 message will be sent again when a host runs: %s\n"):format(unknown) }, { result.code, result.out })
    start()
    kept:wait_for_messages("read", 3)
    result = kept:run("outbox", "retry", unknown)
    assert.equal(1, result.code)
    assert.matches("there is no message " .. unknown .. " that could be sent again", result.err)
  end)

  it("drops, and says what", function()
    fill()
    local unknown, rejected = id_of "unknown", id_of "rejected"
    local result = kept:run("outbox", "drop", unknown, "999")
    assert.equal(1, result.code)
    assert.equal(("dropped 1 message: %s\n"):format(unknown), result.out)
    assert.matches("there is no message 999", result.err)
    kept:stop()
    result = kept:run("outbox", "drop", rejected, "--json")
    assert.equal(0, result.code)
    assert.same({ tonumber(rejected) }, { table.unpack(json.decode(result.out).dropped) })
    assert.equal(0, #list())
  end)

  it("exits with 1 when there is no such message, and with 2 for a mistake on the command line", function()
    start()
    assert.equal(1, kept:run("outbox", "show", "999").code)
    assert.equal(1, kept:run("outbox", "show", "wamid.none").code)
    for _, case in ipairs {
      { {}, "say what to do" },
      { { "resend" }, "unknown 'outbox resend'" },
      { { "list", "--state", "unknwon" }, "unknown state 'unknwon' %(did you mean 'unknown'%?%)" },
      { { "list", "--state", "" }, "unknown state ''" },
      { { "retry" }, "missing argument 'id'" },
      { { "retry", "wamid.x" }, "'wamid.x' is not a number" },
      { { "drop", "1", "--yes" }, "unknown option '%-%-yes'" },
    } do
      local result = kept:run("outbox", table.unpack(case[1]))
      assert.equal(2, result.code, table.concat(case[1], " "))
      assert.matches(case[2], result.err)
    end
  end)
end)
