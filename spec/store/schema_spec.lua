-- SPDX-License-Identifier: MIT
-- Databases of earlier versions: they are brought up to date as they are opened, with everything in them, or stay as they
-- are when that fails. The bot that continues on one is at the end.

local inside = require("cunnekt.service").of
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local database = require "spec.support.database"
local dialogs = require "cunnekt.store.dialogs"
local lives = require "spec.support.dialogs.lives"
local old_database = require "spec.support.old_database"
local process = require "spec.support.process"
local recorder = require "recorder"
local sql = require "spec.support.sql"

local contact, now = old_database.contact, old_database.now
local last_version = core.store_version

describe("a database", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/old.db"
  end)

  local function open()
    local opened = assert(database.open { path = path })
    finally(function()
      opened:close()
    end)
    return opened
  end

  local function version_of()
    return sql.value(path, "PRAGMA user_version")
  end

  it("that is new is of this program's version", function()
    local opened = open()
    assert.equal(last_version, opened.db:version())
    opened:close()
    assert.equal(last_version, version_of())
  end)

  it("of this version is not changed", function()
    open():close()
    local tables = sql.rows(path, "SELECT name, sql FROM sqlite_master ORDER BY name")
    open():close()
    assert.are.same(tables, sql.rows(path, "SELECT name, sql FROM sqlite_master ORDER BY name"))
  end)

  it("of a later version is refused, and stays as it is", function()
    open():close()
    sql.run(path, "PRAGMA user_version = 99")
    local opened, message = database.open { path = path }
    assert.is_nil(opened)
    assert.matches("version 99", message)
    assert.equal(99, version_of())
  end)

  for version = 1, last_version - 1 do
    describe(("of version %d"):format(version), function()
      before_each(function()
        old_database.make(path, version)
      end)

      it("is brought to this version as it is opened", function()
        assert.equal(version, version_of())
        open():close()
        assert.equal(last_version, version_of())
        open()
      end)

      it("is not changed where it is only read, and tells its version", function()
        local before = process.run({ "sh", "-c", "cd " .. folder.path .. " && sha256sum *" }).out
        local opened = assert(database.open { path = path, read_only = true })
        assert.equal(version, opened.db:version())
        opened:close()
        assert.equal(before, process.run({ "sh", "-c", "cd " .. folder.path .. " && sha256sum *" }).out)
      end)

      it("has the tables, columns and indexes of a new one", function()
        local fresh = folder.path .. "/fresh.db"
        assert(database.open { path = fresh }):close()
        open():close()
        for _, query in ipairs {
          [[SELECT m.name, p.name, p.type, p."notnull", p.dflt_value, p.pk FROM sqlite_master m
            JOIN pragma_table_info(m.name) p ORDER BY m.name, p.name]],
          "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name",
        } do
          assert.are.same(sql.rows(fresh, query), sql.rows(path, query))
        end
      end)

      it("loses no row", function()
        local counts = open():counts()
        assert.are.same({
          events = 1, dead = 1, seen = 1, conversations = 2, values = 1, messages = 2, accepted = 1, dialogs = 1, steps = 1, kept = 1,
          kept_events = 0, scripts = 1, jobs = 1,
        }, counts)
      end)

      it("has its events and dead letters, which can be tried again", function()
        local opened = open()
        assert.are.same({ { id = 11, contact = "123456789:919999999998", attempts = 2, seq = 0 } },
          opened:query("pending", { after = 0, limit = 10 }))
        assert.equal("\1", opened:row("event_body", { id = 11 }).body:sub(1, 1))
        assert.are.same({ 7 }, opened:repair("requeue_event", { 7 }))
        assert.matches('"dead"', opened:row("event_body", { id = 7 }).body)
        assert.is_false(opened:accepted({ key = "m:123456789:wamid.seen" }).is_fresh)
        assert.is_true(opened:accepted({ contact = "123456789:919999999998" }).seq > 0, "it would come before the old one")
        opened:turn { event = 11 }
      end)

      it("has its messages, the uncertain ones included, which a status settles", function()
        local opened = open()
        assert.matches('"queued"', opened:row("outgoing", { parked = 1, after = 0, limit = 10 }).payload)
        assert.are.same({ { id = 22, track = '{"n":7}' } },
          opened:query("unknown_messages", { contact = "123456789:917777777777", earliest = now - 60, latest = now }))
        local row = opened:row("message", { id = 20 })
        assert.are.same({ 1, "wamid.sent", '{"n":8}' }, { row.rank, row.message_id, row.track })
        local status = opened:event { status_of = "wamid.sent", rank = 2 }
        opened:accept { events = { status }, now = now }
        assert.is_true(status.is_applied)
      end)

      it("has its dialogs with their journals and what was kept for them", function()
        local opened = open()
        local dialog = opened:row("dialogs_of", { contact = contact })
        assert.are.same({ 31, "it", 1 }, { dialog.id, dialog.name, dialog.steps })
        assert.equal('{"v":{"id":20}}', opened:row("journal", { dialog = 31, after = 0 }).result)
        assert.are.same({ { id = 1, bodies = '["x"]' } }, opened:query("kept", { dialog = 31, after = 0 }))
        assert.equal("{}", opened:row("script", { digest = "d" }).source)
        opened:turn { run = { id = 31, before = 1, after = 2, steps = { { n = 2, mark = "x", result = "{}" } } } }
      end)

      it("has its conversations and values, which a turn can read and change", function()
        local opened = open()
        local conversation, value = opened:conversation(contact), opened:value "a\0b"
        assert.are.same({ '{"n":5}', now - 60, '"x"' }, { conversation.state, conversation.last_inbound, value.value })
        assert.equal(1, opened:conversation("123456789:918888888888").paused)
        local turn = {
          reads = {
            { kind = "conversation", key = contact, version = conversation.version }, { kind = "value", key = "a\0b", version = value.version },
          },
          states = { { contact = contact, state = "{}" } }, values = { { key = "a\0b" } },
        }
        opened:turn(turn)
        assert.equal("conflict", select(3, opened:try_turn { reads = turn.reads }))
      end)

      it("has its jobs, which run", function()
        local opened = open()
        local job = opened:row("jobs", { after = "", limit = 1 })
        assert.are.same({ "tick", "every 60", now + 30, '[{"n":9}]', 1 }, { job.name, job.spec, job.due, job.args, job.attempts })
        opened:turn { jobs = { { kind = "done", name = "tick", version = job.version, due = now + 90, ran = now + 30, last = now + 30 } } }
        assert.equal(now + 90, opened:row("jobs", { after = "", limit = 1 }).due)
      end)

      it("gives no id that it has given before", function()
        assert.is_true(open():reserve_ids({ count = 10 }).first > 31)
      end)
    end)
  end
end)

-- ---- a disk that fails -------------------------------------------------------------------------------------------------

describe("a migration", function()
  local folder, path, options

  before_each(function()
    folder = process.folder()
    path = folder.path .. "/old.db"
    options = { path = path, vfs = "recorder" }
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
    local image, seen = folder.path .. "/image", { [1] = 0, [last_version] = 0 }
    os.execute("mkdir " .. image)
    old_database.make(path, 1, options)
    local rows, before = total(path), recorder.count()
    assert(database.open(options)):close()
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
    assert.is_true(seen[1] > 0 and seen[last_version] > 0, "the migration was not seen")
    -- The last of them is what the next start finds.
    local opened = assert(database.open { path = picture })
    assert.is_true(opened:reserve_ids({ count = 1 }).first > 31)
    opened:close()
  end)

  -- The database that could not be brought up to date was still open when the failure was told, so the next try was refused
  -- because of the first.
  it("that cannot be written says so, and the next start does it", function()
    local failed = 0
    for point = 1, 60 do
      local here = ("%s/%d.db"):format(folder.path, point)
      recorder.begin()
      old_database.make(here, 1, options)
      local rows = total(here)
      recorder.faults { write = true, sync = true, after = point, code = "full" }
      local opened, message = database.open { path = here, vfs = "recorder" }
      local count = recorder.failed()
      recorder.faults {}
      if opened then
        opened:close()
      else
        failed = failed + 1
        assert.is_string(message)
        assert(database.open { path = here, vfs = "recorder" }):close()
      end
      assert.are.same({ { last_version } }, recorder.query(here, "PRAGMA user_version"))
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
    assert.are.same({}, dialogs.of(inside(all.bot).store, contact))
    assert.equal(0, core.counts().requests)
  end)
end)
