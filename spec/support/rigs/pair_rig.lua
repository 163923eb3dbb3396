-- SPDX-License-Identifier: MIT
-- Two hosts or more on one database, each a process as on a machine of its own: a supervisor that starts anew what has ended, customers who
-- send each webhook to one host after the other until one answers 200, and a judge who believes only what arrived at the provider.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local process = require "spec.support.process"
local samples = require "cunnekt.sandbox.samples"
local sandbox = require "cunnekt.sandbox"
local task = require "cunnekt.base.task"

local pair_rig = {}

local rig_methods = {}
local rig_mt = { __index = rig_methods }

-- Each answer has the number of the webhook, and how many the conversation has had: of one customer in two a dialog knows that,
-- which asks for ever, of the others the conversation's state. What comes before its question, from a customer who has waited for too
-- long, the dialog keeps. A job tells an operator how often it has run.
local operator = "919888888888"
local script = ([[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot {}
bot:dialog("count", function(chat, text)
  local n = 0
  while true do
    n = n + 1
    text = chat:ask(("%%s %%d"):format(text, n)).text
  end
end, { unexpected = "queue" })
bot:on("text", function(msg)
  if tonumber(msg.from:sub(-1)) %% 2 == 0 then
    return msg:start("count", msg.text)
  end
  local state = msg.chat.state
  state.n = (state.n or 0) + 1
  msg:reply_text(("%%s %%d"):format(msg.text, state.n))
end)
bot:every(1, { catch_up = "once" }, "tick", function()
  local n = (bot.store:get "ticks" or 0) + 1
  bot.store:set("ticks", n)
  bot:chat("%s"):reply_text("tick " .. n)
end)
]]):format(operator)

local take_over = 0.8
local customers = 16
-- Messages that the sandbox keeps.
local history = 20000

function pair_rig.free_port()
  local listener = assert(core.listen({ host = "127.0.0.1", port = 0 }, function() end))
  local port = listener:port()
  listener:close()
  return port
end

function pair_rig.sql(text)
  local pipe <close> = assert(io.popen(("spec/support/postgres.sh --sql postgres %q"):format(text)))
  return (pipe:read("a"):gsub("%s+$", ""))
end

---@param url string of the database
---@param schema string for these hosts
---@param count? integer how many hosts; two
---@return table rig `hosts`; `sql(text)` asks the database
function pair_rig.new(url, schema, count)
  local self = setmetatable({ schema = schema, hosts = {}, said = {}, examples = {}, logs = {}, ever_unknown = {} }, rig_mt)
  self.arrived = {} -- contact → list of texts, which are keys as well
  self.looked_at = 0
  self.sql = pair_rig.sql
  self.url = ("%s&options=-csearch_path%%3D%s"):format(url, schema)
  self.fake = assert(sandbox.new { open = true, history = history })
  self:disturb { kind = "delay", seconds = 0.03 } -- so that some are under way when their host ends
  for i = 1, count or 2 do
    local folder = process.folder()
    self.hosts[i] = { folder = folder, port = pair_rig.free_port(), admin = pair_rig.free_port(), number = i }
  end
  return self
end

---Puts something between each host and the database: `host.path`, a process that can be stopped.
---@param program string
function rig_methods:part(program)
  for _, host in ipairs(self.hosts) do
    local port = pair_rig.free_port()
    host.path = process.start { program, port, os.getenv "CUNNEKT_TEST_CLUSTER" .. "/.s.PGSQL.5432" }
    host.path:expect("ready", "out")
    host.url = self.url:gsub("host=[^&]+", ("host=127.0.0.1&port=%d"):format(port))
  end
end

---From now on the provider answers each message so.
---@param rule table of lua/cunnekt/sandbox/faults.lua
function rig_methods:disturb(rule)
  local url = self.fake.url .. "/control/faults"
  rule.count = 1000000
  assert(http.request { method = "DELETE", url = url })
  local answer = assert(http.request { method = "POST", url = url, json = rule })
  assert(answer.status == 200, answer.body)
end

-- ---- hosts ---------------------------------------------------------------------------------------------------------

---Starts a host.
---@param host table one of `hosts`, or a table with the same fields; `program` and `breaks`: another host, which breaks what the latter names
---@param own? string its script, instead of the usual one
function rig_methods:start(host, own)
  process.write(host.folder.path .. "/bot.lua", own or script)
  host.process = process.start({ host.program or process.host, "run", host.folder.path .. "/bot.lua" }, {
    env = {
      CUNNEKT_API_KEY = "key",
      CUNNEKT_BASE_URL = self.fake.url .. "/v1",
      CUNNEKT_LISTEN = "127.0.0.1:" .. host.port,
      CUNNEKT_ADMIN = "127.0.0.1:" .. host.admin,
      CUNNEKT_STORE = host.url or self.url,
      CUNNEKT_TAKE_OVER = tostring(take_over),
      CUNNEKT_RATE = "0",
      CUNNEKT_PAIR_RATE = "0",
      CRASH_BREAK = host.breaks,
    },
  })
end

---What /readyz of a host says; nil when it does not answer.
function rig_methods:readiness(host)
  local answer = http.get(("http://127.0.0.1:%d/readyz"):format(host.admin), { timeout = 0.5 })
  return answer and answer.status, answer and answer.body
end

-- What each host has said last, for an error.
local function last_words(self)
  local texts = table.move(self.logs, math.max(1, #self.logs - 3), #self.logs, 1, {})
  for _, host in ipairs(self.hosts) do
    local said = host.process and host.process:err() or "it has ended"
    texts[#texts + 1] = ("host %d: %s: %s"):format(host.number, select(2, self:readiness(host)), said:sub(-600))
  end
  return table.concat(texts, "\n")
end

---The host that has the database, and one that stands by; waits until all others do. Starts what has ended, as a service manager
---does.
function rig_methods:roles()
  local owner, others
  local is_there, err = pcall(process.wait_until, "an owner and hosts that stand by", function()
    owner, others = nil, {}
    for _, host in ipairs(self.hosts) do
      self:tend(host)
      local status, body = self:readiness(host)
      owner = status == 200 and body == "ready\n" and host or owner
      others[#others + 1] = status == 200 and body:find "^ready, standing by: cunnekt on" and host or nil
    end
    return owner and #others == #self.hosts - 1
  end)
  if not is_there then
    error(err .. "\n" .. last_words(self), 0)
  end
  return owner, others[math.random(#others)]
end

---Whether a host has the database, and works.
function rig_methods:is_owner(host)
  local _, body = self:readiness(host)
  return body == "ready\n"
end

function rig_methods:tend(host)
  if not host.process then
    return self:start(host)
  end
  local code = host.process:code()
  if code then
    self.logs[#self.logs + 1] = ("host %d ended with %d: %s"):format(host.number, code, host.process:err())
    host.code, host.process = code, nil
    self:start(host)
  end
end

---Ends a host, and waits for that.
---@return {code: integer, err: string}
function rig_methods:finish(host, signal)
  local its = host.process
  its:signal(signal)
  host.process = nil
  return its:wait()
end

-- ---- customers -----------------------------------------------------------------------------------------------------

local function number_of(customer)
  return "91999999" .. 1000 + customer
end

---The n-th webhook of a customer.
function rig_methods:webhook(customer, n)
  local fields = { id = ("wamid.%d.%d"):format(customer, n), from = number_of(customer), text = ("%d"):format(n) }
  return json.encode((assert(samples.build("text", fields))))
end

---Posts a customer's webhook to a host, once.
---@return cunnekt.http.answer? answer
function rig_methods:post(host, customer, n, timeout)
  return (http.post(("http://127.0.0.1:%d/webhook"):format(host.port), self:webhook(customer, n), { timeout = timeout }))
end

-- Until one of the hosts answers with 200. A customer's next webhook goes to another one.
local function insist(self, customer, n)
  for i = customer + n, math.huge do
    local answer = self:post(self.hosts[i % #self.hosts + 1], customer, n, 1)
    if answer and answer.status == 200 then
      return
    end
    assert(not self.patience or clock.monotonic() < self.patience, "a webhook was refused for too long")
    task.sleep(0.02)
  end
end

---Notes that a customer has written webhooks up to the n-th, beside `begin_writing`.
function rig_methods:said_until(customer, n)
  self.said[number_of(customer)] = n
end

-- Reads what has arrived since the last time: the sandbox keeps no more than its history.
local function note_arrived(self)
  for _, entry in ipairs(self.fake.state:since(self.looked_at, nil, math.huge)) do
    local texts = self.arrived[entry.contact] or {}
    self.arrived[entry.contact] = texts
    if entry.direction == "out" then
      local text = entry.payload.text
      texts[#texts + 1], texts[text] = text, true
    end
  end
  assert(self.fake.state.last - self.looked_at < history, "the sandbox has forgotten what nobody has read")
  self.looked_at = self.fake.state.last
end

local function has_arrived(self, contact, text)
  note_arrived(self)
  return (self.arrived[contact] or {})[text]
end

-- Who talks with a dialog waits for its question, or until that is known to be uncertain: then it has been asked, too. What is stored
-- before a question is asked is no answer to it, by the dialog's rules: it would be lost without a fault of any host.
local function wait_for_question(self, customer, n)
  local contact, text, look_at = number_of(customer), ("%d %d"):format(n, n), clock.monotonic() + 6
  repeat
    if has_arrived(self, contact, text) then
      return
    end
    if clock.monotonic() > look_at then
      look_at = clock.monotonic() + 2
      self:note_unknown()
    end
    task.sleep(0.02)
  until self.is_over or self.ever_unknown[contact .. " " .. text]
end

---Customers write, each a webhook at a time, until `is_over`.
function rig_methods:begin_writing(pause)
  self.writers = {}
  for customer = 1, customers do
    self.writers[customer] = task.spawn(function()
      local n = 0
      while not self.is_over do
        n = n + 1
        insist(self, customer, n)
        self.said[number_of(customer)] = n
        task.sleep(pause)
        if customer % 2 == 0 then
          wait_for_question(self, customer, n)
        end
      end
    end)
  end
end

-- ---- the judge -----------------------------------------------------------------------------------------------------

-- Texts that the outbox lists as not sent for certain: contact → text → true.
function rig_methods:note_unknown()
  local rows = self.sql(("SELECT convert_from(payload, 'UTF8') FROM %s.outbox WHERE state = 2"):format(self.schema))
  for row in rows:gmatch "[^\n]+" do
    local payload = json.decode(row)
    self.ever_unknown[payload.mobile .. " " .. payload.text] = true
  end
end

local function judge_contact(self, verdict, contact, texts, said)
  local seen, last = {}, 0
  for _, text in ipairs(texts) do
    local n, count = text:match "^(%d+) (%d+)$"
    n = tonumber(n)
    verdict.wrong = verdict.wrong + (n ~= tonumber(count) and 1 or 0)
    verdict.twice = verdict.twice + (seen[n] and 1 or 0)
    local is_unknown = self.ever_unknown[contact .. " " .. text]
    verdict.disordered = verdict.disordered + ((n < last and not is_unknown) and 1 or 0)
    seen[n], last = true, is_unknown and last or n
  end
  for n = 1, said do
    local is_unknown = self.ever_unknown[("%s %d %d"):format(contact, n, n)]
    if not seen[n] then
      verdict.lost = verdict.lost + (is_unknown and 0 or 1)
      if not is_unknown then
        local rows = self.sql(("SELECT id, state, attempts, event, left(convert_from(payload,'UTF8'),90), convert_from(coalesce(error,''),'UTF8') FROM %s.outbox WHERE convert_from(payload,'UTF8') LIKE '%%%s%%' AND convert_from(payload,'UTF8') LIKE '%%\"%d %d\"%%'"):format(self.schema, contact, n, n))
        self.examples[#self.examples + 1] = ("lost: %d of %d from %s: %s"):format(n, said, contact, rows)
      end
      verdict.unknown = verdict.unknown + (is_unknown and 1 or 0)
    end
  end
end

-- What the operator heard of the job: each run that counts has its number, and is told once and in order.
local function judge_ticks(self, verdict, texts)
  local last, seen = 0, {}
  for _, text in ipairs(texts) do
    local n = tonumber(text:match "^tick (%d+)$")
    local is_unknown = self.ever_unknown[operator .. " " .. text]
    verdict.twice = verdict.twice + (seen[n] and 1 or 0)
    verdict.disordered = verdict.disordered + ((n < last and not is_unknown) and 1 or 0)
    seen[n], last = true, is_unknown and last or math.max(last, n)
  end
  for n = 1, last do
    local is_lost = not seen[n] and not self.ever_unknown[("%s tick %d"):format(operator, n)]
    verdict.lost = verdict.lost + (is_lost and 1 or 0)
    if is_lost then
      self.examples[#self.examples + 1] = ("lost: run %d of the job"):format(n)
    end
  end
  verdict.runs = last
end

---Lets the customers finish, waits until nothing waits any more, and judges.
---@return table verdict lost, twice, disordered, wrong; unknown: of those that did not arrive; said: webhooks answered with 200
function rig_methods:judge(seconds)
  self.is_over = true
  for _, writer in ipairs(self.writers or {}) do
    task.join(writer)
  end
  local deadline, left = clock.monotonic() + (seconds or 15)
  repeat
    task.sleep(0.05) -- the sandbox answers meanwhile
    local count = "SELECT (SELECT count(*) FROM %s.mail) + (SELECT count(*) FROM %s.event) + (SELECT count(*) FROM %s.outbox WHERE state BETWEEN 0 AND 1)"
    left = self.sql((count:gsub("%%s", self.schema)))
  until left == "0" or clock.monotonic() > deadline
  self:note_unknown()
  if left ~= "0" then
    self.examples[#self.examples + 1] = left .. " events and messages wait still"
  end
  local verdict = { lost = 0, twice = 0, disordered = 0, wrong = 0, unknown = 0, said = 0, runs = 0 }
  note_arrived(self)
  judge_ticks(self, verdict, self.arrived[operator] or {})
  for contact, said in pairs(self.said) do
    verdict.said = verdict.said + said
    judge_contact(self, verdict, contact, self.arrived[contact] or {}, said)
  end
  if self.examples[1] then -- which are looked at first
    local counts = "%d lost, %d twice, %d in disorder, %d with a wrong number"
    self.examples[#self.examples + 1] = counts:format(verdict.lost, verdict.twice, verdict.disordered, verdict.wrong)
  end
  return verdict
end

function rig_methods:close()
  self.is_over = true
  for _, host in ipairs(self.hosts) do
    for _, its in pairs { host.process or nil, host.path or nil } do
      its:signal "KILL"
      its:wait()
    end
  end
  self.fake:close()
end

return pair_rig
