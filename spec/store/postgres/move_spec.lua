-- SPDX-License-Identifier: MIT
-- Moves between a file and PostgreSQL, and between two of its schemas. `make test-postgres` runs it.

local bot_rig = require "spec.support.rigs.bot_rig"
local clock = require "cunnekt.time.clock"
local cunnekt = require "cunnekt"
local moving = require "spec.support.rigs.moving"
local process = require "spec.support.process"
local seam_rig = require "spec.support.rigs.seam_rig"

local base = os.getenv "CUNNEKT_TEST_POSTGRES"
if not base then
  return
end

local number = 0

local function new_schema()
  number = number + 1
  return ("%s&options=-csearch_path%%3Dmoved_%d"):format(base, number)
end

local function sql(text)
  local pipe <close> = assert(io.popen(("spec/support/postgres.sh --sql postgres %q"):format(text)))
  return (pipe:read("a"):gsub("%s+$", ""))
end

local function moved(from, to)
  local result = moving.move(from, to)
  assert.equal(0, result.code, result.err)
  return result
end

describe("a move of a store", function()
  local folder, from, database, to

  before_each(function()
    folder = process.folder()
    from, to = "sqlite:" .. folder.path .. "/from.db", "sqlite:" .. folder.path .. "/to.db"
    database = new_schema()
  end)

  describe("with something of every kind", function()
    local content

    before_each(function()
      moving.fill(from)
      content = moving.content(folder.path .. "/from.db")
    end)

    it("to PostgreSQL, to another schema and back to a file has all rows as they were", function()
      local second = new_schema()
      local result = moved(from, database)
      for name, rows in pairs(content) do
        assert.matches("\n" .. name .. " +" .. #rows .. "\n", result.out)
      end
      moved(database, second)
      moved(second, to)
      assert.are.same(content, moving.content(folder.path .. "/to.db"))
    end)

    it("lets ids and sequences go on above the old ones, in both directions", function()
      local id = moving.next_id(from)
      moved(from, database)
      local seam = assert(seam_rig.open_at(database))
      local first = seam:sent {}
      assert.is_true(first.id > id)
      seam:turn { kept = { { dialog = seam:waiting({}).id, bodies = "new" } } }
      seam:close()
      moved(database, from)
      seam = assert(seam_rig.open_at(from))
      local second = seam:sent {}
      assert.is_true(second.id > first.id and second.seq > first.seq)
      assert.is_false(seam:accepted({ key = "wamid.1" }).is_fresh)
      seam:close()
    end)

    it("names the command that takes it back, as a shell takes it", function()
      moved(from, database .. "&password=geheim")
      local back = moving.refusal(from, folder.path):match "take it back with: cunnekt (store move .+)\n"
      local result = process.run { "sh", "-c", process.host .. " " .. back }
      assert.equal(0, result.code, result.err)
      assert.are.same(content, moving.content(folder.path .. "/from.db"))
    end)

    for _, point in ipairs { "note_move 3", "step", "raise_counter ", "note_move 4" } do
      it("begins anew when it was killed at: " .. point, function()
        moving.kill_at(point, from, database, folder.path)
        assert.matches("a move into it was interrupted; run it again: cunnekt store move " .. from, moving.refusal(database, folder.path), 1, true)
        moved(from, database)
        assert.matches("the store was moved to 'postgres:", moving.refusal(from, folder.path), 1, true)
        moving.kill_at(point, database, to, folder.path)
        moved(database, to)
        assert.matches("the store was moved to " .. to, moving.refusal(database, folder.path), 1, true)
        assert.are.same(content, moving.content(folder.path .. "/to.db"))
      end)
    end

    describe("is refused", function()
      local function refused(one, other, sentence)
        local result = moving.move(one, other)
        assert.equal(1, result.code, result.out)
        assert.matches(sentence, result.err)
      end

      it("while a host has the database", function()
        local host = assert(seam_rig.open_at(database))
        host:accepted()
        refused(from, database, "TO: .*it is in use by cunnekt on .+; stop the host, then run the move again")
        refused(database, to, "FROM: .*it is in use by cunnekt on .+; stop the host, then run the move again")
        host:close()
        refused(from, database, "TO has content of its own: name an empty file, schema or database")
      end)

      it("where there is nothing, or something newer, or another database is reached by two names", function()
        refused(database, to, "FROM: there is nothing in 'postgres:")
        moved(from, database)
        refused(database, database .. "&connect_timeout=9", "FROM and TO are the same store")
        sql(("UPDATE moved_%d.cunnekt_version SET version = 99"):format(number))
        refused(database, to, "FROM: the store is of version 99, and this program knows only")
      end)

      it("without a word of the password", function()
        local away = "postgres://me:geheim@127.0.0.1:1/shop?password=geheim"
        for _, urls in ipairs { { away, to }, { from, away } } do
          local result = moving.move(urls[1], urls[2])
          assert.equal(1, result.code)
          assert.matches("refused", result.err)
          assert.is_nil((result.err .. result.out):find("geheim", 1, true))
        end
        local named = database .. "&password=geheim"
        local result = moved(from, named)
        local again = moving.move(from, named)
        assert.is_nil((result.err .. result.out .. again.err .. moving.refusal(from, folder.path)):find("geheim", 1, true))
      end)
    end)
  end)

  describe("while a customer is in a dialog", function()
    local rig

    before_each(function()
      rig = bot_rig.new()
    end)

    after_each(function()
      rig:close()
    end)

    local function live(store, later)
      local bot = rig:new_bot { store = store, rate = 0, pair_rate = 0 }
      bot:dialog("order", function(chat)
        local size = chat:ask("Which size?").text
        local colour = chat:ask("Which colour?").text
        local place = chat:ask("Where to?").text
        chat:reply_text(("%s, %s, %s"):format(size, colour, place))
      end)
      bot:on("text", "order", function(msg)
        msg:reply_text("a promise", { not_before = later })
        msg:start "order"
      end)
      rig:start()
    end

    local function said(text)
      local count = 0
      for _, entry in ipairs(rig:outgoing()) do
        count = count + (entry.payload.text == text and 1 or 0)
      end
      return count
    end

    local function wait_for(text)
      bot_rig.wait_for(function()
        return said(text) > 0
      end, text)
    end

    local function write(text, id)
      local body = bot_rig.body_of { type = "text", id = id, from = "919999999901", text = text }
      assert.equal(200, assert(cunnekt.http.post("http://" .. rig.bot:address() .. "/webhook", body)).status)
    end

    local function move(one, other)
      rig.bot:stop(1)
      moved(one, other)
    end

    it("lets it go on at the target, sends what waits once, and knows what it had", function()
      rig:say("hello", "919999999901") -- the sandbox takes replies to who has written
      local later = clock.now() + 3
      live(from, later)
      rig:say("hello", "919999999901")
      write("order", "wamid.order")
      wait_for "Which size?"
      move(from, database)
      live(database, later)
      write("order", "wamid.order")
      write("big", "wamid.big")
      wait_for "Which colour?"
      move(database, to)
      live(to, later)
      write("big", "wamid.big")
      write("red", "wamid.red")
      wait_for "Where to?"
      wait_for "a promise"
      write("home", "wamid.home")
      wait_for "big, red, home"
      assert.are.same({ 1, 1, 1, 1 }, { said "a promise", said "Which size?", said "Which colour?", said "Where to?" })
    end)
  end)
end)
