-- SPDX-License-Identifier: MIT
-- The way to a store: over the admin socket of the host that runs on it, and without a host.

local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local kept_bot = require "spec.support.rigs.kept_bot"
local network = require "cunnekt.base.network"
local operate = require "cunnekt.operate"
local process = require "spec.support.process"
local store = require "cunnekt.store"
local task = require "cunnekt.base.task"

describe("an operator's session", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  it("goes over a socket beside the database, for its owner alone, while a bot serves", function()
    kept:start()
    local found = core.stat(kept.path .. ".ctl")
    assert.equal("socket", found.kind)
    assert.equal(tonumber("600", 8), found.mode)
    local session = assert(operate.reach(kept.url))
    assert.is_true(session.is_running)
    assert.equal(core.pid(), assert(session:call "host.about").pid)
    kept:stop()
    assert.is_nil(core.stat(kept.path .. ".ctl"))
    local result, err = session:call "host.about"
    assert.is_nil(result)
    assert.matches("the host ended meanwhile", err.message)
  end)

  it("opens the store when nobody serves, also beside a socket that a crash left behind", function()
    kept:start()
    kept:stop()
    local script = [[assert(require("cunnekt.core").listen({ unix = arg[1] }, print)) os.exit(0, false)]]
    local path = process.write(kept.folder.path .. "/crash.lua", script)
    assert.equal(0, process.run({ process.lua, path, kept.path .. ".ctl" }).code)
    assert.equal("socket", core.stat(kept.path .. ".ctl").kind)
    local session = assert(operate.reach(kept.url))
    assert.is_false(session.is_running)
    assert.is_false(assert(session:call "host.about").is_running)
    session:close()
    kept:start()
    assert.is_true(assert(kept:call "host.about").is_running)
  end)

  -- After an upgrade, before the restart: "there is no operation 'contacts.list'", and a traceback of `dialogs list`.
  it("says that a host is of an older version, and reads what it gives", function()
    local host = assert(network.listen({ unix = kept.path .. ".ctl", max_body = 4096, max_connections = 4 }, function(exchange, _, target)
      if target == "/readyz" then
        exchange:answer(200, "ready\n")
      elseif target == "/control/dialogs.list" then
        exchange:answer(200, [[{"dialogs":[],"has_more":false}]], { "Content-Type: application/json" })
      else
        exchange:answer(400, [[{"error":{"kind":"invalid","message":"there is no operation 'contacts.list'"}}]], { "Content-Type: application/json" })
      end
    end))
    local old = process.cunnekt({ "contacts", "list" }, { cwd = kept.folder.path })
    local list = process.cunnekt({ "dialogs", "list" }, { cwd = kept.folder.path })
    host:close()
    assert.same({ 1, "cunnekt contacts: the running host is of an older version, which does not know 'contacts.list': restart it\n" },
      { old.code, old.err })
    assert.same({ 0, "none\n", "" }, { list.code, list.out, list.err })
  end)

  it("names the process that has the store and no socket", function()
    local opened = assert(store.open(kept.url))
    local result = process.cunnekt({ "events", "list" }, { cwd = kept.folder.path })
    assert.equal(1, result.code)
    assert.matches("in use by process " .. core.pid() .. ", and that process has no admin socket", result.err)
    opened:close()
  end)

  -- A backup of a stopped bot failed because somebody looked at its events.
  it("waits for another command that has the store", function()
    local opened = assert(store.open(kept.url))
    local command = process.start({ process.host, "events", "list" }, { cwd = kept.folder.path })
    task.sleep(0.3)
    opened:close()
    local result = command:wait()
    assert.same({ 0, "none\n", "" }, { result.code, result.out, result.err })
  end)

  it("makes no store where there is none", function()
    local session, err = operate.reach(kept.url)
    assert.is_nil(session)
    assert.equal("not_found", err.kind)
    assert.is_nil(core.stat(kept.path))
    assert.equal("invalid", select(2, operate.reach "memory:").kind)
    local refused = select(2, operate.reach "postgres://user:s3cr3t@127.0.0.1:1/db")
    assert.equal("store", refused.kind)
    assert.is_nil(tostring(refused):find("s3cr3t", 1, true))
  end)

  it("says what is wrong with a request", function()
    kept:start()
    assert.equal("invalid", select(2, kept:call "events.lst").kind)
    assert.matches("did you mean 'contact'", select(2, kept:call("events.list", { contct = "1" })).message)
    assert.equal("not_found", select(2, kept:call("events.show", { seq = 99 })).kind)
    local function ask(method, path, body)
      return assert(http.request { method = method, url = "http://x" .. path, body = body, unix = kept.path .. ".ctl" })
    end
    assert.equal(400, ask("POST", "/control/events.list", "{").status)
    assert.equal(400, ask("POST", "/control/events.list", "7").status)
    assert.equal(404, ask("GET", "/control/events.list").status)
    assert.equal(200, ask("POST", "/control/events.list", "").status)
  end)
end)
