---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- The C module `cunnekt.core` as an editor sees it: names, shapes, units and failures. Never loaded; src/bind/ holds the
-- code. Internal: scripts use `require "cunnekt"`. spec/project/stubs_spec.lua holds this file and the C code to each other.
--
-- Calls take a callback and give at once. Callbacks run in core.step() alone, one after the other, on the main thread of
-- the state; an error in one goes to core.on_error. Shared words: "or nil, message" is a failure of the system.

---@class cunnekt.core
---@field json_array_mt table the metatable that marks lists; only json.lua gives it away
---@field store_null lightuserdata stands for NULL among a statement's parameters, where nil would end the list
local core = {}

-- ---- the loop ---------------------------------------------------------------------------------------------------------

---Runs the loop once, and delivers what has ended. May be called from a callback.
---@param wait? boolean true: block until something happens
---@return boolean is_under_way false when nothing is left that could happen
function core.step(wait) end

---How much is open, for leak checks.
---@return {timers: integer, requests: integer, listeners: integer, exchanges: integer, files: integer}
function core.counts() end

---Sets who hears of an error in a callback; stderr by default.
---@param fn fun(message: string) the message has a traceback
function core.on_error(fn) end

---Says that memory ran out where something was left half done. From now on core.step raises "not enough memory", as it
---does when a callback ran out of memory, so that the program ends.
function core.out_of_memory() end

---Calls `fn` at every such signal. Does not keep step() under way.
---@param name "SIGTERM"|"SIGINT"|"SIGHUP"|"SIGUSR1"
---@param fn fun()
---@return cunnekt.signal
function core.signal(name, fn) end

---@class cunnekt.signal
local signal = {}

---Stops watching; closing twice is fine.
function signal:close() end

---Owns the loop of the state: closed with it, and used by nobody.
---@class cunnekt.loop

---Reads standard input until its end or `close`.
---@param fn fun(chunk: string?) nil at the end
---@return cunnekt.stdin
function core.stdin(fn) end

---@class cunnekt.stdin
local stdin = {}

---Reads no more; closing twice is fine.
function stdin:close() end

---@return boolean is_terminal whether a person types; false once the input has ended
function stdin:is_terminal() end

-- ---- the clock: for clock.lua, and for tests that must know the system's time -------------------------------------------

---The wall clock.
---@return number seconds since 1970
function core.now() end

---A clock that never jumps.
---@return number seconds since some moment
function core.monotonic() end

---Calls `fn` once. The timer keeps itself alive until then, and belongs to the clock that is installed when it is made.
---@param seconds number
---@param fn fun()
---@return cunnekt.timer
function core.timer(seconds, fn) end

---@class cunnekt.timer
local timer = {}

---Calls it off; closing twice is fine.
function timer:close() end

---The system's clock that never jumps, whatever clock is installed.
---@return number seconds since some moment
function core.real_monotonic() end

---A timer on the system's clock, whatever clock is installed.
---@param seconds number
---@param fn fun()
---@return cunnekt.timer
function core.real_timer(seconds, fn) end

---@return boolean is_virtual whether a virtual clock is installed
function core.is_virtual() end

---A clock that stands still, beginning with its steady clock at 0. Not installed.
---@param wall? number seconds since 1970; 1,700,000,000 by default
---@return cunnekt.virtual_clock
function core.virtual_clock(wall) end

---Takes the place of the system's clock for the whole loop while it is installed: core.now, monotonic and timer, and the
---deadlines of requests, connections and listeners that begin meanwhile. Waits inside libcurl and SQLite stay as they are.
---Dropped, it goes with its timers; none of them fires.
---@class cunnekt.virtual_clock
local virtual_clock = {}

---Puts this clock in place of the one that is in use.
---@return cunnekt.virtual_clock self
function virtual_clock:install() end

---Puts the system's clock back.
function virtual_clock:uninstall() end

---Moves time on, and calls what falls due on the way, in the order of its time and each at its own; an error in one of
---these is raised, and leaves the clock at that moment.
---@param seconds number
function virtual_clock:advance(seconds) end

---Sets the wall clock alone, as an administrator or a time server does.
---@param now number seconds since 1970
function virtual_clock:set_wall(now) end

---The real time despite clocks that are set; see time/wall_clock.lua.
---@return cunnekt.wall_clock
function core.wall_clock() end

---@class cunnekt.wall_clock
local wall_clock = {}

---The time by which service windows end. A clock that is set back does not reopen them: the old time continues until an
---event arrives whose timestamp agrees with the new time.
---@return number seconds since 1970
function wall_clock:now() end

---Notes the time of an accepted event.
---@param timestamp number by the provider's clock
function wall_clock:witness(timestamp) end

---A time that has certainly passed: not after the clock's, and at most a day after the newest event. Old rows are deleted by
---it, which a clock that runs ahead must not cause too early.
---@return number? seconds since 1970; nil before the first event
function wall_clock:certain() end

-- ---- HTTP out ---------------------------------------------------------------------------------------------------------

---@class cunnekt.core.request_options
---@field method? string "GET" by default
---@field url string
---@field headers? string[] "Name: value", at most 64
---@field body? string
---@field timeout_ms? integer of the whole request; 30,000 by default; 0: none
---@field connect_timeout_ms? integer 10,000 by default
---@field max_bytes? integer of the body; 16 MiB by default
---@field max_redirects? integer 0 by default
---@field ca_file? string PEM
---@field proxy? string URL; "": none
---@field unix? string path of a Unix socket to connect to, whatever host the URL names
---@field stream? boolean the body is read by request:read

---Sends a request. An answer of any status is an answer; `sent` says whether a request without one may have been received.
---@param options cunnekt.core.request_options
---@param done fun(status: integer?, body_or_kind: string?, head_or_message: string?, sent: boolean?) (status, body, head), or (nil, kind, message, sent) with kind network, tls, timeout, too_large, cancelled or invalid; with `stream` (status, nil, head) once the head is in
---@return cunnekt.request
function core.request(options, done) end

---@class cunnekt.request
local request = {}

---Asks for the next piece of a streamed body. Raises when a call is due already or nothing is left.
---@param fn fun(chunk: string?, kind: string?, message: string?, sent: boolean?) chunk nil: the end, or a failure when there is a kind
function request:read(fn) end

---Cancels: what is due gets the kind "cancelled"; closing twice is fine.
function request:close() end

-- ---- HTTP in ----------------------------------------------------------------------------------------------------------

---@class cunnekt.core.listen_options
---@field host? string an address, not a name; "127.0.0.1" by default
---@field port? integer 0, the default: any free one
---@field unix? string path of a Unix socket, in place of host and port: mode 0600, removed at the end
---@field max_body? integer bytes; 4 MiB by default; more is answered 413
---@field max_bodies? integer bytes that all bodies under way may take together; 256 MiB by default; beyond: 503
---@field header_timeout_ms? integer 10,000 by default
---@field body_timeout_ms? integer 30,000 by default
---@field idle_timeout_ms? integer 60,000 by default
---@field max_connections? integer 1024 by default, fewer where the process may not open so many files; more wait
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

-- ---- digests and encodings --------------------------------------------------------------------------------------------

---A new SHA-256.
---@return cunnekt.hash
function core.sha256() end

---The SHA-256 of a string.
---@param data string
---@return string digest 32 raw bytes
function core.sha256_of(data) end

---The first 16 bytes of the SHA-256 of a string, as two integers (little-endian): a short key for a long random name.
---@param data string
---@return integer first
---@return integer second
function core.hash_halves(data) end

---@class cunnekt.hash
local hash = {}

---@param data string
---@return cunnekt.hash self
function hash:update(data) end

---Ends it.
---@return string digest 32 raw bytes
function hash:digest() end

---@param key string
---@param data string
---@return string digest 32 raw bytes
function core.hmac_sha256(key, data) end

---Compares in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function core.equal(a, b) end

---@param data string
---@return string text
function core.base64_encode(data) end

---@param text string
---@return string? data nil when the text is not strict base64
function core.base64_decode(text) end

---@param data string
---@return string digits in lower case
function core.hex(data) end

---@param count integer at most 1 MiB
---@return string bytes fit for tokens
function core.random_bytes(count) end

-- ---- files, on the thread pool ----------------------------------------------------------------------------------------

---@param path string
---@param mode "r"|"w"|"wx"|"a" "wx": it must not exist
---@param fn fun(file: cunnekt.file?, message: string?)
function core.open(path, mode, fn) end

---Renames; the new name is on the disk when `fn` is called.
---@param from string
---@param to string
---@param fn fun(ok: boolean?, message: string?)
function core.rename(from, to, fn) end

---@param path string
---@param fn fun(ok: boolean?, message: string?)
function core.unlink(path, fn) end

---Makes a folder and its parents; what exists is fine.
---@param path string
---@param fn fun(ok: boolean?, message: string?)
function core.mkdir(path, fn) end

---A file does one thing at a time.
---@class cunnekt.file
local file = {}

---@param size integer at most 16 MiB
---@param fn fun(data: string?, message: string?) 1 to `size` bytes; nil at the end
function file:read(size, fn) end

---@param data string
---@param fn fun(ok: boolean?, message: string?)
function file:write(data, fn) end

---What was written is on the disk when `fn` is called.
---@param fn fun(ok: boolean?, message: string?)
function file:sync(fn) end

---@param fn? fun(ok: boolean?, message: string?)
function file:close(fn) end

-- ---- the machine: asked on the spot, so for the command line ------------------------------------------------------------

---The working folder.
---@return string? path
---@return string? message
function core.folder() end

---@param path string links are followed
---@return {size: integer, mode: integer, kind: "file"|"folder"|"socket"|"other"}? found mode: the permissions
---@return string? message
function core.stat(path) end

---What tells a file from every other one of its file system.
---@param path string
---@return integer? inode
---@return string? message
function core.inode(path) end

---How much this user may still write to the file system that holds a path.
---@param path string must exist
---@return integer? bytes
---@return string? message
function core.disk_free(path) end

---What this process takes of the machine's memory. Waits for no disk.
---@return integer? bytes
---@return string? message
function core.memory() end

---The C libraries in use.
---@return table<string, string> versions by name
function core.libraries() end

---@return integer pid the number of this process
function core.pid() end

-- ---- JSON and webhooks: for json.lua and webhook.lua alone --------------------------------------------------------------

---JSON around lua-cjson's two functions, mended: see cunnekt.json.
---@param cjson_decode fun(text: string): any
---@param cjson_encode fun(value: any): string
---@param new_error fun(kind: string, message: string): cunnekt.error
---@return fun(text: string): any, cunnekt.error? decode
---@return fun(value: any): string encode
function core.json_codec(cjson_decode, cjson_encode, new_error) end

---@param body any a decoded body
---@param decode fun(text: string): any json.decode
---@return cunnekt.webhook.event[]
function core.parse_webhook(body, decode) end

---@param name? string
---@param mime_type? string
---@param id? string
---@return string
function core.safe_filename(name, mime_type, id) end

-- ---- who talks with whom -------------------------------------------------------------------------------------------------

---The key of a conversation: `<phone_number_id>:<customer>`, empty where something is not known. Keys are stored.
---@param phone_number_id? string the provider's id of the business number
---@param customer? string a number or a user id, as the provider gives it
---@return string contact
function core.contact_key(phone_number_id, customer) end

---The key of the conversation that a webhook's event belongs to.
---@param event cunnekt.webhook.event
---@return string contact
function core.contact_of_event(event) end

---Takes a key apart.
---@param contact string
---@return string? phone_number_id nil: not known
---@return string? customer "": not known; nil: this is no key
function core.contact_parts(contact) end

---@param contact string
---@param who string a key, or a customer alone
---@return boolean is_meant whether that is the conversation of this key
function core.contact_is(contact, who) end

---Whether a value is a number as webhooks write it: so many digits, the first of which is not 0.
---@param text any
---@param least integer digits
---@param most integer digits
---@return boolean
function core.is_number(text, least, most) end

---What comes right behind all keys of a number, in the order of bytes.
---@param phone_number_id? string
---@return string text
function core.contact_behind(phone_number_id) end

-- ---- the store --------------------------------------------------------------------------------------------------------

---@class cunnekt.core.store_options
---@field synchronous? "full"|"normal"|"off" "full" by default; the others lose commits with the power, for tests
---@field vfs? string
---@field busy_ms? integer
---@field cache_kb? integer
---@field wal_pages? integer pages after which the write-ahead log is worked into the database
---@field queue_jobs? integer
---@field queue_bytes? integer
---@field read_only? boolean leave the file as it is, and nothing beside it

---Opens a database, and makes it where there is none. Waits for the disk.
---@param path string ":memory:" for none
---@param options? cunnekt.core.store_options
---@return cunnekt.store? store
---@return string? message
function core.store_open(path, options) end

---Looks at the file that store_open would open, and leaves no trace. Waits for the disk.
---@param path string
---@return {is_new: boolean, application_id: integer, user_version: integer, tables: string?}? found is_new: there is nothing yet; tables: their names, in lines, where the numbers do not tell whose database it is
---@return string? message it is no database that could be opened
function core.store_peek(path) end

---An SQLite database with a thread of its own, which commits whatever waits together.
---@class cunnekt.store
local store = {}

---@class cunnekt.core.statement_options
---@field want? "changes"|"rowid"|"rows" the statement's result; without it none (false)
---@field max_rows? integer 10,000 by default
---@field if_changed? boolean run only if the statement before it changed a row
---@field must_change? boolean the whole job fails unless it changes a row

---Compiles a statement, to stand for its text and options in jobs.
---@param sql string
---@param options? cunnekt.core.statement_options
---@return integer statement
function store:prepare(sql, options) end

---A statement of a job: what prepare gave, or its text with the options as fields; then its parameters. A string is bytes;
---`{ref = 1, "rowid"}` is what an earlier statement of the job brought about.
---@alias cunnekt.core.statement table

---Runs statements in one transaction: all or none of them hold.
---@param job cunnekt.core.statement[]
---@param done fun(results: table[]|boolean|nil, message: string?, code: string?) true when no result was wanted; else one for each statement: rows (a list of lists), a number, or false
---@return boolean? is_taken nil when the queue is full
---@return string? message
function store:run(job, done) end

---Copies the database, as of one moment, while it is in use.
---@param path string
---@param done fun(ok: boolean?, message: string?, code: string?)
---@return boolean? is_taken nil when one is under way
---@return string? message
function store:backup(path, done) end

---Writes what is queued, delivers it, and closes.
---@param done? fun(ok: boolean?, message: string?, code: string?)
function store:close(done) end

---@return boolean is_writable false while the disk is full or fails, or the files are not in their places
---@return string? problem why not
function store:is_writable() end

---Counts since it was opened, and what is queued now.
---@return table<string, integer|boolean>
function store:stats() end

return core
