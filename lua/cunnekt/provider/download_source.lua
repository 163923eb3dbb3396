-- SPDX-License-Identifier: MIT
-- Finds the bytes of a media file: follows the provider's answer, whatever its format, to a stream that can be read. It
-- stores nothing. The API key is sent to the provider's own origin only, never to the target of a link.

local answer = require "cunnekt.provider.answer"
local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local errors = require "cunnekt.base.errors"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local retry = require "cunnekt.provider.retry"
local task = require "cunnekt.base.task"

local source = {}

local MOST_REDIRECTS = 5
-- Bytes that are read of an error.
local LARGEST_ERROR = 64 * 1024
-- Bytes for the JSON around base64, which itself is a third larger than the data.
local ENVELOPE_ROOM = 64 * 1024
-- Seconds of a timeout that has run out already: it must be more than 0.
local SHORTEST = 0.001
-- Base64 is decoded in pieces of so many characters, a multiple of 4.
local PIECE = 1024 * 1024

-- ---- addresses ------------------------------------------------------------------------------------------------------

-- Scheme, host and port as one string to compare; nil for what is not a plain web address. Browsers and curl treat
-- backslashes and white space differently, so an address with any is refused.
local function origin(url)
  local scheme, authority = url:match "^(%a+)://([^/?#]+)"
  scheme = scheme and scheme:lower()
  if (scheme ~= "http" and scheme ~= "https") or url:find "[%s%c\\]" then
    return nil
  end
  local host = authority:gsub("^.*@", ""):lower()
  local port = scheme == "https" and ":443" or ":80"
  return ("%s://%s"):format(scheme, host:find ":%d+$" and host or host .. port)
end

local function resolve(base, location)
  if location:find "^%a[%w+.-]*:" then
    return location
  elseif location:find "^//" then
    return base:match "^%a+:" .. location
  elseif location:find "^/" then
    return base:match "^%a+://[^/?#]+" .. location
  end
  local path = base:match "^(%a+://[^?#]*)"
  return (path:match "^(%a+://.+)/[^/]*$" or path) .. "/" .. location
end

-- ---- opening --------------------------------------------------------------------------------------------------------

-- A download may take long, but not the wait for its next bytes: then `stop` is called.
local function watch(seconds, stop)
  local watcher = { is_late = false }
  local timer = clock.after(seconds, function()
    watcher.is_late = true
    stop()
  end)
  return setmetatable(watcher, {
    __close = function()
      timer:close()
    end,
  })
end

local function is_late(seconds)
  local message = "no data arrived for %g seconds; try again later, or give the client a longer timeout"
  return nil, errors.new("timeout", message:format(seconds), { retryable = true, sent = true })
end

-- A stream whose `read` fails when no data arrives.
local timed_methods = {}
local timed_mt = { __index = timed_methods }

---@return string? chunk nil at the end
---@return cunnekt.error? err
function timed_methods:read()
  local watcher <close> = watch(self._seconds, function()
    self._stream:close()
  end)
  local chunk, err = self._stream:read()
  if watcher.is_late then
    return is_late(self._seconds)
  end
  return chunk, err
end

---Closing twice is fine.
function timed_methods:close()
  self._stream:close()
end

-- What a transfer may take: the time that is left, and the bytes of an answer that has the media as base64.
local function bounds(wanted)
  return {
    max_bytes = wanted.max_bytes // 3 * 4 + ENVELOPE_ROOM,
    timeout = math.max(wanted.ends - clock.monotonic(), SHORTEST),
    min_speed = wanted.min_speed,
  }
end

-- Opens a stream in a task of its own, which is cancelled when the answer does not start in time.
local function open_in_time(client, url, has_key, wanted)
  local stream, err
  local opening = task.spawn(function()
    stream, err = client._transport.open(url, has_key, bounds(wanted))
  end)
  local _ <close> = setmetatable({}, {
    __close = function()
      task.cancel(opening)
    end,
  })
  local seconds = client._transport.timeout
  local watcher <close> = watch(seconds, function()
    task.cancel(opening)
  end)
  task.join(opening)
  if watcher.is_late then
    return is_late(seconds)
  end
  if not stream then
    return nil, err
  end
  return setmetatable({
    status = stream.status,
    headers = stream.headers,
    _stream = stream,
    _seconds = seconds,
  }, timed_mt)
end

local function read_all(stream, most)
  local chunks, size = {}, 0
  while true do
    local chunk, err = stream:read()
    if not chunk then
      if err then
        return nil, err
      end
      return table.concat(chunks)
    end
    size = size + #chunk
    if size > most then
      return nil, errors.new("too_large", ("the answer is larger than %d bytes"):format(most), { limit = most })
    end
    chunks[#chunks + 1] = chunk
  end
end

-- A download can be repeated, so no outcome of it is uncertain.
local function as_fetch_error(err, status)
  if err.kind == "unknown_outcome" then
    err.kind, err.retryable = "http", true
    err.message = ("the provider answered with HTTP status %d"):format(status)
  end
  return err
end

local function refusal(client, stream)
  local body = read_all(stream, LARGEST_ERROR)
  stream:close()
  local _, err = answer.read(stream.status, stream.headers, body or "", client._transport.cleaner)
  return as_fetch_error(err, stream.status)
end

-- A stream with a status below 400, or the error in the answer.
local function open_once(client, url, wanted)
  local has_key = origin(url) == origin(client.base_url)
  local stream, err = open_in_time(client, url, has_key, wanted)
  if not stream then
    err.retryable = err.kind == "network" or err.kind == "timeout"
    return nil, err
  elseif stream.status >= 400 then
    return nil, refusal(client, stream)
  end
  return stream
end

local function open_with_retries(client, url, wanted)
  local attempt = 0
  while true do
    attempt = attempt + 1
    local stream, err = open_once(client, url, wanted)
    if stream then
      return stream
    end
    local pause = err.retry_after or retry.request(attempt)
    local is_too_late = clock.monotonic() + pause >= wanted.ends
    if not err.retryable or attempt > client._retries or pause > retry.max_wait or is_too_late then
      err.attempts = attempt
      return nil, err
    end
    task.sleep(pause)
  end
end

-- libcurl would send the API-KEY header to the target of a redirect, so each redirect is followed here.
local function open_following(client, url, wanted)
  for _ = 0, MOST_REDIRECTS do
    if not origin(url) then
      return nil, errors.new("rejected", "the provider gave an address that is not a web address")
    end
    local stream, err = open_with_retries(client, url, wanted)
    if not stream then
      return nil, err
    elseif stream.status < 300 then
      return stream
    end
    local location = stream.headers.location
    if not location then
      return nil, refusal(client, stream)
    end
    stream:close()
    url = resolve(url, location)
  end
  return nil, errors.new("http", ("more than %d redirects"):format(MOST_REDIRECTS))
end

-- ---- envelopes ------------------------------------------------------------------------------------------------------

local link_keys = { "url", "link", "media_url", "mediaUrl", "file_url", "fileUrl", "download_url", "downloadUrl" }
local data_keys = { "data", "base64", "file", "content" }

local function text_of(part, key)
  local value = part[key]
  return type(value) == "string" and value ~= "" and value or nil
end

-- The objects that were seen to contain links and data.
local function parts_of(raw)
  local parts = { raw }
  for _, key in ipairs { "data", "media", "file", "result" } do
    local part = raw[key]
    if type(part) == "table" then
      parts[#parts + 1] = type(part[1]) == "table" and part[1] or part
    end
  end
  return parts
end

local function find_link(parts)
  for _, part in ipairs(parts) do
    for _, key in ipairs(link_keys) do
      local link = text_of(part, key)
      if link then
        return link
      end
    end
    for _, key in ipairs(data_keys) do
      local link = text_of(part, key)
      if link and link:find "^[Hh][Tt][Tt][Pp][Ss]?://" then
        return link
      end
    end
  end
end

local function find_base64(parts)
  for _, part in ipairs(parts) do
    for _, key in ipairs(data_keys) do
      local data = text_of(part, key)
      if data then
        return data, text_of(part, "mime_type") or text_of(part, "mimetype") or data:match "^data:([^;,]+)"
      end
    end
  end
end

local function close_media(media)
  if media.stream then
    media.stream:close()
  end
end

local media_mt = { __close = close_media, __index = { close = close_media } }

local function from_text(stream, body)
  local is_read = false
  return setmetatable({
    status = stream.status,
    mime_type = stream.headers["content-type"],
    total = #body,
    read = function()
      if not is_read and body ~= "" then
        is_read = true
        return body
      end
    end,
  }, media_mt)
end

local function from_stream(stream, first)
  return setmetatable({
    stream = stream,
    status = stream.status,
    mime_type = stream.headers["content-type"],
    total = math.tointeger(tonumber(stream.headers["content-length"])),
    read = function()
      if first then
        local chunk = first
        first = nil
        return chunk
      end
      return stream:read()
    end,
  }, media_mt)
end

local function from_base64(status, text, mime_type)
  text = text:gsub("^data:[^,]*,", ""):gsub("%s+", ""):gsub("%-", "+"):gsub("_", "/")
  text = text .. ("="):rep(-#text % 4)
  local from = 1
  return setmetatable({
    status = status,
    mime_type = mime_type,
    total = #text // 4 * 3 - #text:match "=*$",
    read = function()
      if from > #text then
        return nil
      end
      local bytes = core.base64_decode(text:sub(from, from + PIECE - 1))
      from = from + PIECE
      if not bytes then
        return nil, errors.new("corrupt", "the provider's answer holds base64 that cannot be decoded")
      end
      return bytes
    end,
  }, media_mt)
end

-- The media that an answer in JSON leads to. Nil without an error when the JSON is the media itself.
local function from_envelope(client, stream, url, body, wanted)
  local raw = json.decode(body)
  raw = type(raw) == "string" and { data = raw } or raw
  if type(raw) ~= "table" then
    return nil
  end
  local cleaner = client._transport.cleaner
  local failure = answer.failure(stream.status, stream.headers, body, raw, cleaner)
  if failure then
    return nil, as_fetch_error(failure, stream.status)
  end
  local parts = parts_of(raw)
  local link = find_link(parts)
  if link then
    local linked, err = open_following(client, resolve(url, link), wanted)
    return linked and from_stream(linked), err
  end
  local data, mime_type = find_base64(parts)
  if data then
    return from_base64(stream.status, data, mime_type)
  end
  local message = text_of(raw, "message") or text_of(raw, "msg")
  if message then
    local fields = { status = stream.status, body = cleaner.without_key(body):sub(1, 2048), raw = cleaner.without_key(raw) }
    return nil, errors.new("rejected", cleaner.sentence(cleaner.without_key(message)), fields)
  end
end

-- Servers that do not set the type send text/html, or none.
local function may_be_envelope(headers)
  local kind = (headers["content-type"] or ""):lower():match "^%s*([^;%s]*)"
  return kind == "" or kind == "text/html" or kind:find "^application/json$" or kind:find "%+json$"
end

local function read_first(stream)
  repeat
    local chunk, err = stream:read()
    if not chunk then
      return nil, err
    end
    if chunk ~= "" then
      return chunk
    end
  until false
end

-- Whether a text begins as an envelope does: an object; or a string, where the type says that it is JSON.
local function is_envelope(headers, text)
  local first = text:match "^[\xEF\xBB\xBF%s]*(.)"
  return first == "{" or (first == '"' and (headers["content-type"] or ""):lower():find("json", 1, true) ~= nil)
end

-- Bytes of the longest text that may say that the key is refused.
local MOST_REFUSAL = 200

-- A text that says that the key is refused, which comes with a 200 and as plain text as well: the error, unless the customer has sent
-- just that. Otherwise the media.
local function from_short_text(client, stream, first, wanted)
  local second, err
  if #first <= MOST_REFUSAL then
    second, err = stream:read()
  end
  if err then
    stream:close()
    return nil, err
  elseif second or #first > MOST_REFUSAL or (wanted.digest and core.equal(core.sha256():update(first):digest(), wanted.digest)) then
    return from_stream(stream, first .. (second or ""))
  end
  local _, refused = answer.read(stream.status, stream.headers, first, client._transport.cleaner)
  if refused and refused.kind == "auth" then
    stream:close()
    return nil, refused
  end
  return from_stream(stream, first)
end

-- Decides by its type and first bytes what a 2xx is.
local function opened(client, stream, url, wanted)
  local is_plain = (stream.headers["content-type"] or ""):lower():find "^%s*text/plain" ~= nil
  if not is_plain and not may_be_envelope(stream.headers) then
    return from_stream(stream)
  end
  local first, err = read_first(stream)
  if err then
    stream:close()
    return nil, err
  elseif not first then
    return from_stream(stream)
  elseif is_plain or not is_envelope(stream.headers, first) then
    return from_short_text(client, stream, first, wanted)
  end
  local rest, problem = read_all(stream, wanted.max_bytes // 3 * 4 + ENVELOPE_ROOM)
  stream:close()
  if not rest then
    return nil, problem
  end
  local body = first .. rest
  -- By the digest in the webhook, this JSON is the document that the customer sent.
  if wanted.digest and core.equal(core.sha256():update(body):digest(), wanted.digest) then
    return from_text(stream, body)
  end
  local media, refused = from_envelope(client, stream, url, body, wanted)
  if media or refused then
    return media, refused
  end
  return from_text(stream, body)
end

---Opens the media of a message.
---@param client cunnekt.client
---@param message_id string
---@param wanted {max_bytes: integer, digest: string|false, ends: number, min_speed: integer} `ends`: by clock.monotonic
---@return table? media read() gives a chunk, nil at the end, or nil, err; status, mime_type, total; closed by `<close>`
---@return cunnekt.error? err
function source.open(client, message_id, wanted)
  -- An id is "wamid." and base64, which can hold "+", "/" and "=".
  local url = ("%s/getmediafile?messageId=%s"):format(client.base_url, http.url_encode(message_id))
  local stream, err = open_following(client, url, wanted)
  if not stream then
    return nil, err
  end
  return opened(client, stream, url, wanted)
end

return source
