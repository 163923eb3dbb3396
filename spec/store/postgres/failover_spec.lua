-- SPDX-License-Identifier: MIT
-- The primary dies in the middle of the work, and its standby is promoted: with a synchronous one nothing is lost that was answered
-- with 200, and with an asynchronous one the judge sees that it is. `make test-postgres` runs it; CUNNEKT_TEST_FAILOVERS: how often.

local clock = require "cunnekt.time.clock"
local failover_rig = require "spec.support.rigs.failover_rig"
local process = require "spec.support.process"
local task = require "cunnekt.base.task"

if not os.getenv "CUNNEKT_TEST_POSTGRES" then
  return
end

local rounds = tonumber(os.getenv "CUNNEKT_TEST_FAILOVERS") or 10

describe("a bot whose primary database dies", function()
  local rig

  after_each(function()
    rig:close()
  end)

  local function begin(is_synchronous, count)
    rig = failover_rig.new(count)
    rig.patience = clock.monotonic() + 30 + 6 * rounds
    rig:copy(is_synchronous)
    for _, host in ipairs(rig.hosts) do
      rig:start(host)
    end
    process.wait_until("a host that is ready", function()
      return rig:readiness(rig.hosts[1]) == 200 or rig:readiness(rig.hosts[#rig.hosts]) == 200
    end)
    rig:begin_writing(0.06)
    return rig.hosts[1]
  end

  local function assert_whole(verdict)
    verdict.said, verdict.unknown, verdict.runs = nil, nil, nil
    assert(#rig.examples == 0, table.concat(rig.examples, "\n"))
    assert.are.same({ lost = 0, twice = 0, disordered = 0, wrong = 0 }, verdict)
  end

  it("loses nothing and does nothing twice, where the standby is synchronous", function()
    local host = begin(true)
    local its_process, total, slowest = host.process, 0, 0
    for round = 1, rounds do
      rig:wait_for_webhooks(30)
      task.sleep(math.random() * 0.1) -- at any moment of its work
      local seconds, reasons = rig:fail_over(host, round % 2 == 0 and "kill" or "end")
      assert.matches("^the store cannot be written: .", reasons[1])
      total, slowest = total + seconds, math.max(slowest, seconds)
      rig:wait_for_webhooks(1)
      rig:note_unknown()
      rig:copy(true)
    end
    rig:wait_for_webhooks(30)
    assert(host.process == its_process and not its_process:code(), "the host has ended")
    local verdict = rig:judge()
    local text = "%d fail-overs, %d webhooks, %d unknown; not ready for %.2f s, at most %.2f s"
    print(text:format(rounds, verdict.said, verdict.unknown, total / rounds, slowest))
    assert_whole(verdict)
  end)

  it("leaves its work to another host, where that is the first one at the new primary", function()
    begin(true, 2)
    for _ = 1, 3 do
      local owner, other = rig:roles()
      rig:wait_for_webhooks(30)
      owner.process:signal "STOP"
      rig:lose_primary "kill"
      rig:promote()
      process.wait_until("the other host", function()
        return rig:is_owner(other)
      end)
      owner.process:signal "CONT"
      rig:roles()
      rig:note_unknown()
      rig:copy(true)
    end
    rig:wait_for_webhooks(30)
    assert_whole(rig:judge())
    local ends = table.concat(rig.logs, "\n")
    local _, taken = ends:gsub("another host has taken the database over; this one ends", "")
    assert(taken >= 3, ends)
  end)

  -- Its primary is there, but no commit is confirmed any more, for as long as there is no other standby.
  it("answers webhooks with 503, and says why, while its only synchronous standby is away", function()
    local host = begin(true)
    rig:wait_for_webhooks(30)
    rig:lose_standby "kill"
    local began, body = clock.monotonic(), nil
    local answer = assert(rig:post(host, 17, 1, 20))
    assert.equal(503, answer.status)
    assert(clock.monotonic() - began < 8, "a webhook waited for too long")
    process.wait_until("the reason", function()
      body = select(2, rig:readiness(host))
      return body:find("standby", 1, true)
    end)
    local reason = "the database has not confirmed a commit for 5 seconds; it may wait for a standby (synchronous_standby_names)"
    assert.equal("the store cannot be written: " .. reason .. "\n", body)
    host.process:expect "the store cannot write: .+; webhooks are answered 503 until it can"
    rig:copy(true)
    rig:wait_for_webhooks(30)
    assert.equal(200, (rig:readiness(host)))
    host.process:expect "the store can write again"
    assert_whole(rig:judge())
  end)

  it("can be stopped while a commit waits for a standby, and goes on afterwards", function()
    local host = begin(true)
    rig:wait_for_webhooks(30)
    rig:lose_standby "kill"
    local began = clock.monotonic()
    local ended = rig:finish(host, "TERM")
    assert.equal(0, ended.code, ended.err)
    assert(clock.monotonic() - began < 25, "the service manager would have killed it") -- TimeoutStopSec=30
    rig:copy(true)
    rig:start(host)
    rig:wait_for_webhooks(30)
    assert_whole(rig:judge())
  end)

  -- And the host must notice: what it remembers is of commits that never were, for this database.
  it("would be noticed, if the standby had not received what was confirmed; the host ends, and says so", function()
    local host = begin(false)
    rig:wait_for_webhooks(30)
    rig:cut_off()
    rig:disturb { kind = "status", status = 429 } -- so that no answer arrives to what is lost
    rig:wait_for_webhooks(60)
    local its_process = host.process
    rig:lose_primary "kill"
    rig:promote()
    local ended = its_process:wait()
    assert.equal(1, ended.code)
    assert.matches("the database lacks what it had confirmed, as after a fail%-over to a standby that had not received it; this one ends", ended.err)
    rig:disturb { kind = "delay", seconds = 0.01 }
    rig:tend(host)
    rig:wait_for_webhooks(30)
    local verdict = rig:judge()
    print(("asynchronous: %d webhooks, %d lost, %d with a state of the past"):format(verdict.said, verdict.lost, verdict.wrong))
    assert(verdict.lost >= 60, "the judge has noticed too little")
  end)
end)
