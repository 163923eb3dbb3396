---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- The C module `cunnekt.core` as an editor sees it: names, shapes, units and failures. Never loaded; src/bind/ holds the
-- code. Internal: scripts use `require "cunnekt"`. spec/project/stubs_spec.lua holds this file and the C code to each other.
-- Calls take a callback and give at once. Callbacks run in core.step() alone, one after the other, on the main thread of
-- the state; an error in one goes to core.on_error. Shared words: "or nil, message" is a failure of the system.

---@class cunnekt.core
---@field json_array_mt table the metatable that marks lists; only json.lua gives it away
---@field store_version integer the version of the tables that this program makes
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
---While SIGTERM or SIGINT is watched, the second of them ends the process at once, with 1. SIGHUP stays ignored where it is.
---@param name "SIGTERM"|"SIGINT"|"SIGHUP"|"SIGCONT"|"SIGUSR1"|"SIGUSR2"
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

---Moves the system's clock ahead for this process: the time, and what waits for it. What falls due on the way fires in its order
---when the loop runs, all at the new time.
---@param seconds number
function core.skip_time(seconds) end

---How long until the first timer on the clock in use is due, whosever it is.
---@return number? seconds nil when there is none
function core.next_timer() end

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
---@field min_speed? integer bytes a second, measured over 30 s in which the transfer is waited for; 0 by default: none
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

---Prepares POSTs of different bodies: a message costs a tenth of what core.request costs. nil when only that can do what the options
---say (another method, a stream, min_speed, a user in the URL, a header that HTTP itself uses, a proxy that is asked in the
---clear), or when they cannot be used.
---@param options cunnekt.core.request_options `body` is not used
---@return cunnekt.endpoint?
function core.endpoint(options) end

---@class cunnekt.endpoint
local endpoint = {}

---Sends a POST, as core.request does. The answer is read more strictly: one that two readers could read differently is a
---failure of the kind network.
---@param body string
---@param done fun(...) called with the values behind it, and what core.request calls it with
---@param ... any at most four
---@return cunnekt.post
function endpoint:post(body, done, ...) end

---Ends it; what is under way goes on, and closing twice is fine.
function endpoint:close() end

---A text message as the JSON that the API takes.
---@param text any
---@param to any
---@param most integer characters
---@param least_digits integer
---@param most_digits integer
---@return string? json nil: the text is none that can be sent as it is, or `to` no number of so many digits
function core.text_message(text, to, most, least_digits, most_digits) end

---The message's id in an answer that is as Meta gives it to a message that it took, with nothing in it that can report a failure.
---@param body string
---@param has_raw? boolean
---@return string? id nil: it is another answer
---@return table? raw with `has_raw`, and an id: all of the answer, as json.decode gives it
function core.accepted_id(body, has_raw) end

---@class cunnekt.post
local post = {}

---Cancels: what is due gets the kind "cancelled"; closing twice is fine.
function post:close() end

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
---@return {size: integer, mode: integer, owner: integer, kind: "file"|"folder"|"socket"|"other"}? found mode: the permissions; owner: the user's number
---@return string? message
function core.stat(path) end

---Whether this process may write to a file, or make files in a folder.
---@param path string
---@return boolean? ok
---@return string? message why not
function core.may_write(path) end

---The names in a folder, in no order, without . and ..
---@param folder string
---@return string[]? names
---@return string? message
function core.names(folder) end

---Whether a person sees what is written to a descriptor.
---@param descriptor integer 1: standard output
---@return boolean
function core.is_terminal(descriptor) end

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

---@return integer user the number of this process's user; 0: root
function core.user() end


-- ---- the store --------------------------------------------------------------------------------------------------------

---Opens a store, makes it where there is none, and brings an older one up to date. Waits for the disk.
---@param url string "sqlite:FILE", "memory:" or "postgres://…"
---@param options? {synchronous?: "full"|"normal"|"off", vfs?: string, busy_ms?: integer, cache_kb?: integer, wal_pages?: integer, queue_calls?: integer, queue_bytes?: integer, read_only?: boolean, moving?: boolean, in_place?: boolean, take_over_ms?: integer, may_stand_by?: boolean} synchronous: only "full" keeps commits when the power fails; read_only: the file stays as it is, and nothing appears beside it; moving: also where a move has left it as no host may use it; in_place: one in memory has no thread of its own; take_over_ms and may_stand_by: of a database that another host may have, see src/store/store.h
---@return cunnekt.store? store, string? message
function core.store_open(url, options) end

---@alias cunnekt.core.stored fun(ok: boolean?, message: string?, code: string?) code: "conflict", "full", "io", "busy", …
---A store with a thread of its own, which commits whatever waits together. A verb takes a table with the fields of its struct
---in src/store/store.h: texts are bytes, lists are Lua lists, what is absent is nil, kinds and states are words in small
---letters. What it calls "out" is set in these tables before `done` is called. Returns true, or nil and a message: no room.
---@class cunnekt.store
local store = {}
---@param fn fun(message: string?, code: string?): any makes what `done` gets after nil; without a message: a call could write again
function store:on_failure(fn) end
---@param request table events, now, minds_mail, letter
---@param done cunnekt.core.stored
function store:accept(request, done) end
---@param request table body, now
---@param done cunnekt.core.stored
function store:post_mail(request, done) end
---@param request table all that a turn changes
---@param done cunnekt.core.stored
function store:commit_turn(request, done) end

---commit_turn of a turn that only finishes an event and queues messages, without a table in between.
---@param event integer
---@param joins integer?
---@param rows cunnekt.outbox.row[]
---@param done fun(subject: any, ok: boolean?, err: any) after a success `err` is the sequence of the commit, if the dialog asks
---@param subject any
---@param part {id: integer, waiting: string, due: number?, asks: boolean?, before: integer, after: integer, steps: table[], only: string?}? of a dialog that goes on to wait; `only`: its contact, if it must be the only dialog of that
---@return boolean? is_taken
---@return string? message
---@return string? code
function store:commit_plain(event, joins, rows, done, subject, part) end

---@param request table timers, now
---@param done cunnekt.core.stored
function store:fire(request, done) end
---@param request table messages, now
---@param done cunnekt.core.stored
function store:mark_sending(request, done) end
---@param request table outcomes, now
---@param done cunnekt.core.stored
function store:settle(request, done) end
---@param request table message_id, rank, reason, now
---@param done cunnekt.core.stored
function store:note_status(request, done) end
---@param request table event, attempts
---@param done cunnekt.core.stored
function store:note_attempt(request, done) end
---@param request table events, error, attempts, now
---@param done cunnekt.core.stored
function store:bury(request, done) end
---@param request table id, error, now
---@param done cunnekt.core.stored
function store:break_dialog(request, done) end
---@param request table count; `first` is set
---@param done cunnekt.core.stored
function store:reserve_ids(request, done) end
---@param request table day, before, stage, at; `is_done` is set
---@param done cunnekt.core.stored
function store:sweep(request, done) end

---@param request table struct cnk_count_rows
---@param done cunnekt.core.stored
function store:count_rows(request, done) end

---@param request table struct cnk_unload
---@param done cunnekt.core.stored
function store:unload(request, done) end

---@param request table struct cnk_load
---@param done cunnekt.core.stored
function store:load(request, done) end

---Asks a question by its name in src/store/sql; an unknown name raises.
---@param name string
---@param parameters table<string, any> by name
---@param done fun(rows: table[]?, message: string?, code: string?) each row by the names of its columns
---@return boolean? is_taken, string? message
function store:query(name, parameters, done) end
---Repairs rows by their ids; an unknown name raises.
---@param name string in src/store/sql/repairs.sql
---@param request {ids: integer[], [string]: any} and its parameters
---@param done fun(changed: integer[]?, message: string?, code: string?) the ids of those that it changed
---@return boolean? is_taken, string? message
function store:repair(name, request, done) end
---Copies the store, as of one moment, while it is in use; one copy at a time.
---@param path string
---@param done cunnekt.core.stored
---@return boolean? is_taken, string? message
function store:backup(path, done) end
---@param done? cunnekt.core.stored when what was queued is written and delivered, and the store is closed
function store:close(done) end
---@return integer version of its tables; 0: there is nothing in it yet
function store:version() end
---@return string? name its URL without what is secret in it; nil: it was opened with that
function store:name() end
---@return string[] notes what it may lose by the settings of its database, a sentence each
function store:notes() end

---@return boolean is_writable, string? problem false while the disk is full or fails, or the files are not in their places
function store:is_writable() end

---@return "sure"|"unsure"|"taken"|"behind"|"stands_by" hold whether this host is the only one of the store; see src/store/hold.h
function store:hold() end

---@return string? owner, string? hindrance the host that has the database, where another one may; why its session cannot be ended
function store:owner() end
---@return table<string, integer|boolean> counts since it was opened, and what is queued now
function store:stats() end

return core
