-- SPDX-License-Identifier: MIT
local inside = require("cunnekt.service").of
local core = require "cunnekt.core"
local database = require "spec.support.database"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local process = require "spec.support.process"
local samples = require "cunnekt.sandbox.samples"
local sql = require "spec.support.sql"
local store_rig = require "spec.support.rigs.store_rig"
local task = require "cunnekt.base.task"

describe("cunnekt backup", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  -- Each turn finishes its event and counts it in the conversation's state, at once or not at all.
  local function counting(bot)
    bot:on("text", function(msg)
      msg.chat.state.count = (msg.chat.state.count or 0) + 1
    end)
  end

  local function post(number)
    local body = samples.build("text", { text = "x", from = ("9190000000%02d"):format(number % 50), id = "wamid." .. number })
    return assert(http.post("http://" .. kept.bot:address() .. "/webhook", json.encode(body))).status
  end

  -- What a copy holds: how many events were accepted, how many wait, and how many were counted by turns.
  local function read(path)
    local copy = sql.open(path)
    assert.equal("ok", copy:value "PRAGMA integrity_check")
    local counted = 0
    for _, row in ipairs(copy:rows "SELECT state FROM conversation WHERE state IS NOT NULL") do
      counted = counted + json.decode(row[1]).count
    end
    local found = {
      accepted = copy:value "SELECT count(*) FROM seen",
      waiting = copy:value "SELECT count(*) FROM event",
      counted = counted,
    }
    copy:close()
    return found
  end

  it("copies under load what was true at one moment: each event is in it with all it brought about, or not", function()
    kept:start(counting)
    local number, before, is_over = 0, 0, false
    local function load()
      while not is_over do
        number = number + 1
        assert.equal(200, post(number))
        before = before + 1
      end
    end
    local writers = {}
    for i = 1, 20 do
      writers[i] = task.spawn(load)
    end
    for i = 1, 5 do
      local acknowledged = before
      local file = ("copy%d.db"):format(i)
      local result = kept:run("backup", file)
      assert.equal(0, result.code, result.err)
      assert.matches("^" .. file .. ": %d+ bytes\n$", result.out)
      local found = read(kept.folder.path .. "/" .. file)
      assert.is_true(found.accepted >= acknowledged)
      assert.equal(found.accepted, found.waiting + found.counted)
    end
    is_over = true
    for _, writer in ipairs(writers) do
      task.join(writer)
    end
    assert.is_true(before > 100)
  end)

  it("copies a store that no host runs on, with all that is in its log, and the copy can take its place", function()
    kept:start(counting)
    for number = 1, 20 do
      assert.equal(200, post(number))
    end
    kept:settle()
    kept:stop()
    local copy = kept.folder.path .. "/copy.db"
    local result = kept:run("backup", copy, "--json")
    assert.equal(0, result.code, result.err)
    assert.same({ path = copy, bytes = core.stat(copy).size }, json.decode(result.out))
    assert.same({ accepted = 20, waiting = 0, counted = 20 }, read(copy))
    os.execute(("rm %s*"):format(process.quote(kept.path)))
    assert(os.rename(copy, kept.path))
    kept:start(counting)
    assert.equal(200, post(20)) -- was seen before
    assert.equal(200, post(21))
    kept:settle()
    assert.equal(21, store_rig.counts(inside(kept.bot).store).seen)
  end)

  -- The copy before an upgrade, made with the new program, was nothing that the old one could go back to.
  it("leaves the version of a store as it is, in the copy as well, with what a killed host left in its log", function()
    local script = process.write(kept.folder.path .. "/bot.lua", [[
      local bot = require("cunnekt").bot { listen = "127.0.0.1:0" }
      bot:after(0, "x", function() bot.store:set("seats", 9) print "set" end)
    ]])
    local host = process.start({ process.host, "run", script }, { cwd = kept.folder.path, env = { CUNNEKT_API_KEY = "k" } })
    host:expect("set", "out")
    kept:wait_for("the commit", function()
      return kept:run("values", "get", "seats").code == 0
    end)
    host:signal "KILL"
    host:wait()
    assert.is_true(core.stat(kept.path .. "-wal").size > 0)
    assert.equal(0, process.run({ "sh", "-c", "cp cunnekt.db-wal before.wal; cp cunnekt.db before.db" }, { cwd = kept.folder.path }).code)
    assert.equal(0, kept:run("backup", "copy.db").code)
    assert.equal(0, process.run({ "sh", "-c", "cmp cunnekt.db-wal before.wal && cmp cunnekt.db before.db" }, { cwd = kept.folder.path }).code)
    local copy = sql.open(kept.folder.path .. "/copy.db")
    assert.equal("9", copy:value "SELECT CAST(value AS TEXT) FROM value")
    copy:run "PRAGMA user_version = 7"
    copy:close()
    assert.equal(0, kept:run("backup", "second.db", "--store", "sqlite:copy.db").code)
    for _, name in ipairs { "copy.db", "second.db" } do
      local db = sql.open(kept.folder.path .. "/" .. name)
      assert.equal(7, db:value "PRAGMA user_version")
      db:close()
    end
  end)

  it("replaces an older copy, and leaves no part behind", function()
    kept:start(counting)
    local copy = process.write(kept.folder.path .. "/copy.db", "")
    assert.equal(0, kept:run("backup", "copy.db").code)
    assert.equal(0, read(copy).accepted)
    assert.equal(200, post(1))
    assert.equal(0, kept:run("backup", "copy.db").code)
    assert.equal(1, read(copy).accepted)
    assert.is_nil(core.stat(copy .. ".part"))
  end)

  -- `cunnekt backup bot.lua` made the script a database, and `backup cunnekt.db-wal` took its log from a running bot.
  it("replaces nothing but copies", function()
    kept:start(counting)
    local script = process.write(kept.folder.path .. "/bot.lua", "print 'hello'")
    local foreign = kept.folder.path .. "/foreign.db"
    local db = sql.open(foreign)
    db:run "CREATE TABLE song (title)"
    db:close()
    assert(os.execute(("mkfifo %s/pipe"):format(kept.folder.path)))
    for _, is_running in ipairs { true, false } do
      for _, name in ipairs { "bot.lua", "foreign.db" } do
        local result = kept:run("backup", name)
        assert.equal(1, result.code)
        assert.matches("cannot back up to %S+/" .. name .. ": there is a file that is no copy of a store; name another one, or move that away", result.err)
      end
      assert.matches("it is not a regular file", kept:run("backup", "pipe").err)
      for _, suffix in ipairs { "-wal", "-shm", "-lock", "-journal", "-stopped", ".ctl" } do
        local result = kept:run("backup", "cunnekt.db" .. suffix)
        assert.equal(1, result.code)
        assert.matches("a store has its own file of that name; name another one", result.err)
        result = kept:run("backup", "foreign.db" .. suffix)
        assert.matches("a store has its own file of that name; name another one", result.err)
      end
      if is_running then
        assert.equal(200, post(1))
        kept:settle()
        kept:stop()
      end
    end
    assert.equal("print 'hello'", process.read(script))
    assert.same({ { "song" } }, sql.open(foreign):rows "SELECT name FROM sqlite_schema")
    assert.is_nil(core.stat(kept.folder.path .. "/pipe.part"))
    kept:start(counting)
    assert.equal(200, post(2))
    assert.equal(0, kept:run("backup", "copy-wal").code) -- there is no database named copy
  end)

  it("never touches a store in use, nor what was there when it fails", function()
    kept:start(counting)
    for _, running in ipairs { true, false } do
      local result = kept:run("backup", "cunnekt.db")
      assert.equal(1, result.code)
      assert.matches("it is the store itself", result.err)
      if running then
        kept:stop()
      end
    end
    kept:start(counting)
    local other = assert(database.open { path = kept.folder.path .. "/other.db" })
    local result = kept:run("backup", "other.db")
    assert.equal(1, result.code)
    assert.matches("is open already in this process", result.err) -- the host's, for the host copies
    other:close()
    result = kept:run("backup", "none/copy.db")
    assert.equal(1, result.code)
    assert.matches("cannot back up to .*none/copy.db", result.err)
    assert.equal(200, post(1))
  end)

  it("leaves nothing behind when it is interrupted", function()
    kept:start()
    kept:stop()
    local db = sql.open(kept.path)
    for i = 1, 20 do
      db:run(("INSERT INTO value (key, value) VALUES (%d, zeroblob(10000000))"):format(i))
    end
    db:close()
    local part = kept.folder.path .. "/copy.db.part"
    local running = process.start({ process.host, "backup", "copy.db" }, { cwd = kept.folder.path })
    process.wait_until("the copy to begin", function()
      return core.stat(part)
    end)
    running:signal "INT"
    local result = running:wait()
    assert.equal(1, result.code)
    assert.matches("cannot back up to %S+copy%.db: the store was closed", result.err)
    assert.is_nil(core.stat(part))
    assert.is_nil(core.stat(kept.folder.path .. "/copy.db"))
  end)

  it("exits with 2 for a mistake on the command line", function()
    assert.equal(2, kept:run("backup").code)
    assert.equal(2, kept:run("backup", "a", "b").code)
  end)

  -- A disk of its own, which is full; $1 is a folder with a store.
  local full_disk = [[
set -e
cd "$1"
mkdir small
mount -t tmpfs -o size=2m none small
mv cunnekt.db small
export CUNNEKT_STORE=sqlite:small/cunnekt.db
dd if=/dev/zero of=small/ballast bs=4k 2>/dev/null || true
"$2" values get seats
"$2" backup copy.db
"$2" values set seats 10 || true
]]

  -- No command but doctor could read the store, and to copy it is the way out.
  it("copies to another disk where the store's is full, and no host runs", function()
    if process.run({ "sh", "-c", "test $(id -u) = 0 && unshare -m true" }).code ~= 0 then
      return
    end
    kept:start(function() end)
    assert.equal(0, kept:run("values", "set", "seats", "9").code)
    kept:stop()
    process.write(kept.folder.path .. "/full.sh", full_disk)
    local result = process.run { "unshare", "-m", "sh", kept.folder.path .. "/full.sh", kept.folder.path, process.host }
    assert.matches("^9\ncopy.db: %d+ bytes\n$", result.out)
    assert.equal("cunnekt values: the store's disk is full, so nothing can be changed: free space on it\n", result.err)
    local copy = sql.open(kept.folder.path .. "/copy.db")
    assert.equal("9", copy:value "SELECT CAST(value AS TEXT) FROM value")
    copy:close()
  end)
end)
