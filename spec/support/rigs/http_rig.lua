-- SPDX-License-Identifier: MIT
-- What the specs of HTTP out share: a fault server for each test, and requests at the same time.

local busted = require "busted"
local core = require "cunnekt.core"
local fault_server = require "spec.support.fault_server"
local task = require "cunnekt.base.task"
local wire = require "spec.support.wire"

local http_rig = {}

---A rig for the tests of a file; call it once, outside of `describe`. `server` is closed after each test.
---@return {server: table?, serve: (fun(...: string): string), serve_with: (fun(opts: table?, ...: string): string)} rig
function http_rig.new()
  local rig = {}

  ---Starts a server with these actions; gives its URL. `opts` as of fault_server.start.
  function rig.serve_with(opts, ...)
    rig.close()
    rig.server = fault_server.start(opts, ...)
    return rig.server.url
  end

  function rig.serve(...)
    return rig.serve_with(nil, ...)
  end

  function rig.close()
    if rig.server then
      rig.server:close()
      rig.server = nil
    end
  end

  busted.after_each(rig.close)
  return rig
end

---POSTs by an endpoint, which must take the options; else as http.post.
---@param url string
---@param body string?
---@param opts? {timeout: number?, connect_timeout: number?, max_bytes: integer?, headers: string[]?, unix: string?, ca_file: string?, proxy: string?}
---@return {status: integer, body: string, head: string}? answer
---@return {kind: string, message: string, sent: boolean}? err
function http_rig.post_message(url, body, opts)
  opts = opts or {}
  local endpoint = assert(core.endpoint {
    method = "POST",
    url = url,
    headers = opts.headers,
    timeout_ms = opts.timeout and math.ceil(opts.timeout * 1000),
    connect_timeout_ms = opts.connect_timeout and math.ceil(opts.connect_timeout * 1000),
    max_bytes = opts.max_bytes,
    unix = opts.unix,
    ca_file = opts.ca_file,
    proxy = opts.proxy,
  }, "no options for an endpoint")
  local status, text, head, sent = task.await(function(done)
    return endpoint:post(body or "", done)
  end)
  if not status then
    return nil, { kind = text, message = head, sent = sent }
  end
  return { status = status, body = text, head = head }
end

---Runs a script in an interpreter of its own.
---@param text string
---@param argument? string
---@return boolean? is_good
function http_rig.run_script(text, argument)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local is_good = os.execute(("timeout 60 %s %s %s"):format(os.getenv "CUNNEKT_LUA" or "lua5.4", path, argument or ""))
  os.remove(path)
  return is_good
end

---Runs `fn(i)` so many times at the same time, until all have ended.
---@param count integer
---@param fn fun(i: integer)
function http_rig.times(count, fn)
  task.run(function()
    local tasks = {}
    for i = 1, count do
      tasks[i] = task.spawn(fn, i)
    end
    for _, t in ipairs(tasks) do
      task.join(t)
    end
  end)
end

---Starts a message.
---@return table it gets `answer` or `err`, and `is_over`
function http_rig.start_message(url, body, opts)
  local it = {}
  it.task = task.spawn(function()
    it.answer, it.err = http_rig.post_message(url, body, opts)
    it.is_over = true
  end)
  return it
end

---Waits for the end of a message.
---@param it table of `start_message`
---@param peer? table a raw_peer that reads meanwhile
---@return table? answer
---@return cunnekt.error? err
function http_rig.finish_message(it, peer)
  local wait = peer and function(...) return peer:wait(...) end or wire.step_until
  wait(function()
    return it.is_over
  end, "the end of a message")
  return it.answer, it.err
end

return http_rig
