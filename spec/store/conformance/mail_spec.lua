-- SPDX-License-Identifier: MIT
-- The seam: webhooks that a host has taken for the one that has the database. They wait in the order in which they came, and whoever
-- minds them accepts nothing before they are gone.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("mail", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function waiting(limit, most_bytes)
    local bodies, ids = {}, {}
    for i, row in ipairs(seam:query("mail", { limit = limit or 100, bytes = most_bytes or math.maxinteger })) do
      bodies[i], ids[i] = row.body, row.id
    end
    return bodies, ids
  end

  local function accept(more)
    local request = { events = { seam:event(more) }, now = now, minds_mail = true }
    return seam:try("accept", request)
  end

  it("waits in its order, with every byte, until it is dropped", function()
    assert.are.same({ { count = 0 } }, seam:query "mail_count")
    for _, body in ipairs { "first", "", "\0\xff", ("x\0"):rep(1500000), "last" } do
      seam:post_mail { body = body, now = now }
    end
    local bodies, ids = waiting()
    assert.is_true(bodies[4] == ("x\0"):rep(1500000))
    bodies[4] = nil
    assert.are.same({ "first", "", "\0\xff", nil, "last" }, bodies)
    assert.are.same({ "first", "" }, (waiting(2)))
    assert.are.same({ { count = 5, since = now } }, seam:query "mail_count")
    assert.are.same({ ids[2], ids[3] }, seam:repair("drop_mail", { ids[2], ids[3] }))
    assert.are.same({}, seam:repair("drop_mail", { ids[2] }))
    assert.equal(3, #waiting())
  end)

  it("is read in pages that end with a number of bytes, and have one at least", function()
    for _, body in ipairs { ("x"):rep(1000), ("y"):rep(10), "z" } do
      seam:post_mail { body = body, now = now }
    end
    for bytes, count in pairs { [1] = 1, [1000] = 1, [1001] = 2, [1010] = 2, [1011] = 3 } do
      assert.equal(count, #waiting(nil, bytes))
    end
  end)

  it("holds back whoever minds it, without a trace, and nobody else", function()
    seam:post_mail { body = "{}", now = now }
    local ok, message, code = seam:try("accept", { events = { seam:event { key = "k" } }, now = now, minds_mail = true })
    assert.are.same({ nil, "there is mail that came before", "mail" }, { ok, message, code })
    assert.equal(0, seam:counts().events)
    assert.is_true(seam:accept({ events = { seam:event { key = "k" } }, now = now }).events[1].is_fresh)
    seam:repair("drop_mail", select(2, waiting()))
    assert.is_true(accept({ key = "l" }).events[1].is_fresh)
    seam:post_mail { body = "{}", now = now }
    assert.is_nil((accept()))
  end)

  it("goes with the events that are accepted of it, and stays with those that cannot be stored", function()
    for _ = 1, 3 do
      seam:post_mail { body = "{}", now = now }
    end
    local _, ids = waiting()
    seam:accept { events = { seam:event { id = 7, key = "a" } }, now = now, letter = ids[1] }
    local ok = seam:try("accept", { events = { seam:event { id = 7, key = "b" } }, now = now, letter = ids[2] })
    assert.is_nil(ok)
    assert.are.same({ ids[2], ids[3] }, select(2, waiting()))
    seam:accept { events = { seam:event { key = "a" } }, now = now, letter = ids[3] } -- known by then
    assert.are.same({ ids[2] }, select(2, waiting()))
    assert.equal(1, seam:counts().events)
  end)

  it("holds back no call beside those that mind it", function()
    seam:post_mail { body = "{}", now = now }
    local answers = {}
    for i = 1, 30 do
      local event = seam:event { key = "k" .. i }
      seam:begin("accept", { events = { event }, now = now, minds_mail = i % 3 == 0 }, function(ok, _, code)
        answers[i] = ok and event.is_fresh or code
      end)
    end
    seam_rig.wait(function()
      return #answers == 30
    end)
    for i = 1, 30 do
      assert.equal(i % 3 == 0 and "mail" or true, answers[i])
    end
    assert.equal(20, seam:counts().events)
  end)

  if backend.is_kept then
    it("is there when the store is opened again, and held back for", function()
      seam:post_mail { body = "{}", now = now }
      seam:reopen()
      assert.are.same({ "{}" }, (waiting()))
      assert.is_nil((accept()))
    end)
  end
end)
