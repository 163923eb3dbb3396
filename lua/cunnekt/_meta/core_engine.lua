---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- What core.lua leaves to this file: tasks, lanes and rate limits (src/bind/engine/). The contracts are in src/engine/lanes.h and
-- limiter.h.

---@class cunnekt.core
local core = {}

-- ---- tasks -------------------------------------------------------------------------------------------------------------

---Tasks, for base/task.lua: tables with the fields `co`, the coroutine from a pool; `charge`, who pays for what runs; `is_done`; `waiters`,
---whether somebody waits for the end. The coroutine runs, charged to the task, as the running one.
---@param metatable table of tasks
---@param on_end fun(t: table, ok: boolean, ...: any) called when a task has failed, has given results, or is waited for
---@param on_suspend fun(t: table) called when a task's coroutine has yielded values
---@return fun(fn: function, ...: any): table spawn a new task, charged as the running one, which runs `fn` until its first wait
---@return fun(t: table, fn: function, ...: any) start the same for a task that is there
---@return fun(t: table, ...: any) resume goes on with a task that waits
---@return fun(): table? running
---@return fun(t: table?) set_running
function core.tasks(metatable, on_end, on_suspend) end

---Whether this code is a finalizer (`__gc`), or called by one: it is part of no task, and may not wait.
---@return boolean
function core.in_finalizer() end

-- ---- lanes -------------------------------------------------------------------------------------------------------------

---Keyed FIFO queues: the items of a lane run one at a time, in order; lanes run concurrently, up to a maximum, and take turns.
---Lanes in the background let the others pass, but for a least share. An item is any value but nil. Functions may not wait;
---their errors go to core.on_error. A lack of memory where an item should be added ends the program.
---@param concurrency integer maximum of running items
---@param run? fun(item: any, done: fun(pause?: number)) as in `connect`
---@param gate? fun(item: any): number?, boolean? asked before an item starts: nothing, or the seconds for which it must wait, and whether all other items must as well; it changes nothing of the lanes
---@return cunnekt.lanes
function core.lanes(concurrency, run, gate) end

---@class cunnekt.lanes
local lanes = {}

---Sets what starts an item.
---@param run fun(item: any, done: fun(pause?: number)) `done()` ends the item, `done(seconds)` retries it after a pause, still at the head of its lane; it may be called before `run` returns, and counts once
function lanes:connect(run) end

---Adds an item at the end of its lane.
---@param key string
---@param item any
---@param is_background? boolean of the lane, if it is new
function lanes:push(key, item, is_background) end

---Adds an item ahead of all others of its lane but the running one; one that waits for a retry comes after it.
---@param key string
---@param item any
---@param is_background? boolean of the lane, if it is new
function lanes:push_front(key, item, is_background) end

---Adds an item to a new lane, which starts after a pause.
---@param key string of a free lane
---@param item any
---@param pause number seconds
function lanes:push_later(key, item, pause) end

---Reserves a free lane for an item that may come soon, and a slot to start it at once, where nobody waits for one. What is
---added to the lane meanwhile comes after that item. `start_reserved` or `release` must follow.
---@param key string
---@param is_background? boolean
---@return boolean is_reserved
function lanes:reserve(key, is_background) end

---Starts the item of a reserved lane.
---@param key string
---@param item any
function lanes:start_reserved(key, item) end

---Gives up a reservation.
---@param key string
function lanes:release(key) end

---Starts the head of a lane now, if it waits for a retry.
---@param key string
function lanes:retry_now(key) end

---Starts no more items; running ones may finish.
function lanes:stop() end

---Calls `fn` whenever the last item ends, and now if there is none.
---@param fn fun()
function lanes:when_empty(fn) end

---Calls `fn` whenever the last running item ends, and now if none is running. Items that wait for a retry are not running.
---@param fn fun()
function lanes:when_quiet(fn) end

---The item of a lane that is running or next.
---@param key string
---@return any? item
function lanes:head(key) end

---The last item of a lane.
---@param key string
---@return any? item
function lanes:last(key) end

---The item behind the head of a lane.
---@param key string
---@return any? item
function lanes:second(key) end

---Removes the item behind the head of a lane, if it is this one still.
---@param key string
---@param item any
---@return boolean is_taken
function lanes:take_second(key, item) end

---The first item of a lane for which `fits` returns true.
---@param key string
---@param fits fun(item: any): boolean
---@return any? item
---@return boolean is_under_way
function lanes:find(key, fits) end

---The number of waiting and running items.
---@return integer
function lanes:count() end

---The number of those in background lanes.
---@return integer
function lanes:background_count() end

---The number of running items, and of reservations.
---@return integer
function lanes:active() end

---The items that are running.
---@return any[]
function lanes:running() end

---Sets what is called with a lane that is empty when the owner has more for it. `fill_empty` must follow, at any time.
---@param fill fun(lane: cunnekt.lanes.unfilled)
function lanes:on_empty_lane(fill) end

---Sets what is called whenever an item has left its lane.
---@param fn fun()? nil: nothing
function lanes:on_advance(fn) end

---What there is of a lane.
---@param key string
---@return integer? count of its items; nil when there is no such lane
---@return boolean? has_more whether the owner has more for it
function lanes:lane(key) end

---Notes that the owner has more for a lane, or no more: when the lane is empty, it is filled before it ends.
---@param key string
---@param has_more boolean
---@return boolean is_news false where there is no such lane, too
function lanes:set_more(key, has_more) end

---Makes a lane without items for which the owner has more, and has it filled.
---@param key string of a free lane, not in the background
function lanes:open_empty(key) end

---@class cunnekt.lanes.unfilled a lane that is empty
---@field key string
---@field is_background boolean
---@field serial integer

---Whether a lane still waits to be filled: it may have become part of another one.
---@param lane cunnekt.lanes.unfilled
---@return boolean
function lanes:is_unfilled(lane) end

---Adds items to a lane that was empty; without any it ends. Nothing happens when it does not wait for them any more.
---@param lane cunnekt.lanes.unfilled
---@param items any[]
function lanes:fill_empty(lane, items) end

---Makes the waiting items of a lane those of another one, in order. What is under way in either comes before all of them.
---@param from string key
---@param to string
---@param comes_before fun(a: any, b: any): boolean
---@param on_move fun(item: any) called for each item of the first lane
function lanes:join(from, to, comes_before, on_move) end

-- ---- rate limits -------------------------------------------------------------------------------------------------------

---Two rate limits: messages per second of the business number, and to one contact, in whichever form the number is written. It
---only counts; the caller waits. Raises "not enough memory" where a contact cannot be noted; nothing is taken then.
---@param limits {rate: number, burst: number, pair_rate: number, pair_burst: number, penalties: number[]} messages a second, 0 for no limit, and how many at once, for the number and for one contact; seconds for each further penalty of a contact
---@return cunnekt.limiter
function core.limiter(limits) end

---@class cunnekt.limiter
local limiter = {}

---Takes a token of both buckets, or tells how long there will be none. It reserves nothing: another caller may take the
---next token first.
---@param to string the recipient as a payload has it
---@return number seconds to wait; 0: taken
---@return boolean is_for_all whether it is the number's bucket that is empty
function limiter:delay(to) end

---Gives back what `delay` took, for a message that was not sent.
---@param to string
function limiter:give_back(to) end

---Reserves the next token of a contact, which may become available only after the returned time. So callers are served in
---their order, and each waits once.
---@param to string
---@return number seconds
function limiter:reserve_pair(to) end

---Reserves the next token of the number, as `reserve_pair` does. Call it last, for a message that can be sent then.
---@return number seconds
function limiter:reserve_number() end

---Takes the next tokens for a message: the contact's, and the number's where the contact's is there already.
---@param to string
---@param longest number seconds
---@return number? seconds to wait for them; nil when WhatsApp accepts nothing for this contact for longer than `longest`
---@return boolean|number is_whole whether the number's token is taken as well; or the seconds until it accepts something
---@return boolean is_penalised whether the contact has penalties to be forgiven
function limiter:reserve(to, longest) end

---Notes that WhatsApp refused a message because of too many to this contact (131056).
---@param to string
---@return number seconds until the next one may go
function limiter:penalise(to) end

---Notes that a message to this contact was accepted: its penalties end.
---@param to string
function limiter:forgive(to) end

---How many contacts are stored, for tests and figures.
---@return integer
function limiter:remembered() end

return core
