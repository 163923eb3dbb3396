-- SPDX-License-Identifier: MIT
-- chat:collect: messages that belong together, such as the photos of an album or a thought in three texts. Each of them is a wait of
-- its own, so that what came is kept across restarts. bot/chat.lua documents it.

local options = require "cunnekt.base.options"
local steps = require "cunnekt.engine.steps"
local wait = require "cunnekt.dialog.flow.wait"

local collect = {}

local where = "chat:collect"

---@type table<string, string> options of chat:collect
collect.types = { media = "boolean", text = "boolean", quiet = "number", max = "integer", timeout = "number" }

-- Seconds without a message that end a collection: the parts of an album come within a second or two. And the most that is collected,
-- because each message is kept in the journal.
local default_quiet, most = 5, 100

-- Both types of messages where the script names none.
local function types_of(opts)
  local types = {}
  types.text = opts.text or (opts.text == nil and not opts.media) or nil
  if opts.media or (opts.media == nil and not opts.text) then
    for name in pairs(wait.media_types) do
      types[name] = true
    end
  end
  return types
end

-- Raises for misuse, blaming the script's line.
local function check(opts, types)
  if next(types) == nil then
    error(("%s: expected media = true, text = true, or neither of them"):format(where), 3)
  elseif opts.quiet and opts.quiet <= 0 then
    error(("%s: option 'quiet' must be a number of seconds above 0"):format(where), 3)
  elseif opts.max and (opts.max < 1 or opts.max > most) then
    error(("%s: option 'max' must be 1 to %d"):format(where, most), 3)
  end
end

---chat:collect, see bot/chat.lua.
---@param dialogs cunnekt.dialogs
---@param chat cunnekt.chat
---@param opts? table
---@return table[]? messages
---@return cunnekt.error? err kind timeout
function collect.collect(dialogs, chat, opts)
  opts = options.check(where, opts, collect.types)
  local types = types_of(opts)
  check(opts, types)
  local current = steps.waiting_run(where)
  local list, due = {}, wait.deadline(current, opts.timeout)
  repeat
    local it = wait.for_event(dialogs, chat, { types = types, due = due }, where)
    list[#list + 1] = it
    due = wait.deadline(current, opts.quiet or default_quiet)
  until not it or #list >= (opts.max or most)
  if not list[1] then
    return nil, wait.timed_out(opts.timeout)
  end
  return list
end

return collect
