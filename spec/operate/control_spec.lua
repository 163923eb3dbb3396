-- SPDX-License-Identifier: MIT
-- What an operator can do with a store, over the socket of the host that runs on it and without one.

local inside = require("cunnekt.service").of
local control = require "cunnekt.operate"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.kept_bot"
local process = require "spec.support.process"
local samples = require "cunnekt.sandbox.samples"
local store = require "cunnekt.store"
local webhook = require "cunnekt.provider.webhook"

local ASHA, RAVI = "919999999999", "918888888888"

describe("control", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function failing(bot)
    bot:on("text", function(msg)
      error("cannot handle " .. msg.text)
    end)
  end

  local handled

  local function succeeding(bot)
    handled = {}
    bot:on("text", function(msg)
      handled[#handled + 1] = msg.text
    end)
  end

  local function seqs(list)
    local numbers = {}
    for i, event in ipairs(list) do
      numbers[i] = event.seq
    end
    return numbers
  end

  -- ---- the way in ------------------------------------------------------------------------------------------------

  it("goes over a socket beside the database, for its owner alone, while a bot serves", function()
    kept:start()
    local found = core.stat(kept.path .. ".ctl")
    assert.equal("socket", found.kind)
    assert.equal(tonumber("600", 8), found.mode)
    local session = assert(control.reach(kept.url))
    assert.is_true(session.is_running)
    assert.equal(core.pid(), assert(session:call "host.about").pid)
    kept:stop()
    assert.is_nil(core.stat(kept.path .. ".ctl"))
    local result, err = session:call "host.about"
    assert.is_nil(result)
    assert.matches("the host ended meanwhile", err.message)
  end)

  it("opens the store when nobody serves, also beside a socket that a crash left behind", function()
    kept:start()
    kept:stop()
    local script = [[assert(require("cunnekt.core").listen({ unix = arg[1] }, print)) os.exit(0, false)]]
    local path = process.write(kept.folder.path .. "/crash.lua", script)
    assert.equal(0, process.run({ process.lua, path, kept.path .. ".ctl" }).code)
    assert.equal("socket", core.stat(kept.path .. ".ctl").kind)
    local session = assert(control.reach(kept.url))
    assert.is_false(session.is_running)
    assert.is_false(assert(session:call "host.about").is_running)
    session:close()
    kept:start()
    assert.is_true(assert(kept:call "host.about").is_running)
  end)

  it("names the process that has the store and no socket", function()
    local opened = assert(store.open(kept.url))
    local result = process.cunnekt({ "events", "list" }, { cwd = kept.folder.path })
    assert.equal(1, result.code)
    assert.matches("in use by process " .. core.pid() .. ", and that has no socket", result.err)
    opened:close()
  end)

  it("makes no store where there is none", function()
    local session, err = control.reach(kept.url)
    assert.is_nil(session)
    assert.equal("not_found", err.kind)
    assert.is_nil(core.stat(kept.path))
    assert.equal("invalid", select(2, control.reach "memory:").kind)
    local refused = select(2, control.reach "postgres://user:s3cr3t@host/db")
    assert.equal("invalid", refused.kind)
    assert.is_nil(tostring(refused):find("s3cr3t", 1, true))
  end)

  it("says what is wrong with a request", function()
    kept:start()
    assert.equal("invalid", select(2, kept:call "events.lst").kind)
    assert.matches("did you mean 'contact'", select(2, kept:call("events.list", { contct = "1" })).message)
    assert.equal("not_found", select(2, kept:call("events.show", { seq = 99 })).kind)
    local function ask(method, path, body)
      return assert(http.request { method = method, url = "http://x" .. path, body = body, unix = kept.path .. ".ctl" })
    end
    assert.equal(400, ask("POST", "/control/events.list", "{").status)
    assert.equal(400, ask("POST", "/control/events.list", "7").status)
    assert.equal(404, ask("GET", "/control/events.list").status)
    assert.equal(200, ask("POST", "/control/events.list", "").status)
  end)

  -- ---- events ----------------------------------------------------------------------------------------------------

  -- The same, with a bot that serves and without.
  for _, is_running in ipairs { false, true } do
    local how = is_running and " over the socket" or " on the store alone"

    local function fill(...)
      kept:start(failing)
      for _, text in ipairs { ... } do
        kept:say(text)
      end
      kept:wait_for_events("dead", select("#", ...))
      kept:settle()
      if not is_running then
        kept:stop()
      end
    end

    it("lists what was set aside, without numbers and texts unless asked" .. how, function()
      fill "my secret wish"
      local result = assert(kept:call "events.list")
      assert.is_false(result.has_more)
      local event = result.events[1]
      assert.equal("9199…99", event.contact)
      assert.equal("text", event.what)
      assert.equal("dead", event.state)
      assert.equal(1, event.attempts)
      assert.matches("control_spec.lua:%d+: cannot handle …$", event.error)
      local shown = assert(kept:call("events.show", { seq = event.seq }))
      assert.matches("stack traceback", shown.error)
      for _, view in ipairs { result, shown } do
        assert.not_matches("secret wish", json.encode(view))
        assert.not_matches(ASHA, json.encode(view))
      end
      shown = assert(kept:call("events.show", { seq = event.seq, reveal = true }))
      assert.equal(ASHA, shown.contact)
      assert.equal("my secret wish", shown.text)
      assert.matches("my secret wish", shown.body)
      assert.matches("cannot handle my secret wish", shown.error)
    end)

    it("filters by state, contact and age, and stops at a limit" .. how, function()
      kept:start(failing)
      kept:say("one", ASHA)
      kept:say("two", RAVI)
      kept:say("three", ASHA)
      kept:wait_for_events("dead", 3)
      kept:settle()
      if not is_running then
        kept:stop()
      end
      local function count(args)
        local result = assert(kept:call("events.list", args))
        return #result.events, result.has_more
      end
      assert.equal(3, (count {}))
      assert.equal(0, (count { state = "pending" }))
      assert.equal(3, (count { state = "all" }))
      assert.equal(2, (count { contact = ASHA }))
      assert.equal(1, (count { contact = "+91 88888-88888" }))
      assert.equal(0, (count { contact = "9199" }))
      assert.equal(0, (count { older = 60 }))
      assert.equal(3, (count { newer = 60 }))
      assert.same({ 2, true }, { count { limit = 2 } })
      assert.same({ 3, false }, { count { limit = 3 } })
    end)

    it("drops what was set aside" .. how, function()
      fill("one", "two", "three")
      local numbers = seqs(assert(kept:call "events.list").events)
      local result = assert(kept:call("events.drop", { seqs = { numbers[2], 99 } }))
      assert.same({ { numbers[2] }, { 99 }, {} }, { { table.unpack(result.dropped) }, { table.unpack(result.missing) }, { table.unpack(result.busy) } })
      result = assert(kept:call("events.drop", { all = true }))
      assert.equal(2, #result.dropped)
      assert.equal(0, #assert(kept:call("events.list", { state = "all" })).events)
    end)
  end

  it("makes events wait again that a bot handles when it starts", function()
    kept:start(failing)
    kept:say "one"
    kept:say "two"
    kept:wait_for_events("dead", 2)
    kept:stop()
    local result = assert(kept:call("events.retry", { all = true, contact = ASHA }))
    assert.equal(2, #result.retried)
    local waiting = assert(kept:call("events.list", { state = "pending" })).events
    assert.equal(2, #waiting)
    assert.equal(0, waiting[1].attempts)
    assert.is_number(waiting[1].accepted_at)
    kept:start(succeeding)
    kept:wait_for_events("pending", 0)
    assert.same({ "one", "two" }, handled)
  end)

  it("has a running bot handle them at once, before all others of the contact", function()
    local texts, release, is_mended = {}, nil, false
    kept:start(function(bot)
      bot:on("text", function(msg)
        if msg.text:find "bad" and not is_mended then
          error "not yet"
        end
        texts[#texts + 1] = msg.text
        if msg.text == "slow" then
          require("cunnekt.base.task").await(function(done)
            release = done
          end)
        end
      end)
    end)
    kept:say "bad 1"
    kept:say "bad 2"
    kept:wait_for_events("dead", 2)
    kept:say "slow"
    kept:say "last"
    kept:wait_for("the slow one", function()
      return release
    end)
    is_mended = true
    assert.equal(2, #assert(kept:call("events.retry", { all = true })).retried)
    release()
    kept:wait_for_events("pending", 0)
    kept:settle()
    assert.same({ "slow", "bad 1", "bad 2", "last" }, texts)
  end)

  it("has a running bot try one at once that waits for its next try", function()
    kept._opts.attempts = 5
    local tries = 0
    kept:start(function(bot)
      bot:on("text", function()
        tries = tries + 1
        assert(tries > 2, "not yet")
      end)
    end)
    kept:say "one"
    for try = 1, 2 do
      kept:wait_for("a try", function()
        local rows = assert(inside(kept.bot).store:list_events("pending", {}, true))
        return rows[1] and rows[1].attempts == try
      end)
      local result = assert(kept:call("events.retry", { seqs = { 1 } }))
      assert.same({ 0, { 1 } }, { #result.retried, { table.unpack(result.waiting) } })
    end
    kept:wait_for_events("pending", 0)
    assert.equal(3, tries)
  end)

  it("drops an event that waits in a running bot, but not the one that is being handled", function()
    local texts, release = {}, nil
    kept:start(function(bot)
      bot:on("text", function(msg)
        texts[#texts + 1] = msg.text
        if msg.text == "slow" then
          require("cunnekt.base.task").await(function(done)
            release = done
          end)
        end
      end)
    end)
    kept:say "slow"
    kept:say "dropped"
    kept:say "last"
    kept:wait_for("the slow one", function()
      return release
    end)
    local numbers = seqs(kept:wait_for_events("pending", 3))
    local result = assert(kept:call("events.drop", { seqs = { numbers[1], numbers[2] } }))
    assert.same({ numbers[2] }, { table.unpack(result.dropped) })
    assert.same({ numbers[1] }, { table.unpack(result.busy) })
    release()
    kept:wait_for_events("pending", 0)
    kept:settle()
    assert.same({ "slow", "last" }, texts)
  end)

  -- ---- messages --------------------------------------------------------------------------------------------------

  local function answering(bot)
    bot:on("text", function(msg)
      msg:reply_text("Re: " .. msg.text)
    end)
  end

  local function sent_texts()
    local texts = {}
    for _, entry in ipairs(kept.sandbox.state:since(0, nil, 1000)) do
      if entry.direction == "out" then
        texts[#texts + 1] = entry.payload.text
      end
    end
    return texts
  end

  it("shows how far accepted messages have come, whatever order their statuses came in", function()
    kept:start(answering)
    kept:fault { kind = "reorder", count = 1 }
    kept:say "one"
    kept:wait_for_messages("read", 1)
    kept:fault { kind = "failed", count = 1, code = 131026, title = "Message undeliverable" }
    kept:say "two"
    kept:wait_for_messages("failed", 1)
    kept:settle()
    local list = assert(kept:call("outbox.list", { states = { "accepted", "read", "failed" } })).messages
    assert.equal(2, #list)
    assert.equal("failed", list[1].state)
    assert.equal("Message undeliverable (code 131026)", list[1].error)
    assert.equal("read", list[2].state)
    assert.equal("9199…99", list[2].contact)
    local shown = assert(kept:call("outbox.show", { id = list[2].id, reveal = true }))
    assert.matches("^wamid", shown.message_id)
    assert.equal(shown.id, assert(kept:call("outbox.show", { id = shown.message_id })).id)
    assert.not_matches("wamid", assert(kept:call("outbox.show", { id = list[2].id })).message_id)
    assert.same({ { list[2].id } }, { { table.unpack(assert(kept:call("outbox.retry", { ids = { list[2].id } })).missing) } })
  end)

  -- The status found no message yet, and the answer no status: the message stayed "accepted" for ever.
  it("keeps a status that is being stored when the answer comes", function()
    kept:start(answering)
    kept.bot.client.deliver = function()
      local body = json.encode((samples.build("read", { id = "wamid.X", from = ASHA })))
      inside(kept.bot).inbox:accept(webhook.parse(body), body, function() end)
      return { message_id = "wamid.X" }
    end
    kept:say "one"
    kept:wait_for_messages("read", 1)
  end)

  it("sends what was rejected again, in a running bot at once", function()
    kept:start(answering)
    kept:fault { kind = "status", count = 1, status = 400, code = 100 }
    kept:say "one"
    local rejected = kept:wait_for_messages("rejected", 1)
    assert.equal(0, #sent_texts())
    local shown = assert(kept:call("outbox.show", { id = rejected[1].id }))
    assert.not_matches("Re: one", json.encode(shown))
    assert.matches("Re: one", json.encode(assert(kept:call("outbox.show", { id = rejected[1].id, reveal = true }))))
    assert.equal(1, #assert(kept:call("outbox.retry", { ids = { rejected[1].id } })).retried)
    kept:wait_for_messages("read", 1)
    assert.same({ "Re: one" }, sent_texts())
    assert.equal(0, #assert(kept:call "outbox.list").messages)
  end)

  it("sends an unknown one again only for a yes, and then all that were named", function()
    kept:start(answering)
    kept:fault { kind = "status", count = 1, status = 400, code = 100 }
    kept:say "refused"
    kept:wait_for_messages("rejected", 1)
    kept:fault { kind = "reset", count = 1, accept = false }
    kept:say "doubtful"
    kept:wait_for_messages("unknown", 1)
    kept:stop()
    local list = assert(kept:call "outbox.list").messages
    local ids = { list[1].id, list[2].id }
    local result = assert(kept:call("outbox.retry", { ids = ids }))
    assert.same({ 0, { ids[2] } }, { #result.retried, { table.unpack(result.doubtful) } })
    assert.equal("rejected", assert(kept:call("outbox.show", { id = ids[1] })).state)
    result = assert(kept:call("outbox.retry", { ids = ids, yes = true }))
    assert.equal(2, #result.retried)
    kept:start(answering)
    kept:wait_for("both", function()
      return #sent_texts() == 2
    end)
    assert.same({ "Re: refused", "Re: doubtful" }, sent_texts())
  end)

  it("drops messages, also those that wait in a running bot", function()
    kept:start(answering)
    kept:fault { kind = "status", count = 1, status = 503, retry_after = 1000 }
    kept:say "waits"
    kept:say "behind"
    kept:wait_for("both to wait", function()
      local list = assert(inside(kept.bot).store:list_messages({ "queued" }, {}))
      return #list == 2 and inside(kept.bot).outbox:active() == 0 and list
    end)
    local ids = {}
    for i, message in ipairs(assert(kept:call "outbox.list").messages) do
      ids[i] = message.id
    end
    local result = assert(kept:call("outbox.drop", { ids = { ids[1], 99 } }))
    assert.same({ { ids[1] }, { 99 } }, { { table.unpack(result.dropped) }, { table.unpack(result.missing) } })
    kept:wait_for_messages("read", 1)
    assert.same({ "Re: behind" }, sent_texts())
  end)

  -- ---- for machines ----------------------------------------------------------------------------------------------

  describe("pages", function()
    local function get(path, opts)
      return assert(http.get("http://x" .. path, opts or { unix = kept.path .. ".ctl" }))
    end

    it("say that the bot is alive, and whether it takes events", function()
      kept._opts.queue = 1
      local release
      kept:start(function(bot)
        bot:on("text", function()
          require("cunnekt.base.task").await(function(done)
            release = done
          end)
        end)
      end)
      assert.equal(200, get("/healthz").status)
      assert.equal(200, get("/readyz").status)
      kept:say "fills the queue"
      kept:wait_for("the handler", function()
        return release
      end)
      local answer = get "/readyz"
      assert.equal(503, answer.status)
      assert.equal("too many events are waiting\n", answer.body)
      assert.equal(200, get("/healthz").status)
      assert.matches("\ncunnekt_ready 0\n", get("/metrics").body)
      release()
      kept:settle()
      assert.equal(200, get("/readyz").status)
      inside(kept.bot).store.is_writable = function()
        return false
      end
      assert.equal("the store cannot be written\n", get("/readyz").body)
    end)

    it("count what happened, and name nobody", function()
      kept:start(function(bot)
        bot:on("text", "bad", function()
          error "bad"
        end)
        answering(bot)
      end)
      kept:say "bad"
      kept:fault { kind = "duplicate", count = 1 }
      kept:say "good"
      kept:wait_for_messages("read", 1)
      kept:settle()
      local answer = get "/metrics"
      assert.matches("^text/plain; version=0.0.4", answer.headers["content-type"])
      local function number(name)
        return tonumber(answer.body:match("\ncunnekt_" .. name .. " (%S+)"))
      end
      assert.equal(1, number "events_dead_total")
      assert.equal(1, number "events_set_aside")
      assert.equal(1, number "events_deduplicated_total")
      assert.equal(5, number "events_accepted_total") -- two texts, three statuses
      assert.equal(4, number "events_finished_total")
      assert.equal(0, number "events_pending")
      assert.equal(1, number "messages_queued_total")
      assert.equal(1, number "messages_accepted_total")
      assert.equal(0, number 'messages_set_aside{state="unknown"}')
      assert.is_true(number "store_commit_seconds" > 0)
      assert.is_true(number "memory_bytes" > 1000000)
      assert.is_true(number "start_time_seconds" > 1700000000)
      assert.not_matches(ASHA, answer.body)
      for line in answer.body:gmatch "[^\n]+" do
        local is_sample = line:find '^cunnekt_[%l_]+{?[%l="]*}? [%d.e+-]+$' ~= nil
        assert(is_sample or line:find "^# HELP cunnekt_" or line:find "^# TYPE cunnekt_[%l_]+ %l+$", line)
      end
    end)

    it("are on the admin address too, when there is one, and nothing else is", function()
      assert.is_nil(kept:start():admin_address())
      kept:stop()
      kept._opts.admin = "127.0.0.1:0"
      local base = "http://" .. kept:start():admin_address()
      for _, path in ipairs { "/healthz", "/readyz", "/metrics" } do
        assert.equal(200, assert(http.get(base .. path)).status)
        assert.equal(404, assert(http.get("http://" .. kept.bot:address() .. path)).status)
      end
      assert.equal(405, assert(http.post(base .. "/healthz", "")).status)
      assert.equal(404, assert(http.post(base .. "/control/events.list", "")).status)
      local other = kept_bot.new { admin = kept.bot:admin_address() }
      local ok, err = pcall(other.start, other)
      other.bot:stop(0)
      other.bot = nil
      other:close()
      assert.is_false(ok)
      assert.matches("admin address", tostring(err))
    end)
  end)
end)
