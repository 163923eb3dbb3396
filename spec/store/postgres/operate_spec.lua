-- SPDX-License-Identifier: MIT
-- What operators see of a store on PostgreSQL. `make test-postgres` runs it.

local admin_server = require "cunnekt.operate.admin_server"
local doctor_store = require "cunnekt.operate.doctor.store"
local operate = require "cunnekt.operate"
local location = require "cunnekt.store.location"
local network = require "cunnekt.base.network"
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local base = os.getenv "CUNNEKT_TEST_POSTGRES"
if not base then
  return
end

describe("an operator's view of a store on PostgreSQL", function()
  local number = 0
  local url

  before_each(function()
    number = number + 1
    url = ("%s&options=-csearch_path%%3Doperate_%d"):format(base, number)
  end)

  local function run(fn)
    local its_task = task.spawn(fn)
    wire.step_until(function()
      return its_task.is_done
    end, "the operator")
    return task.join(its_task)
  end

  -- The sentences of doctor, each behind its level.
  local function diagnose(address)
    local lines = {}
    run(function()
      doctor_store.check(function(level, _, sentence, ...)
        lines[#lines + 1] = level .. " " .. sentence:format(...)
      end, address)
    end)
    return table.concat(lines, "\n")
  end

  it("is a doctor's sentence and what to do, where it cannot be reached", function()
    local lines = diagnose "postgres://me:geheim@127.0.0.1:1/shop"
    assert.matches("^wrong cannot open the store on PostgreSQL: .+ refused; see that the database runs there and lets this user in", lines)
    assert.is_nil(lines:find("geheim", 1, true))
  end)

  it("leaves nothing behind, where there is nothing", function()
    for _ = 1, 2 do
      assert.equal("note there is nothing in the store on PostgreSQL yet; the first run fills it", diagnose(url))
    end
  end)

  -- A command made the tables of a store whose name was mistyped, and said that nothing waits there.
  it("is that there is no store by a name, and makes none", function()
    run(function()
      local session, err = operate.reach(url)
      assert.is_nil(session)
      assert.are.same({ "not_found", "there is no store on PostgreSQL by this name: nothing is in that schema; the first run of a bot fills it" },
        { err.kind, err.message })
    end)
    assert.equal("note there is nothing in the store on PostgreSQL yet; the first run fills it", diagnose(url))
  end)

  it("is what to do where its user may not begin", function()
    local pipe <close> = assert(io.popen [[spec/support/postgres.sh --sql postgres "CREATE ROLE \"a poor one\" LOGIN"]])
    pipe:read "a"
    local poor = url:gsub("user=cunnekt", "user=a%%20poor%%20one")
    local problem = 'this user may not make its schema: GRANT CREATE ON DATABASE postgres TO "a poor one"'
    assert.equal("wrong cannot open the store on PostgreSQL: " .. problem, diagnose(poor))
    local opened, err = store.open(poor)
    assert.is_nil(opened)
    assert.equal("cannot open the store on PostgreSQL: " .. problem, err.message)
  end)

  it("is what there is for a user that may only read, and why that can change nothing", function()
    run(function()
      local opened = assert(store.open(url))
      assert(opened:call("accept", { events = { { id = 7, contact = "1:2", body = "b" } }, now = 1 }))
      opened:close()
    end)
    local rights = ('CREATE ROLE "a reader" LOGIN; GRANT USAGE ON SCHEMA $ TO "a reader"; GRANT SELECT ON ALL TABLES IN SCHEMA $ TO "a reader"')
      :gsub("%$", "operate_" .. number)
    assert(os.execute(("spec/support/postgres.sh --sql postgres '%s'"):format(rights)))
    run(function()
      local session = assert(operate.reach((url:gsub("user=cunnekt", "user=a%%20reader"))))
      assert.equal(1, #assert(session:call("events.list", { state = "pending" })).events)
      local _, err = session:call("events.drop", { seqs = { 7 } })
      session:close()
      assert.matches("permission denied", err.message)
    end)
  end)

  it("has who has the database", function()
    local host = assert(store.open(url))
    local lines = diagnose(url)
    run(function()
      host:close()
    end)
    assert.matches("ok cunnekt on .+, process %d+ has the database; one that is started here stands by", lines)
    assert.is_nil(lines:find("no host runs", 1, true))
  end)

  it("is the same of one that an earlier version left", function()
    run(function()
      local opened = assert(store.open(url))
      assert(opened:call("commit_turn", { messages = { { id = 7, contact = "1:2", payload = "{}", unknown = "hold", state = "queued" } }, now = 1 }))
      assert(opened:call("settle", { outcomes = { { id = 7, state = "failed", attempts = 1, at = 1 } }, now = 1 }))
      opened:close()
    end)
    local older = ("ALTER TABLE $.outbox DROP COLUMN ended; UPDATE $.cunnekt_version SET version = 12"):gsub("%$", "operate_" .. number)
    assert(os.execute(("spec/support/postgres.sh --sql postgres %q"):format(older)))
    local lines = diagnose(url)
    assert.matches("note the store is of version 12; the next start, or a command that does more than to check and copy it, brings it to %d+", lines)
    assert.matches("note 1 message [^\n]*failed", lines)
  end)

  it("has what waits, and what the database may lose", function()
    run(function()
      local opened = assert(store.open(url))
      assert(opened:call("accept", { events = { { contact = "1:2", body = "b" } }, now = 1 }))
      opened:close()
    end)
    local lines = diagnose(url)
    assert.matches("wrong the store's database: fsync is off", lines)
    assert.matches("ok it is on PostgreSQL %d+%.%d+", lines)
    assert.matches("ok waiting: 1 event to be handled, 0 messages to be sent", lines)
  end)

  -- The doctor was content, and the commands said that the host is on another machine.
  it("says that the host is here and hangs", function()
    local path = admin_server.socket_of((location.path(url)))
    os.remove(path)
    local unanswered = {}
    local silent = assert(network.listen({ unix = path, max_body = 0, max_connections = 32 }, function(exchange)
      unanswered[#unanswered + 1] = exchange
    end))
    local host, err = assert(store.open(url)), nil
    local lines = diagnose(url)
    run(function()
      assert(host:call("accept", { events = { { id = 7, contact = "1:2", body = "b" } }, now = 1 }))
      local session = assert(operate.reach(url))
      err = select(2, session:call("events.drop", { seqs = { 7 } }))
      session:close()
      host:close()
    end)
    silent:close()
    os.remove(path)
    local sentence = "the store is in use by cunnekt on .+, process %d+, and of a host here: it has not answered for 15 seconds"
    assert.matches("wrong " .. sentence, lines)
    assert.matches(sentence, err.message)
  end)

  it("shows lists and changes nothing, while a host on another machine has it", function()
    run(function()
      local host = assert(store.open(url))
      assert(host:call("accept", { events = { { id = 7, contact = "1:2", body = "b" } }, now = 1 }))
      local session = assert(operate.reach(url))
      local listed = assert(session:call("events.list", { state = "pending" }))
      assert.equal(1, #listed.events)
      local done, err = session:call("events.drop", { seqs = { 7 } })
      session:close()
      host:close()
      assert.is_nil(done)
      assert.matches("a host has this store and answers on its own machine only", err.message)
    end)
  end)
end)
