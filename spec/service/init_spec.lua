-- SPDX-License-Identifier: MIT
-- A service: the parts behind a bot, and its life from the first line of a script to its end.

local core = require "cunnekt.core"
local cunnekt = require "cunnekt"
local process = require "spec.support.process"
local rig = require "spec.support.rigs.service_rig"
local service = require "cunnekt.service"
local task = require "cunnekt.base.task"

describe("a service", function()
  local it_

  before_each(function()
    it_ = rig.new()
  end)

  after_each(function()
    it_:close()
  end)

  it("has the parts of its bot, those of the engine among them", function()
    local bot, its_service = it_:new_bot()
    assert.equal(its_service, service.of(bot))
    assert.equal(bot, its_service.bot)
    for _, name in ipairs { "inbox", "outbox", "store", "counts" } do
      assert.equal(its_service.engine[name], its_service[name], name)
    end
    assert.are.same({ "127.0.0.1:0", 5 }, { its_service.settings.listen, its_service.options.attempts })
  end)

  it("shows a script nothing but its client and its store", function()
    local bot, names = it_:new_bot(), {}
    for name in pairs(bot) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.are.same({ "client", "store" }, names)
  end)

  it("of one bot is none of another's", function()
    local first = it_:new_bot { store = "memory:" }
    local second = it_:new_bot { store = "memory:" }
    first.store:set("a", 1)
    assert.is_nil(second.store:get "a")
    first:stop(0)
  end)

  it("has no addresses before it serves, and keeps them", function()
    local bot, its_service = it_:new_bot { admin = "127.0.0.1:0" }
    assert.are.same({ nil, nil, nil }, { bot:address(), bot:admin_address(), its_service.started_at })
    assert.equal(bot, bot:listen())
    local address = bot:address()
    assert.matches("^127.0.0.1:%d+$", address)
    assert.matches("^127.0.0.1:%d+$", bot:admin_address())
    assert.equal(bot, bot:listen())
    assert.equal(address, bot:address())
    assert.equal(rig.start, its_service.started_at)
  end)

  it("says that its address is taken, and serves once it is free", function()
    local holder = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
    local bot = it_:new_bot { listen = "127.0.0.1:" .. holder:port() }
    local result, err = bot:listen()
    assert.are.same({ nil, "network" }, { result, err.kind })
    assert.is_nil(bot:address())
    holder:close()
    assert.equal(bot, bot:listen())
  end)

  it("opens both of its addresses or none", function()
    local holder = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
    local before = core.counts().listeners
    local bot = it_:new_bot { admin = "127.0.0.1:" .. holder:port() }
    local result, err = bot:listen()
    assert.are.same({ nil, "network" }, { result, err.kind })
    assert.are.same({ nil, nil, before }, { bot:address(), bot:admin_address(), core.counts().listeners })
    holder:close()
  end)

  it("cannot be made over a store that is no database, and says so", function()
    process.write(it_.folder.path .. "/bot.db", ("not a database "):rep(1000))
    local ok, err = pcall(function()
      local bot = cunnekt.bot { api_key = "key", store = it_.url }
      return bot
    end)
    assert.is_false(ok)
    assert.equal("store", err.kind)
    it_.service = nil
  end)

  it("is idle when nothing waits or is under way", function()
    local release
    local _, its_service = it_:serve(function(bot)
      bot:on("text", function()
        task.await(function(done)
          release = done
        end)
      end)
    end)
    assert.are.same({ true, true }, { its_service:is_idle(), service.is_idle() })
    it_:say "x"
    assert.are.same({ false, false }, { its_service:is_idle(), service.is_idle() })
    release()
    it_:settle()
    assert.are.same({ true, true }, { its_service:is_idle(), service.is_idle() })
  end)

  it("stops once, and tells who waits for that", function()
    local bot, its_service = it_:serve()
    local told = 0
    its_service.on_stopped = function()
      told = told + 1
    end
    assert.is_true(it_:stop())
    assert.is_false(bot:stop())
    assert.are.same({ true, 1 }, { its_service.is_clean, told })
  end)

  it("runs until it is stopped", function()
    local bot = it_:new_bot()
    local result
    local running = task.spawn(function()
      result = bot:run()
    end)
    it_:step_until(function()
      return bot:address()
    end)
    assert.is_false(running.is_done)
    assert.matches("listening on 127.0.0.1:%d+", table.concat(it_.lines, "\n"))
    assert.is_true(it_:stop())
    assert.are.same({ true, true }, { running.is_done, result })
  end)

  it("may be stopped before it has served", function()
    local bot = it_:new_bot()
    assert.is_true(bot:stop(0))
  end)

  it("is stopped with all others that serve", function()
    local _, first = it_:serve(nil, { store = "memory:" })
    local _, second = it_:serve(nil, { store = "memory:" })
    service.stop_all()
    it_:step_until(function()
      return first.is_clean and second.is_clean
    end)
  end)
end)

describe("the host", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function start(script)
    process.write(folder.path .. "/bot.lua", 'local cunnekt = require "cunnekt"\n' .. script)
    return process.start({ process.host, "run", "bot.lua" }, { cwd = folder.path, env = { CUNNEKT_API_KEY = "key" } })
  end

  it("serves the bots that a script made and did not run", function()
    local running = start [[
      for i = 1, 2 do
        cunnekt.bot { listen = "127.0.0.1:0", store = "sqlite:" .. i .. ".db" }
      end
    ]]
    running:expect "listening on.*listening on"
    running:signal "TERM"
    assert.equal(0, running:wait().code)
  end)

  -- It served them all the same, and failed because their stores were closed.
  it("serves no bot that the script has stopped", function()
    local result = start([[
      local bot = cunnekt.bot { listen = "127.0.0.1:0" }
      bot.store:set("n", 1)
      print(bot:stop(0))
    ]]):wait()
    assert.are.same({ 0, "true\n", "" }, { result.code, result.out, result.err })
  end)
end)
