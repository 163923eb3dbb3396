-- SPDX-License-Identifier: MIT
-- The seam: what is kept for a conversation. Messages that come while a person has it, counted, of which the newest stay; and
-- signals that come before the dialog that waits for them: never kept where one waits, never overlooked by one that begins to.

local seam_rig = require "spec.support.rigs.seam_rig"

local now, day = seam_rig.now, 86400

seam_rig.describe("what is kept for a conversation", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function pause(is_paused, contact, at)
    seam:turn { pauses = { { contact = contact or "1:2", is_paused = is_paused } }, now = at }
  end

  local function message(body, more)
    local kept = { contact = "1:2", body = body, max = 3 }
    for name, value in pairs(more or {}) do
      kept[name] = value
    end
    return kept
  end

  local function signal(body, more)
    local kept = message(body, { name = "paid", expires = now + 60 })
    for name, value in pairs(more or {}) do
      kept[name] = value
    end
    return kept
  end

  local function bodies(contact)
    return seam:column("kept_events", "body", { contact = contact or "1:2" })
  end

  local function signals(name, at)
    return seam:column("kept_signals", "body", { contact = "1:2", name = name or "paid", now = at or now })
  end

  local function paused(more)
    local parameters = { before = math.huge, after = -math.huge, limit = 100 }
    for name, value in pairs(more or {}) do
      parameters[name] = value
    end
    return seam:query("paused", parameters)
  end

  local function conflict(fields)
    local _, message_, code = seam:try_turn(fields)
    assert.equal("conflict", code, message_)
  end

  describe("while a person has it", function()
    it("are its messages, in order, with the event finished", function()
      pause(true, nil, now - 5)
      for _, body in ipairs { "a\0", "b" } do
        local event = seam:accepted { body = body }
        seam:turn { event = event.id, kept_events = { message(body) } }
      end
      assert.are.same({ "a\0", "b" }, bodies())
      assert.are.same({ { contact = "1:2", paused_at = now - 5, messages = 2, kept = 2 } }, paused())
      assert.equal(0, seam:counts().events)
      if seam_rig.is_kept(backend) then
        seam:reopen()
        assert.are.same({ "a\0", "b" }, bodies())
      end
    end)

    it("are the newest ones; how many came is known", function()
      pause(true)
      pause(true, "1:3")
      local turn = { kept_events = { message "a", message "b", message "c", message "d", message("x", { contact = "1:3" }) } }
      seam:turn(turn)
      assert.are.same({ 0, 0, 0, 1, 0 }, { turn.kept_events[1].dropped, turn.kept_events[2].dropped, turn.kept_events[3].dropped,
        turn.kept_events[4].dropped, turn.kept_events[5].dropped })
      seam:turn { kept_events = { message "e" } }
      assert.are.same({ { "c", "d", "e" }, { "x" } }, { bodies(), bodies "1:3" })
      assert.are.same({ 5, 3 }, { paused({ contact = "2" })[1].messages, paused({ contact = "2" })[1].kept })
    end)

    it("is kept since it was first paused, and nothing of it after it is resumed", function()
      pause(true, nil, now - 9)
      seam:turn { kept_events = { message "a", signal "s" } }
      pause(true, nil, now - 1)
      assert.are.same({ { contact = "1:2", paused_at = now - 9, messages = 1, kept = 1 } }, paused())
      pause(false)
      assert.are.same({ { "s" }, {} }, { bodies(), paused() })
      pause(true, nil, now)
      assert.are.same({ { contact = "1:2", paused_at = now, messages = 0, kept = 0 } }, paused())
    end)

    it("conflicts when nobody has it any more, and has no effect", function()
      conflict { kept_events = { message "a" } }
      pause(true)
      pause(false)
      local event = seam:accepted()
      conflict { event = event.id, kept_events = { message "a" } }
      assert.are.same({ 1, {} }, { seam:counts().events, bodies() })
    end)

    it("is listed with the longest first, as filters leave it", function()
      pause(true, "1:7", now - 5)
      pause(true, "1:8", now - 9)
      local function contacts(more)
        local list = {}
        for i, row in ipairs(paused(more)) do
          list[i] = row.contact
        end
        return list
      end
      assert.are.same({ "1:8", "1:7" }, contacts())
      assert.are.same({ "1:8" }, contacts { limit = 1 })
      assert.are.same({ "1:7" }, contacts { after = now - 6 })
      assert.are.same({ "1:8" }, contacts { before = now - 6 })
      assert.are.same({ "1:7" }, contacts { contact = "7" })
      assert.are.same({}, contacts { contact = "9" })
    end)

    it("goes with old rows", function()
      pause(true)
      seam:turn { kept_events = { message "old" }, now = now - 31 * day }
      seam:turn { kept_events = { message "new", signal "s" }, now = now }
      local step = { stage = 0, at = 0, day = now - 8 * day, before = now - 30 * day }
      repeat
        seam:sweep(step)
      until step.is_done
      assert.are.same({ "new", "s" }, bodies())
    end)
  end)

  describe("as a signal", function()
    it("is found by its name until it expires", function()
      seam:turn { kept_events = { signal "a", signal("b", { name = "other" }), signal("c", { expires = now + 5 }) } }
      assert.are.same({ { "a", "c" }, { "b" }, {} }, { signals(), signals "other", signals "third" })
      assert.are.same({ "a" }, signals("paid", now + 5))
      local expired = seam:query("expired_signals", { ["until"] = now + 5 })
      assert.are.same({ "1:2", "paid" }, { expired[1].contact, expired[1].name })
      assert.are.same({ expired[1].id }, seam:repair("drop_kept_event", { expired[1].id }))
      assert.are.same({ "a", "b" }, bodies())
    end)

    it("is taken once", function()
      seam:turn { kept_events = { signal "a" } }
      local seq = seam:row("kept_signals", { contact = "1:2", name = "paid", now = now }).seq
      seam:turn { taken_events = { seq } }
      conflict { taken_events = { seq }, values = { { key = "a", value = "1" } } }
      assert.are.same({ {}, { version = 0 } }, { bodies(), seam:value "a" })
    end)

    it("has its own bound, and says what it dropped", function()
      pause(true)
      seam:turn { kept_events = { message "m" } }
      local turn = { kept_events = { signal "a", signal "b", signal "c", signal "d" } }
      seam:turn(turn)
      assert.equal(1, turn.kept_events[4].dropped)
      assert.are.same({ "m", "b", "c", "d" }, bodies())
    end)

    it("is not kept where a dialog waits for it", function()
      local dialog = seam:waiting { waiting = '{"signal":"paid","n":1}' }
      conflict { kept_events = { signal "a" } }
      seam:turn { kept_events = { signal("a", { name = "other" }), signal("b", { contact = "1:3" }) } }
      seam:break_dialog { id = dialog.id, error = "x", now = now }
      seam:turn { kept_events = { signal "c" } }
      assert.are.same({ "a", "c" }, bodies())
    end)

    it("is not overlooked by a dialog that begins to wait for it", function()
      seam:turn { kept_events = { signal "a" } }
      local waiting = '{"signal":"paid","n":1}'
      conflict { run = seam:dialog { waiting = waiting, signal = "paid" } }
      seam:turn { run = seam:dialog { waiting = waiting, signal = "paid", contact = "1:3" } }
      seam:turn { run = seam:dialog { waiting = '{"signal":"other"}', signal = "other" } }
      seam:turn { run = seam:dialog { waiting = waiting, signal = "paid" }, now = now + 60 }
      local seq = seam:row("kept_signals", { contact = "1:2", name = "paid", now = now }).seq
      seam:turn { taken_events = { seq }, run = seam:dialog { waiting = waiting, signal = "paid" } }
    end)
  end)

  describe("of a person", function()
    local user_id = "1:IN.1"

    local function join()
      seam:accept { events = { seam:event { others = { { key = user_id } } } }, now = now }
    end

    it("becomes that of the conversation to which it is joined", function()
      pause(true, user_id, now - 9)
      seam:turn { kept_events = { message("a", { contact = user_id }), signal("s", { contact = user_id }) } }
      local dialog = seam:waiting { waiting = '{"signal":"paid"}' }
      pause(true, "1:2", now - 5)
      seam:turn { kept_events = { message "b" } }
      assert.are.same({}, seam:query("awaited_signals", { now = now }))
      join()
      assert.are.same({ { "a", "s", "b" }, {} }, { bodies(), bodies(user_id) })
      assert.are.same({ { contact = "1:2", paused_at = now - 9, messages = 2, kept = 2 } }, paused())
      assert.are.same({ "s" }, seam:column("awaited_signals", "body", { now = now }))
      assert.are.same({}, seam:query("awaited_signals", { now = now + 60 }))
      seam:break_dialog { id = dialog.id, error = "x", now = now }
      assert.are.same({}, seam:query("awaited_signals", { now = now }))
    end)

    it("conflicts where its conversation has become part of another one", function()
      local joins = seam:accept({ events = {}, now = now }).joins
      pause(true, user_id)
      join()
      conflict { joins = joins, kept_events = { message("a", { contact = user_id }) } }
      conflict { joins = joins, kept_events = { signal("a", { contact = user_id }) } }
    end)

    it("is counted and forgotten with them", function()
      pause(true)
      pause(true, "1:3")
      seam:turn { kept_events = { message "a", signal "s", message("x", { contact = "1:3" }) } }
      assert.equal(2, seam:row("count_of_contact", { contact = "1:2" }).kept)
      seam:repair("forget_contact", { 0 }, { contact = "1:2" })
      assert.are.same({ {}, { "x" } }, { bodies(), bodies "1:3" })
    end)
  end)
end)

seam_rig.describe("a new script of a dialog", function(open)
  it("is stored with the dialog that goes on with it, and its source with it", function()
    local seam = open()
    local dialog = seam:waiting { after = 1 }
    local change = seam_rig.continue(dialog, { after = 2 })
    seam:turn { run = change }
    assert.equal("a.b", seam:row("dialog", { id = dialog.id }).code)
    change = seam_rig.continue({ id = dialog.id, after = 2 }, { after = 2 })
    change.code, change.digest, change.source = "c.d", "d", "text"
    seam:turn { run = change }
    assert.are.same({ "c.d", "text" }, { seam:row("dialog", { id = dialog.id }).code, seam:row("script", { digest = "d" }).source })
  end)
end)
