-- SPDX-License-Identifier: MIT
-- What is measured: the programs, and in which groups they are compared.

local here = "spec/bench/"

---@class bench.one one measurement
---@field [1] string the name of what is measured
---@field [2] string drive's mode and options
---@field [3] string the command
---@field filled? integer conversations in the store that it begins with
---@field pending? integer events in the store that it begins with

---@class bench.durable a program that must have stored what it answers with 200
---@field [1] string its database, in the folder that it runs in
---@field [2] string a query: how many events it has ever stored

local plan = {}

-- Each peer stores the webhook as it came.
local STORED_BODIES = [[SELECT count(DISTINCT json_extract(body, '$.entry[0].changes[0].value.messages[0].id')) FROM event]]

---@param around {root: string, build: string, bench: string, seconds: number, cores: integer}
---@return {group: string, [integer]: bench.one}[] groups
---@return table<string, bench.durable> durable by name, programs of the group "pipeline"
---@return string hold the command of a bot that handles none of its events
function plan.make(around)
  local root, bench = around.root, around.bench
  local others = root .. "/" .. here .. "others"

  local function bot(name)
    return ("%s/bin/cunnekt run %s/%sbots/%s.lua"):format(around.build, root, here, name)
  end

  -- Node and Bun find their modules beside the script.
  assert(os.execute(("cp %s/*.mjs %s/"):format(others, bench)))
  local function node(name)
    return ("node %s/%s.mjs"):format(bench, name)
  end
  local function bun(name)
    return ("%s/node_modules/.bin/bun %s/%s.mjs"):format(bench, bench, name)
  end
  local function nginx(name)
    return ([[sh -c 'sed "s#@PORT@#$BENCH_PORT#; s#@DIR@#$PWD#; s#@OTHERS@#%s#" %s/%s.conf > nginx.conf; exec nginx -p $PWD -c $PWD/nginx.conf']])
      :format(others, others, name)
  end

  local wrk = ('load="%swrk -t1 -c64 -d%d --latency -s %s/webhooks.lua http://127.0.0.1:{port}/ > wrk.txt; tail -n 1 wrk.txt"')
    :format(around.cores > 1 and "taskset -c 1 " or "", around.seconds, others)
  local multi = ([[sh -c 'exec %s/bare_multi 1000000000 64 $BENCH_SINK/sendreplymessage action']]):format(bench)

  local groups = {
    {
      group = "receive",
      { "cunnekt", "serve " .. wrk, bot "receive" },
      { "nginx + Lua", "serve " .. wrk, nginx "nginx" },
    },
    {
      group = "pipeline",
      { "cunnekt", "pipeline warm=2", bot "pipeline" },
      { "nginx + Lua", "pipeline warm=2", nginx "pipeline_nginx" },
      { "Bun + SQLite", "pipeline warm=2", bun "pipeline_bun_sqlite" },
      { "Node", "pipeline warm=2", node "pipeline_undici" },
      { "Node + SQLite", "pipeline warm=2", node "pipeline_node_sqlite" },
      { "whatsapp-api-js", "pipeline warm=2", node "pipeline_whatsapp_api_js" },
    },
    -- A long warm-up, in which JavaScript is compiled and what piled up meanwhile is worked off.
    {
      group = "latency",
      { "cunnekt", "pipeline rate=3000 warm=4", bot "pipeline" },
      { "Bun + SQLite", "pipeline rate=3000 warm=4", bun "pipeline_bun_sqlite" },
      { "Node", "pipeline rate=3000 warm=4", node "pipeline_undici" },
    },
    {
      group = "send",
      { "cunnekt", "send messages=40000", bot "send" },
      { "undici", "send messages=40000", node "send_undici" },
      { "libcurl", "send messages=40000", multi },
    },
    {
      group = "start",
      { "cunnekt", "start", bot "pipeline" },
      { "Node", "start", node "pipeline_undici" },
    },
    {
      group = "pending",
      { "100000", "first", bot "pipeline", pending = 100000 },
    },
    {
      group = "conversations",
      { "1000", "pipeline contacts=1000", bot "pipeline", filled = 1000 },
      { "1000000", "pipeline contacts=1000000", bot "pipeline", filled = 1000000 },
    },
  }
  local durable = {
    cunnekt = { "cunnekt.db", "SELECT count(*) FROM seen" },
    ["Bun + SQLite"] = { "bun.db", STORED_BODIES },
    ["Node + SQLite"] = { "node.db", STORED_BODIES },
  }
  return groups, durable, bot "hold"
end

return plan
