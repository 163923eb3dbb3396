-- SPDX-License-Identifier: MIT
-- Downloads the media of an incoming message, streamed to a file, a function or memory. The provider's answer is not
-- documented: it may be the bytes, or JSON with a link, base64 or an error. download_source.lua finds the bytes; this file
-- writes, counts and verifies them.

local atomic_file = require "cunnekt.base.atomic_file"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local limits = require "cunnekt.provider.limits"
local options = require "cunnekt.base.options"
local source = require "cunnekt.provider.download_source"
local task = require "cunnekt.base.task"
local units = require "cunnekt.time.units"

local download = {}

-- Bytes: the largest document, and what is loaded into memory when no other target is given.
local LARGEST, LARGEST_IN_MEMORY = limits.media_bytes.document, 16 * 1024 * 1024
-- Seconds for all of it, redirects and retries included: the largest document at 1 Mbit/s. Bytes a second: a quarter of
-- what the slowest mobile networks have.
local LONGEST, SLOWEST = 15 * units.minute, 1024

---@class cunnekt.download.options
---@field path? string the file to write; missing folders are made
---@field sink? fun(chunk: string): any takes the bytes as they arrive; ends the download by returning false or `nil, message`
---@field sha256? string base64; other bytes fail with the kind "corrupt"; that of the webhook by default, with msg:download
---@field max_bytes? integer 100 MB by default; 16 MB without path and sink
---@field timeout? number seconds for the whole download, retries included; 900 by default
---@field min_speed? integer bytes a second that it must have, over any 30 s; 1024 by default, 0: none
---@field on_progress? fun(received: integer, total: integer?) bytes; total where the server says it

---@class cunnekt.download.result
---@field path? string
---@field body? string the bytes, when neither path nor sink was given
---@field size integer bytes
---@field sha256 string base64
---@field mime_type? string as the server says
---@field status integer HTTP status

---@type table<string, string> the options of client:download, for options.check
download.option_types = {
  path = "string",
  sink = "function",
  sha256 = "string",
  max_bytes = "integer",
  timeout = "number",
  min_speed = "integer",
  on_progress = "function",
}

local function check_options(message_id, opts)
  opts = options.check("client:download", opts, download.option_types, 4)
  if type(message_id) ~= "string" then
    error("client:download: message_id must be a string, got " .. type(message_id), 3)
  elseif opts.path and opts.sink then
    error("client:download: path and sink exclude each other", 3)
  elseif opts.timeout and (opts.timeout <= 0 or opts.timeout ~= opts.timeout) then
    error("client:download: option 'timeout' must be more than 0", 3)
  elseif opts.min_speed and opts.min_speed < 0 then
    error("client:download: option 'min_speed' must not be negative", 3)
  end
  return opts
end

local function invalid(field, message)
  return nil, errors.new("invalid", message, { field = field })
end

-- The digest that the bytes must have, or false when none is known.
local function wanted_digest(text)
  if not text then
    return false
  end
  local digest = core.base64_decode(text)
  if not digest or #digest ~= 32 then
    return invalid("sha256", "sha256 must be base64 of 32 bytes, as in the webhook")
  end
  return digest
end

-- ---- targets: each has write, commit and close ----------------------------------------------------------------------

local function to_memory()
  local chunks = {}
  return setmetatable({
    write = function(_, chunk)
      chunks[#chunks + 1] = chunk
      return true
    end,
    commit = function(self)
      self.body = table.concat(chunks)
      return true
    end,
    close = function() end,
  }, { __close = function() end })
end

local function to_sink(sink)
  return setmetatable({
    write = function(_, chunk)
      local ok, message = sink(chunk)
      if ok == false or (ok == nil and message ~= nil) then
        return nil, errors.new("cancelled", "the sink ended the download: " .. tostring(message or "it returned false"))
      end
      return true
    end,
    commit = function()
      return true
    end,
    close = function() end,
  }, { __close = function() end })
end

local function open_target(opts)
  if opts.path then
    return atomic_file.open(opts.path)
  end
  return opts.sink and to_sink(opts.sink) or to_memory()
end

local function too_large(max_bytes)
  local message = ("the media is larger than %d bytes"):format(max_bytes)
  return nil, errors.new("too_large", message, { limit = max_bytes })
end

-- Says of a timeout how far the download got.
local function with_progress(err, size, total)
  if err.kind == "timeout" then
    local of = total and (" of %d"):format(total) or ""
    err.message = ("the download has %d%s bytes: %s"):format(size, of, err.message)
    err.received, err.total, err.retryable = size, total, true
  end
  return err
end

local function out_of_time(seconds)
  local message = "it took more than %g s; try again later, or allow more with the option timeout"
  return errors.new("timeout", message:format(seconds), { retryable = true, sent = true })
end

-- Copies everything; returns the number of bytes and their digest.
local function pump(media, target, opts, wanted)
  local hash, size, max_bytes = core.sha256(), 0, wanted.max_bytes
  while true do
    local chunk, err = media:read()
    if clock.monotonic() >= wanted.ends and (chunk or err) then
      chunk, err = nil, out_of_time(wanted.timeout)
    end
    if not chunk then
      if err then
        return nil, with_progress(err, size, media.total)
      end
      return size, hash:digest()
    end
    size = size + #chunk
    if size > max_bytes then
      return too_large(max_bytes)
    end
    hash:update(chunk)
    local ok, problem = target:write(chunk)
    if not ok then
      return nil, problem
    end
    if opts.on_progress then
      opts.on_progress(size, media.total)
    end
  end
end

local function store(media, target, opts, wanted)
  local size, digest = pump(media, target, opts, wanted)
  if not size then
    return nil, digest
  end
  if wanted.digest and not core.equal(digest, wanted.digest) then
    return nil, errors.new("corrupt", ("the media's %d bytes don't have the sha256 of the webhook"):format(size))
  end
  local ok, err = target:commit()
  if not ok then
    return nil, err
  end
  return {
    path = opts.path,
    body = target.body,
    size = size,
    sha256 = core.base64_encode(digest),
    mime_type = media.mime_type,
    status = media.status,
  }
end

local function fetch(client, message_id, opts)
  if opts.path and not opts.path:find "^[^%z]+$" then
    return invalid("path", "path is empty or holds a zero byte")
  elseif message_id == "" then
    return invalid("message_id", "message_id is empty; it is the id of the message that brought the media")
  end
  local digest, err = wanted_digest(opts.sha256)
  if digest == nil then
    return nil, err
  end
  local max_bytes = opts.max_bytes or ((opts.path or opts.sink) and LARGEST or LARGEST_IN_MEMORY)
  local timeout = opts.timeout or LONGEST
  local wanted = {
    max_bytes = max_bytes,
    digest = digest,
    timeout = timeout,
    ends = clock.monotonic() + timeout,
    min_speed = opts.min_speed or SLOWEST,
  }
  local media <close>, problem = source.open(client, message_id, wanted)
  if not media then
    problem = clock.monotonic() >= wanted.ends and out_of_time(timeout) or problem
    return nil, with_progress(problem, 0)
  elseif media.total and media.total > max_bytes then
    return too_large(max_bytes)
  end
  -- Closed on every way out: nothing remains of an incomplete file.
  local target <close>, refusal = open_target(opts)
  if not target then
    return nil, refusal
  end
  return store(media, target, opts, wanted)
end

---Downloads the media of a message; see cunnekt.client.download.
---@param client cunnekt.client
---@param message_id string
---@param opts? cunnekt.download.options
---@return cunnekt.download.result? result
---@return cunnekt.error? err
function download.run(client, message_id, opts)
  opts = check_options(message_id, opts)
  if opts.sink then
    task.refuse("a download into a sink", 3)
  end
  return task.record("download", { message_id, opts.path or false }, function()
    return fetch(client, message_id, opts)
  end)
end

return download
