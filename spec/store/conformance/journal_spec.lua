-- SPDX-License-Identifier: MIT
-- The seam: journals. A dialog adds the steps of each turn to its own, and reads them again from any place.

local seam_rig = require "spec.support.rigs.seam_rig"

seam_rig.describe("the journal of a dialog", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  -- All steps, page by page, and the number of pages.
  local function journal(dialog)
    local steps, pages, after = {}, 0, 0
    repeat
      local page = seam:query("journal", { dialog = dialog.id, after = after })
      pages = pages + 1
      for _, step in ipairs(page) do
        steps[#steps + 1] = step
        after = step.n
      end
    until #page == 0
    return steps, pages
  end

  it("has its steps in order, with every byte of their marks and results", function()
    local steps = { { n = 1, mark = "send \0", result = "\0\xff" }, { n = 2, mark = "", result = "" }, { n = 3, mark = "wait {}", result = "{}" } }
    local dialog = seam:waiting { after = 3, steps = steps }
    assert.are.same(steps, (journal(dialog)))
  end)

  it("may hold megabytes in one step", function()
    local dialog = seam:waiting { after = 1, steps = { { n = 1, mark = "x", result = ("\0\xff"):rep(1500000) } } }
    assert.is_true(journal(dialog)[1].result == ("\0\xff"):rep(1500000))
  end)

  it("grows with each turn", function()
    local dialog = seam:waiting { after = 1 }
    for n = 2, 30 do
      seam:turn { run = seam_rig.continue(dialog, { after = n }) }
      dialog.after = n
    end
    assert.are.same(seam_rig.steps(1, 30), (journal(dialog)))
  end)

  it("of thousands of steps comes in pages of a thousand at most", function()
    local dialog = seam:waiting { after = 2500 }
    local steps, pages = journal(dialog)
    assert.are.same(seam_rig.steps(1, 2500), steps)
    assert.is_true(pages >= 4)
    assert.equal(1000, #seam:query("journal", { dialog = dialog.id, after = 0 }))
    assert.are.same(seam_rig.steps(2500, 2500), seam:query("journal", { dialog = dialog.id, after = 2499 }))
  end)

  it("of thousands of steps can be cut anywhere", function()
    local dialog = seam:waiting { after = 2500 }
    seam:turn { cuts = { { id = dialog.id, n = 1001, steps = 2500 } } }
    assert.equal(1000, #journal(dialog))
    seam:turn { cuts = { { id = dialog.id, n = 1, steps = 1000 } } }
    assert.are.same({}, (journal(dialog)))
  end)

  it("is not mixed up with another's", function()
    local one, other = seam:waiting { after = 2 }, seam:waiting { after = 3 }
    assert.are.same({ 2, 3 }, { #journal(one), #journal(other) })
    seam:turn { ended = { id = one.id, steps = 2 } }
    assert.are.same({ 0, 3 }, { #journal(one), #journal(other) })
  end)

  it("of nobody is empty", function()
    assert.are.same({}, (journal { id = 99 }))
  end)

  it("keeps to itself what was kept for the dialog", function()
    local dialog = seam:waiting { after = 1 }
    seam:turn { kept = seam_rig.many(1500, function(i)
      return { dialog = dialog.id, bodies = tostring(i) }
    end) }
    assert.equal(1, #journal(dialog))
    local first = seam:query("kept", { dialog = dialog.id, after = 0 })
    assert.are.same({ "1", "1000", 1000 }, { first[1].bodies, first[1000].bodies, #first })
    local rest = seam:query("kept", { dialog = dialog.id, after = first[1000].id })
    assert.are.same({ "1001", "1500", 500 }, { rest[1].bodies, rest[500].bodies, #rest })
  end)

  if backend.is_kept then
    it("is whole after a restart", function()
      local dialog = seam:waiting { after = 1200 }
      seam:reopen()
      assert.are.same(seam_rig.steps(1, 1200), (journal(dialog)))
    end)
  end
end)
