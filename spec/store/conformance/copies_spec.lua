-- SPDX-License-Identifier: MIT
-- Tables go from one store to another in pages, which have one form in every backend.

local seam_rig = require "spec.support.rigs.seam_rig"

local now = seam_rig.now

seam_rig.describe("copies of tables", function(open, backend)
  local seam, other
  before_each(function()
    seam, other = open(), seam_rig.open(backend)
    local events = seam_rig.many(3000, function(i)
      return { contact = "1:" .. i, body = ("x"):rep(i % 3 * 700), key = "key " .. i }
    end)
    seam:accept { events = events, now = now }
  end)

  after_each(function()
    other:close()
  end)

  local function pages_of(from, name)
    local pages, page = {}, { table = name }
    repeat
      page.page = nil
      pages[#pages + 1] = from:unload(page).page
    until page.rows == 0
    return pages
  end

  it("come in pages of about a megabyte, and make the same table elsewhere", function()
    for _, name in ipairs { "event", "seen", "dialog" } do
      local pages = pages_of(seam, name)
      other:load { table = name, is_first = true }
      for _, page in ipairs(pages) do
        assert.is_true(#page < 1200000)
        other:load { table = name, page = page }
      end
      assert.are.same(pages, pages_of(other, name))
      assert.equal(seam:count_rows({ table = name }).rows, other:count_rows({ table = name }).rows)
    end
    assert.equal(3000, other:counts().events)
    assert.is_true(#pages_of(seam, "event") > 2)
  end)

  it("replace what a table had, and no other table", function()
    seam:load { table = "event", is_first = true }
    assert.are.same({ 0, 3000 }, { seam:count_rows({ table = "event" }).rows, seam:count_rows({ table = "seen" }).rows })
  end)

  it("hold as a whole or not at all", function()
    local page = pages_of(seam, "event")[1]
    local ok = seam:try("load", { table = "event", page = page })
    assert.is_nil(ok)
    assert.equal(3000, seam:count_rows({ table = "event" }).rows)
  end)

  it("are of tables that there are", function()
    for _, name in ipairs { "nothing", "counter", "move", "event; DROP TABLE event" } do
      local ok, message = seam:try("count_rows", { table = name })
      assert.is_nil(ok)
      assert.equal("the store has no such table", message)
    end
  end)
end)
