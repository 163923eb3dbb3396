-- SPDX-License-Identifier: MIT
-- The start of a service on what an earlier process left: events, messages, dialogs and jobs, the oldest first, and the
-- script told before anything continues.

local core = require "cunnekt.core"
local fake_client = require "spec.support.fake_client"
local rig = require "spec.support.rigs.service_rig"
local task = require "cunnekt.base.task"

local customer = rig.customer

describe("a start", function()
  local it_, heard

  before_each(function()
    it_, heard = rig.new(), {}
  end)

  after_each(function()
    it_:close()
  end)

  local function hears(bot)
    bot:on("text", function(msg)
      heard[#heard + 1] = msg.text
    end)
  end

  -- A life whose turns never end: what comes in is stored, and stays.
  local function leave(...)
    it_:serve(hears)
    it_.service.inbox:stop()
    for _, text in ipairs { ... } do
      it_:say(text)
    end
    it_:stop(0)
  end

  it("on a new store has nothing to say", function()
    local told = 0
    it_:serve(function(bot)
      bot:on_restart(function()
        told = told + 1
      end)
    end)
    it_:settle()
    assert.are.same({ 0, {} }, { told, it_.lines })
  end)

  it("handles the events that were left, in order, before what comes now", function()
    leave("one", "two")
    it_:serve(hears)
    it_:say "three"
    it_:settle()
    assert.are.same({ "one", "two", "three" }, heard)
    assert.matches("recovering 2 events and 0 messages", table.concat(it_.lines, "\n"))
  end)

  it("handles nothing twice that was handled", function()
    it_:serve(hears)
    it_:say "one"
    it_:settle()
    it_:stop()
    it_:serve(hears)
    it_:settle()
    assert.are.same({ "one" }, heard)
  end)

  it("sends the messages that were left, in order", function()
    local bot = it_:new_bot { unknown = "resend" }
    fake_client.transmits(bot.client, function()
      task.await(function() end) -- the process ends amid this
    end)
    for _, text in ipairs { "a", "b", "c" } do
      assert(bot:chat(customer, "1"):reply_text(text))
    end
    it_:stop(0)
    it_:serve()
    it_:settle()
    assert.are.same({ "a", "b", "c" }, it_.delivered)
    assert.matches("recovering 0 events and 3 messages", table.concat(it_.lines, "\n"))
  end)

  it("tells the script what was left, in a turn, before any of it continues", function()
    leave("one", "two")
    it_:serve(function(bot)
      hears(bot)
      bot:on_restart(function(left)
        heard[#heard + 1] = left
        bot:chat(customer):reply_text "back again"
      end)
    end)
    it_:settle()
    assert.are.same({ { events = 2, messages = 0, dialogs = 0 }, "one", "two" }, heard)
    assert.are.same({ "back again" }, it_.delivered)
  end)

  it("goes on when the script fails to hear that", function()
    leave "one"
    local failures = {}
    it_:serve(function(bot)
      hears(bot)
      bot:on_restart(function()
        error "no luck"
      end)
      bot:on_error(function(err)
        failures[#failures + 1] = err.kind
      end)
    end)
    it_:settle()
    assert.are.same({ { "one" }, { "handler" } }, { heard, failures })
  end)

  it("knows the business number that customers wrote to, before one has written", function()
    it_:serve()
    it_:say "x"
    it_:settle()
    it_:stop()
    local bot = it_:serve()
    assert.equal("1:" .. customer, bot:chat(customer).contact)
  end)

  it("continues a dialog whose time was up meanwhile", function()
    local function define(bot)
      bot:dialog("it", function(chat)
        local _, err = chat:ask("?", { timeout = 60 })
        chat:reply_text(err.kind)
      end)
    end
    local bot = it_:serve(define)
    it_:say "x"
    it_:settle()
    assert(bot:start(customer, "it"))
    it_:settle()
    it_:stop()
    it_.clock:advance(1000)
    it_:serve(define)
    it_:step_until(function()
      return #it_.delivered == 2
    end)
    assert.are.same({ "?", "timeout" }, it_.delivered)
  end)

  it("runs a job that was due meanwhile", function()
    local function define(bot)
      bot:every(60, "tick", function()
        heard[#heard + 1] = "tick"
      end)
    end
    it_:serve(define)
    it_:stop()
    it_.clock:advance(1000)
    it_:serve(define)
    it_:step_until(function()
      return heard[1]
    end)
    it_:settle()
    assert.are.same({ "tick" }, heard)
  end)

  it("that fails because its address is taken loses nothing, and may be made again", function()
    leave "one"
    local holder = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
    local bot = it_:new_bot { listen = "127.0.0.1:" .. holder:port() }
    hears(bot)
    bot:after(30, "once", function()
      heard[#heard + 1] = "once"
    end)
    assert.is_nil((bot:listen()))
    assert.are.same({}, heard)
    holder:close()
    assert(bot:listen())
    it_:settle()
    it_:pass(60, 10)
    assert.are.same({ "one", "once" }, heard)
  end)

  -- The timer of a dialog had been started before the addresses were opened.
  it("that fails because its address is taken continues no dialog, however long it is", function()
    local function define(bot)
      bot:dialog("it", function(chat)
        local _, err = chat:ask("?", { timeout = 60 })
        chat:reply_text(err.kind)
      end)
    end
    local bot = it_:serve(define)
    it_:say "x"
    it_:settle()
    assert(bot:start(customer, "it"))
    it_:settle()
    it_:stop()
    local holder = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
    for _, taken in ipairs { "listen", "admin" } do
      bot = it_:new_bot { [taken] = "127.0.0.1:" .. holder:port() }
      define(bot)
      assert.is_nil((bot:listen()))
      it_:pass(1000, 100)
      assert.are.same({ "?" }, it_.delivered)
      if taken == "listen" then
        it_:stop(0)
      end
    end
    holder:close()
    it_.service.settings.admin = nil
    assert(bot:listen())
    it_:step_until(function()
      return #it_.delivered == 2
    end)
    assert.are.same({ "?", "timeout" }, it_.delivered)
  end)

  it("by bot:run that fails closes the store, which another bot can open", function()
    local holder = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
    for _, taken in ipairs { "listen", "admin" } do
      local before = core.counts().listeners
      local bot = it_:new_bot { [taken] = "127.0.0.1:" .. holder:port() }
      local ok, err = pcall(bot.run, bot)
      assert.are.same({ false, "network", before }, { ok, err.kind, core.counts().listeners })
      assert.matches("cannot listen on .*127.0.0.1:" .. holder:port(), err.message)
    end
    holder:close()
    it_:serve()
  end)

  it("that cannot read the store says so", function()
    local bot = it_:new_bot()
    local query = it_.service.store.query
    it_.service.store.query = function(self, what, parameters)
      if what == "pending" then
        return nil, require("cunnekt.base.errors").new("store", "no disk")
      end
      return query(self, what, parameters)
    end
    local result, err = bot:listen()
    assert.are.same({ nil, "store: no disk", nil }, { result, tostring(err), bot:address() })
  end)
end)
