-- SPDX-License-Identifier: MIT
-- Named jobs under a virtual clock, with a store on disk that several lives of a bot open one after the other.

local inside = require("cunnekt.service").of
local cunnekt = require "cunnekt"
local lives = require "spec.support.rigs.lives"
local recovery = require "cunnekt.store.recovery"
local task = require "cunnekt.base.task"

local hour, day = 3600, 86400

describe("schedule", function()
  local all, note

  before_each(function()
    all = lives.new()
    note = all.note
  end)

  after_each(function()
    all:close()
  end)

  it("runs jobs when they are due", function()
    all:live(function(it)
      it:after(90, "once", note)
      it:every(60, "minutely", note)
      it:daily("22:15", { tz = "UTC" }, "daily", note)
      it:cron("*/2 * * * *", { tz = "UTC" }, "cron", note)
    end)
    all:pass(200, 10)
    assert.are.same({ "cron 40", "minutely 60", "once 90", "daily 100", "minutely 120", "cron 160", "minutely 180" },
      all:times())
    assert.are.same({ 180, 120 }, { all.ran[#all.ran].due, all.ran[#all.ran].last })
  end)

  it("keeps due times across restarts, and runs once what a crash cut short", function()
    local function script(it)
      it:after(60, "warm up", note)
      it:every(100, "tick", note)
    end
    all:live(script)
    all:pass(30, 10)
    all:die()
    all.clock:advance(10)
    all:live(script) -- at 40
    all:pass(40, 5)
    assert.are.same({ "warm up 60" }, all:times())
    all:die()
    -- It has run: this start wants it anew.
    all:live(script) -- at 80
    all:pass(70, 5)
    assert.are.same({ "warm up 60", "tick 100", "warm up 140" }, all:times())
    all:die()
    -- Down while both are due.
    all:live(script) -- at 150; the warm-up is due at 210
    all:die()
    all.clock:advance(300)
    all:live(script) -- at 450
    assert.are.same({ "tick 450", "warm up 450" }, { table.unpack(all:times(), 4) })
    all:pass(55, 5)
    assert.are.same({ "tick 500" }, { table.unpack(all:times(), 6) })
  end)

  it("does what a run does and moves its due time together, or not at all", function()
    local has_to_hang = true
    local function script(it)
      it:every(60, "count", function(job)
        it.store:increment "count"
        if has_to_hang then
          all.has_hung = true
          task.await(function() end) -- the process ends amid this
        end
        note(job)
      end)
    end
    all:live(script)
    all:pass(60, 20)
    assert.equal(nil, all.bot.store:get "count")
    all:die()
    has_to_hang = false
    all.clock:advance(5)
    all:live(script)
    assert.equal(1, #all.ran)
    assert.equal(60, all.ran[1].due)
    assert.equal(1, all.bot.store:get "count")
    all:die()
    all:live(script)
    all:settle()
    assert.equal(1, all.bot.store:get "count")
  end)

  -- The check above, held to a store that is broken on purpose.
  it("would notice a due time that is not kept with the run", function()
    local function script(it)
      it:after(60, "count", function()
        it.store:increment "count"
      end)
    end
    all:live(script)
    local its_store = inside(all.bot).store
    local commit_turn = its_store.commit_turn
    function its_store.commit_turn(self, turn)
      local jobs = turn.jobs
      turn.jobs = nil
      local ok, err = commit_turn(self, turn)
      turn.jobs = jobs
      return ok, err
    end
    all:pass(70, 10)
    assert.equal(1, all.bot.store:get "count")
    all:die()
    all:live(script)
    assert.equal(2, all.bot.store:get "count")
  end)

  it("makes up for what was missed as the job says", function()
    local function script(it)
      it:every(hour, { catch_up = "skip" }, "skip", note)
      it:every(hour, { catch_up = "once" }, "once", note)
      it:every(hour, { catch_up = "all" }, "all", note)
      it:after(hour, { catch_up = "skip" }, "late", note)
    end
    all:live(script)
    all:die()
    all.clock:set_wall(lives.start + 5 * hour + 600)
    all:live(script)
    all:settle()
    local dues = {}
    for _, one in ipairs(all.ran) do
      dues[one.name] = dues[one.name] or {}
      table.insert(dues[one.name], one.due // hour)
    end
    assert.are.same({ once = { 1 }, all = { 1, 2, 3, 4, 5 } }, dues)
    all.ran = {}
    all:pass(hour, 300)
    local list = all:times()
    table.sort(list)
    assert.are.same({ "all 21600", "late 22200", "once 21600", "skip 21600" }, list)
  end)

  it("catches up on a bounded number of runs", function()
    local function script(it)
      it:cron("* * * * *", { tz = "UTC", catch_up = "all" }, "all", note)
    end
    all:live(script)
    all:die()
    all.clock:set_wall(lives.start + 2 * day)
    all:live(script)
    all:settle()
    assert.equal(101, #all.ran)
    assert.truthy(all.lines[#all.lines]:find("the job 'all' missed more than 100 runs", 1, true))
    all:pass(60, 20)
    assert.equal(102, #all.ran)
  end)

  it("plans a job anew when it is given with another time", function()
    all:live(function(it)
      it:every(hour, "report", note)
      it:daily("09:00", { tz = "UTC" }, "letter", note)
    end)
    all:die()
    all:live(function(it)
      it:every(600, "report", note)
      it:daily("23:00", { tz = "UTC" }, "letter", note)
    end)
    all:pass(hour, 60)
    assert.are.same({ "report 600", "report 1200", "report 1800", "report 2400" }, { table.unpack(all:times(), 1, 4) })
    assert.equal("letter 2800", all:times()[5]) -- 23:00
  end)

  it("keeps jobs without a function in the script, and logs them once", function()
    all:live(function(it)
      it:every(100, "report", note)
      it:every(100, "remind 919999999999", note)
    end)
    all:die()
    all.clock:advance(250)
    all:live(function() end)
    all:pass(120)
    assert.are.same({}, all.ran)
    local logged = {}
    for _, line in ipairs(all.lines) do
      logged[#logged + 1] = line:find("without a function", 1, true) and line
    end
    assert.equal(1, #logged)
    assert.truthy(logged[1]:find("remind …, report", 1, true))
    all:die()
    all:live(function(it)
      it:every(100, "report", note)
    end)
    assert.equal("report 370", all:times()[1]) -- it was due long ago
    assert.equal(100, all.ran[1].due)
    -- After `keep_days` they go.
    all:die()
    all.clock:advance(31 * day)
    all.lines = {}
    all:live(function() end)
    assert.are.same({}, { table.unpack(all.lines) })
  end)

  it("finds the function of a job that a handler made by its name", function()
    local function script(it)
      it:job("remind", function(job)
        note { name = job.args.to .. job.name, due = job.due }
      end)
      it:after(1, "plan", function()
        for i = 1, it.store:add("is planned", true) and 3 or 0 do
          it:after(100 * i, { args = { to = "c" .. i } }, "remind " .. i, "remind")
        end
      end)
    end
    all:live(script)
    all:pass(10, 5)
    all:die()
    all.clock:advance(150)
    all:live(script)
    all:pass(200, 10)
    local list = all:times()
    assert.truthy(list[1]:find "^c1remind 1 16%d$")
    assert.are.same({ "c2remind 2", "c3remind 3" }, { list[2]:match "^%S+ %S+", list[3]:match "^%S+ %S+" })
    assert.equal(3, #list)
  end)

  it("is planned once by a dialog that is rebuilt, which brings the function back", function()
    local function script(it)
      it:dialog("d", function(chat)
        it:after(100, "inner", note)
        chat:sleep(150)
        chat:sleep(150)
      end)
    end
    all:live(script)
    assert(all.bot:start("919999999999", "d"))
    all:pass(10, 5)
    all:die()
    all.clock:advance(110)
    all:live(script)
    all:pass(400, 10)
    assert.equal(1, #all.ran)
    assert.is_true(math.abs(all.ran[1].due - 100) <= 5)
    assert.is_true(all.ran[1].at >= 150)
  end)

  it("plans nothing in a turn that fails", function()
    all:live(function(it)
      it:after(1, "planner", function()
        it:after(10, "planned", note)
        it:cancel_job "other"
        error "no luck"
      end)
      it:after(50, "other", note)
    end, { attempts = 1 })
    all:pass(100, 5)
    assert.are.same({ "other 50" }, all:times())
  end)

  it("replaces a pending job that is planned again by a handler, and calls jobs off", function()
    all:live(function(it)
      it:after(5, "first", function()
        it:after(50, "remind", note)
        it:every(30, "tick", note)
      end)
      it:after(40, "second", function()
        it:after(50, "remind", note)
        it:every(30, "tick", note) -- the same: it goes on
        all.ran[#all.ran + 1] = { name = tostring(it:cancel_job "never"), at = 40 }
        all.ran[#all.ran + 1] = { name = tostring(it:cancel_job "doomed"), at = 40 }
      end)
      it:after(60, "doomed", note)
    end)
    all:pass(100, 5)
    assert.are.same({ "tick 35", "false 40", "true 40", "tick 65", "remind 90", "tick 95" }, all:times())
  end)

  it("lets a job plan itself again", function()
    all:live(function(it)
      local function again(job)
        note(job)
        if #all.ran < 3 then
          it:after(20, "chain", again)
        end
      end
      it:after(20, "chain", again)
    end)
    all:pass(200, 5)
    assert.are.same({ "chain 20", "chain 40", "chain 60" }, all:times())
  end)

  -- ---- while a job runs ------------------------------------------------------------------------------------------------

  -- A job "tick" at 10 whose first run waits until `go` is called; `meanwhile` is done before that, in a turn of its own.
  local function run_slowly(meanwhile)
    local runs = 0
    all:live(function(it)
      it:every(10, "tick", function(job)
        runs = runs + 1
        local n = it.store:get("n", 0)
        if runs == 1 then
          local failure = task.await(function(done)
            inside(all.bot).engine.turns:run(nil, function()
              meanwhile(it)
            end, function(err)
              done(err or false)
            end)
          end)
          assert(not failure, failure)
        end
        it.store:set("n", n + 1)
        note(job)
      end)
    end)
    all:pass(10, 5)
    return runs
  end

  it("runs again when another turn changed what it had read", function()
    assert.equal(2, run_slowly(function(it)
      it.store:set("n", 10)
    end))
    assert.are.same({ 11, {}, { "tick 10", "tick 10" } }, { all.bot.store:get "n", all.errs, all:times() })
    all:pass(10, 5)
    assert.are.same({ "tick 20" }, { table.unpack(all:times(), 3) })
  end)

  it("is as if it had not begun when it is planned anew meanwhile", function()
    assert.equal(1, run_slowly(function(it)
      it:every(7, "tick", note)
    end))
    assert.are.same({ nil, {} }, { all.bot.store:get "n", all.errs })
    all:pass(8, 1)
    assert.are.same({ "tick 10", "tick 17" }, all:times()) -- the first one is what the dropped run noted
    assert.are.same({ nil, {} }, { all.bot.store:get "n", all.errs })
  end)

  it("finishes when it is called off meanwhile, and is not due again", function()
    assert.equal(1, run_slowly(function(it)
      it:cancel_job "tick"
    end))
    all:pass(30, 5)
    assert.are.same({ 1, {}, { "tick 10" } }, { all.bot.store:get "n", all.errs, all:times() })
    all:die()
    all:live(function() end)
    assert.are.same({}, all.lines) -- nothing is left of it
  end)

  it("takes over what another engine on the store has done with a job, and does not do it again", function()
    local other = { kind = "done", name = "tick", due = lives.start + 18, ran = lives.start + 10, last = lives.start + 10, attempts = 0 }
    assert.equal(1, run_slowly(function()
      other.version = recovery.job(inside(all.bot).store, "tick").version
      assert(inside(all.bot).store:commit_turn { jobs = { other } })
    end))
    assert.are.same({ nil, {} }, { all.bot.store:get "n", all.errs })
    all:pass(7, 1)
    assert.equal(1, #all.ran)
    all:pass(1, 1)
    assert.are.same({ "tick 18" }, { table.unpack(all:times(), 2) })
  end)

  it("is not due again when it has stopped the bot", function()
    local function script(it)
      it:after(10, "stop", function(job)
        note(job)
        it:stop(1)
      end)
    end
    all:live(script)
    all:wait_for_end(function()
      all.clock:advance(10)
    end)
    all:live(function(it)
      it:every(1000, "other", note)
    end)
    all:pass(60)
    assert.are.same({ "stop 10" }, all:times())
    assert.are.same({}, all.lines)
  end)

  it("runs a thousand jobs that are due at once, each once", function()
    local counts = {}
    all:live(function(it)
      for i = 1, 1000 do
        it:after(i % 7, "job " .. i, function(job)
          counts[job.name] = (counts[job.name] or 0) + 1
          all.ran[#all.ran + 1] = { name = job.name, at = 0 }
        end)
      end
    end)
    all:pass(20, 5)
    assert.equal(1000, #all.ran)
    for i = 1, 1000 do
      assert.equal(1, counts["job " .. i])
    end
  end)

  it("blames the script's line for a mistake", function()
    local bot = cunnekt.bot { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = "memory:" }
    bot:job("remind", note)
    local function problem(name, ...)
      local arguments = table.pack(...)
      local ok, message = pcall(function()
        local it = bot[name](bot, table.unpack(arguments, 1, arguments.n))
        return it
      end)
      assert.is_false(ok)
      assert.truthy(message:find("schedule_spec.lua:", 1, true), message)
      return (message:gsub("^.-:%d+: ", ""))
    end
    assert.equal("bot:after: seconds must be a number, 0 or more", problem("after", -1, "x", note))
    assert.matches("^bot:after: seconds count from now, and these are %d+ years; leave os.time%(%) out$", problem("after", os.time() + 60, "x", note))
    bot:after(3600 * 24 * 365 * 50, "x", note) -- long, and no time of these years
    assert.equal("bot:every: seconds must be a number of more than 0", problem("every", 0, "x", note))
    assert.equal("bot:every: seconds must be a number of more than 0", problem("every", "60", "x", note))
    assert.equal("bot:after: expected a name for the job, got function", problem("after", 1, note))
    assert.equal("bot:after: the job 'x' must be a function, or the name of a bot:job, got nil", problem("after", 1, "x"))
    assert.equal("bot:after: there is no bot:job 'remnd' (did you mean 'remind'?)", problem("after", 1, "x", "remnd"))
    assert.equal("bot:every: unknown option 'catchup' (did you mean 'catch_up'?)",
      problem("every", 1, { catchup = "all" }, "x", note))
    assert.equal("bot:every: option 'catch_up' must be one of: skip, once, all; got never",
      problem("every", 1, { catch_up = "never" }, "x", note))
    assert.truthy(problem("after", 1, { args = { print } }, "x", note):find("bot:after: option 'args' cannot be stored", 1, true))
    assert.equal("bot:daily: '9 am' is no time of day such as '09:00'", problem("daily", "9 am", "x", note))
    assert.equal("bot:daily: no time zone is called 'Asia/Calcuta' (did you mean 'Asia/Calcutta'?)",
      problem("daily", "09:00", { tz = "Asia/Calcuta" }, "x", note))
    assert.truthy(problem("cron", "0 9 * *", "x", note):find("bot:cron: the cron line '0 9 * *' cannot be read", 1, true))
    assert.equal("bot:cancel_job: expected the job's name, got nil", problem "cancel_job")
    bot:stop(0)
  end)
end)
