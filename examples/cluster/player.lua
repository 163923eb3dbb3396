-- SPDX-License-Identifier: MIT
-- The customers of `make demo-cluster`: they write to the hosts in turn, as a load balancer would send their webhooks, and check the
-- answers. In the middle the host that has the database is killed.
-- cunnekt run player.lua CUNNEKT SANDBOX_URL PROCESS WEBHOOK_URL …, with the database in CUNNEKT_STORE.
local cunnekt = require "cunnekt"

local program, sandbox = arg[1], arg[2]
local CUSTOMERS, MESSAGES, PATIENCE = 10, 30, 30

local hosts = {}
for i = 3, #arg, 2 do
  hosts[#hosts + 1] = { process = arg[i], url = arg[i + 1] }
end

local function fail(message, ...)
  io.stderr:write("demo: ", message:format(...), "\n")
  os.exit(1)
end

local function show_nodes()
  print()
  io.stdout:flush()
  os.execute(("'%s' nodes"):format(program))
  print()
end

local function owner()
  local pipe <close> = assert(io.popen(("'%s' nodes --json"):format(program)))
  local found = cunnekt.json.decode(pipe:read "a")
  for _, node in ipairs(found.nodes) do
    for _, host in ipairs(hosts) do
      if node.has_store and node.name:find("process " .. host.process, 1, true) then
        return host
      end
    end
  end
end

local function number_of(customer)
  return ("9199999990%02d"):format(customer)
end

-- The webhook of a text, to one host after the other until one of them has taken it.
local turn = 0
local function write(customer, n)
  local fields = {
    method = "POST", timeout = 2,
    json = { entry = { { changes = { { field = "messages", value = {
      messaging_product = "whatsapp", metadata = { phone_number_id = "1", display_phone_number = "919999999999" },
      contacts = { { wa_id = number_of(customer), profile = { name = "Customer " .. customer } } },
      messages = { {
        from = number_of(customer), id = ("wamid.demo.%d.%d"):format(customer, n), timestamp = tostring(os.time()), type = "text",
        text = { body = "Hello " .. n },
      } },
    } } } } } },
  }
  for _ = 1, 100 do
    turn = turn % #hosts + 1
    fields.url = hosts[turn].url
    local answer = cunnekt.http.request(fields)
    if answer and answer.status == 200 then
      return hosts[turn]
    end
  end
  fail("no host has taken a message")
end

-- What has arrived at the customers: number → texts.
local function answers()
  local answer = assert(cunnekt.http.request { method = "GET", url = sandbox .. "/control/messages?direction=out&limit=1000" })
  local of, count = {}, 0
  for _, message in ipairs(cunnekt.json.decode(answer.body).messages) do
    local texts = of[message.contact] or {}
    of[message.contact] = texts
    texts[#texts + 1], count = message.text, count + 1
  end
  return of, count
end

local function wait_for_answers(wanted)
  local deadline = os.time() + PATIENCE
  while true do
    local of, count = answers()
    if count >= wanted or os.time() > deadline then
      return of, count
    end
    cunnekt.sleep(0.1)
  end
end

local function check(of, count, taken)
  for customer = 1, CUSTOMERS do
    for n, text in ipairs(of[number_of(customer)] or {}) do
      if text ~= ("Hello %d: your message number %d"):format(n, n) then
        fail("customer %d got '%s' as answer %d", customer, text, n)
      end
    end
  end
  if count ~= taken then
    fail("%d messages were taken, and %d answered: see cunnekt outbox list --state unknown", taken, count)
  end
end

local function write_all(first, last)
  local taken = {}
  for n = first, last do
    for customer = 1, CUSTOMERS do
      local host = write(customer, n)
      taken[host] = (taken[host] or 0) + 1
    end
  end
  return taken
end

print "Three hosts run the same script on one database:"
show_nodes()
local half = MESSAGES // 2
local taken = write_all(1, half)
local of, count = wait_for_answers(CUSTOMERS * half)
check(of, count, CUSTOMERS * half)
print(("%d customers write. Each message goes to another host: they took %d, %d and %d, and all are answered."):format(CUSTOMERS,
  taken[hosts[1]], taken[hosts[2]], taken[hosts[3]]))
local killed = owner() or fail "no host has the database"
os.execute("kill -9 " .. killed.process)
print(("\nProcess %s had the database. It is killed (kill -9), and the customers go on."):format(killed.process))
write_all(half + 1, MESSAGES)
of, count = wait_for_answers(CUSTOMERS * MESSAGES)
show_nodes()
check(of, count, CUSTOMERS * MESSAGES)
print(("%d messages were taken and %d answered, each once and in its order."):format(CUSTOMERS * MESSAGES, count))
