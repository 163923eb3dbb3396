-- SPDX-License-Identifier: MIT
-- The operation on scripts: which ones open dialogs began with, and whether those are the current one. A running host knows what
-- each dialog goes on with; without one the texts that the store keeps are compared with the files.

local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local rebuild = require "cunnekt.dialog.engine.rebuild"
local stored_dialogs = require "cunnekt.store.dialogs"
local whole_file = require "cunnekt.base.whole_file"

local scripts = {}

-- Where a file of a kept script is now: beside the script that was named, if one was.
local function path_now(path, main, script)
  if not script then
    return path
  elseif path == main then
    return script
  end
  local was, is_now = main:match "^(.*/)[^/]*$" or "", script:match "^(.*/)[^/]*$" or ""
  return path:sub(1, #was) == was and is_now .. path:sub(#was + 1) or path
end

-- "same", "changed", or "unknown": the script itself cannot be read.
local function compare(kept, script)
  if not whole_file.read(path_now(kept.main, kept.main, script)) then
    return "unknown"
  end
  for path, text in pairs(kept.files) do
    if whole_file.read(path_now(path, kept.main, script)) ~= text then
      return "changed"
    end
  end
  return "same"
end

-- What dialogs go on with; `row` as of lists.dialog_scripts.
local function state_of(target, row, script)
  local digest = row.code and row.code:match "%.(%x+)$"
  local text = digest and stored_dialogs.script(target.store, digest)
  local service = target.service
  if service and row.code then
    local choice = rebuild.choose(service.dialogs, row.name, row.code)
    return choice == "old" and not text and "missing" or choice
  end
  return text and compare(journal.read(text), script) or "unknown"
end

local function list(target, args)
  local rows, err = lists.dialog_scripts(target.store)
  if not rows then
    return nil, err
  end
  local views = json.array {}
  for i, row in ipairs(rows) do
    views[i] = { name = row.name, dialogs = row.dialogs, state = state_of(target, row, args.script) }
  end
  return { scripts = views }
end

---@type table<string, cunnekt.operate.operation>
scripts.operations = {
  -- state: of a running host "current", "restart", "old" or "missing" (an old one that the store does not have);
  -- else "same", "changed" or "unknown"
  ["dialogs.scripts"] = { types = { script = "string" }, run = list },
}

return scripts
