-- SPDX-License-Identifier: MIT
-- `cunnekt values`: lists the keys of bot.store, prints a value, sets one. The operations are in operate/values.lua; this
-- file reads the arguments and prints.

local json = require "cunnekt.base.json"
local store_command = require "cunnekt.cli.store_command"
local words = require "cunnekt.base.words"

local values = {}

values.help = [[
NAME
       cunnekt values - list, read and set the values of bot.store

SYNOPSIS
       cunnekt values list [PREFIX] [--limit N] [OPTIONS]
       cunnekt values get KEY [OPTIONS]
       cunnekt values set KEY VALUE [OPTIONS]

DESCRIPTION
       A script keeps values that all conversations share in bot.store. The
       commands work with or without a host on the store; the handlers of a
       running host see a new value at once.

       list shows the keys that begin with PREFIX, or all, and how many bytes of
       JSON each value has.

       get prints the value as JSON. It was asked for by name, so it is shown as
       it is, whatever it holds.

       set saves a value. VALUE is JSON, such as 5, true or '{"seats":5}'; what
       is not JSON is a string. The text 5 is '"5"'. null deletes the value, as
       nil does in a script. A handler that has read the value and has not ended
       is run again with the new one, and what it did before has no effect.

OPTIONS
       --limit N
              Show at most N keys (100).

]] .. store_command.shown_help .. "\n" .. store_command.store_help .. [[

EXIT STATUS
       0      done
       1      there is no such value, or the store cannot be opened
       2      the command line was not understood

EXAMPLES
       cunnekt values list order:
       cunnekt values get seats
       cunnekt values set seats 5
       cunnekt values set opening '{"from":"09:00","to":"18:00"}'
]]

-- ---- list, get -----------------------------------------------------------------------------------------------------

local function print_list(result)
  if #result.values == 0 then
    print "none"
    return
  end
  local rows = {}
  for i, value in ipairs(result.values) do
    rows[i] = { value.key, value.bytes }
  end
  store_command.print_columns({ "KEY", "BYTES" }, rows)
  if result.has_more then
    print "There are more; --limit N shows more of them, PREFIX fewer."
  end
end

local function list(parsed)
  local args = { prefix = parsed.prefix, limit = parsed.limit, reveal = parsed.reveal or false }
  return store_command.run("values", parsed, "values.list", args, print_list)
end

local function get(parsed)
  return store_command.run("values", parsed, "values.get", { key = parsed.key }, function(result)
    print(words.plain(json.encode(result.value)))
  end)
end

-- ---- set -----------------------------------------------------------------------------------------------------------

-- The value as JSON; what is not JSON stands for itself.
local function json_of(text)
  return json.decode(text) ~= nil and text or json.encode(text)
end

local function set(parsed)
  local args = { key = parsed.key, json = json_of(parsed.value) }
  return store_command.run("values", parsed, "values.set", args, function(result)
    print(words.plain((result.is_deleted and "deleted " or "set ") .. result.key))
  end)
end

-- ---- the command ---------------------------------------------------------------------------------------------------

-- A running host is asked in JSON, which would change other bytes: it would set another key.
local function read_prefix(text)
  if not utf8.len(text) then
    return nil, "the key is not UTF-8; only a script can reach such a key"
  end
  return text
end

local function read_key(text)
  if text == "" then
    return nil, "the key is empty"
  end
  return read_prefix(text)
end

-- Before a negative number everything else: it looks like an option.
local function with_numbers_last(args)
  local options, numbers = {}, {}
  for i, word in ipairs(args) do
    if word == "--" then
      return args
    end
    table.insert(i > 1 and word:find "^%-%.?%d" and numbers or options, word)
  end
  if numbers[1] then
    options[#options + 1] = "--"
  end
  return table.move(numbers, 1, #numbers, #options + 1, options)
end

local verbs = {
  list = {
    define = function(parser)
      parser:argument("prefix"):args("?"):convert(read_prefix)
      parser:option("--limit"):convert(store_command.number)
    end,
    run = list,
  },
  get = {
    define = function(parser)
      parser:argument("key"):convert(read_key)
    end,
    run = get,
  },
  set = {
    define = function(parser)
      parser:argument("key"):convert(read_key)
      parser:argument "value"
    end,
    run = set,
  },
}

---@param args string[]
---@return integer code
function values.run(args)
  return store_command.run_verb("values", values.help, with_numbers_last(args), verbs, { "list", "get", "set" })
end

return values
