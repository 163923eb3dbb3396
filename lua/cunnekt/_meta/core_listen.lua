---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- What core.lua leaves to this file: HTTP in (src/bind/listener.c).

---@class cunnekt.core
local core = {}

---@class cunnekt.core.listen_options
---@field host? string an address, not a name; "127.0.0.1" by default
---@field port? integer 0, the default: any free one
---@field unix? string path of a Unix socket, in place of host and port: mode 0600, removed at the end
---@field max_body? integer bytes; 4 MiB by default; more is answered 413
---@field body_path? string the only path that takes bodies; others are answered 404 before their body comes
---@field body_field? string a header field that requests with a body must have; others are answered 401 before their body comes
---@field max_bodies? integer bytes that all bodies under way may take together; 256 MiB by default; beyond: 503
---@field header_timeout_ms? integer 10,000 by default
---@field body_timeout_ms? integer 30,000 by default
---@field idle_timeout_ms? integer 60,000 by default
---@field retry_after_s? integer what the listener's own 503 says (Retry-After); 0 by default: nothing
---@field answer_timeout_ms? integer 0 by default: none; a request that is not answered in time is answered 503, and what comes later is too late
---@field patience_ms? integer 100 by default; where connections or bodies have no room left, slower clients are cut for others
---@field max_connections? integer 1024 by default, fewer where the process may not open so many files; more wait
---@field on_refusal? fun(status: integer, count: integer) hears of requests that were refused before anyone was asked, with 400, 401, 404 or 413: how many since the last call
---@field max_per_address? integer 0 by default: no limit of its own; more are cut

---Listens. The listener serves until it is closed, held or not.
---@param options cunnekt.core.listen_options
---@param on_request fun(exchange: cunnekt.exchange, method: string, path: string, query: string?, body: string?) the whole body is in; path and query are as the client wrote them
---@return cunnekt.listener? listener
---@return string? message
function core.listen(options, on_request) end

---@class cunnekt.listener
local listener = {}

---@return integer port 0 for a Unix socket
function listener:port() end

---@return string host as it was given, or the Unix socket's path
function listener:address() end

---Gives the port back; what is under way is finished.
function listener:pause() end

---Cuts everything; closing twice is fine.
function listener:close() end

---One request, to be answered once. One that is dropped is answered 500.
---@class cunnekt.exchange
local exchange = {}

---@param name string in any case
---@return string? value nil: no such field, or the exchange is over; of several the first
function exchange:header(name) end

---@return string? address of the client, without its port, or "unix"; nil when the exchange is over
function exchange:peer() end

---Answers. Raises when it was answered already.
---@param status integer 200 to 599
---@param body? string
---@param headers? string[] "Name: value"
---@return boolean is_taken false when the client has gone
function exchange:answer(status, body, headers) end

---Closes the connection without an answer.
function exchange:cut() end
