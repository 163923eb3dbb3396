-- SPDX-License-Identifier: MIT
-- The list of persisted formats: whether it is the code's, by a scan of the sources, and whether the bytes are still those
-- that the version before the list wrote into databases (commit 6e44f9b). A test here that fails means: a migration is
-- missing, or a new format is not in lua/cunnekt/store/formats.lua.

local core = require "cunnekt.core"
local cron = require "cunnekt.time.cron"
local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local identity = require "cunnekt.provider.identity"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local process = require "spec.support.process"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local record = require "cunnekt.engine.record"
local route = require "cunnekt.bot.route"
local run = require "cunnekt.dialog.engine.run"
local timing = require "cunnekt.jobs.timing"
local webhook = require "cunnekt.provider.webhook"

-- ---- the sources -------------------------------------------------------------------------------------------------------

-- path → text, without comments and without this list itself.
local function read_sources()
  local sources = {}
  local pipe <close> = assert(io.popen "find lua/cunnekt -name '*.lua' -not -path '*/_meta/*'")
  for path in pipe:lines() do
    if path ~= "lua/cunnekt/store/formats.lua" then
      sources[path] = (assert(process.read(path)):gsub("%-%-[^\n]*", ""))
    end
  end
  return sources
end

-- Calls that take a step; what follows is the step's kind.
local calls = {
  "steps%.step%(", "steps%.within%(", "current:step%(", "its_run:step%(", "self:step%(", ":begin_step%(", "journal%.mark%(", "task%.record%(",
  "within%(self, ", "put_event%(parts, ",
}
-- Where the kind is a parameter, called `kind`: the file's own callers are found by the calls above.
local forwarding = {
  ["lua/cunnekt/base/task.lua"] = true,
  ["lua/cunnekt/bot/init.lua"] = true,
  ["lua/cunnekt/bot/values.lua"] = true,
  ["lua/cunnekt/dialog/engine/run.lua"] = true,
  ["lua/cunnekt/engine/steps.lua"] = true,
  ["lua/cunnekt/jobs/planner.lua"] = true,
}

-- Calls `see(kind, path)` for each kind of step that the sources name, and `see(nil, path)` for one that they do not name.
local function each_kind(sources, see)
  for path, text in pairs(sources) do
    for _, call in ipairs(calls) do
      for argument in text:gmatch(call .. "([^,()]+)") do
        local is_named = false
        for kind in argument:gmatch '"([^"]+)"' do
          is_named = true
          see(kind, path)
        end
        if not is_named and not (argument == "kind" and forwarding[path]) then
          see(nil, path)
        end
      end
    end
  end
end

local function keys_of(set)
  local keys = {}
  for key in pairs(set) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

describe("the list of persisted formats", function()
  local sources

  setup(function()
    sources = read_sources()
  end)

  it("holds each kind of step that the code takes, and no other", function()
    local found = {}
    each_kind(sources, function(kind, path)
      assert(kind, path .. " takes a step whose kind this spec cannot read")
      found[kind] = true
    end)
    assert.are.same(keys_of(formats.step_kinds), keys_of(found))
  end)

  -- The scan itself.
  it("would miss no kind that is chosen by a condition, and no call whose kind is not written there", function()
    local found = {}
    each_kind({ ["x.lua"] = 'steps.within(ok and "a b" or "c", 1)\nlocal x = current:step(what, 2)' }, function(kind)
      found[#found + 1] = tostring(kind)
    end)
    assert.are.same({ "a b", "c", "nil" }, found)
  end)

  it("holds each event of our own that the code makes or hears, and no other", function()
    local found = {}
    for _, text in pairs(sources) do
      for name in text:gmatch 'status [=~]=? "(dialog_%l+)"' do
        found[name] = true
      end
      for name in text:gmatch 'record[%w_]*%.own%([^{]-{ status = "([%w_]+)"' do
        found[name] = true
      end
      for name in text:gmatch 'told = { status = "([%w_]+)"' do
        found[name] = true
      end
    end
    for _, name in ipairs(require("cunnekt.provider.status").own_events) do
      found[name] = true
    end
    assert.are.same(keys_of(formats.own_events), keys_of(found))
  end)

  it("is where the code takes its marks and names from", function()
    for path, text in pairs(sources) do
      for _, literal in ipairs { [["\1"]], [["\1base64"]], '"on:%d', '"on:event"', '"global:' } do
        assert.is_nil(text:find(literal, 1, true), ("%s writes %s itself"):format(path, literal))
      end
    end
  end)

  it("is of the version of the schema", function()
    assert.equal(core.store_version, formats.schema_version)
  end)

  it("has the timings that jobs are kept with", function()
    assert.equal(timing.after(60).text, formats.timings.after:format(60))
    assert.equal(timing.every(0.1).text, formats.timings.every:format(0.1))
    assert.equal(assert(timing.cron(cron.parse "0 9 * * *", "UTC")).text, formats.timings.cron:format("0 9 * * *", "UTC"))
  end)

  it("has the policies that the options take", function()
    local reply, planner = require "cunnekt.bot.reply", require "cunnekt.jobs.planner"
    assert.are.same(reply.delivery_types.unknown, formats.unknown_policies)
    assert.are.same(reply.delivery_types.after, formats.follows)
    assert.are.same(planner.option_types.catch_up, formats.catch_up)
  end)
end)

-- ---- golden bytes ------------------------------------------------------------------------------------------------------

describe("what the version before wrote", function()
  local failure = { message = "too late", kind = "timeout", sent = true }

  -- A text of a journal, and the outcome that it stands for. JSON objects have no order, so the texts of more than one key
  -- are compared by what they hold.
  local outcomes = {
    { '{"v":7}', { value = 7 } },
    { "{}", {} },
    { '{"v":{"id":12}}', { value = { id = 12 } } },
    { '{"v":[1,"a"]}', { value = json.array { 1, "a" } } },
    { '{"v":{"\\u0001base64":"/wB4"}}', { value = "\xff\0x" } },
    { '{"e":{"value":"no luck"}}', { raised = { value = "no luck" } } },
    { '{"c":true,"at":1700000000.5,"v":"yes"}', { value = "yes", at = 1700000000.5, is_commit = true } },
    { '{"e":{"err":{"message":"too late","sent":true,"kind":"timeout"}}}', { raised = { err = failure } } },
  }
  for _, case in ipairs(outcomes) do
    it("in a journal is read and written: " .. case[1], function()
      assert.are.same(case[2], journal.decode(case[1]))
      assert.are.same(json.decode(case[1]), json.decode(journal.encode(case[2])))
    end)
  end

  it("in a journal of one key is the same byte for byte", function()
    for i = 1, 6 do
      assert.equal(outcomes[i][1], journal.encode(outcomes[i][2]))
    end
  end)

  it("of a chat:step that could have one result only is that result", function()
    for _, text in ipairs { '{"v":7}', "{}", '{"v":[1,"a"]}', '{"v":{"id":12}}', '{"v":false}' } do
      local value = journal.decode(text).value
      assert.are.same(table.pack(value), table.pack(journal.unpack_results(value)))
      assert.equal(text, journal.encode { value = journal.pack_results(value) })
    end
  end)

  it("of several results is the same byte for byte", function()
    local text = '{"v":{"\\u0001results":[["a"],[],[null]]}}'
    assert.are.same({ "a", nil, nil, n = 3 }, table.pack(journal.unpack_results(journal.decode(text).value)))
    assert.equal('{"v":{"\\u0001results":[["a"],[]]}}', journal.encode { value = journal.pack_results("a", nil) })
    assert.equal('{"v":{"\\u0001results":[[],{"err":{"value":7}}]}}', journal.encode {
      value = { [formats.results_key] = json.array { json.array {}, { err = { value = 7 } } } },
    })
  end)

  it("of an error in a journal is an error again", function()
    local kept = journal.decode(outcomes[8][1]).raised
    local err = journal.unpack_error(kept)
    assert.is_true(errors.is(err))
    assert.equal("timeout: too late", tostring(err))
    assert.are.same(kept, journal.pack_error(err))
  end)

  it("as an event of our own is read and written", function()
    local old = '\1{"status":"dialog_timeout","seed":"s","n":3,"run":1,"kind":"own"}'
    local event = { kind = "own", status = "dialog_timeout", run = 1, seed = "s", n = 3 }
    assert.are.same(event, record.read_body(old))
    local body = record.own("1:919999999999", { status = "dialog_timeout", run = 1, seed = "s", n = 3 }).body
    assert.equal("\1{", body:sub(1, 2))
    assert.are.same(event, json.decode(body:sub(2)))
  end)

  it("as the mark of a step is the same byte for byte", function()
    assert.equal('wait {"from"=1,"types"={"text"=true,},}', journal.mark("wait", { types = { text = true }, from = 1 }))
    assert.equal('wait {"reaches"="read","sent"=5,}', journal.mark("wait", { sent = 5, reaches = "read" }))
    -- Of a question too, whose message was not kept.
    local subject = rebuild.subject_of_wait { types = { text = true }, from = 1, question = 12, due = 5, n = 2 }
    assert.equal('wait {"from"=1,"types"={"text"=true,},}', journal.mark("wait", subject))
    assert.equal('wait {"signal"="paid",}', journal.mark("wait", { signal = "paid" }))
    assert.equal("wait {}", journal.mark("wait", {}))
    assert.equal('step "' .. ("é"):rep(17) .. "… cd04b8dde9da7150", journal.mark("step", ("é"):rep(80)))
  end)

  it("as the mark of a message is the same, whether its payload is JSON or a table", function()
    local mark = 'send {1={"mobile"="919999999999","text"="hi","type"="text",},2=false,}'
    local current = run.new { id = 1, at = 0, name = "it" }
    current:end_step { kind = "send", json = '{"mobile":"919999999999","type":"text","text":"hi"}', outcome = { value = { id = 3 } } }
    local step = current:take_pending()[1]
    assert.equal(mark, step.mark)
    assert.equal('{"v":{"id":3}}', step.result)
    assert.equal(mark, journal.mark("send", { { text = "hi", mobile = "919999999999", type = "text" }, false }))
  end)

  it("as the name of a handler is the same", function()
    local routes = route.new()
    assert.equal("on:1:text", routes:add("text", nil, print, nil, 2).name)
    routes:add("image", nil, print, nil, 2)
    assert.equal("on:3:any", routes:add("any", nil, print, nil, 2).name)
    assert.equal("global:stop", routes:add_global("Stop", print).name)
    assert.equal("on:event", formats.handler_run)
  end)

  it("as the timing of a job is the same, and is read", function()
    local texts = {
      ["after 60"] = timing.after(60),
      ["after 0.10000000000000001"] = timing.after(0.1),
      ["every 3600"] = timing.every(3600),
      ["cron 0 9 * * * @ Asia/Kolkata"] = timing.cron(cron.daily "09:00", "Asia/Kolkata"),
      ["cron */5 9-17 * * 1-5 @ here"] = timing.cron(cron.parse "*/5 9-17 * * 1-5"),
    }
    for text, its_timing in pairs(texts) do
      assert.equal(text, its_timing.text)
      assert.equal(text, assert(timing.parse(text)).text)
    end
  end)

  it("as the chance of a run is the same", function()
    local current = run.new { id = 7, at = 1700000000, seed = "0.5 1700000000 7" }
    assert.equal("0.48905872688084528", ("%.17g"):format(current:random()))
  end)

  it("as keys of conversations and of deduplication is the same", function()
    assert.equal("1:919999999999", identity.key("1", "919999999999"))
    assert.equal("m:1:wamid.1", webhook.dedupe_key { kind = "message", id = "wamid.1", phone_number_id = "1" })
    local status = { kind = "status", id = "wamid.1", status = "read", recipient = "919999999999" }
    assert.equal("s:wamid.1:read:919999999999", webhook.dedupe_key(status))
  end)

  it("as numbers of states and ranks is the same", function()
    assert.are.same({ queued = 0, sending = 1, unknown = 2, rejected = 3, failed = 4, expired = 5 }, formats.outbox_states)
    assert.are.same({ accepted = 0, sent = 1, delivered = 2, read = 3, played = 4, failed = 9 }, formats.ranks)
  end)
end)
