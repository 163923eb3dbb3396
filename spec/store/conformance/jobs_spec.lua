-- SPDX-License-Identifier: MIT
-- The seam: named jobs. One is planned, bound to another function, runs, fails, and ends; each change concerns the planning
-- that it was made for. A run that is too late is in conflicts_spec.lua.

local seam_rig = require "spec.support.rigs.seam_rig"

seam_rig.describe("a job", function(open, backend)
  local seam

  before_each(function()
    seam = open()
  end)

  local function change(kind, name, more)
    local it = { kind = kind, name = name, spec = "every 60", due = 100, catch_up = "once", attempts = 0 }
    for key, value in pairs(more or {}) do
      it[key] = value
    end
    return it
  end

  local function put(name, more)
    local job = change("put", name, more)
    seam:turn { jobs = { job } }
    return job
  end

  local function jobs()
    return seam:query("jobs", { after = "", limit = 1000 })
  end

  local function row(job, more)
    local it = { spec = "every 60", due = 100, catch_up = "once", attempts = 0, name = job.name, version = job.version }
    for key, value in pairs(more or {}) do
      it[key] = value
    end
    return it
  end

  it("is read as it was written", function()
    local fields = { runs = "remind", args = '[{"n":"\0"}]', ran = 40, last = 41.5, attempts = 3, spec = "cron 0 9 * * * @ here", catch_up = "skip" }
    local job = put("a\0b 919999999999", fields)
    assert.is_true(math.type(job.version) == "integer" and job.version > 0)
    assert.are.same({ row(job, fields) }, jobs())
  end)

  it("is listed by its name", function()
    for _, name in ipairs { "b", "a", "c", "a\0", "B" } do
      put(name)
    end
    assert.are.same({ "B", "a", "a\0", "b", "c" }, seam:column("jobs", "name", { after = "", limit = 1000 }))
    assert.are.same({ "a\0", "b" }, seam:column("jobs", "name", { after = "a", limit = 2 }))
  end)

  it("that is planned anew is another one of its name", function()
    local first = put("tick", { attempts = 2, runs = "f", args = "[1]", ran = 1, last = 2 })
    local second = put("tick", { due = 200 })
    assert.are_not.equal(first.version, second.version)
    assert.are.same({ row(second, { due = 200 }) }, jobs())
  end)

  it("that is planned anew with the same words is another one, too", function()
    local seen = {}
    for _ = 1, 20 do
      local job = put "tick"
      assert.is_nil(seen[job.version])
      seen[job.version] = true
      seam:turn { jobs = { change("drop", "tick") } }
    end
  end)

  describe("that is bound", function()
    it("keeps its time and its version", function()
      local job = put("tick", { ran = 5 })
      seam:turn { jobs = { change("bind", "tick", { due = 7, runs = "f", args = "[1]", catch_up = "all" }) } }
      assert.are.same({ row(job, { ran = 5, runs = "f", args = "[1]", catch_up = "all" }) }, jobs())
    end)

    it("may lose its function and arguments", function()
      local job = put("tick", { runs = "f", args = "[1]" })
      seam:turn { jobs = { change("bind", "tick") } }
      assert.are.same({ row(job) }, jobs())
    end)

    it("is bound also when it ran meanwhile, or runs in the same turn, whichever comes first", function()
      local version = put("tick").version
      for i = 1, 2 do
        local done = change("done", "tick", { version = version, due = 100 + i, ran = i, last = i })
        local bind = change("bind", "tick", { version = version, args = ("[%d]"):format(i) })
        seam:turn { jobs = i == 1 and { done, bind } or { bind, done } }
        assert.are.same({ row(done, { due = 100 + i, ran = i, last = i, args = bind.args }) }, jobs())
        version = done.version
      end
    end)

    it("stays as it is when it has another timing by now, or is gone, and the turn holds", function()
      local new = put("tick", { spec = "every 7" })
      seam:turn { jobs = { change("bind", "tick", { runs = "f" }), change("bind", "never", { runs = "f" }) }, values = { { key = "a", value = "1" } } }
      assert.are.same({ row(new, { spec = "every 7" }) }, jobs())
      assert.equal("1", seam:value("a").value)
    end)
  end)

  describe("that ran", function()
    it("is due next time, without failures, and has another version", function()
      local job = put("tick", { attempts = 2, runs = "f" })
      local done = change("done", "tick", { version = job.version, due = 160.5, ran = 100, last = 101.5 })
      seam:turn { jobs = { done } }
      assert.is_true(done.version ~= job.version and done.version > 0)
      assert.are.same({ row(done, { due = 160.5, ran = 100, last = 101.5, runs = "f" }) }, jobs())
    end)

    it("runs again and again with the version that it was given", function()
      local job = put "tick"
      local version = job.version
      for i = 1, 10 do
        local done = change("done", "tick", { version = version, due = 100 + i, ran = 99 + i, last = 99 + i })
        seam:turn { jobs = { done } }
        version = done.version
      end
      assert.are.same({ 110, version }, { jobs()[1].due, jobs()[1].version })
    end)

    it("for the last time is gone", function()
      local job = put "once"
      local done = { kind = "done", name = "once", version = job.version, ran = 100, last = 101 }
      seam:turn { jobs = { done } }
      assert.are.same({}, jobs())
    end)
  end)

  describe("that failed", function()
    it("says how often, and keeps its version", function()
      local job = put "tick"
      seam:turn { jobs = { change("tried", "tick", { version = job.version, attempts = 4 }) } }
      assert.are.same({ row(job, { attempts = 4 }) }, jobs())
    end)

    it("stays as it is when it was planned anew meanwhile, and the turn holds", function()
      local old, new = put "tick", put "tick"
      seam:turn { jobs = { change("tried", "tick", { version = old.version, attempts = 4 }) }, values = { { key = "a", value = "1" } } }
      assert.are.same({ row(new) }, jobs())
      assert.equal("1", seam:value("a").value)
    end)
  end)

  it("is dropped by its name, whoever planned it", function()
    put "tick"
    local other = put "tock"
    seam:turn { jobs = { { kind = "drop", name = "tick" }, { kind = "drop", name = "never" } } }
    assert.are.same({ row(other) }, jobs())
  end)

  it("may be one of thousands", function()
    seam:turn { jobs = seam_rig.many(2500, function(i)
      return change("put", ("job %04d"):format(i))
    end) }
    local names, after = 0, ""
    repeat
      local page = seam:query("jobs", { after = after, limit = 1000 })
      names = names + #page
      after = page[#page] and page[#page].name
    until #page < 1000
    assert.equal(2500, names)
  end)

  if backend.is_kept then
    it("is there after a restart, and planned anew it is another one", function()
      local job = put("tick", { runs = "f" })
      seam:reopen()
      assert.are.same({ row(job, { runs = "f" }) }, jobs())
      assert.are_not.equal(job.version, put("tick").version)
    end)
  end
end)
