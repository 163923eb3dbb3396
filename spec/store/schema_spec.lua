-- SPDX-License-Identifier: MIT
-- Databases of earlier versions: they are brought up to date as they are opened, with everything in them, or stay as they
-- are when that fails. The bot that continues on one is at the end.

local inside = require("cunnekt.service").of
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local database = require "spec.support.database"
local lives = require "spec.support.dialogs.lives"
local log = require "cunnekt.base.log"
local old_database = require "spec.support.old_database"
local process = require "spec.support.process"
local recorder = require "recorder"
local rig = require "spec.support.rigs.store_rig"
local record = require "cunnekt.engine.record"
local schema = require "cunnekt.store.schema"
local store = require "cunnekt.store"

local contact, now = old_database.contact, old_database.now

-- The number that the next event of a store gets.
local function next_seq(opened)
  local own = record.own("1:1", { status = "dialog_signal", name = "x" })
  assert(opened:put_own(own))
  return own.seq
end

describe("a database", function()
  local folder, path, url, time

  before_each(function()
    time = clock.virtual(now):install()
    folder = process.folder()
    path = folder.path .. "/old.db"
    url = "sqlite:" .. path
  end)

  after_each(function()
    time:uninstall()
  end)

  local function open()
    local opened = assert(store.open(url))
    finally(function()
      opened:close()
    end)
    return opened
  end

  local function version_of()
    local db = assert(database.open { path = path })
    local results = assert(db:run { { "PRAGMA user_version", want = "rows" } })
    db:close()
    return results[1][1][1]
  end

  it("that is new is of this program's version", function()
    open():close()
    assert.equal(schema.version, version_of())
  end)

  it("of this version is not changed", function()
    assert.are.same({}, schema.upgrade(schema.version))
  end)

  it("of a later version is refused, and stays as it is", function()
    open():close()
    local db = assert(database.open { path = path })
    assert(db:run { { "PRAGMA user_version = 99" } })
    db:close()
    local opened, err = store.open(url)
    assert.is_nil(opened)
    assert.equal("store", err.kind)
    assert.matches("version 99", err.message)
    assert.equal(99, version_of())
  end)

  for version = 1, schema.version - 1 do
    describe(("of version %d"):format(version), function()
      before_each(function()
        old_database.make(path, version)
      end)

      it("is brought to this version as it is opened", function()
        assert.equal(version, version_of())
        open():close()
        assert.equal(schema.version, version_of())
        open()
      end)

      it("has the tables, columns and indexes of a new one", function()
        local columns = [[SELECT m.name, p.name, p.type, p."notnull", p.dflt_value, p.pk FROM sqlite_master m
          JOIN pragma_table_info(m.name) p ORDER BY m.name, p.name]]
        local indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
        local old, fresh = open(), rig.open()
        for _, query in ipairs { columns, indexes } do
          assert.are.same(rig.rows(fresh, query), rig.rows(old, query))
        end
        fresh:close()
      end)

      it("loses no row", function()
        local opened, counts, wanted = open(), {}, {}
        for _, name in ipairs(old_database.tables()) do
          counts[name] = rig.value(opened, "SELECT count(*) FROM " .. name)
          wanted[name] = (name == "conversation" or name == "outbox") and 2 or 1
        end
        assert.are.same(wanted, counts)
        assert.are.same({}, opened:check_integrity())
      end)

      it("has its events and dead letters, which can be tried again", function()
        local opened = open()
        assert.are.same({ { seq = 11, contact = "123456789:919999999998", attempts = 2 } }, opened:pending())
        assert.equal("\1", opened:event_body(11):sub(1, 1))
        assert.are.same({ 7 }, opened:requeue_events { 7 })
        assert.matches('"dead"', opened:event_body(7))
        assert.are.same({}, (rig.accept(opened, { rig.record(contact, "x", { dedupe_key = "m:123456789:wamid.seen" }) })))
      end)

      it("has its messages, the uncertain ones included, which a status settles", function()
        local opened = open()
        assert.equal("queued", opened:outgoing()[1].payload.text)
        assert.is_true(opened:has_unknown())
        local status = { kind = "status", status = "delivered", id = "wamid.late" }
        assert.are.same({ n = 7 }, opened:settle_unknown("123456789:917777777777", status, now, now - 60))
        assert.are.same({ "sent", "wamid.sent" }, { opened:message_state(20) })
        assert.are.same({ n = 8 }, opened:track_of "wamid.sent")
      end)

      it("has its dialogs with their journals and what was kept for them", function()
        local opened = open()
        local dialog = opened:dialogs_of(contact)[1]
        assert.are.same({ 31, "it", 1, { text = true } }, { dialog.id, dialog.name, dialog.steps, dialog.waiting.types })
        assert.equal('{"v":{"id":20}}', opened:steps_of(31)[1].result)
        assert.are.same({ { id = 1, bodies = { "x" } } }, opened:kept_for(31))
        assert.equal("{}", opened:code "d")
      end)

      it("has its conversations, values and jobs", function()
        local opened = open()
        assert.equal('{"n":5}', opened:state(contact))
        assert.equal(now - 60, opened:last_inbound(contact))
        assert.is_true(opened:is_paused "123456789:918888888888")
        assert.equal('"x"', opened:value "a\0b")
        local job = opened:jobs()[1]
        assert.are.same({ "tick", "every 60", now + 30, '[{"n":9}]', 1 }, { job.name, job.spec, job.due, job.args, job.attempts })
      end)

      it("goes on with its numbers", function()
        local opened = open()
        assert.are.same({ 12, 23, 32 }, { next_seq(opened), opened:next_outbox_id(), opened:next_dialog_id() })
      end)
    end)
  end
end)

-- ---- a disk that fails -------------------------------------------------------------------------------------------------

describe("a migration", function()
  local folder, path, url, options

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/old.db"
    url, options = "sqlite:" .. path, { vfs = "recorder" }
    recorder.begin()
  end)

  after_each(function()
    recorder.faults {}
    recorder.begin()
  end)

  local function total(of)
    local queries = {}
    for _, name in ipairs(old_database.tables()) do
      queries[#queries + 1] = ("(SELECT count(*) FROM %s)"):format(name)
    end
    return assert(recorder.query(of, "SELECT " .. table.concat(queries, " + ")))[1][1]
  end

  local function has_column(of, name, column)
    return #assert(recorder.query(of, ("SELECT 1 FROM pragma_table_info('%s') WHERE name = '%s'"):format(name, column))) == 1
  end

  -- Whatever the disk holds when the power goes, at any operation of it.
  it("that is cut off leaves the old version, whole, or the new one", function()
    local image, seen = folder.path .. "/image", { [1] = 0, [schema.version] = 0 }
    os.execute("mkdir " .. image)
    old_database.make(path, 1, options)
    local rows, before = total(path), recorder.count()
    assert(store.open(url, options)):close()
    local imager, picture = recorder.imager(5), image .. "/old.db"
    for moment = before, recorder.count() do
      for i, mode in ipairs { "nothing", "prefix", "sectors", "all" } do
        imager:write(moment, mode, moment * 4 + i, image)
        local version = assert(recorder.query(picture, "PRAGMA user_version"))[1][1]
        assert.is_number(seen[version], "half a migration: version " .. version)
        seen[version] = seen[version] + 1
        assert.are.same({ { "ok" } }, recorder.query(picture, "PRAGMA integrity_check"))
        assert.equal(rows, total(picture))
        assert.equal(version ~= 1, has_column(picture, "sent", "changed_at"))
        assert.equal(version == 1, has_column(picture, "event", "due"))
        os.remove(picture .. "-shm")
      end
    end
    assert.is_true(seen[1] > 0 and seen[schema.version] > 0, "the migration was not seen")
    -- The last of them is what the next start finds.
    local opened = assert(store.open("sqlite:" .. picture))
    assert.equal(12, next_seq(opened))
    opened:close()
  end)

  -- The database that could not be brought up to date was still open when `store.open` returned, so the next try was
  -- refused because of the first.
  it("that cannot be written says so, and the next start does it", function()
    local failed, write = 0, log.write
    log.write = function() end
    finally(function()
      log.write = write
    end)
    for point = 1, 40 do
      local here = ("%s/%d.db"):format(folder.path, point)
      recorder.begin()
      old_database.make(here, 1, options)
      local rows = total(here)
      recorder.faults { write = true, sync = true, after = point, code = "full" }
      local opened, err = store.open("sqlite:" .. here, options)
      local count = recorder.failed()
      recorder.faults {}
      if opened then
        opened:close()
      else
        failed = failed + 1
        assert.equal("store", err.kind)
        assert(store.open("sqlite:" .. here, options)):close()
      end
      assert.are.same({ { schema.version } }, recorder.query(here, "PRAGMA user_version"))
      assert.equal(rows, total(here))
      if count == 0 then
        break
      end
    end
    assert.is_true(failed > 0, "no point failed")
  end)
end)

-- ---- a bot on an old database ------------------------------------------------------------------------------------------

describe("a bot on a database of version 1", function()
  local all

  after_each(function()
    all:close()
  end)

  local function define(bot)
    bot:dialog("it", function(chat)
      local answer = chat:ask("?").text
      chat:reply_text(("end %s %d"):format(answer, chat.state.n))
    end)
    bot:job("tick", function(job)
      bot:chat("919999999999", "123456789"):reply_text(("tick %d"):format(job.args.n))
    end)
    bot:on("text", function(msg)
      msg:reply_text("handler: " .. msg.text)
    end)
  end

  -- The digest with which a bot of that version would have begun the dialog.
  local function find_code()
    local bot = cunnekt.bot { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = "memory:" }
    define(bot)
    local digest = inside(bot).dialogs:code_of "it"
    bot:stop(0)
    return digest
  end

  it("sends what was queued, goes on with its dialog, and runs its job", function()
    all = lives.new(define)
    old_database.make(all.folder.path .. "/dialogs.db", 1, { code = find_code() })
    all:start()
    all:settle()
    assert.are.same({ "queued" }, all.seen["919999999999"])
    all:act("919999999999", { type = "text", text = "x" })
    all:settle()
    assert.are.same({ "queued", "end x 5" }, all.seen["919999999999"])
    all:pass(30)
    assert.are.same({ "queued", "end x 5", "tick 9" }, all.seen["919999999999"])
    assert.are.same({}, inside(all.bot).store:dialogs_of(contact))
    assert.equal(0, core.counts().requests)
  end)
end)
