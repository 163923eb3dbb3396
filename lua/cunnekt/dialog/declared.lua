-- SPDX-License-Identifier: MIT
-- What a script has declared: its dialogs, and its handlers under the names with which their runs are stored.

local world = require "cunnekt.dialog.engine.world"

local declared = {}

---Adds a dialog to a script, or a handler under the name with which its runs are stored.
---@param known table<string, table> as cunnekt.dialog.script has it
---@param name string
---@param fn function
---@param opts table is_dialog, unexpected, expires, on_change
---@param matcher any of a handler
function declared.add(known, name, fn, opts, matcher)
  world.adopt(fn)
  known[name] = { name = name, fn = fn, opts = opts, matcher = matcher }
  if type(opts.unexpected) == "function" then
    world.adopt(opts.unexpected)
  end
end

local function results(...)
  return ...
end

---Calls `on_begin` before each run, and each replay, of each dialog that there is by now. For `cunnekt test`, as routes:watch.
---@param known table<string, table> as cunnekt.dialog.script has it
---@param on_begin fun(entry: table)
---@return {what: string, fn: function}[] entries
function declared.watch(known, on_begin)
  local entries = {}
  for name, entry in pairs(known) do
    if entry.opts.is_dialog then
      local fn, watched = entry.fn, { what = ("bot:dialog('%s')"):format(name), fn = entry.fn }
      entries[#entries + 1] = watched
      function entry.fn(...)
        on_begin(watched)
        local its_function = fn -- a local, and no tail call: base/blame.lua finds the function here
        return results(its_function(...))
      end
    end
  end
  return entries
end

return declared
