-- SPDX-License-Identifier: MIT
-- Moves between files; between a file and PostgreSQL in postgres/move_spec.lua.

local moving = require "spec.support.rigs.moving"
local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"
local sql = require "spec.support.sql"

describe("a move of a store from file to file", function()
  local folder, from, to, content

  local function file(name)
    return folder.path .. "/" .. name
  end

  before_each(function()
    folder = process.folder()
    from, to = "sqlite:" .. file "from.db", "sqlite:" .. file "to.db"
    moving.fill(from)
    content = moving.content(file "from.db")
  end)

  local function moved()
    local result = moving.move(from, to)
    assert.equal(0, result.code, result.err)
    return result
  end

  it("takes all rows along, and says how many", function()
    local result = moved()
    assert.are.same(content, moving.content(file "to.db"))
    for name, rows in pairs(content) do
      assert.matches("\n" .. name .. " +" .. #rows .. "\n", result.out)
    end
  end)

  it("lets ids and sequences go on above the old ones", function()
    local id = moving.next_id(from)
    local newest = sql.value(file "from.db", "SELECT max(seq) FROM outbox")
    moved()
    assert.is_true(moving.next_id(to) > id)
    local seam = assert(seam_rig.open_at(to))
    assert.is_true(seam:sent({}).seq > newest)
    seam:close()
  end)

  it("leaves the old store to nobody, and says the command that takes it back", function()
    moved()
    local refusal = moving.refusal(from, folder.path)
    local back = ("cunnekt store move %s %s"):format(to, from)
    assert.matches("the store was moved to " .. to .. ": start the bot with that one, or take it back with: " .. back, refusal, 1, true)
    local result = moving.move(from, to)
    assert.equal(1, result.code)
    assert.matches("FROM was moved to " .. to .. " already", result.err, 1, true)
  end)

  it("takes it back, with what came since", function()
    moved()
    local seam = assert(seam_rig.open_at(to))
    seam:accepted { key = "since" }
    seam:close()
    content = moving.content(file "to.db")
    local result = moving.move(to, from)
    assert.equal(0, result.code, result.err)
    assert.are.same(content, moving.content(file "from.db"))
    assert(seam_rig.open_at(from)):close()
    moved()
    assert.are.same(content, moving.content(file "to.db"))
  end)

  for _, point in ipairs(moving.points) do
    it("begins anew when it was killed at: " .. point, function()
      moving.kill_at(point, from, to, folder.path)
      if point ~= "note_move 1" then
        local again = ("a move into it was interrupted; run it again: cunnekt store move %s %s"):format(from, to)
        assert.matches(again, moving.refusal(to, folder.path), 1, true)
      end
      if point ~= "note_move 4" then
        assert(seam_rig.open_at(from)):close()
      end
      moved()
      assert.are.same(content, moving.content(file "to.db"))
      assert(seam_rig.open_at(to)):close()
    end)
  end

  it("takes what the old store got after it was interrupted", function()
    moving.kill_at("step", from, to, folder.path)
    local seam = assert(seam_rig.open_at(from))
    seam:accepted { key = "since" }
    seam:close()
    content = moving.content(file "from.db")
    moved()
    assert.are.same(content, moving.content(file "to.db"))
  end)

  describe("is refused", function()
    local function refused(one, other, sentence)
      local result = moving.move(one, other)
      assert.equal(1, result.code, result.out)
      assert.matches(sentence, result.err, 1, true)
      assert.are.same(content, moving.content(file "from.db"))
    end

    it("while a host has either store", function()
      local seam = assert(seam_rig.open_at(from))
      refused(from, to, "FROM: the store from.db is in use by process")
      seam:close()
      seam = assert(seam_rig.open_at(to))
      refused(from, to, "TO: the store to.db is in use by process")
      seam:close()
      moved()
    end)

    it("to a store with content of its own", function()
      local seam = assert(seam_rig.open_at(to))
      seam:accepted()
      seam:close()
      refused(from, to, "TO has content of its own: name an empty file, schema or database, or remove what " .. to .. " holds")
    end)

    it("to the part of another store", function()
      local third = "sqlite:" .. file "third.db"
      moving.fill(third)
      moving.kill_at("step", third, to, folder.path)
      refused(from, to, "TO has content of its own, a part of " .. third)
    end)

    it("from a store that is not there, and makes none", function()
      refused("sqlite:" .. file "none.db", to, "FROM: there is nothing in sqlite:" .. file "none.db")
      assert.is_nil(process.read(file "none.db"))
      assert.is_nil(process.read(file "to.db"))
    end)

    it("from a part of a store", function()
      moving.kill_at("step", from, to, folder.path)
      refused(to, "sqlite:" .. file "third.db", "FROM is not complete: a move into it was interrupted; run that again: cunnekt store move " .. from .. " " .. to)
    end)

    it("from a store of a newer version", function()
      local third = file "third.db"
      moving.fill("sqlite:" .. third)
      sql.run(third, "PRAGMA user_version = 99")
      refused("sqlite:" .. third, to, "FROM: the store is of version 99, and this program knows only")
    end)

    it("to itself, by whatever name", function()
      assert(os.execute("ln -s from.db " .. file "link.db"))
      refused(from, from, "FROM and TO are the same store")
      refused(from, "sqlite:" .. file "link.db", "FROM and TO are the same store")
    end)

    it("where a URL is none, as a mistake", function()
      local result = moving.move(from, "mysql://me:geheim@host/db")
      assert.equal(2, result.code)
      assert.matches("unknown kind of store", result.err)
      assert.is_nil(result.err:find("geheim", 1, true))
    end)
  end)
end)
