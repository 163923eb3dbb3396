-- SPDX-License-Identifier: MIT
-- The store on PostgreSQL beyond the seam's suite: what happens while its database restarts, loses connections or does not
-- replicate, and which databases it refuses. `make test-postgres` runs it; without a database there is nothing to test.

local core = require "cunnekt.core"
local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"

local url = os.getenv "CUNNEKT_TEST_POSTGRES"
if not url then
  return
end

local now = seam_rig.now
local backend = seam_rig.backends[1]

local function server(command)
  assert(os.execute("spec/support/postgres.sh " .. command))
end

local function sql(text)
  local pipe <close> = assert(io.popen(("spec/support/postgres.sh --sql postgres %q"):format(text)))
  return (pipe:read("a"):gsub("%s+$", ""))
end

local kill_all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'cunnekt on %'"

-- Waits for what nobody tells the loop of.
local function poll(test)
  while not test() do
    core.step(false)
  end
end

describe("a store on PostgreSQL", function()
  local seam, schema

  before_each(function()
    seam = seam_rig.open(backend)
    schema = seam.url:match "seam_%d+_%d+"
  end)

  after_each(function()
    if seam.db then
      seam:close()
    end
  end)

  -- Accepts events and counts in turns, while something is done to the database. What fails is tried again, as the engine does.
  local function torment(count, harm)
    local accepted, counted, under_way = 0, 0, 0
    local function accept(i)
      seam:begin("accept", { events = { { contact = "1:" .. i % 20, body = "b", key = "key " .. i } }, now = now }, function(ok)
        if not ok then
          return accept(i)
        end
        accepted, under_way = accepted + 1, under_way - 1
      end)
    end
    local function turn()
      seam:begin("query", "conversation", { contact = "1:counter" }, function(rows)
        if not rows then
          return turn()
        end
        local row = rows[1] or { version = 0, state = "0" }
        local change = { contact = "1:counter", state = ("%d"):format(tonumber(row.state) + 1) }
        local read = { kind = "conversation", key = "1:counter", version = row.version }
        seam:begin("commit_turn", { reads = { read }, states = { change }, now = now }, function(ok)
          if not ok then
            return turn()
          end
          counted, under_way = counted + 1, under_way - 1
        end)
      end)
    end
    local pending = harm()
    for i = 1, count do
      under_way = under_way + 2
      accept(i)
      turn()
      seam_rig.wait(function()
        return under_way < 40
      end)
    end
    seam_rig.wait(function()
      return under_way == 0
    end)
    pending:close()
    assert.are.same({ count, count }, { accepted, counted })
    assert.equal(count, seam:counts().events)
    assert.equal(("%d"):format(count), seam:conversation("1:counter").state)
    assert(seam.db:stats().probes > 0, "no connection was lost meanwhile")
  end

  it("loses nothing and does nothing twice while its database restarts", function()
    torment(1200, function()
      return assert(io.popen "sleep 0.2; spec/support/postgres.sh --restart; sleep 0.2; spec/support/postgres.sh --restart")
    end)
    assert.is_true(seam.db:is_writable())
  end)

  it("loses nothing and does nothing twice while its connections are ended", function()
    torment(2000, function()
      local once = ("spec/support/postgres.sh --sql postgres %q"):format(kill_all)
      return assert(io.popen(("for i in $(seq 12); do %s; done"):format(once)))
    end)
  end)

  it("comes back by itself to a database that was away", function()
    server "--stop"
    poll(function()
      return not seam.db:is_writable()
    end)
    server "--start"
    poll(function()
      return seam.db:is_writable()
    end)
    assert.is_true(seam:accepted({ key = "k" }).is_fresh)
  end)

  -- A sequence is not rolled back, so the connection ends in the middle of the first commit only.
  local ends_commit = [[
    SET search_path = %s;
    CREATE SEQUENCE commits;
    CREATE FUNCTION end_first() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
      IF nextval(''%s.commits'') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(1); END IF;
      RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER ending AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_first()]]

  it("runs a batch again whose commit was lost and does not hold", function()
    sql(ends_commit:format(schema, schema))
    local event = seam:accepted { key = "k" }
    assert.is_true(event.is_fresh)
    assert.is_false(seam:accepted({ key = "k" }).is_fresh)
    assert.equal(1, seam:counts().events)
    assert.is_true(seam.db:stats().probes > 0)
  end)

  it("says that a commit holds when its copies have it, and not before", function()
    local answer
    local event = seam:event { key = "k" }
    sql "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
    sql "SELECT pg_reload_conf()"
    seam:begin("accept", { events = { event }, now = now }, function(...)
      answer = table.pack(...)
    end)
    local waits = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'cunnekt on %'"
    poll(function()
      return sql(waits) ~= "0"
    end)
    poll(function()
      return not seam.db:is_writable()
    end)
    assert.is_nil(answer)
    sql "ALTER SYSTEM RESET synchronous_standby_names"
    sql "SELECT pg_reload_conf()"
    seam_rig.wait(function()
      return answer
    end)
    assert.is_true(answer[1])
    assert.is_true(event.is_fresh)
    assert.equal(1, seam:counts().events)
  end)

  -- The event's commit warns; what looks for it afterwards finds the disk full, until the trigger is gone.
  local warns = "CREATE FUNCTION %s.warn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''x''; RETURN NULL; END'; "
    .. "CREATE CONSTRAINT TRIGGER warns AFTER INSERT ON %s.event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION %s.warn()"
  local is_full = "CREATE FUNCTION %s.fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF EXISTS (SELECT 1 FROM %s.event "
    .. "WHERE xmin <> pg_current_xact_id()::xid) THEN RAISE ''full'' USING ERRCODE = ''53100''; END IF; RETURN NEW; END'; "
    .. "CREATE TRIGGER is_full BEFORE UPDATE ON %s.counter FOR EACH ROW WHEN (NEW.name = 'batch') EXECUTE FUNCTION %s.fill()"

  it("gives nothing back before it knows whether a commit holds, also where the disk is full by then", function()
    local answer
    local event = seam:event { key = "k" }
    seam:accepted() -- so that the batches have a counter
    sql(("DELETE FROM %s.event"):format(schema))
    sql(warns:format(schema, schema, schema))
    sql(is_full:format(schema, schema, schema, schema))
    seam:begin("accept", { events = { event }, now = now }, function(...)
      answer = table.pack(...)
    end)
    poll(function()
      return answer or select(2, seam.db:is_writable()) == "full"
    end)
    assert.is_nil(answer)
    sql(("DROP TRIGGER is_full ON %s.counter"):format(schema))
    seam_rig.wait(function()
      return answer
    end)
    assert.is_true(answer[1])
    assert.is_true(event.is_fresh)
    assert.equal(1, seam:counts().events)
  end)

  it("refuses a second host", function()
    local second, message = seam_rig.open_at(seam.url)
    assert.is_nil(second)
    assert.matches("it is in use by cunnekt on .+, process %d+; one host at a time can use a database", message)
    assert.is_true(seam:accepted().is_fresh)
  end)

  it("may be looked into while a host has it", function()
    seam:accepted()
    local other = assert(seam_rig.open_at(seam.url, { read_only = true }))
    assert.equal(1, other:counts().events)
    local ok, _, code = other:try("accept", { events = { { contact = "1:2", body = "b" } }, now = now })
    assert.are.same({ nil, "read_only" }, { ok, code })
    other:close()
  end)

  it("goes no further where another host was meanwhile", function()
    sql(("UPDATE %s.counter SET next = next + 1 WHERE name = 'opening'; %s"):format(schema, kill_all))
    local ok, message
    repeat
      ok, message = seam:try("accept", { events = { { contact = "1:2", body = "b" } }, now = now })
    until not ok
    assert.matches("another host has used the database meanwhile", message)
    assert.is_false((seam.db:is_writable()))
  end)

  it("refuses tables of a newer version, and brings up its own", function()
    seam:close()
    sql(("UPDATE %s.cunnekt_version SET version = 99"):format(schema))
    local opened, message = seam_rig.open_at(seam.url)
    assert.is_nil(opened)
    assert.equal(("the store is of version 99, and this program knows only %d: the program is too old"):format(core.store_version), message)
    sql(("UPDATE %s.cunnekt_version SET version = %d"):format(schema, core.store_version))
    seam = assert(seam_rig.open_at(seam.url))
    assert.equal(core.store_version, seam.db:version())
  end)

  it("refuses another program's tables", function()
    sql "CREATE SCHEMA IF NOT EXISTS theirs; CREATE TABLE IF NOT EXISTS theirs.event (id int)"
    local opened, message = seam_rig.open_at(url .. "&options=-csearch_path%3Dtheirs")
    assert.is_nil(opened)
    assert.matches("its schema has the tables of another program", message)
  end)

  it("says why it cannot be reached, and never a password", function()
    local wrong = {
      ["postgres://me:geheimnis@127.0.0.1:1/shop"] = "cannot open the store on PostgreSQL: .+ refused",
      ["postgres://me:geheimnis@127.0.0.1:1/shop?sslmod=geheimnis"] = "the URL of the store cannot be read",
      ["postgres://me:geheim nis@127.0.0.1:x/shop"] = "the store",
      ["postgres://me:geheim/nis@127.0.0.1/shop"] = "the URL of the store cannot be read", -- its port would be geheim
      ["postgres://me:1/geheim@127.0.0.1/shop"] = "the URL of the store cannot be read",
      ["postgres://me:x@geheim@127.0.0.1/shop"] = "the URL of the store cannot be read", -- its host would be geheim@127.0.0.1
      ["postgres://me:x@geheim/y@127.0.0.1/shop"] = "the URL of the store cannot be read",
      ["postgres://me:geheim"] = "the URL of the store cannot be read",
      [url:gsub("/postgres%?", "/nosuch?") .. "&password=geheimnis"] = 'database "nosuch" does not exist',
    }
    for address, sentence in pairs(wrong) do
      local opened, message = core.store_open(address)
      assert.is_nil(opened)
      assert.matches(sentence, message)
      assert.is_nil(message:find("geheim", 1, true), message)
    end
  end)

  -- libpq ends its message with the file that the password is from, and that was all that was said.
  it("says that the password is wrong, where that is in a file", function()
    local folder = process.folder()
    local passwords = folder.path .. "/passwords"
    process.write(passwords, "*:*:*:*:geheim\n")
    assert(os.execute("chmod 600 " .. passwords))
    sql "CREATE ROLE guarded LOGIN PASSWORD 'another'"
    local rules = "COPY (SELECT unnest(ARRAY['local all guarded scram-sha-256', 'local all all trust'])) TO '%s'"
    sql(rules:format(sql "SHOW hba_file"))
    sql "SELECT pg_reload_conf()"
    local opened, message
    repeat -- until the rules hold
      opened, message = seam_rig.open_at(url:gsub("user=cunnekt", "user=guarded") .. "&passfile=" .. passwords)
      if opened then
        opened:close()
      end
    until not (opened or message:find "permission denied")
    assert.matches('password authentication failed for user "guarded"', message)
    assert.is_nil(message:find("geheim", 1, true))
  end)

  -- PostgreSQL passes over a schema that may not be used, so it was taken for an empty one.
  it("says that its user may not use its schema", function()
    sql "CREATE ROLE stranger LOGIN"
    for _, options in ipairs { { read_only = true }, {} } do
      local opened, message = seam_rig.open_at(seam.url:gsub("user=cunnekt", "user=stranger"), options)
      assert.is_nil(opened)
      assert.matches("this user may not use its schema: .*GRANT USAGE ON SCHEMA \"" .. schema, message)
    end
  end)

  -- Webhooks were answered 503, and neither the log nor /readyz said why.
  it("cannot be written while its tables may not be used, or are gone", function()
    sql "CREATE ROLE limited LOGIN; GRANT CREATE ON DATABASE postgres TO limited"
    local limited = assert(seam_rig.open_at(url:gsub("user=cunnekt", "user=limited") .. "&options=-csearch_path%3Dlimited"))
    local cases = {
      { "REVOKE ALL ON ALL TABLES IN SCHEMA limited FROM limited", "permission denied for table", "GRANT ALL ON ALL TABLES IN SCHEMA limited TO limited" },
      { "ALTER SCHEMA limited RENAME TO elsewhere", "relation .* does not exist", "ALTER SCHEMA elsewhere RENAME TO limited" },
    }
    for _, case in ipairs(cases) do
      local harm, problem, repair = table.unpack(case)
      sql(harm)
      local ok, message, code = limited:try("accept", { events = { { contact = "1:2", body = "b" } }, now = now })
      assert.is_nil(ok)
      assert.matches(problem, message)
      assert.equal("io", code)
      assert.is_false((limited.db:is_writable()))
      sql(repair)
      poll(function()
        return limited.db:is_writable()
      end)
      assert.is_true(limited:accepted().is_fresh)
    end
    limited:close()
  end)

  it("says what the settings of its database may cost", function()
    assert.are.same({ "fsync is off: when its machine crashes, all of the database can be lost" }, seam.db:notes())
  end)

  -- Rows that were removed stay in the table until the database cleans up, and each batch of webhooks looks for mail.
  it("looks for mail along its key, and not through what was removed", function()
    local function scans() -- a connection has told what it read when it is closed
      seam:close()
      return sql(("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'mail' AND schemaname = '%s'"):format(schema))
    end
    local before = scans()
    seam = assert(seam_rig.open_at(seam.url))
    for _ = 1, 3 do
      seam:post_mail { body = "{}", now = now }
      seam:repair("drop_mail", { seam:query("mail", { limit = 1, bytes = 1 })[1].id })
      seam:accept { events = { seam:event() }, now = now, minds_mail = true }
    end
    assert.equal(before, scans())
  end)

  -- Otherwise each change writes new entries into all indexes of its table.
  it("changes conversations, messages and dialogs in their places", function()
    local run = seam:dialog { waiting = "{}" }
    for i = 1, 5 do
      seam:accepted { inbound_at = now + i }
      seam:turn { states = { { contact = "1:2", state = ("{%d}"):format(i) } }, run = i == 1 and run or nil }
      local message = seam:sent()
      seam:mark_sending { messages = { { id = message.id, attempts = 1 } }, now = now }
      seam:settle { outcomes = { { id = message.id, state = "accepted", message_id = "m" .. i, contact = "1:2", rank = 0 } }, now = now }
      seam:note_status { message_id = "m" .. i, rank = 1, now = now }
    end
    for n = 1, 4 do
      seam:turn { run = seam_rig.continue(run, { after = n, before = n - 1, waiting = "{}" }) }
    end
    seam:close() -- a connection has told what it wrote when it is closed
    local counts = "SELECT relname || ' ' || (n_tup_upd > 3) || ' ' || n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = '%s' "
      .. "AND relname IN ('conversation', 'dialog', 'outbox', 'sent') ORDER BY relname"
    assert.equal("conversation true 0\ndialog true 0\noutbox true 0\nsent true 0", sql(counts:format(schema)))
  end)

  -- Rows are sent many at once, and what calls expect is looked at once; where that fails all of it runs again, one call after the other.
  it("runs usual calls that come together at once, and not one by one", function()
    local accepts, turns, marks, outcomes, statuses, last, names = {}, {}, {}, {}, {}, {}, {}
    for i = 1, 300 do
      local contact, name = "1:" .. i % 7, i % 2 == 0 and "N" .. i or nil -- the same ones again and again
      accepts[i] = { events = { seam:event { contact = contact, key = "key " .. i % 290, inbound_at = now + i, name = name } }, now = now }
      if i <= 290 then
        last[contact], names[contact] = now + i, name or names[contact]
      end
    end
    seam:together("accept", accepts)
    for i, accept in ipairs(accepts) do
      local event = accept.events[1]
      assert.equal(i <= 290, event.is_fresh)
      if event.is_fresh then
        local message = seam:message { contact = event.contact }
        local outcome = { id = message.id, state = "accepted", message_id = "m" .. i, contact = event.contact, rank = 0 }
        local status = seam:event { contact = event.contact, key = "s" .. i, status_of = "m" .. i, rank = 2, is_unheard = true }
        turns[i] = { event = event.id, messages = { message }, now = now }
        marks[i] = { messages = { { id = message.id, attempts = 1 } }, now = now }
        outcomes[i] = { outcomes = { outcome }, now = now }
        statuses[i] = { events = { status }, now = now }
      end
    end
    seam:together("commit_turn", turns)
    seam:together("mark_sending", marks)
    seam:together("settle", outcomes)
    seam:together("accept", statuses)
    assert.equal(0, seam.db:stats().redone)
    local counts = seam:counts()
    assert.are.same({ 0, 0, 290 }, { counts.events, counts.messages, counts.accepted })
    for contact, at in pairs(last) do
      local row = seam:row("conversation", { contact = contact })
      assert.are.same({ at, names[contact] }, { row.last_inbound, row.name })
    end
  end)

  it("leaves copies to the tools of the database", function()
    local ok, message = seam:back_up(process.folder().path .. "/copy.db")()
    assert.is_nil(ok)
    assert.matches("copied with the database's own tools", message)
  end)
end)
