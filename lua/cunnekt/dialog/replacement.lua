-- SPDX-License-Identifier: MIT
-- Another script in the place of the current one, while dialogs are open: what is registered, and which open dialogs go on with
-- it. One whose journal fits the new code belongs to the new script from then on; any other goes on as after a restart with a
-- changed script (engine/rebuild.lua).

local code = require "cunnekt.dialog.engine.code"
local errors = require "cunnekt.base.errors"
local formats = require "cunnekt.store.formats"
local lists = require "cunnekt.store.lists"
local mend = require "cunnekt.dialog.engine.mend"
local old_script = require "cunnekt.dialog.engine.old_script"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local stored_dialogs = require "cunnekt.store.dialogs"
local task = require "cunnekt.base.task"

local replacement = {}

-- Dialogs that are looked at: where more are open, the others go on as after a restart.
local max_dialogs = 1000

---Puts another script in the place of the current one. Runs in memory are evicted; none may be in the middle of a turn.
---@param dialogs cunnekt.dialogs
---@param known table<string, table> as cunnekt.dialog.script has it
function replacement.replace(dialogs, known)
  local script = { known = known, routes = dialogs.script.routes }
  dialogs:use_script(script)
  for name, one in pairs(known) do
    dialogs.is_used = dialogs.is_used or one.opts.is_dialog
    -- Digests are computed before any handler runs, while the script's values are the initial ones.
    dialogs:code_of(name)
  end
  dialogs:evict_all()
end

---What became of an open dialog.
---@class cunnekt.dialog.moved
---@field id integer
---@field name string
---@field contact string
---@field how "same"|"moved"|"anew"|"old"|"gone" same: its code has not changed; anew: it begins again with the next answer; old: it goes on with the code that it began with; gone: it cannot go on
---@field why string? where it is old: what does not fit

-- Replays a dialog with the current script, up to its wait. Raises where the journal does not fit; then nothing has changed.
local function replay(dialogs, stored)
  local failure
  task.await(function(done)
    dialogs.engine.turns:run(nil, function()
      rebuild.rebuild(dialogs, stored, nil, mend.mover)
    end, function(err)
      failure = err
      done()
    end, "reload")
  end)
  return failure
end

local function is_in(dialogs, stored)
  return dialogs.script.known[stored.name] ~= nil or stored.name:find(formats.handler_pattern) ~= nil
end

-- Whether it can go on with the code that it began with.
local function has_old_code(dialogs, stored)
  return (old_script.of(dialogs, stored.code)) ~= nil
end

local function move(dialogs, stored)
  local digest = dialogs:code_of(stored.name)
  local known = dialogs.script.known[stored.name]
  if not stored.waiting or (digest and not code.is_changed(stored.code, digest)) then
    return "same"
  elseif known and known.opts.is_dialog and known.opts.on_change ~= "keep" then
    return "anew"
  end
  local why = "it is not in the script any more"
  if is_in(dialogs, stored) then
    local failure = replay(dialogs, stored)
    if not failure then
      return "moved"
    end
    why = failure.message
  end
  return has_old_code(dialogs, stored) and "old" or "gone", why
end

---Gives the open dialogs to the current script, as far as their journals fit it. Waits.
---@param dialogs cunnekt.dialogs
---@return cunnekt.dialog.moved[] moved
---@return cunnekt.error? err kind store
function replacement.move(dialogs)
  local list = {}
  local open, err = lists.dialogs(dialogs.store, "open", { limit = max_dialogs })
  for _, one in ipairs(open or {}) do
    local stored = stored_dialogs.find(dialogs.store, one.id)
    if stored and not stored.error then
      local how, why = move(dialogs, stored)
      list[#list + 1] = { id = stored.id, name = stored.name, contact = stored.contact, how = how, why = why }
    end
  end
  return list, err or (not open and errors.new("store", "the open dialogs cannot be read")) or nil
end

return replacement
