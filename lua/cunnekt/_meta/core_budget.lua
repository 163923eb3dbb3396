---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- What core.lua leaves to this file: the budget of turns (src/bind/budget.c). Only the host measures and stops; in a plain
-- interpreter these functions keep account, and nobody looks at it.

---@class cunnekt.core
local core = {}

---What a turn may take. Stays until the end of the program.
---@class cunnekt.budget
local budget = {}

---@param options {seconds: number, memory: integer, notes: string?} 0: no limit; `notes`: the file for turns that cannot be stopped
---@return cunnekt.budget
function core.budget(options) end

---Charges a new turn with what runs from now on, until its coroutine yields or ends.
---@param subject integer|string? its event, or its name
---@param seconds? number instead of the budget's own
---@return userdata charge for a task's field of that name
function budget:enter(subject, seconds) end

---Calls a function as a turn of its own. It may not wait.
---@param subject integer|string?
---@param fn function
---@param ... any
---@return any ... what fn returns; raises what it raises
function budget:charged(subject, fn, ...) end

---Sets the function that makes the value which a stopped turn raises.
---@param fn fun(reason: "seconds"|"memory", where: string, traceback: string?, seconds: number, memory: integer): any
function core.on_stop(fn) end

---Whether the running turn is stopped, though its script may have caught that.
---@return boolean
function core.is_stopped() end

---Ends the stop of the running turn. What cleans up after it is charged to a new account, with a quarter of the budget.
---@param is_out_of_memory? boolean how the turn failed
---@return "seconds"|"memory"|nil reason nil when the turn was not stopped
---@return string? where "bot.lua:12", or ""
---@return userdata? charge
function core.stopped(is_out_of_memory) end

---Whether memory was refused to a turn because of its budget.
---@param charge userdata?
---@return boolean
function core.is_refused(charge) end

---Collects all garbage, and gives free memory back to the system.
---@param its_budget cunnekt.budget
---@return boolean is_bounded the state is sound, and within three quarters of its memory
function core.is_bounded(its_budget) end

---Notes a turn as one that cannot be stopped, and starts the program anew. Returns only where it cannot.
---@param charge? userdata the running turn's by default
---@param where? string "bot.lua:12"
function core.start_anew(charge, where) end

return core
