-- SPDX-License-Identifier: MIT
-- Two hosts on one database: one has it, the other stands by and takes over. `make test-postgres` runs it; faults under load are in
-- cluster_spec.lua.

local clock = require "cunnekt.time.clock"
local pair_rig = require "spec.support.rigs.pair_rig"
local process = require "spec.support.process"
local task = require "cunnekt.base.task"

local url = os.getenv "CUNNEKT_TEST_POSTGRES"
if not url then
  return
end

describe("a second host on a database", function()
  local number, rig = 0, nil

  before_each(function()
    number = number + 1
    rig = pair_rig.new(url, "pair_" .. number)
  end)

  after_each(function()
    rig:close()
  end)

  local function wait_until_ready(host)
    process.wait_until("the second host", function()
      return rig:is_owner(host)
    end)
  end

  it("says that it stands by, takes over at once from one that is stopped, and is stopped itself at once", function()
    local owner, other = rig:roles()
    local _, said = rig:readiness(other)
    assert.matches("^ready, standing by: cunnekt on .+, process %d+.* has the database\n$", said)
    other.process:expect "standing by: cunnekt on .+ has the database; this host takes over when that one ends, or is silent for 0.8 s"
    local stopped = rig:finish(owner, "TERM")
    assert.equal(0, stopped.code)
    wait_until_ready(other)
    other.process:expect "taking over: the database is this host's now, and was that of cunnekt on"
    local _, second = rig:roles()
    assert.equal(owner, second)
    assert.equal(0, rig:finish(second, "TERM").code)
  end)

  it("may make the schema while another one does", function()
    local make = ("CREATE SCHEMA %s; SELECT pg_sleep(1)"):format(rig.schema) -- one transaction
    local other = process.start { "spec/support/postgres.sh", "--sql", "postgres", make }
    process.wait_until("the other one", function()
      return pair_rig.sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" == "1"
    end)
    rig:start(rig.hosts[1])
    rig.hosts[1].process:expect "listening on"
    other:wait()
  end)

  it("takes over from one that was killed", function()
    local owner, other = rig:roles()
    rig:finish(owner, "KILL")
    wait_until_ready(other)
  end)

  it("takes over from one that is silent, which ends when it comes back", function()
    local owner, other = rig:roles()
    local was = owner.process
    was:signal "STOP"
    wait_until_ready(other)
    was:signal "CONT"
    local ended = was:wait()
    owner.process = nil
    assert.equal(1, ended.code)
    assert.matches("another host has taken the database over; this one ends: started anew, it stands by", ended.err)
    assert.is_true(rig:is_owner(other))
  end)

  -- It had the lock of pg_catalog then, as a host could that started while another one made the schema: both had the database.
  it("takes no lock of another schema, where it does not see its own", function()
    local _, other = rig:roles()
    local rename, back = "ALTER SCHEMA %s RENAME TO renamed", "ALTER SCHEMA renamed RENAME TO %s"
    pair_rig.sql(rename:format(rig.schema))
    task.sleep(1) -- it looks five times a second
    local locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 'pg_catalog'::regnamespace::oid"
    assert.equal("0", pair_rig.sql(locks))
    assert.is_nil(other.process:code())
    pair_rig.sql(back:format(rig.schema))
    rig:roles()
    assert.is_nil(other.process:err():find("taking over", 1, true))
  end)

  it("is refused by its addresses, where it is on the same machine by mistake", function()
    local owner = rig:roles()
    local second = { folder = owner.folder, port = owner.port, admin = owner.admin }
    rig:start(second)
    local ended = second.process:wait()
    assert.equal(1, ended.code)
    assert.matches("cannot listen on 127.0.0.1:%d+: Address already in use; stop the program that has it", ended.err)
  end)

  it("says that it may not end the session of another user of the database, and takes over when that ends", function()
    local owner, other = rig.hosts[1], rig.hosts[2]
    rig:start(owner)
    owner.process:expect "listening on"
    local grant = "CREATE ROLE other LOGIN; GRANT ALL ON SCHEMA %s TO other; GRANT ALL ON ALL TABLES IN SCHEMA %s TO other"
    pair_rig.sql(grant:format(rig.schema, rig.schema))
    rig.url = rig.url:gsub("user=cunnekt", "user=other")
    rig:start(other)
    other.process:expect "standing by: its session cannot be ended: this user may not see when it was active last"
    rig:finish(owner, "KILL")
    other.process:expect "listening on"
  end)

  -- It said so once in its life.
  it("says that it cannot take webhooks each time that this begins", function()
    local _, other = rig:roles()
    local fill = "CREATE FUNCTION %s.fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no space'' USING ERRCODE = ''53100''; END'; "
      .. "CREATE TRIGGER is_full BEFORE INSERT ON %s.mail FOR EACH ROW EXECUTE FUNCTION %s.fill()"
    pair_rig.sql(fill:format(rig.schema, rig.schema, rig.schema))
    for count = 1, 2 do
      process.wait_until("a warning", function()
        assert.equal(503, rig:post(other, 1, 1, 5).status)
        return select(2, other.process:err():gsub("warning: standing by: no space", "")) == count
      end)
      process.wait_until("the end of the trouble", function()
        return select(2, other.process:err():gsub("cunnekt: standing by: that is over", "")) == count
      end)
    end
  end)

  it("takes no webhooks for an owner of an older version, and takes over from it", function()
    local owner, host = rig.hosts[1], rig.hosts[2]
    rig:start(owner)
    owner.process:expect "listening on"
    rig:finish(owner, "TERM")
    pair_rig.sql((([[DROP TABLE $.mail; UPDATE $.cunnekt_version SET version = 10; DROP INDEX $.seen_hash, $.sent_hash;
      ALTER TABLE $.seen DROP COLUMN id, ADD CONSTRAINT seen_pkey PRIMARY KEY (hash);
      ALTER TABLE $.sent DROP COLUMN id, ADD CONSTRAINT sent_pkey PRIMARY KEY (hash);
      ALTER TABLE $.outbox DROP COLUMN ended; CREATE INDEX outbox_ended ON $.outbox (contact) WHERE state > 1]]):gsub("%$", rig.schema)))
    local lock = "SELECT pg_advisory_lock((1668640363::bigint << 32) | '%s'::regnamespace::oid::bigint), pg_sleep(60)"
    local older = process.start { "spec/support/postgres.sh", "--sql", "postgres", lock:format(rig.schema) }
    process.wait_until("the older host", function()
      return pair_rig.sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted" ~= "0"
    end)
    rig:start(host)
    host.process:expect "standing by: the host that has the database is of an older version"
    assert.equal(503, (rig:readiness(host)))
    assert.equal(503, rig:post(host, 1, 1, 5).status)
    pair_rig.sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'psql' AND pid <> pg_backend_pid()"
    older:wait()
    wait_until_ready(host)
    assert.equal(200, rig:post(host, 1, 1, 5).status)
  end)

  it("takes over all bots of a script", function()
    local two = [[
      local cunnekt = require "cunnekt"
      for _, schema in ipairs { "first", "second" } do
        cunnekt.bot { store = os.getenv "CUNNEKT_STORE" .. "_" .. schema, listen = "127.0.0.1:0", admin = "127.0.0.1:0" }
      end]]
    local first, second = rig.hosts[1], rig.hosts[2]
    rig:start(first, two)
    first.process:expect "listening on.*listening on"
    rig:start(second, two)
    second.process:expect "standing by"
    rig:finish(first, "KILL")
    second.process:expect "taking over.*listening on.*listening on"
    assert.equal(0, rig:finish(second, "TERM").code)
  end)

  -- Both had one name for their admin socket: commands on the second one's store reached the first, and changed that.
  it("is reached by commands for the schema that they name, beside another bot", function()
    local host = rig.hosts[1]
    rig:start(host, ([[
      local cunnekt = require "cunnekt"
      for schema, port in pairs { first = %d, second = %d } do
        cunnekt.bot { store = os.getenv "CUNNEKT_STORE" .. "_" .. schema, listen = "127.0.0.1:" .. port, admin = "127.0.0.1:0" }
      end]]):format(host.port, host.admin))
    host.process:expect "listening on.*listening on"
    for schema, port in pairs { first = host.port, second = host.admin } do
      local shown = process.cunnekt({ "doctor", host.folder.path .. "/bot.lua", "--store", rig.url .. "_" .. schema }, { env = { CUNNEKT_API_KEY = "key" } })
      assert.matches(("a host runs on the store: process %%d+, .* listening on 127.0.0.1:%d"):format(port), shown.out)
    end
    assert.is_nil(host.process:err():find("cannot open the admin socket", 1, true))
  end)

  it("is no second bot of the same script, which would stand by for ever", function()
    local host = rig.hosts[1]
    rig:start(host, [[
      local cunnekt = require "cunnekt"
      cunnekt.bot {}
      cunnekt.bot { listen = "127.0.0.1:0", admin = "127.0.0.1:0" }]])
    local ended = host.process:wait()
    host.process = nil
    assert.equal(1, ended.code)
    assert.matches("bot.lua:3: store: the database is open already in this process: give each bot a store of its own", ended.err)
  end)

  -- It takes webhooks at any moment, and these would stay behind.
  it("keeps its database from being moved away until it is stopped", function()
    local owner, other = rig:roles()
    other.process:signal "STOP" -- or it would be faster
    rig:finish(owner, "TERM")
    local move = { "store", "move", rig.url, "sqlite:" .. owner.folder.path .. "/moved.db" }
    local refused = process.cunnekt(move)
    assert.equal(1, refused.code)
    assert.matches("FROM: .*hosts stand by for it, and take webhooks: stop them, then run the move again", refused.err)
    other.process:signal "CONT"
    wait_until_ready(other)
    assert.equal(0, rig:finish(other, "TERM").code)
    assert.equal(0, process.cunnekt(move).code)
  end)

  -- The judge must notice a lock that is none: both hosts have the tables then.
  it("would be noticed, if it did not wait for the lock", function()
    local no_lock = "CREATE SCHEMA %s; CREATE FUNCTION %s.pg_try_advisory_lock(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
    pair_rig.sql(no_lock:format(rig.schema, rig.schema))
    for _, host in ipairs(rig.hosts) do
      rig:start(host)
      host.process:expect "listening on"
    end
    rig.patience = clock.monotonic() + 30
    rig:disturb { kind = "delay", seconds = 0 } -- what only waits would count as lost
    rig:begin_writing(0)
    task.sleep(3)
    local verdict = rig:judge(5)
    assert(verdict.lost + verdict.twice + verdict.disordered + verdict.wrong > 0, "the judge has noticed nothing")
  end)
end)
