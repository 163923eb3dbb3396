-- SPDX-License-Identifier: MIT
-- The rule about variables of the file that a dialog changes: they are one for all customers, and a dialog that comes back from the
-- store runs again from its beginning, and changes them again. Tables with computed keys may be caches, and are left alone.

local shared = {}

local takes_function = { dialog = true, on = true, global = true }
local waits = { wait = true, sleep = true, collect = true }

local function is_wait(call)
  return call.class == "cunnekt.chat" and call.member and (waits[call.member] or call.member:find "^ask") and true or false
end

-- What a function that waits does to variables of the file.
local function changes_in(fn, notes)
  local found, is_waiting = {}, false
  for at = fn.first_call or 1, fn.last_call or 0 do
    local call = notes.calls[at]
    local list = call.class == "table" and call.member == "insert" and call.args[1]
    if list and list.kind == "table" and list.of_file and list.variable then
      found[#found + 1] = { name = list.variable, line = call.line }
    end
    is_waiting = is_waiting or is_wait(call)
  end
  table.move(notes.changes, fn.first_change or 1, fn.last_change or 0, #found + 1, found)
  return is_waiting and found or {}
end

local text = "'%s' is %s for all customers, and is changed again when the dialog comes back from the store; write local %s in the function, "
  .. "or keep it in chat.state or bot.store"

---@param notes cunnekt.check.notes
---@param report fun(line: integer, message: string)
function shared.check(notes, report)
  for _, call in ipairs(notes.calls) do
    for _, arg in ipairs(call.class == "cunnekt.bot" and takes_function[call.member] and call.args or {}) do
      for _, change in ipairs(arg and arg.kind == "function" and changes_in(arg, notes) or {}) do
        report(change.line, text:format(change.name, change.is_global and "a global, one" or "one", change.name))
      end
    end
  end
end

return shared
