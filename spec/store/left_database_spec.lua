-- SPDX-License-Identifier: MIT
-- A database as a host of an earlier version left it, in the middle of its work; spec/fixtures/store_6e44f9b.lua says how it was
-- made. schema_spec.lua has databases of each earlier version, made from their tables.

local inside = require("cunnekt.service").of
local lists = require "cunnekt.store.lists"
local lives = require "spec.support.dialogs.lives"
local recovery = require "cunnekt.store.recovery"

describe("a bot on a database that the host of commit 6e44f9b left, when it was killed", function()
  local all

  before_each(function()
    all = lives.new(lives.script "spec/fixtures/store_6e44f9b.lua", { attempts = 1 })
    os.execute(("cp spec/fixtures/store_6e44f9b.sqlite %s/dialogs.db"):format(all.folder.path))
    all:start()
    all:settle()
  end)

  after_each(function()
    all:close()
  end)

  local function store_of()
    return inside(all.bot).store
  end

  local function say(to, text)
    all:act(to, { type = "text", text = text })
    all:settle()
    local seen = all.seen[to] or {}
    return seen[#seen]
  end

  it("goes on with the dialogs that were half done, and with the states", function()
    assert.equal("One large for Asha.", say("919999999902", "Asha"))
    assert.equal("Whose name?", say("919999999908", "small"))
    assert.equal("n 3", say("919999999901", "once more"))
  end)

  it("holds what was being sent and what had no answer, and has the dead letter, which runs again", function()
    assert.are.same({ failed = 0, rejected = 0, unknown = 2, dead = 1 }, assert(lists.count_dead_letters(store_of())))
    local dead = assert(lists.events(store_of(), "dead", {}))[1]
    assert.are.same({ dead.id }, assert(store_of():repair("requeue_event", { ids = { dead.id } })))
    assert.matches('"fail"', assert(store_of():event_body(dead.id)))
  end)

  it("has its values, jobs, the person's conversation, and what it had seen", function()
    assert.equal("9", (store_of():value "seen"))
    local names = {}
    for i, job in ipairs(assert(recovery.jobs(store_of()))) do
      names[i] = job.name
    end
    assert.are.same({ "remind 919999999907", "tick" }, names)
    assert.is_true(store_of():conversation("123456789:919999999905").is_paused)
    assert.is_nil(say("919999999905", "hello"))
    assert.equal(28, store_of():read("counts")[1].seen)
  end)
end)
