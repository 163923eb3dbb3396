-- SPDX-License-Identifier: MIT
-- The seam: what the engine and operators ask by name. Here: that each question is there with its columns, pages of the
-- engine's questions, and questions for one thing. Walks through lists are in lists_spec.lua; what a question says of
-- something stored is checked where that is stored.

local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

-- Each question, with parameters that find something in the store below, and its columns that are not always nothing.
local questions = {
  conversation = { { contact = "1:2" }, "version state last_inbound paused number user_id name username" },
  conversation_of = { { id = "1:IN.1" }, "contact is_left" },
  any_alias = { {}, "is_any" },
  aliases_of = { { contact = "1:2" }, "id is_left" },
  value = { { key = "a" }, "value version" },
  scan_values = { { prefix = "", after = "", limit = 10 }, "key value version" },
  event_body = { { id = "event" }, "body" },
  mail = { { limit = 10, bytes = 1 }, "id body newest" },
  mail_count = { {}, "count since" },
  pending = { { after = 0, limit = 10 }, "id contact attempts seq" },
  outgoing = { { parked = 1, after = 0, limit = 10 }, "id contact payload state unknown track attempts follows fallback changed_at seq is_bulk due expires hours" },
  parked_messages = {
    { is_bulk = 0, seq = -1, id = 0, limit = 10 },
    "id contact payload state unknown track attempts follows fallback changed_at seq is_bulk expires hours",
  },
  due_messages = {
    { is_bulk = 0, now = now + 1, due = 0, seq = -1, id = 0, limit = 10 },
    "id contact payload state unknown track attempts follows fallback changed_at seq is_bulk due expires hours",
  },
  parked_of = {
    { contact = "1:2", is_bulk = 0, now = now + 1, limit = 10 },
    "id contact payload state unknown track attempts follows fallback changed_at seq is_bulk due expires hours",
  },
  next_due = { { now = 0 }, "due" },
  count_parked = { {}, "replies bulk timed" },
  queued_message = { { id = "queued" }, "id contact payload state unknown track attempts follows fallback changed_at seq is_bulk due expires hours" },
  message = { { id = "accepted" }, "id contact rank message_id track" },
  previous_message = { { contact = "1:2", after = 0, before = 1 << 40 }, "id payload" },
  accepted_message = { { message_id = "wamid.1" }, "id contact rank message_id track" },
  has_unknown = { {}, "is_any" },
  unknown_messages = { { contact = "1:2", earliest = 0, latest = now }, "id track" },
  dialogs_overview = { {}, "is_any due paused has_kept" },
  count_dialogs = { {}, "count" },
  dialog = { { id = "dialog" }, "id contact name recipient args code seed started_at changed_at waiting due steps" },
  dialogs_of = { { contact = "1:2" }, "id contact name recipient args code seed started_at changed_at waiting due steps error" },
  dialogs_with_journal = { { contact = "1:2" }, "id contact name recipient args code seed started_at changed_at waiting due steps error" },
  due_dialogs = { { ["until"] = now + 100 }, "id contact seed waiting due steps is_paused" },
  closing_windows = { { window = 86400, ["until"] = now + 100000 }, "contact last_inbound" },
  sent_waits = { { after = 0, limit = 10 }, "id sent contact" },
  journal = { { dialog = "dialog", after = 0 }, "n mark result" },
  kept = { { dialog = "dialog", after = 0 }, "id bodies" },
  kept_signals = { { contact = "1:2", name = "paid", now = now }, "seq body" },
  expired_signals = { { ["until"] = now + 100 }, "id contact name" },
  awaited_signals = { { now = now }, "seq contact body" },
  kept_events = { { contact = "1:2" }, "seq name body kept_at expires" },
  paused = { { contact = "2", before = now + 1, after = 0, limit = 10 }, "contact paused_at messages kept" },
  script = { { digest = "d" }, "source" },
  jobs = { { after = "", limit = 10 }, "name version spec due catch_up runs args ran last attempts" },
  job = { { name = "tick" }, "name version spec due catch_up runs args ran last attempts" },
  pending_events = { { at = 0, has_bodies = 1, before = now + 1, after = 0 }, "next id contact attempts accepted_at body" },
  dead_events = { { at = 0, has_bodies = 1, before = now + 1, after = 0 }, "next id seq contact attempts accepted_at failed_at error body" },
  event = { { id = "dead" }, "id seq contact attempts accepted_at failed_at error body" },
  outbox_messages = {
    { at = 0, states = -1, before = now + 1, after = 0 }, "next id contact state attempts changed_at error payload track unknown next_try",
  },
  accepted_messages = {
    { at = math.mininteger, ranks = -1, before = now + 1, after = 0 },
    "next hash id contact rank changed_at error message_id track payload",
  },
  message_details = { { id = "unknown" }, "id contact state attempts changed_at error payload track unknown" },
  accepted_message_details = { { message_id = "wamid.1" }, "id contact rank changed_at error payload message_id track unknown" },
  dialogs = { { at = 0, before = now + 1, after = 0 }, "next id contact name steps started_at changed_at waiting due error" },
  dialog_scripts = { { at = 0 }, "next name code dialogs" },
  count_paused = { {}, "conversations since messages" },
  contacts = { { at = math.mininteger, before = now + 1, after = 0 }, "next contact last_inbound paused number user_id name username" },
  count_of_contact = { { contact = "1:2" }, "events dialogs kept messages sending conversations aliases" },
  has_conversation = { { contact = "1:2" }, "is_any" },
  next_contact = { { after = "" }, "contact" },
  has_contact = { { contact = "1:2" }, "is_any" },
  next_known_contact = { { after = "" }, "contact" },
  count_dead_letters = { {}, "dead unknown rejected failed" },
  scan_dead_letters = { {}, "dead unknown rejected failed" },
  nodes = { {}, nil },
  count_waiting = { {}, "pending queued" },
  latest_time = { {}, "latest" },
  counts = { {}, "events dead seen conversations values messages accepted dialogs steps kept kept_events scripts jobs" },
  check = { {}, nil },
  facts = { {}, "engine bytes" },
}

-- Stores something in every field of everything; gives ids by name.
local function fill(seam)
  local event, dead = seam:accepted {
    key = "k", inbound_at = now, number = "3", user_id = "IN.1", name = "A", username = "a", others = { { key = "1:IN.1" } },
  }, seam:accepted()
  seam:bury { events = { dead.id }, error = "x", attempts = 5, now = now }
  seam:post_mail { body = "{}", now = now }
  local message = { track = "t", follows = "delivered", fallback = "f", due = now + 1, expires = now + 9, hours = "{}", is_parked = true }
  local queued, unknown = seam:sent(message), seam:sent(message, { state = "unknown", error = "x", attempts = 1 })
  seam:sent { track = "t", follows = "delivered", fallback = "f", expires = now + 9, hours = "{}", is_parked = true } -- at any time
  local accepted = seam:accepted_message("wamid.1", message, { rank = 9, reason = "gone" })
  local dialog = seam:waiting {
    to = "2", args = "[1]", after = 2, waiting = '{"due":1}', due = now, sent = 7, digest = "d", source = "s",
  }
  seam:turn { kept_events = { { contact = "1:2", name = "paid", body = "b", expires = now + 60, max = 9 } } }
  seam:waiting { waiting = '{"signal":"paid"}' } -- as of a conversation that was joined to this one since
  local broken = seam:waiting { due = now, waiting = "{}" }
  seam:break_dialog { id = broken.id, error = "x", now = now }
  seam:turn {
    kept = { { dialog = dialog.id, bodies = "a" } },
    states = { { contact = "1:2", state = "{}" } },
    values = { { key = "a", value = "1" } },
    pauses = { { contact = "1:2", is_paused = true } },
    watches = { { contact = "1:2", before = 60 } },
    jobs = {
      { kind = "put", name = "tick", spec = "every 60", due = 1, catch_up = "once", runs = "f", args = "[1]", ran = 1, last = 2, attempts = 0 },
    },
  }
  return {
    event = event.id, dead = dead.id, queued = queued.id, unknown = unknown.id, accepted = accepted.id, dialog = dialog.id,
  }
end

describe("the questions of the seam", function()
  -- The names in the backend's own files.
  local function names(file)
    local list = {}
    for name in assert(process.read("src/store/sql/" .. file)):gmatch "\n%-%- name: ([%w_]+)" do
      list[#list + 1] = name
    end
    return list
  end

  it("are all in this suite", function()
    local known = {}
    for _, file in ipairs { "reads.sql", "lists.sql" } do
      for _, name in ipairs(names(file)) do
        assert(questions[name], name .. " is asked by no spec")
        known[name] = true
      end
    end
    for name in pairs(questions) do
      assert(known[name], name .. " is no question")
    end
  end)
end)

seam_rig.describe("a question", function(open)
  local seam

  before_each(function()
    seam = open()
  end)

  it("gives each of its columns by name", function()
    local ids = fill(seam)
    for name, question in pairs(questions) do
      local parameters, columns = {}, {}
      for key, value in pairs(question[1]) do
        parameters[key] = (key == "id" or key == "dialog") and ids[value] or value
      end
      for _, row in ipairs(seam:query(name, parameters)) do
        for column in pairs(row) do
          columns[column] = true
        end
      end
      for column in (question[2] or ""):gmatch "%S+" do
        assert(columns[column], ("%s has no %s"):format(name, column))
        columns[column] = nil
      end
      assert(name == "check" or name == "nodes" or not next(columns), ("%s has %s as well"):format(name, next(columns)))
    end
  end)

  it("of an unknown name is refused at once", function()
    assert.has_error(function()
      seam.db:query("no_such_question", {}, print)
    end)
    assert.has_error(function()
      seam.db:query("put_event", {}, print)
    end)
  end)

  it("takes a parameter that is missing for none", function()
    seam:accepted()
    assert.are.same({}, seam:query("event", {}))
    assert.are.same({}, seam:query("conversation", {}))
  end)

  it("sees what was written by the calls before it", function()
    local bodies = {}
    for i = 1, 50 do
      seam:begin("commit_turn", { now = now, values = { { key = "a", value = tostring(i) } } }, function() end)
      seam:begin("query", "value", { key = "a" }, function(rows)
        bodies[i] = rows[1].value
      end)
    end
    seam_rig.wait(function()
      return #bodies == 50
    end)
    for i = 1, 50 do
      assert.equal(tostring(i), bodies[i])
    end
  end)

  describe("that goes on after a place", function()
    it("comes through all pending events, however many there are", function()
      local events = seam_rig.many(4500, function()
        return seam:event { body = "" }
      end)
      seam:accept { events = events, now = now }
      local seen, after = {}, 0
      repeat
        local rows = seam:query("pending", { after = after, limit = 2000 })
        for _, row in ipairs(rows) do
          seen[#seen + 1], after = row.id, row.id
        end
      until #rows < 2000
      table.sort(events, function(a, b)
        return a.id < b.id
      end)
      assert.equal(4500, #seen)
      for i, event in ipairs(events) do
        assert.equal(event.id, seen[i])
      end
    end)

    it("comes through all messages that wait, and no others", function()
      for _, state in ipairs { "unknown", "rejected", "failed" } do
        seam:sent(nil, { state = state, attempts = 1 })
      end
      seam:turn { messages = seam_rig.many(2500, function(i)
        return seam:message { state = i % 2 == 0 and "sending" or "queued" }
      end) }
      local seen, after = 0, 0
      repeat
        local rows = seam:query("outgoing", { parked = 1, after = after, limit = 1000 })
        for _, row in ipairs(rows) do
          assert.is_true(row.id > after and row.state <= 1)
          seen, after = seen + 1, row.id
        end
      until #rows < 1000
      assert.equal(2500, seen)
    end)

    it("comes through the values whose keys begin alike", function()
      local keys = { "", "a", "a\0", "a:", "a:1", "a:\0", "a:\xff", "a:\xff\xff", "a;", "b", "\xff", "\xff\0" }
      local values = {}
      for i, key in ipairs(keys) do
        values[i] = { key = key, value = tostring(i) }
      end
      seam:turn { values = values }
      local function scan(prefix, after, limit)
        return seam:column("scan_values", "key", { prefix = prefix, after = after or "", limit = limit or 100 })
      end
      assert.are.same({ "a:", "a:\0", "a:1", "a:\xff", "a:\xff\xff" }, scan "a:")
      assert.are.same({ "a:1", "a:\xff" }, scan("a:", "a:\0", 2))
      assert.are.same({ "\xff", "\xff\0" }, scan "\xff")
      assert.are.same({}, scan "c")
      assert.equal(11, #scan "")
    end)

    it("comes through the dialogs that wait for a delivery", function()
      local ids = {}
      for i = 1, 7 do
        ids[i] = seam:waiting({ sent = 100 + i }).id
      end
      assert.are.same({ ids[3], ids[4] }, seam:column("sent_waits", "id", { after = ids[2], limit = 2 }))
      assert.are.same({}, seam:query("sent_waits", { after = ids[7], limit = 2 }))
    end)
  end)

  describe("for one thing", function()
    it("finds none that is not there", function()
      for _, name in ipairs { "event_body", "event", "queued_message", "message", "message_details", "dialog" } do
        assert.are.same({}, seam:query(name, { id = 12345 }), name)
      end
      for _, name in ipairs { "accepted_message", "accepted_message_details" } do
        assert.are.same({}, seam:query(name, { message_id = "wamid.1" }), name)
      end
    end)

    it("finds a message in whatever state it is", function()
      local queued, accepted = seam:sent { track = "t" }, seam:accepted_message("wamid.1", { track = "u" }, { rank = 2 })
      assert.are.same({ { id = queued.id, contact = "1:2", state = 0, track = "t" } }, seam:query("message", { id = queued.id }))
      assert.are.same({ { id = accepted.id, contact = "1:2", rank = 2, message_id = "wamid.1", track = "u" } },
        seam:query("message", { id = accepted.id }))
      assert.are.same({}, seam:query("queued_message", { id = accepted.id }))
    end)
  end)

  describe("for all of the store", function()
    it("counts everything", function()
      fill(seam)
      assert.are.same({
        events = 1, dead = 1, seen = 1, conversations = 1, values = 1, messages = 3, accepted = 1, dialogs = 3, steps = 2, kept = 1,
        kept_events = 1, scripts = 1, jobs = 1,
      }, seam:counts())
      assert.are.same({ { dead = 1, unknown = 1, rejected = 0, failed = 0 } }, seam:query "count_dead_letters")
      assert.are.same({ { pending = 1, queued = 2 } }, seam:query "count_waiting")
      assert.are.same({ { count = 3 } }, seam:query "count_dialogs")
    end)

    it("knows the latest time that it has seen", function()
      local function latest()
        return seam:row("latest_time").latest
      end
      assert.equal(0, latest())
      local event = seam:accepted()
      assert.equal(now, latest())
      seam:turn { messages = { seam:message() }, now = now + 5 }
      assert.equal(now + 5, latest())
      local message = seam:message()
      seam:turn { messages = { message } }
      seam:settle { outcomes = { { id = message.id, state = "accepted", message_id = "wamid.1", contact = "1:2", rank = 0 } }, now = now + 7 }
      assert.equal(now + 7, latest())
      seam:bury { events = { event.id }, error = "x", attempts = 1, now = now + 9 }
      assert.equal(now + 9, latest())
    end)

    it("finds a sound store sound, and tells what it runs on and its size", function()
      fill(seam)
      local check = seam:query "check"
      local _, said = next(check[1])
      assert.are.same({ 1, "ok" }, { #check, said })
      local facts = seam:row "facts"
      assert.is_true(#facts.engine > 0 and facts.bytes > 0)
    end)
  end)
end)
