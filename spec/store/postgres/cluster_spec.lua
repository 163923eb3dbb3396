-- SPDX-License-Identifier: MIT
-- Four hosts on one database, behind something that gives each webhook to another one. One host has the database, the others take
-- webhooks for it. Whatever happens to any of them, or to the database, each webhook that was answered with 200 is handled once and in
-- order. `make test-postgres` runs it; CUNNEKT_TEST_FAULTS: how many faults.

local clock = require "cunnekt.time.clock"
local json = require "cunnekt.base.json"
local http = require "cunnekt.provider.http"
local pair_rig = require "spec.support.rigs.pair_rig"
local process = require "spec.support.process"
local task = require "cunnekt.base.task"

local url = os.getenv "CUNNEKT_TEST_POSTGRES"
if not url then
  return
end

local rounds = tonumber(os.getenv "CUNNEKT_TEST_FAULTS") or 40
local breaking_host, forward = os.getenv "CUNNEKT_BREAKING_HOST", os.getenv "CUNNEKT_FORWARD"

local end_sessions = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'cunnekt on %'"

describe("four hosts on a database", function()
  local number, rig = 0, nil

  before_each(function()
    number = number + 1
    rig = pair_rig.new(url, "cluster_" .. number, 4)
  end)

  after_each(function()
    rig:close()
  end)

  local function notice(verdict)
    local texts = {}
    for name, count in pairs(verdict) do
      texts[#texts + 1] = name .. " " .. count
    end
    local faults = verdict.lost + verdict.twice + verdict.disordered + verdict.wrong
    assert(faults > 0, "the judge has noticed nothing: " .. table.concat(texts, ", "))
  end

  local function wait_for_owner(before)
    process.wait_until("another owner", function()
      for _, host in ipairs(rig.hosts) do
        if host.process and host ~= before and rig:is_owner(host) then
          return true
        end
      end
    end)
  end

  local faults = {
    function(owner) -- the machine is gone
      rig:finish(owner, "KILL")
      wait_for_owner()
    end,
    function(_, other)
      rig:finish(other, "KILL")
    end,
    function(owner) -- it hangs for longer than the others wait
      owner.process:signal "STOP"
      wait_for_owner()
      owner.process:signal "CONT"
    end,
    function(_, other) -- one hangs with webhooks that it has not answered
      other.process:signal "STOP"
      task.sleep(0.2 + math.random())
      other.process:signal "CONT"
    end,
    function(owner)
      rig:finish(owner, "TERM")
    end,
    function(_, other)
      rig:finish(other, "TERM")
    end,
    function() -- whoever is faster has it then
      pair_rig.sql(end_sessions)
    end,
    function() -- the database's machine is gone for a moment
      assert(os.execute "spec/support/postgres.sh --restart")
    end,
    function(owner) -- it hangs, and comes back about when another one takes over
      owner.process:signal "STOP"
      task.sleep(0.8 + math.random() * 0.6)
      owner.process:signal "CONT"
    end,
    function(owner) -- nothing arrives at its database any more, and nothing ends the connection
      owner.path:signal "STOP"
      wait_for_owner(owner)
      owner.path:signal "CONT"
    end,
    function(_, other)
      other.path:signal "STOP"
      task.sleep(0.2 + math.random())
      other.path:signal "CONT"
    end,
    function(owner, other) -- two machines are gone
      rig:finish(owner, "KILL")
      rig:finish(other, "KILL")
    end,
  }

  it("lose nothing, do nothing twice and keep the order, whatever ends one of them or the database", function()
    rig.patience = clock.monotonic() + 30 + 4 * rounds
    rig:part(assert(forward))
    rig:roles()
    rig:begin_writing(0.05)
    for round = 1, rounds do
      local owner, other = rig:roles()
      task.sleep(math.random() * 0.1) -- at any moment of its work
      faults[round % #faults + 1](owner, other)
      rig:note_unknown()
    end
    rig:roles()
    local verdict = rig:judge(30)
    local said = verdict.said
    assert(said > 10 * rounds, "only " .. said .. " webhooks were taken")
    assert(verdict.runs > rounds / 4, "the job has run only " .. verdict.runs .. " times")
    print(("%d faults, %d webhooks, %d runs of a job, %d unknown"):format(rounds, said, verdict.runs, verdict.unknown))
    verdict.said, verdict.unknown, verdict.runs = nil, nil, nil
    assert(#rig.examples == 0, table.concat(rig.examples, "\n"))
    assert.are.same({ lost = 0, twice = 0, disordered = 0, wrong = 0 }, verdict)
  end)

  it("take webhooks while none of them has the database", function()
    local owner, other = rig:roles()
    owner.process:signal "STOP"
    rig:finish(owner, "KILL")
    local body = rig:webhook(1, 1)
    local answer = http.post(("http://127.0.0.1:%d/webhook"):format(other.port), body, { timeout = 5 })
    assert.equal(200, answer.status)
    process.wait_until("the answer", function()
      return rig.fake.state.last > 0
    end)
  end)

  local function nodes(...)
    return process.cunnekt({ "nodes", "--store", rig.url, ... })
  end

  it("are listed with what each does, and with what waits", function()
    assert.equal(1, nodes().code) -- there is nothing yet
    local owner, other = rig:roles()
    local found = nodes()
    assert.equal(0, found.code)
    assert.matches("^HOST +ADDRESS +ROLE +SINCE +SIGN OF LIFE\n%S+, process %d+ +%- +has the database +%d+s +%d+s\n", found.out)
    assert.equal(3, select(2, found.out:gsub("stands by", "")))
    assert.matches("\nwaiting: 0 webhooks, 0 events, 0 messages\n$", found.out)
    local first = json.decode(nodes("--json").out).nodes[1]
    assert.is_true(first.has_store)
    assert.matches("^cunnekt on .+, process %d+$", first.name)
    owner.process:signal "STOP"
    rig:finish(owner, "KILL")
    http.post(("http://127.0.0.1:%d/webhook"):format(other.port), rig:webhook(1, 1), { timeout = 5 })
    process.wait_until("another owner", function()
      return #json.decode(nodes("--json").out).nodes == 3 and nodes().code == 0
    end)
  end)

  it("all end when all are told to at once, whoever gets the database meanwhile", function()
    for _ = 1, 4 do
      rig:roles()
      for _, host in ipairs(rig.hosts) do
        host.process:signal "TERM"
      end
      for _, host in ipairs(rig.hosts) do
        local ended = host.process:wait()
        host.process = nil
        assert.equal(0, ended.code, ended.err)
      end
    end
  end)

  it("refuse what is no webhook, each as the one that has the database", function()
    local owner, other = rig:roles()
    for body, status in pairs { ["{"] = 400, [json.encode { entry = {} }] = 200 } do
      for _, host in ipairs { owner, other } do
        local answer = http.post(("http://127.0.0.1:%d/webhook"):format(host.port), body, { timeout = 5 })
        assert.equal(status, answer.status)
      end
    end
    assert.equal(404, http.post(("http://127.0.0.1:%d/other"):format(other.port), "{}", { timeout = 5 }).status)
  end)

  -- The judge must notice an owner that does not wait for what the others have taken. It looks for that ten times a second.
  it("would be noticed, if a webhook overtook one that another host has taken", function()
    local first = rig.hosts[1]
    first.program, first.breaks = assert(breaking_host), "overtake_mail"
    rig:start(first)
    first.process:expect "listening on"
    local owner, other = rig:roles()
    assert.equal(first, owner)
    for n = 1, 5, 2 do
      assert.equal(200, rig:post(other, 1, n, 5).status)
      assert.equal(200, rig:post(owner, 1, n + 1, 5).status)
      rig:said_until(1, n + 1)
      task.sleep(1.2) -- so that it expects no more
    end
    notice(rig:judge(10))
  end)
end)
