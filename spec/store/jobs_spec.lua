-- SPDX-License-Identifier: MIT
-- Named jobs in the store: how each kind of change is written.

local core = require "cunnekt.core"
local rig = require "spec.support.rigs.store_rig"

describe("jobs of the store", function()
  local store

  before_each(function()
    store = rig.open()
  end)

  after_each(function()
    store:close()
  end)

  local function job(serial, name, more)
    local it = { serial = serial, name = name, spec = "every 60", due = 100, catch_up = "once", attempts = 0 }
    for key, value in pairs(more or {}) do
      it[key] = value
    end
    return it
  end

  local function put(...)
    local changes = {}
    for _, one in ipairs { ... } do
      changes[one.name] = { kind = "put", job = one }
    end
    assert(store:put_jobs(changes))
  end

  it("are read as they were written, in the order of their serials", function()
    local one = job(2, "a\0b 919999999999", { runs = "remind", args = '[{"n":1}]', ran = 40, last = 41.5, attempts = 3 })
    local other = job(1, "tick", { spec = "cron 0 9 * * * @ here", catch_up = "skip" })
    put(one, other)
    assert.are.same({ other, one }, store:jobs())
  end)

  it("that are planned anew take the place of those of the same name", function()
    put(job(1, "tick"))
    put(job(2, "tick", { due = 200 }))
    assert.are.same({ job(2, "tick", { due = 200 }) }, store:jobs())
  end)

  it("that are bound keep their time", function()
    put(job(1, "tick"))
    assert(store:put_jobs { tick = { kind = "bind", job = job(1, "tick", { due = 7, runs = "f", args = "[1]", catch_up = "all" }) } })
    assert.are.same({ job(1, "tick", { runs = "f", args = "[1]", catch_up = "all" }) }, store:jobs())
  end)

  it("that ran are due next time, with no failures", function()
    put(job(1, "tick", { attempts = 2 }))
    assert(store:put_jobs { tick = { kind = "done", job = job(1, "tick"), due = 160, ran = 100, last = 101 } })
    assert.are.same({ job(1, "tick", { due = 160, ran = 100, last = 101 }) }, store:jobs())
  end)

  it("that ran for the last time are gone", function()
    put(job(1, "once"))
    assert(store:put_jobs { once = { kind = "done", job = job(1, "once"), ran = 100, last = 101 } })
    assert.are.same({}, store:jobs())
  end)

  it("are not changed by the end of a run of an earlier planning", function()
    put(job(1, "tick"))
    put(job(2, "tick", { due = 200 }))
    assert(store:put_jobs { tick = { kind = "done", job = job(1, "tick"), ran = 100, last = 101 } })
    assert(store:put_jobs { tick = { kind = "tried", job = job(1, "tick", { attempts = 9 }) } })
    assert.are.same({ job(2, "tick", { due = 200 }) }, store:jobs())
  end)

  it("are dropped by their name, whoever planned them", function()
    put(job(1, "tick"), job(2, "tock"))
    assert(store:put_jobs { tick = { kind = "drop", name = "tick" }, never = { kind = "drop", name = "never" } })
    assert.are.same({ job(2, "tock") }, store:jobs())
  end)

  it("that failed say how often, and the one who insists hears of it", function()
    put(job(1, "tick"))
    local is_written
    store:write_job({ kind = "tried", job = job(1, "tick", { attempts = 4 }) }, function()
      is_written = true
    end)
    while not is_written do
      core.step(true)
    end
    assert.equal(4, store:jobs()[1].attempts)
  end)

  it("may be thousands", function()
    local changes = {}
    for i = 1, 2500 do
      changes["job " .. i] = { kind = "put", job = job(i, "job " .. i) }
    end
    assert(store:put_jobs(changes))
    assert.equal(2500, #store:jobs())
  end)

  it("that do not change need no store", function()
    store:close()
    assert.is_true(store:put_jobs {})
    assert.equal("store", select(2, store:jobs()).kind)
  end)

  it("are written with their turn", function()
    local change = rig.change { jobs = { tick = { kind = "put", job = job(1, "tick") } }, values = { a = "1" } }
    assert(store:commit(change))
    assert.are.same({ 1, "1" }, { #store:jobs(), store:value "a" })
  end)
end)
