-- SPDX-License-Identifier: MIT
-- Named jobs under a virtual clock, with a store on disk that several lives of a bot open one after the other.

local clock = require "cunnekt.clock"
local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local log = require "cunnekt.log"
local process = require "spec.support.process"
local task = require "cunnekt.task"
local zone = require "cunnekt.zone"

local hour, day, year = 3600, 86400, 365 * 86400
local start = 1700000000 -- 2023-11-14 22:13:20 UTC, a Tuesday

describe("schedule", function()
  local folder, virtual, bot, lines, write, ran, errs

  before_each(function()
    folder, virtual = process.folder(), clock.virtual(start):install()
    lines, write, ran, errs = {}, log.write, {}, {}
    log.write = function(line)
      lines[#lines + 1] = line
    end
  end)

  -- Lets what is under way go on in real time, while the clock stands still.
  local function settle()
    local deadline = core.monotonic() + 20
    local last = -1
    repeat
      for _ = 1, 3 do
        core.timer(0.0005, function() end)
        core.step(true)
        virtual:advance(0)
      end
      bot.store:get "anything" -- the store works in order, so what was written before is written now
      local is_same = last == #ran
      last = #ran
      assert(core.monotonic() < deadline, "something never ends")
    until is_same and (bot._schedule:active() == 0 or bot.has_hung)
  end

  -- Lets time pass, a bit at a time.
  local function pass(seconds, step)
    step = step or 30
    while seconds > 0 do
      virtual:advance(math.min(step, seconds))
      seconds = seconds - step
      settle()
    end
  end

  -- Begins a life of the bot; `script` plans its jobs.
  local function live(script, opts)
    local all = { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0",
      store = "sqlite:" .. folder.path .. "/jobs.db" }
    for name, value in pairs(opts or {}) do
      all[name] = value
    end
    bot = cunnekt.bot(all)
    bot:on_error(function(err)
      errs[#errs + 1] = err
    end)
    script(bot)
    assert(bot:listen())
    settle()
  end

  local function die()
    if bot then
      local stopping = task.spawn(bot.stop, bot, 0.001)
      local deadline = core.monotonic() + 10
      while not stopping.is_done do
        assert(core.monotonic() < deadline, "the bot does not stop")
        virtual:advance(0.01)
        core.timer(0.0005, function() end)
        core.step(true)
      end
      bot = nil
    end
  end

  after_each(function()
    die()
    virtual:uninstall()
    log.write = write
  end)

  -- A job that notes when it ran, and for which due time.
  local function note(job)
    ran[#ran + 1] = { name = job.name, at = clock.now() - start, due = job.due - start, last = job.last and job.last - start }
  end

  local function names_and_times()
    local list = {}
    for i, one in ipairs(ran) do
      list[i] = ("%s %d"):format(one.name, math.floor(one.at))
    end
    return list
  end

  it("runs jobs when they are due", function()
    live(function(it)
      it:after(90, "once", note)
      it:every(60, "minutely", note)
      it:daily("22:15", { tz = "UTC" }, "daily", note)
      it:cron("*/2 * * * *", { tz = "UTC" }, "cron", note)
    end)
    pass(200, 10)
    assert.are.same({ "cron 40", "minutely 60", "once 90", "daily 100", "minutely 120", "cron 160", "minutely 180" },
      names_and_times())
    assert.are.same({ 180, 120 }, { ran[#ran].due, ran[#ran].last })
  end)

  it("keeps due times across restarts, and runs once what a crash cut short", function()
    local function script(it)
      it:after(60, "warm up", note)
      it:every(100, "tick", note)
    end
    live(script)
    pass(30, 10)
    die()
    virtual:advance(10)
    live(script) -- at 40
    pass(40, 5)
    assert.are.same({ "warm up 60" }, names_and_times())
    die()
    -- It has run: this start wants it anew.
    live(script) -- at 80
    pass(70, 5)
    assert.are.same({ "warm up 60", "tick 100", "warm up 140" }, names_and_times())
    die()
    -- Down while both are due.
    live(script) -- at 150; the warm-up is due at 210
    die()
    virtual:advance(300)
    live(script) -- at 450
    assert.are.same({ "tick 450", "warm up 450" }, { table.unpack(names_and_times(), 4) })
    pass(55, 5)
    assert.are.same({ "tick 500" }, { table.unpack(names_and_times(), 6) })
  end)

  it("does what a run does and moves its due time together, or not at all", function()
    local has_to_hang = true
    local function script(it)
      it:every(60, "count", function(job)
        it.store:increment "count"
        if has_to_hang then
          it.has_hung = true
          task.await(function() end) -- the process ends amid this
        end
        note(job)
      end)
    end
    live(script)
    pass(60, 20)
    assert.equal(nil, bot.store:get "count")
    die()
    has_to_hang = false
    virtual:advance(5)
    live(script)
    assert.equal(1, #ran)
    assert.equal(60, ran[1].due)
    assert.equal(1, bot.store:get "count")
    die()
    live(script)
    settle()
    assert.equal(1, bot.store:get "count")
  end)

  it("makes up for what was missed as the job says", function()
    local function script(it)
      it:every(hour, { catch_up = "skip" }, "skip", note)
      it:every(hour, { catch_up = "once" }, "once", note)
      it:every(hour, { catch_up = "all" }, "all", note)
      it:after(hour, { catch_up = "skip" }, "late", note)
    end
    live(script)
    die()
    virtual:set_wall(start + 5 * hour + 600)
    live(script)
    settle()
    local dues = {}
    for _, one in ipairs(ran) do
      dues[one.name] = dues[one.name] or {}
      table.insert(dues[one.name], one.due // hour)
    end
    assert.are.same({ once = { 1 }, all = { 1, 2, 3, 4, 5 } }, dues)
    ran = {}
    pass(hour, 300)
    local list = names_and_times()
    table.sort(list)
    assert.are.same({ "all 21600", "late 22200", "once 21600", "skip 21600" }, list)
  end)

  it("makes up for a bounded number", function()
    local function script(it)
      it:cron("* * * * *", { tz = "UTC", catch_up = "all" }, "all", note)
    end
    live(script)
    die()
    virtual:set_wall(start + 2 * day)
    live(script)
    settle()
    assert.equal(101, #ran)
    assert.truthy(lines[#lines]:find("the job 'all' was due more than 100 times", 1, true))
    pass(60, 20)
    assert.equal(102, #ran)
  end)

  it("plans a job anew when it is given with another time", function()
    live(function(it)
      it:every(hour, "report", note)
      it:daily("09:00", { tz = "UTC" }, "letter", note)
    end)
    die()
    live(function(it)
      it:every(600, "report", note)
      it:daily("23:00", { tz = "UTC" }, "letter", note)
    end)
    pass(hour, 60)
    assert.are.same({ "report 600", "report 1200", "report 1800", "report 2400" }, { table.unpack(names_and_times(), 1, 4) })
    assert.equal("letter 2800", names_and_times()[5]) -- 23:00
  end)

  it("tries a failing job again, then goes on with the next time", function()
    local fails = 0
    live(function(it)
      it:every(hour, "bad", function(job)
        it.store:increment "runs"
        fails = fails + 1
        note(job)
        if fails <= 7 then
          error "no luck"
        end
      end)
    end)
    pass(hour + 200, 20)
    assert.equal(5, fails)
    assert.equal(5, #errs)
    assert.truthy(errs[1].message:find("the job 'bad' failed: ", 1, true))
    assert.truthy(errs[1].traceback:find("no luck", 1, true))
    assert.are.same({ 1, false, 5, true }, { errs[1].attempts, errs[1].is_final, errs[5].attempts, errs[5].is_final })
    assert.equal(nil, bot.store:get "runs")
    pass(hour, 20)
    -- Two more failures, then it works.
    assert.equal(8, fails)
    assert.equal(2 * hour, ran[8].due)
    assert.equal(1, bot.store:get "runs")
  end)

  it("gives a job that runs once up after its tries", function()
    local fails = 0
    local function script(it)
      it:after(10, "bad 919999999999", function()
        fails = fails + 1
        error "no luck"
      end)
    end
    live(script, { attempts = 2 })
    pass(60, 5)
    assert.equal(2, fails)
    assert.is_nil(errs[1].message:find("919999999999", 1, true)) -- numbers are not for logs
    die()
    live(function() end)
    assert.are.same({}, lines) -- nothing is left of it
  end)

  it("keeps jobs that the script has no function for, and says so once", function()
    live(function(it)
      it:every(100, "report", note)
      it:every(100, "remind 919999999999", note)
    end)
    die()
    virtual:advance(250)
    live(function() end)
    pass(120)
    assert.are.same({}, ran)
    local told = {}
    for _, line in ipairs(lines) do
      told[#told + 1] = line:find("no function for", 1, true) and line
    end
    assert.equal(1, #told)
    assert.truthy(told[1]:find("remind …, report", 1, true))
    die()
    live(function(it)
      it:every(100, "report", note)
    end)
    assert.equal("report 370", names_and_times()[1]) -- it was due long ago
    assert.equal(100, ran[1].due)
    -- After `keep_days` they go.
    die()
    virtual:advance(31 * day)
    lines = {}
    live(function() end)
    assert.are.same({}, { table.unpack(lines) })
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
    live(script)
    pass(10, 5)
    die()
    virtual:advance(150)
    live(script)
    pass(200, 10)
    local list = names_and_times()
    assert.truthy(list[1]:find "^c1remind 1 16%d$")
    assert.are.same({ "c2remind 2", "c3remind 3" }, { list[2]:match "^%S+ %S+", list[3]:match "^%S+ %S+" })
    assert.equal(3, #list)
  end)

  it("plans nothing in a turn that fails", function()
    live(function(it)
      it:after(1, "planner", function()
        it:after(10, "planned", note)
        it:cancel_job "other"
        error "no luck"
      end)
      it:after(50, "other", note)
    end, { attempts = 1 })
    pass(100, 5)
    assert.are.same({ "other 50" }, names_and_times())
  end)

  it("replaces a pending job that is planned again by a handler, and calls jobs off", function()
    live(function(it)
      it:after(5, "first", function()
        it:after(50, "remind", note)
        it:every(30, "tick", note)
      end)
      it:after(40, "second", function()
        it:after(50, "remind", note)
        it:every(30, "tick", note) -- the same: it goes on
        ran[#ran + 1] = { name = tostring(it:cancel_job "never"), at = 40 }
        ran[#ran + 1] = { name = tostring(it:cancel_job "doomed"), at = 40 }
      end)
      it:after(60, "doomed", note)
    end)
    pass(100, 5)
    assert.are.same({ "tick 35", "false 40", "true 40", "tick 65", "remind 90", "tick 95" }, names_and_times())
  end)

  it("lets a job plan itself again", function()
    live(function(it)
      local function again(job)
        note(job)
        if #ran < 3 then
          it:after(20, "chain", again)
        end
      end
      it:after(20, "chain", again)
    end)
    pass(200, 5)
    assert.are.same({ "chain 20", "chain 40", "chain 60" }, names_and_times())
  end)

  it("is not due again when it has stopped the bot", function()
    local function script(it)
      it:after(10, "stop", function(job)
        note(job)
        it:stop(1)
      end)
    end
    live(script)
    local is_stopped = false
    bot._on_stopped = function()
      is_stopped = true
    end
    virtual:advance(10)
    while not is_stopped do
      core.timer(0.001, function() end)
      core.step(true)
      virtual:advance(0.01)
    end
    bot = nil
    live(function(it)
      it:every(1000, "other", note)
    end)
    pass(60)
    assert.are.same({ "stop 10" }, names_and_times())
    assert.are.same({}, lines)
  end)

  it("runs a thousand jobs that are due at once, each once", function()
    local counts = {}
    live(function(it)
      for i = 1, 1000 do
        it:after(i % 7, "job " .. i, function(job)
          counts[job.name] = (counts[job.name] or 0) + 1
          ran[#ran + 1] = { name = job.name, at = 0 }
        end)
      end
    end)
    pass(20, 5)
    assert.equal(1000, #ran)
    for i = 1, 1000 do
      assert.equal(1, counts["job " .. i])
    end
  end)

  describe("while the clock jumps", function()
    local berlin = assert(zone.load "Europe/Berlin")

    local function daily(it)
      it:daily("09:00", { tz = "Europe/Berlin" }, "daily", note)
      it:after(2 * hour, "once", note)
      it:every(6 * hour, "six", note)
    end

    -- How often each name ran for each due time.
    local function repeats()
      local seen = {}
      for _, one in ipairs(ran) do
        local key = one.name .. " " .. one.due
        assert.is_nil(seen[key], key .. " ran twice")
        seen[key] = true
      end
    end

    local function count(name)
      local n = 0
      for _, one in ipairs(ran) do
        n = n + (one.name == name and 1 or 0)
      end
      return n
    end

    for label, jump in pairs { ["an hour ahead"] = hour, ["an hour back"] = -hour, ["ten years ahead"] = 10 * year, ["ten years back"] = -10 * year } do
      it("runs each job once for its due time: " .. label, function()
        live(daily)
        pass(hour, 600)
        virtual:set_wall(clock.now() + jump)
        pass(120, 30)
        pass(4 * hour, 600)
        repeats()
        assert.equal(1, count "once")
        -- And goes on by the new time.
        local before = count "daily"
        pass(3 * day, hour)
        repeats()
        assert.equal(3, count "daily" - before)
        assert.is_true(berlin:civil(ran[#ran].at + start).year == berlin:civil(clock.now()).year)
      end)
    end

    it("comes back to its daily time when the clock was wrong for a while", function()
      live(daily)
      pass(hour, 600)
      virtual:set_wall(clock.now() + 10 * year)
      pass(hour, 600)
      assert.equal(1, count "daily")
      virtual:set_wall(clock.now() - 10 * year)
      pass(4 * day, hour)
      repeats()
      -- The day that the jump made up for is not done again; the three after it are.
      assert.equal(4, count "daily")
      assert.is_true(count "six" >= 15)
      -- Nor by a restart.
      die()
      live(daily)
      repeats()
    end)

    it("does not run a daily job twice when the clock is put back over it", function()
      live(daily)
      pass(9 * hour + 47 * 60, 600) -- 09:00 in Berlin
      assert.equal(1, count "daily")
      for _ = 1, 3 do
        virtual:set_wall(clock.now() - 1800)
        pass(2400, 60)
      end
      assert.equal(1, count "daily")
      die()
      virtual:set_wall(clock.now() - hour)
      live(daily)
      pass(2 * hour, 300)
      assert.equal(1, count "daily")
      pass(day, hour)
      assert.equal(2, count "daily")
    end)

    it("keeps the hour of the wall across daylight saving", function()
      -- 2024-03-29 12:00 to 2024-04-03, and 2024-10-25 12:00 on.
      for _, from in ipairs { 1711710000, 1729850400 } do
        virtual:set_wall(from)
        ran = {}
        live(function(it)
          it:daily("02:30", { tz = "Europe/Berlin" }, "night " .. from, note)
        end)
        pass(4 * day, 1800)
        die()
        local hours = {}
        for i, one in ipairs(ran) do
          local c = berlin:civil(one.due + start)
          hours[i] = ("%d:%02d"):format(c.hour, c.min)
        end
        assert.are.same({ "2:30", from == 1711710000 and "3:00" or "2:30", "2:30", "2:30" }, hours)
      end
    end)
  end)

  it("blames the script's line for a mistake", function()
    bot = cunnekt.bot { api_key = "key", base_url = "http://127.0.0.1:9/v1", listen = "127.0.0.1:0", store = "memory:" }
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
    assert.equal("bot:every: seconds must be a number of more than 0", problem("every", 0, "x", note))
    assert.equal("bot:every: seconds must be a number of more than 0", problem("every", "60", "x", note))
    assert.equal("bot:after: a job needs a name, got function", problem("after", 1, note))
    assert.equal("bot:after: the job 'x' must be a function, or the name of a bot:job, got nil", problem("after", 1, "x"))
    assert.equal("bot:after: no bot:job is called 'remnd' (did you mean 'remind'?)", problem("after", 1, "x", "remnd"))
    assert.equal("bot:every: unknown option 'catchup' (did you mean 'catch_up'?)",
      problem("every", 1, { catchup = "all" }, "x", note))
    assert.equal("bot:every: option 'catch_up' must be one of: skip, once, all; got never",
      problem("every", 1, { catch_up = "never" }, "x", note))
    assert.truthy(problem("after", 1, { args = { print } }, "x", note):find("bot:after: option 'args' cannot be kept", 1, true))
    assert.equal("bot:daily: '9 am' is no time of day such as '09:00'", problem("daily", "9 am", "x", note))
    assert.equal("bot:daily: no time zone is called 'Asia/Calcuta' (did you mean 'Asia/Calcutta'?)",
      problem("daily", "09:00", { tz = "Asia/Calcuta" }, "x", note))
    assert.truthy(problem("cron", "0 9 * *", "x", note):find("bot:cron: the cron line '0 9 * *' cannot be read", 1, true))
    assert.equal("bot:cancel_job: the job's name is wanted, got nil", problem "cancel_job")
  end)
end)
