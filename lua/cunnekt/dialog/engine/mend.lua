-- SPDX-License-Identifier: MIT
-- Mends a broken run with the current script (`cunnekt dialogs retry --new-script`): as far as its journal fits the script it is
-- replayed; at the first step that differs the journal is cut, and the script goes on from there as from then on. What it does
-- after the cut is new: a message that the old script had sent there is sent again if the new one sends it.
-- rebuild.lua decides which runs are mended, run.lua finds what differs.

local clock = require "cunnekt.time.clock"
local journal = require "cunnekt.engine.journal"
local log = require "cunnekt.base.log"
local task = require "cunnekt.base.task"

local mend = {}

local mender_methods = {}
local mender_mt = { __index = mender_methods, __name = "cunnekt.mender" }

---Cuts a run's journal before its present step, in the running turn. Its next step is a new one, and the states that the script
---holds are those of now. The event that was to end its wait belongs to what is cut.
---@param its_run cunnekt.run
function mender_methods:cut(its_run)
  local its_turn, n, had = task.running().turn, its_run.n, its_run.stored_n
  local has_answer = its_run.delivery and its_run.delivery.event and its_run.delivery.event.kind == "message"
  its_turn:buffer("cuts")[its_run.id] = { id = its_run.id, n = n, steps = had }
  its_run.replay, its_run.delivery, its_run.expects, its_run.resumes_at = nil, nil, nil, nil
  its_run.stored_n = n - 1
  its_turn:charge()
  log.warn("dialog %d goes on with the current script at step %d: the journal does not fit it from there, and %d steps are discarded%s",
    its_run.id, n, had - n + 1, has_answer and ", with the answer that came" or "")
  local outcome = { at = clock.now(), is_commit = true }
  its_run:end_step { mark = journal.mark("mended", had - n + 1), outcome = outcome }
  its_run:begin_anew(outcome)
end

---What gives runs to the current script.
---@class cunnekt.mender
---@field cut? fun(self, its_run: cunnekt.run) nil: where the journal does not fit, the run diverges, and stays as it is

---Mends broken runs.
---@type cunnekt.mender
mend.mender = setmetatable({}, mender_mt)

---Gives runs that are not broken to the current script (dialog/replacement.lua).
---@type cunnekt.mender
mend.mover = {}

return mend
