-- SPDX-License-Identifier: MIT
-- The commands of `cunnekt dev` that are about the program, not messages of a customer: those are transcript/typed.lua's. Each gets the
-- session and the rest of its line; what it gives is printed. It may wait.

local canonical = require "cunnekt.base.canonical"
local clock = require "cunnekt.time.clock"
local format = require "cunnekt.time.format"
local identity = require "cunnekt.provider.identity"
local json = require "cunnekt.base.json"
local moving = require "cunnekt.cli.dev.moving"
local operations = require "cunnekt.operate.operations"
local typed = require "cunnekt.transcript.typed"
local words = require "cunnekt.base.words"

local commands = {}

commands.help = typed.help .. [[
Besides:
  1, 2, …            tap that choice         /text 2  say the number itself
  /from NUMBER NAME  write as somebody else  /state   what is kept of you
  /clock +2h         let time pass           /why     where your message went
  /end [ID]          end your open dialogs, or one of them
  /bot 2             write to the script's second bot
The script is loaded again when its file, or one of its modules, changes.
]]

local known = {}

-- ---- who, when -----------------------------------------------------------------------------------------------------

function known.from(session, rest)
  if rest == "" then
    return ("you are %s, %s"):format(session.person.name, session.person.from)
  end
  local number, name = rest:match "^(%+?%d[%d%s%-%(%)%.]*)(.*)$"
  if not number then
    number, name = rest:match "^(%S+)%s*(.*)$" -- a user id
  end
  local found, err = identity.normalise(number, nil, "/from")
  if not found then
    return nil, err.message
  end
  session:become(found, name ~= "" and name or nil)
  return ("you are %s, %s"):format(session.person.name, session.person.from)
end

function known.bot(session, rest)
  local text, problem = session.bots:choose(rest)
  session:show_prompt()
  return text, problem
end

function known.clock(session, rest)
  if rest == "" then
    return ("it is %s"):format(format.local_time(clock.now()))
  end
  local seconds = moving.read(rest)
  if not seconds then
    return nil, ("'%s' is no time that can pass; write +90s, +30m, +2h or +1d"):format(rest)
  end
  session:pause_reload()
  moving.go(seconds, function()
    session:settle()
  end)
  session:resume_reload()
  return ("it is %s now"):format(format.local_time(clock.now()))
end

-- ---- state ---------------------------------------------------------------------------------------------------------

local function ask(service, name, args)
  return operations.run({ store = service.store, service = service }, name, args)
end

-- The shared values whose key names the customer, and the number of all.
local function values_of(service, number, lines)
  local answer = ask(service, "values.list", { reveal = true, limit = 1000 })
  local others = 0
  for _, one in ipairs(answer and answer.values or {}) do
    if one.key:find(number, 1, true) then
      local value = ask(service, "values.get", { key = one.key })
      lines[#lines + 1] = ("  bot.store '%s' = %s"):format(one.key, value and json.encode(value.value) or "?")
    else
      others = others + 1
    end
  end
  if others > 0 then
    local how = service.store.is_kept and ": cunnekt values" or ""
    lines[#lines + 1] = ("  bot.store has %s without your number%s"):format(words.count(others, "other key"), how)
  end
end

local function dialogs_of(service, number, lines)
  local answer = ask(service, "dialogs.list", { contact = number, state = "all", reveal = true })
  for _, one in ipairs(answer and answer.dialogs or {}) do
    local waits = one.waits_for and (" for %s"):format(one.waits_for) or ""
    local due = one.due and (", until %s"):format(format.local_time(one.due)) or ""
    lines[#lines + 1] = ("  dialog %d, '%s': %s%s%s"):format(one.id, one.name, one.state, waits, due)
    if one.error then
      lines[#lines + 1] = "    " .. one.error
    end
  end
end

-- An object with its keys in order, or nothing for an empty one.
local function shown(state)
  local parts = {}
  for _, key in ipairs(canonical.keys(state)) do
    parts[#parts + 1] = ("%s = %s"):format(tostring(key), json.encode(state[key]))
  end
  return #parts > 0 and table.concat(parts, ", ") or "empty"
end

function known.state(session)
  local number = session.person.from
  local lines = { ("%s, %s"):format(session.person.name, number) }
  for _, service in ipairs(session:services()) do
    local answer = ask(service, "contacts.export", { contact = number })
    for _, one in ipairs(answer and answer.contacts or {}) do
      lines[#lines + 1] = ("  chat.state: %s"):format(shown(one.state or {}))
      if one.is_paused then
        lines[#lines + 1] = "  a person has the conversation (chat:pause)"
      end
    end
    if not answer then
      lines[#lines + 1] = "  the bot does not know you yet"
    end
    dialogs_of(service, number, lines)
    values_of(service, number, lines)
  end
  return table.concat(lines, "\n")
end

known["end"] = function(session, rest)
  local id = math.tointeger(tonumber(rest))
  if rest ~= "" and not id then
    return nil, "/end takes the number of a dialog, as /state shows it, or nothing"
  end
  local ended = {}
  for _, service in ipairs(session:services()) do
    local args = id and { ids = { id } } or { all = true, contact = session.person.from, state = "all" }
    local answer = ask(service, "dialogs.end", args)
    table.move(answer and answer.ended or {}, 1, #(answer and answer.ended or {}), #ended + 1, ended)
  end
  return #ended > 0 and ("ended: %s"):format(words.list(ended)) or "there is no such dialog"
end

-- ---- the rest ------------------------------------------------------------------------------------------------------

function known.why(session)
  return table.concat(session.why:lines(), "\n")
end

---All commands, those of typed.lua too, without their slash.
---@return string[]
function commands.names()
  local names = table.move(typed.names, 1, #typed.names, 1, {})
  for name in pairs(known) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

---The command of a line, if it is one of these.
---@param line string
---@return (fun(session: table): string?, string?)? run gives what is to be printed; or nil, and what is wrong
function commands.find(line)
  local name, rest = line:match "^/(%a+)%s*(.-)%s*$"
  local run = name and known[name]
  return run and function(session)
    return run(session, rest)
  end
end

return commands
