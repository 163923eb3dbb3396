-- SPDX-License-Identifier: MIT
-- What the store adds to the seam: events in lists, retries of what must not be lost, errors, the log of its health, and calls
-- in small steps. What the verbs do is in spec/store/conformance.

local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local lists = require "cunnekt.store.lists"
local log = require "cunnekt.base.log"
local process = require "spec.support.process"
local recorder = require "recorder"
local recovery = require "cunnekt.store.recovery"
local rig = require "spec.support.rigs.store_rig"
local seam_rig = require "spec.support.rigs.seam_rig"
local task = require "cunnekt.base.task"

local contact = "1:919999999999"
local record, accept = rig.record, rig.accept
local day = 86400

describe("the store", function()
  local store, time

  rig.open_for_each(function(its_store, its_time)
    store, time = its_store, its_time
  end)

  -- Runs with the log in a list.
  local function capture_log()
    local lines, write = {}, log.write
    log.write = function(line)
      lines[#lines + 1] = line
    end
    finally(function()
      log.write = write
    end)
    return lines
  end

  -- Lets a verb fail so many times with an error of this kind; gives a function that counts its calls.
  local function fail(verb, times, kind)
    local calls = 0
    store._db = seam_rig.break_face(store._db, {
      [verb] = function(pass, request, done)
        calls = calls + 1
        if calls > times then
          return pass(request, done)
        end
        core.real_timer(0, function()
          done(nil, errors.new(kind, "no luck"))
        end)
      end,
    })
    return function()
      return calls
    end
  end

  describe("accepts events", function()
    it("and gives back those that are new, in order", function()
      local list = { record(contact, "a", { key = "a" }), record("1:2", "b"), record(contact, "c", { key = "a" }) }
      assert.are.same({ list[1], list[2] }, accept(store, list))
      assert.is_true(list[1].id ~= list[2].id and list[1].seq > 0)
    end)

    it("by thousands in one answer", function()
      local list = {}
      for i = 1, 2500 do
        list[i] = record("1:" .. i % 7, ("%d\0"):format(i), { key = "m:1:" .. (i == 2500 and 1 or i) })
      end
      local fresh, err, calls = accept(store, list)
      assert.are.same({ nil, 1, 2499 }, { err, calls, #fresh })
      for i, one in ipairs(fresh) do
        assert.equal(list[i], one)
      end
      assert.equal(2499, #recovery.events(store))
    end)

    it("in none at all", function()
      assert.are.same({}, accept(store, {}))
    end)

    -- Each thousand of them is a call of its own. Where a call was refused at once, every one of the first counted as the
    -- last: the webhook was answered several times, and the inbox counted its room several times.
    it("by thousands in one answer where it is closed", function()
      store:close()
      local list = {}
      for i = 1, 2500 do
        list[i] = record(contact, "x")
      end
      local fresh, err, calls = accept(store, list)
      assert.are.same({ {}, "store", 1 }, { fresh, err.kind, calls })
    end)

    it("of our own at once", function()
      local own = record(contact, "\1{}")
      assert(store:put_own(own))
      assert.equal("\1{}", store:event_body(own.id))
      assert.is_nil(store:event_body(own.id + 1))
    end)
  end)

  it("notes attempts, and makes dead letters with those that were joined", function()
    local list = { record(contact, "a"), record(contact, "b"), record(contact, "c") }
    accept(store, list)
    list[3].attempts = 2
    store:note_attempt(list[3])
    list[1].joined, list[1].attempts = { list[2] }, 5
    store:bury(list[1], errors.new("handler", "no luck", { traceback = "a trace" }))
    local dead = lists.events(store, "dead", {}, true)
    assert.are.same({ "a", "b" }, { dead[1].body, dead[2].body })
    for _, one in ipairs(dead) do
      assert.are.same({ "a trace", 5, 1700000000 }, { one.error, one.attempts, one.failed_at })
    end
    assert.are.same({ { id = list[3].id, seq = list[3].seq, contact = contact, attempts = 2 } }, recovery.events(store))
  end)

  it("fires timers, and gives back the events of those that were still there", function()
    local its_run = rig.waiting(store, { waiting = { due = 1700000000, n = 1 } })
    local function fire()
      return store:fire { { dialog = its_run.id, due = 1700000000, steps = 0, event = record(contact, "\1{}") } }
    end
    local fresh = assert(fire())
    assert.equal("\1{}", store:event_body(fresh[1].id))
    assert.are.same({ {}, {} }, { fire(), store:fire {} })
  end)

  it("commits a turn with its event, messages and values", function()
    local list = { record(contact, "a"), record(contact, "b") }
    accept(store, list)
    list[1].joined = { list[2] }
    local row = rig.message(store, contact, "hi", { track = { n = 1 }, after = "delivered", fallback = { templateid = "t" } })
    assert(rig.commit(store, { record = list[1], sends = { row }, values = { { key = "a", value = "1" } } }))
    assert.are.same({}, recovery.events(store))
    local found = recovery.messages(store)[1]
    assert.are.same({ row.payload, { n = 1 }, "delivered", { templateid = "t" }, "queued" },
      { found.payload, found.track, found.after, found.fallback, found.state })
    assert.equal("1", (store:value "a"))
    assert.are.same({ nil, 0 }, { store:value "b" })
  end)

  it("stores the text of a payload that is known already as it is", function()
    local text = '{"type":"text",  "text":"hi"}'
    assert(rig.commit(store, { sends = { rig.message(store, contact, "other", { text = text }) } }))
    assert.equal(text, store:read("outgoing", { parked = 1, after = 0, limit = 1 })[1].payload)
  end)

  it("says that a turn conflicts, and nothing else", function()
    local ok, err = rig.commit(store, { event = 12345 })
    assert.are.same({ nil, "conflict" }, { ok, err.kind })
    local row = rig.message(store, contact, "hi")
    assert(rig.commit(store, { sends = { row } }))
    ok, err = rig.commit(store, { sends = { row } })
    assert.are.same({ nil, "store", "constraint" }, { ok, err.kind, err.code })
  end)

  describe("retries", function()
    it("what must not be lost, until it is committed", function()
      local lines, calls = capture_log(), fail("settle", 3, "store")
      local row, is_done = rig.message(store, contact, "hi"), false
      assert(rig.commit(store, { sends = { row } }))
      store:settle({ { id = row.id, state = "failed", attempts = 1 } }, function()
        is_done = true
      end)
      local deadline = core.real_monotonic() + 20
      while not is_done and core.real_monotonic() < deadline do
        core.step(false)
        time:advance(0.1)
      end
      assert.is_true(is_done)
      assert.equal(4, calls())
      assert.equal("failed", lists.message(store, row.id).state)
      assert.equal(1, #lines)
      assert.matches("warning: the store cannot write %(.*%); retrying", lines[1])
    end)

    it("no conflict", function()
      local calls, seen = fail("bury", 100, "conflict"), nil
      store:persist("bury", { events = { 1 }, error = "x", attempts = 1 }, function(err)
        seen = err
      end)
      seam_rig.wait(function()
        return seen
      end)
      assert.are.same({ "conflict", 1 }, { seen.kind, calls() })
    end)
  end)

  describe("on a disk that is full", function()
    local folder

    before_each(function()
      folder = process.folder()
      store:close()
      recorder.begin()
      store = rig.open("sqlite:" .. folder.path .. "/full.db", { vfs = "recorder" })
    end)

    after_each(function()
      recorder.faults {}
      store:close()
      recorder.begin()
    end)

    local function accept_again(times)
      local outcomes = {}
      for i = 1, times do
        local fresh, err = accept(store, { record(contact, "x") })
        outcomes[i] = err and err.code or #fresh
      end
      return outcomes
    end

    it("logs once that it cannot write, and once that it can again", function()
      local lines = capture_log()
      recorder.faults { write = true, after = 1, times = 1000000, code = "full" }
      assert.are.same({ "full", "full", "full" }, accept_again(3))
      assert.is_false((store:is_writable()))
      recorder.faults {}
      while not store:is_writable() do
        core.step(false)
      end
      assert.are.same({ 1, 1, 1 }, accept_again(3))
      local said = table.concat(lines, "\n")
      local cannot = "the store cannot write: database or disk is full; webhooks are answered 503 until it can"
      assert.equal(1, select(2, said:gsub(cannot, "")))
      assert.equal(1, select(2, said:gsub("the store can write again", "")))
      assert.equal(2, #lines)
    end)
  end)

  it("logs nothing where only the call was wrong", function()
    local lines, row = capture_log(), rig.message(store, contact, "hi")
    assert(rig.commit(store, { sends = { row } }))
    local _, err = rig.commit(store, { sends = { row } })
    assert.equal("constraint", err.code)
    assert(rig.commit(store, { values = { { key = "a", value = "1" } } }))
    assert.are.same({}, lines)
  end)

  describe("sweeps", function()
    local function sweep(keep_days, now)
      local steps = 0
      repeat
        local is_done, err = store:sweep(keep_days or 30, now or 1700000000)
        assert(is_done ~= nil, err)
        steps = steps + 1
      until is_done
      return steps
    end

    it("in steps, to the end, and again", function()
      assert.is_true(sweep() > 1)
      assert.is_true(sweep() > 1)
    end)

    it("keys a day later than webhooks are repeated", function()
      accept(store, { record(contact, "x", { key = "k" }) })
      sweep(30, 1700000000 + 8 * day)
      assert.equal(1, rig.counts(store).seen)
      sweep(30, 1700000000 + 9 * day)
      assert.equal(0, rig.counts(store).seen)
    end)

    it("dead letters after as many days as it is told", function()
      accept(store, { record(contact, "x") })
      store:bury(recovery.events(store)[1], errors.new("handler", "no luck"))
      sweep(30, 1700000000 + 30 * day)
      assert.equal(1, rig.counts(store).dead)
      sweep(29, 1700000000 + 30 * day)
      assert.equal(0, rig.counts(store).dead)
    end)
  end)

  it("repairs thousands of things, and says which", function()
    local list, ids = {}, {}
    for i = 1, 1001 do
      list[i] = record(contact, "x")
    end
    accept(store, list)
    for i, one in ipairs(list) do
      ids[i] = one.id
    end
    assert.are.same(ids, store:repair("drop_pending_event", { ids = ids }))
    assert.are.same({}, store:repair("drop_pending_event", { ids = ids }))
    assert.are.same({}, store:repair("requeue_event", { ids = {} }))
  end)

  it("passes the parameters of a repair on, whatever the number of ids", function()
    local ids = {}
    for i = 1, 250 do
      local row = rig.message(store, contact, "x")
      assert(rig.commit(store, { sends = { row } }))
      ids[i] = row.id
    end
    local outcomes = {}
    for i, id in ipairs(ids) do
      outcomes[i] = { id = id, state = "failed", attempts = 1 }
    end
    assert(store:call("settle", { outcomes = outcomes }))
    assert.are.same(ids, store:repair("requeue_message", { ids = ids, now = 1700000099 }))
    assert.equal(1700000099, lists.message(store, ids[250]).changed_at)
  end)

  it("is copied to a file, as it was, while it is in use", function()
    local folder = process.folder()
    local path = folder.path .. "/copy.db"
    store:close()
    store = rig.open("sqlite:" .. folder.path .. "/store.db")
    finally(function()
      store:close()
    end)
    local first = record(contact, "a\0")
    accept(store, { first })
    local ok, err
    local copying = task.spawn(function()
      ok, err = store:backup(path)
    end)
    accept(store, { record(contact, "later") })
    while not copying.is_done do
      core.step(true)
    end
    assert.is_true(ok, tostring(err))
    local copy = rig.open("sqlite:" .. path)
    assert.equal("a\0", copy:event_body(first.id))
    assert.are.same({}, lists.check_integrity(copy))
    copy:close()
  end)

  it("is copied nowhere where nothing can be written, and says why", function()
    local ok, err = store:backup "/nonexistent/folder/copy.db"
    assert.are.same({ nil, "store" }, { ok, err.kind })
  end)

  it("says of each call that it is closed", function()
    local given = record(contact, "x")
    store:close()
    for name, arguments in pairs {
      put_own = { given }, event_body = { 1 }, commit_turn = { {} }, sweep = { 30, 1700000000 },
      query = { "conversation" }, repair = { "drop_message", { ids = { 1 } } }, fire = { { { dialog = 1, due = 1, steps = 0 } } },
    } do
      local ok, err = store[name](store, table.unpack(arguments))
      assert.are.same({ nil, "store" }, { ok, err and err.kind }, name)
    end
    for name, arguments in pairs { conversation = { contact }, value = { "a" }, next_id = {}, read = { "counts" } } do
      local ok, err = pcall(store[name], store, table.unpack(arguments))
      assert.are.same({ false, "store" }, { ok, err.kind }, name)
    end
    assert.are.same({ false, "it is closed" }, { store:is_writable() })
    store:close()
  end)
end)
