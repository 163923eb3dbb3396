-- SPDX-License-Identifier: MIT
-- The pages for monitoring, on the admin socket and on the admin address.

local inside = require("cunnekt.service").of
local http = require "cunnekt.provider.http"
local kept_bot = require "spec.support.rigs.kept_bot"
local process = require "spec.support.process"
local task = require "cunnekt.base.task"

local ASHA = "919999999999"

describe("the pages for monitoring", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function get(path, opts)
    return assert(http.get("http://x" .. path, opts or { unix = kept.path .. ".ctl" }))
  end

  it("say that the bot is alive, and whether it takes events", function()
    kept._opts.queue = 1
    local release
    kept:start(function(bot)
      bot:on("text", function()
        task.await(function(done)
          release = done
        end)
      end)
    end)
    assert.equal(200, get("/healthz").status)
    assert.equal(200, get("/readyz").status)
    kept:say "fills the queue"
    kept:wait_for("the handler", function()
      return release
    end)
    local answer = get "/readyz"
    assert.equal(503, answer.status)
    assert.equal("too many events are waiting\n", answer.body)
    assert.equal(200, get("/healthz").status)
    assert.matches("\ncunnekt_ready 0\n", get("/metrics").body)
    release()
    kept:settle()
    assert.equal(200, get("/readyz").status)
    inside(kept.bot).store.is_writable = function()
      return false
    end
    assert.equal("the store cannot be written\n", get("/readyz").body)
  end)

  it("count what happened, and name nobody", function()
    kept:start(function(bot)
      bot:on("text", "bad", function()
        error "bad"
      end)
      bot:on("text", function(msg)
        msg:reply_text("Re: " .. msg.text)
      end)
    end)
    kept:say "bad"
    kept:fault { kind = "duplicate", count = 1 }
    kept:say "good"
    kept:wait_for_messages("read", 1)
    kept:settle()
    local answer = get "/metrics"
    assert.matches("^text/plain; version=0.0.4", answer.headers["content-type"])
    local function number(name)
      return tonumber(answer.body:match("\ncunnekt_" .. name .. " (%S+)"))
    end
    assert.equal(1, number "events_dead_total")
    assert.equal(1, number "events_set_aside")
    assert.equal(1, number "events_deduplicated_total")
    assert.equal(5, number "events_accepted_total") -- two texts, three statuses
    assert.equal(4, number "events_finished_total")
    assert.equal(0, number "events_pending")
    assert.equal(1, number "messages_queued_total")
    assert.equal(1, number "messages_accepted_total")
    assert.equal(0, number 'messages_set_aside{state="unknown"}')
    assert.is_true(number "store_commit_seconds" > 0)
    assert.is_true(number "memory_bytes" > 1000000)
    assert.is_true(number "start_time_seconds" > 1700000000)
    assert.not_matches(ASHA, answer.body)
    for line in answer.body:gmatch "[^\n]+" do
      local is_sample = line:find '^cunnekt_[%l_]+{?[%l="]*}? [%d.e+-]+$' ~= nil
      assert(is_sample or line:find "^# HELP cunnekt_" or line:find "^# TYPE cunnekt_[%l_]+ %l+$", line)
    end
  end)

  it("have no metric that the manual lacks", function()
    kept:start()
    local page = process.read "docs/operations.md"
    for name in get("/metrics").body:gmatch "# TYPE cunnekt_(%S+)" do
      assert.is_truthy(page:find("`" .. name, 1, true), name)
    end
  end)

  it("are on the admin address too, when there is one, and nothing else is", function()
    assert.is_nil(kept:start():admin_address())
    kept:stop()
    kept._opts.admin = "127.0.0.1:0"
    local base = "http://" .. kept:start():admin_address()
    for _, path in ipairs { "/healthz", "/readyz", "/metrics" } do
      assert.equal(200, assert(http.get(base .. path)).status)
      assert.equal(404, assert(http.get("http://" .. kept.bot:address() .. path)).status)
    end
    assert.equal(405, assert(http.post(base .. "/healthz", "")).status)
    assert.equal(404, assert(http.post(base .. "/control/events.list", "")).status)
    local other = kept_bot.new { admin = kept.bot:admin_address() }
    local ok, err = pcall(other.start, other)
    other.bot:stop(0)
    other.bot = nil
    other:close()
    assert.is_false(ok)
    assert.matches("admin address", tostring(err))
  end)
end)
