-- SPDX-License-Identifier: MIT
-- Network calls of a turn that runs again: after a conflict they give what they gave, and the server hears nothing of it; after a
-- failure they are made again.

local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"

local begin, say, said = talk.begin, talk.say, talk.said

describe("a network call", function()
  local server, heard, url

  before_each(function()
    heard = {}
    server = assert(core.listen({ host = "127.0.0.1", port = 0, max_body = 1000 }, function(exchange, method, target)
      heard[#heard + 1] = ("%s %s"):format(method, target)
      exchange:answer(200, ("answer %d to %s"):format(#heard, target), { "Content-Type: text/plain" })
    end))
    url = ("http://127.0.0.1:%d"):format(server:port())
  end)

  after_each(function()
    talk.finish()
    server:close()
  end)

  -- Changes what a turn has read, from within it; the first `times` times.
  local function meddler(times)
    local count = 0
    return function()
      count = count + 1
      if count <= times then
        task.await(function(done)
          inside(talk.bot).engine.turns:run(nil, function()
            talk.bot.store:set("n", count)
          end, done)
        end)
      end
    end
  end

  local function begin_with(fn, opts)
    begin(function(bot)
      bot:on("text", "^hi$", fn)
    end, opts)
  end

  local function get(path)
    return (assert(cunnekt.http.get(url .. path))).body
  end

  it("of a handler is made once, however often its turn conflicts", function()
    local meddle, seen = meddler(3), {}
    begin_with(function(msg)
      local n = talk.bot.store:get("n", 0)
      local first, second = get "/a", get "/a"
      seen[#seen + 1] = ("%d %s %s"):format(n, first, second)
      meddle()
      talk.bot.store:set("n", 10)
      msg:reply_text "done"
    end)
    say "hi"
    assert.are.same({ "GET /a", "GET /a" }, heard)
    assert.equal(4, #seen)
    for i, line in ipairs(seen) do
      assert.equal(("%d answer 1 to /a answer 2 to /a"):format(i - 1), line)
    end
    assert.are.same({ "done" }, said())
  end)

  it("gives a table of its own each time, and the same failure", function()
    local meddle, problems = meddler(1), {}
    begin_with(function()
      talk.bot.store:get "n"
      local answer = assert(cunnekt.http.get(url .. "/a"))
      assert.equal(200, answer.status)
      answer.status, answer.headers = 999, nil
      local _, err = cunnekt.http.get("http://127.0.0.1:1/", { timeout = 1 })
      problems[#problems + 1] = ("%s %s"):format(err.kind, tostring(err.sent))
      meddle()
      talk.bot.store:set("n", 10)
    end)
    say "hi"
    assert.equal(1, #heard)
    assert.equal(2, #problems)
    assert.equal(problems[1], problems[2])
  end)

  it("with other arguments is made; one that has moved is not", function()
    local meddle = meddler(1)
    begin_with(function()
      local n = talk.bot.store:get("n", 0)
      if n == 0 then
        get "/a"
        get "/b"
      else
        get "/b"
        get "/c"
        get "/b"
      end
      meddle()
      talk.bot.store:set("n", 10)
    end)
    say "hi"
    assert.are.same({ "GET /a", "GET /b", "GET /c", "GET /b" }, heard)
  end)

  it("is made again where the handler failed", function()
    local has_failed = false
    begin_with(function(msg)
      get "/a"
      if not has_failed then
        has_failed = true
        error "no luck"
      end
      msg:reply_text "done"
    end)
    say "hi"
    talk.all:pass(5)
    assert.are.same({ "GET /a", "GET /a" }, heard)
    assert.are.same({ "done" }, said())
  end)

  it("is made again by the next event", function()
    begin_with(function()
      get "/a"
    end)
    say "hi"
    say "hi"
    assert.equal(2, #heard)
  end)

  it("within chat:step of a handler is made once", function()
    local meddle, runs = meddler(1), 0
    begin_with(function(msg)
      talk.bot.store:get "n"
      msg.chat:step("ask", function()
        runs = runs + 1
        return get "/a"
      end)
      meddle()
      talk.bot.store:set("n", 10)
    end)
    say "hi"
    assert.are.same({ 2, 1 }, { runs, #heard })
  end)

  it("of a job is made once", function()
    local meddle, runs = meddler(1), 0
    begin(function(bot)
      bot:after(10, "job", function()
        runs = runs + 1
        talk.bot.store:get "n"
        get "/a"
        meddle()
        talk.bot.store:set("n", 10)
      end)
    end)
    talk.all:pass(11, function() end)
    for _ = 1, 50 do
      talk.all:settle()
    end
    assert.are.same({ 2, 1 }, { runs, #heard })
  end)

  it("of the client is one message", function()
    local meddle, bodies, ids = meddler(2), {}, {}
    server:close()
    server = assert(core.listen({ host = "127.0.0.1", port = 0, max_body = 10000 }, function(exchange, _, _, _, body)
      bodies[#bodies + 1] = body
      exchange:answer(200, ('{"statuscode":200,"message_id":"wamid.%d","messages":[{"id":"wamid.%d"}]}'):format(#bodies, #bodies), {
        "Content-Type: application/json",
      })
    end))
    local client = cunnekt.client { api_key = "key", base_url = ("http://127.0.0.1:%d/v1"):format(server:port()) }
    begin_with(function()
      talk.bot.store:get "n"
      local sent, err = client:send_text("918888888888", "direct")
      ids[#ids + 1] = sent and tostring(sent.message_id) or tostring(err)
      meddle()
      talk.bot.store:set("n", 10)
    end)
    say "hi"
    assert.equal(1, #bodies)
    assert.are.same({ ids[1], ids[1], ids[1] }, ids)
  end)

  it("of a dialog is made once, where the commit after it conflicts", function()
    begin(function(bot)
      bot:dialog("it", function(chat)
        chat:ask "?"
        chat:reply_text(get "/a")
        chat:ask "more?"
        chat:reply_text "end"
      end)
    end)
    say "go"
    -- The commit of the call's result meets another turn, once.
    local store = inside(talk.bot).store
    local commit_turn = store.commit_turn
    function store.commit_turn(self, turn)
      if #heard == 1 and turn.run then
        store.commit_turn = nil
        return nil, require("cunnekt.base.errors").new("conflict", "another turn was first")
      end
      return commit_turn(self, turn)
    end
    say "x"
    say "y"
    assert.are.same({ "GET /a" }, heard)
    assert.are.same({ "?", "answer 1 to /a", "more?", "end" }, said())
  end)
end)
