-- SPDX-License-Identifier: MIT
-- The files of a database that is in use are deleted, moved, replaced or overwritten. A bot went on to answer 200 then, and
-- what it had acknowledged was gone at the next start.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local inside = require("cunnekt.service").of
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"
local process = require "spec.support.process"
local recorder = require "recorder"
local samples = require "cunnekt.sandbox.samples"
local store = require "cunnekt.store"

describe("the files of a running bot", function()
  local kept, number, acknowledged, folder, aside

  before_each(function()
    number, acknowledged = 0, 0
    folder = process.folder()
    aside = folder.path
    kept = kept_bot.new()
    kept:start()
  end)

  after_each(function()
    kept:close()
  end)

  local function sh(command)
    assert(os.execute(("db=%s aside=%s; %s"):format(kept.path, aside, command)), command)
  end

  local function post()
    number = number + 1
    local body = samples.build("text", { text = "x", from = "919000000001", id = "wamid." .. number })
    local status = assert(http.post("http://" .. kept.bot:address() .. "/webhook", json.encode(body))).status
    acknowledged = acknowledged + (status == 200 and 1 or 0)
    return status
  end

  local function ready()
    local answer = assert(http.get("http://x/readyz", { unix = kept.path .. ".ctl" }))
    return answer.status, answer.body
  end

  local function count(path)
    return recorder.query(path or kept.path, "SELECT count(*) FROM seen")[1][1]
  end

  local function wait_until_writable()
    kept:wait_for("the store to be writable again", function()
      return inside(kept.bot).store:is_writable()
    end)
  end

  -- Nothing is answered 200 any more, and it is said why, once.
  local function expect_refusal(pattern)
    assert.equal(503, post())
    assert.equal(503, post())
    local status, reason = ready()
    assert.equal(503, status)
    assert.matches("^the store cannot be written: " .. pattern, reason)
    local said = 0
    for _, line in ipairs(kept.lines) do
      said = said + (line:find("the store cannot write: " .. pattern) and 1 or 0)
    end
    assert.equal(1, said, table.concat(kept.lines, "\n"))
  end

  -- After a restart all that was acknowledged is there.
  local function expect_all()
    kept:stop()
    kept:start()
    assert.equal(200, post())
    kept:stop()
    assert.equal(acknowledged, count())
    assert.same({ { "ok" } }, recorder.query(kept.path, "PRAGMA integrity_check"))
  end

  local missing, replaced = "was deleted or moved while in use", "was replaced by another file while in use"

  it("are in their places: nothing is said", function()
    for _ = 1, 20 do
      assert.equal(200, post())
    end
    assert.equal(200, ready())
    expect_all()
  end)

  it("may be moved away and back: it goes on with the same files", function()
    for _, name in ipairs { "$db", "$(dirname $db)" } do
      assert.equal(200, post())
      sh(("mv %s $aside/gone"):format(name))
      assert.equal(503, post())
      assert.is_nil(core.stat(kept.path), "a new database was made")
      sh(("mv $aside/gone %s"):format(name))
      wait_until_writable()
      assert.equal(200, post())
      assert.equal(200, ready())
    end
    expect_all()
  end)

  it("may not be deleted: their content can be saved while the bot runs", function()
    assert.equal(200, post())
    assert.equal(200, post())
    sh "rm $db"
    expect_refusal("cunnekt%.db " .. missing)
    local result = kept:run("doctor")
    assert.equal(1, result.code)
    assert.matches("\nWRONG the host accepts no events now: the store cannot be written: cunnekt%.db was deleted", result.out)
    result = kept:run("events", "list", "--pending")
    assert.equal(0, result.code)
    assert.matches("the host accepts no events now: the store cannot be written: cunnekt%.db was deleted", result.err)
    assert.equal(0, kept:run("backup", "rescued.db").code)
    kept:stop()
    assert.is_nil(core.stat(kept.path), "a new database was made")
    sh "rm $db-wal; mv $(dirname $db)/rescued.db $db"
    expect_all()
  end)

  it("may not be replaced, and the other database and its log stay as they are", function()
    assert.equal(200, post())
    assert.equal(0, kept:run("backup", aside .. "/copy.db").code)
    assert.equal(200, post())
    -- The database is replaced in one step: the watch, which may look at any time, would find it missing between two.
    sh "ln $db $db-wal $db-shm $aside; mv $aside/copy.db $db; rm $db-shm; cp $aside/cunnekt.db-wal $db-wal.new; mv $db-wal.new $db-wal"
    local before = process.run({ "sh", "-c", ("sha256sum %s %s-wal"):format(kept.path, kept.path) }).out
    expect_refusal("cunnekt%.db " .. replaced)
    kept:stop()
    assert.equal(before, process.run({ "sh", "-c", ("sha256sum %s %s-wal"):format(kept.path, kept.path) }).out)
    assert.equal(acknowledged, count(aside .. "/cunnekt.db"))
  end)

  it("are noticed without work, too", function()
    sh "mv $db $aside/gone"
    kept:wait_for("the watch", function()
      return ready() == 503
    end)
    sh "mv $aside/gone $db"
    kept:wait_for("the watch", function()
      return ready() == 200
    end)
  end)

  it("may lose their log: what was acknowledged is brought into the database at once, and it gets a new log", function()
    for _, what in ipairs { "$db-wal", "$db-shm", "$db-wal $db-shm" } do
      assert.equal(200, post())
      assert.equal(200, post())
      sh("rm " .. what)
      -- On a busy machine the watch may have been first, and have made both anew.
      local is_refused = post() == 503
      assert.is_true(is_refused or core.stat(kept.path .. "-wal") ~= nil and core.stat(kept.path .. "-shm") ~= nil)
      wait_until_writable()
      assert.equal(acknowledged, count())
      assert.equal(200, post())
    end
    expect_all()
  end)

  it("may not get another log: it goes on when that is removed", function()
    local other = assert(store.open("sqlite:" .. aside .. "/other.db"))
    sh "cp $aside/other.db-wal $aside/foreign"
    other:close()
    assert.equal(200, post())
    sh "mv $aside/foreign $db-wal"
    expect_refusal("cunnekt%.db%-wal " .. replaced .. ": remove what is in its place")
    local before = clock.monotonic()
    kept:wait_for("some tries", function()
      return clock.monotonic() > before + 0.7
    end)
    assert.equal(503, post())
    sh "rm $db-wal"
    wait_until_writable()
    assert.equal(200, post())
    expect_all()
  end)

  it("are not overwritten in silence", function()
    for _, case in ipairs {
      { "cunnekt%.db%-wal", "cat $aside/foreign > $db-wal" }, { "cunnekt%.db%-wal", ": > $db-wal" }, { "cunnekt%.db", ": > $db" },
    } do
      local other = assert(store.open("sqlite:" .. aside .. "/other.db"))
      sh "cp $aside/other.db-wal $aside/foreign"
      other:close()
      assert.equal(200, post())
      assert.equal(200, post())
      sh(case[2])
      kept.lines = {}
      expect_refusal(case[1] .. " was overwritten while in use: ")
      kept:stop()
      sh "rm -f $db*"
      kept:start()
    end
  end)

  -- An older copy of the same size took the place of what was acknowledged since, and nothing was said.
  it("may not be overwritten by a backup, also where they began as one", function()
    local copy = aside .. "/copy.db"
    for _ = 1, 2 do
      kept:stop() -- until then, all of a new database is in its log, and safe there
      kept:start()
      assert(kept:call("store.backup", { path = copy }))
      assert.equal(200, post())
      sh "cp $aside/copy.db $db"
      kept.lines = {}
      expect_refusal "cunnekt%.db was overwritten while in use: stop the bot and restore a backup"
      kept:stop()
      sh "rm -f $db*; cp $aside/copy.db $db"
      os.remove(copy)
      kept:start()
    end
  end)

  it("may be written by a program that copies the log into the database, or sets a time", function()
    assert.equal(200, post())
    sh "touch $db; sqlite3 -cmd '.timeout 5000' $db 'PRAGMA wal_checkpoint' > /dev/null"
    assert.equal(200, post())
    sh "sqlite3 -cmd '.timeout 5000' $db 'CREATE TABLE its_own (n); PRAGMA wal_checkpoint' > /dev/null"
    assert.equal(200, post())
  end)

  it("may lose the lock file, which comes back", function()
    sh "rm $db-lock"
    assert.equal(200, post())
    assert.matches("^" .. core.pid() .. "\n", process.read(kept.path .. "-lock"))
    expect_all()
  end)
end)
