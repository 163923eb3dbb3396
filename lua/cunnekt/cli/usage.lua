-- SPDX-License-Identifier: MIT
-- What all commands share: reading arguments with argparse, settings given as options, and error messages about the command
-- line. It prints, and returns exit codes; it never exits.

local log = require "cunnekt.base.log"
local once = require "cunnekt.base.once"
local options = require "cunnekt.base.options"
local settings = require "cunnekt.provider.settings"

local usage = {}

---Prints what is wrong with the command line, and how to get help. Where the log has objects it is one, for a program reads them.
---@param command string? the command's name; nil: before any command
---@param message string
---@return integer code 2
function usage.mistake(command, message)
  local program = command and ("cunnekt " .. command) or "cunnekt"
  if log.is_json then
    log.fatal(("%s: %s"):format(program, message))
  else
    io.stderr:write(("%s: %s\nTry '%s -h'.\n"):format(program, message, program))
  end
  return 2
end

---" (did you mean 'x'?)", or nothing.
---@param name string
---@param candidates string[]
---@return string
function usage.hint(name, candidates)
  local near = options.suggest(name, candidates)
  return near and (" (did you mean '%s'?)"):format(near) or ""
end

-- argparse puts its suggestion on a line of its own.
local function joined(message)
  return (message:gsub("\nDid you mean (.-)%?$", " (did you mean %1?)"))
end

-- Every user of the machine can see command lines, so no secret is an option; the message says what to use instead.
local function refused_secret(word)
  local name = word:match "^%-%-([%a-]+)"
  local setting = name and settings.known[name:gsub("-", "_")]
  if setting and setting.is_secret then
    return ("a secret does not belong on a command line; set %s instead of --%s"):format(setting.env, name)
  end
  return nil
end

---Reads a command's arguments; prints the help or the mistake, and gives the exit code then.
---@param command string the command's name
---@param help string its page
---@param define fun(parser: table) declares arguments and options on an argparse parser
---@param args string[]
---@return table? parsed nil when the command is over
---@return integer? code the exit code then
function usage.parse(command, help, define, args)
  for _, word in ipairs(args) do
    local refusal = refused_secret(word)
    if word == "--" then
      break
    elseif word == "-h" or word == "--help" then
      io.stdout:write(help)
      return nil, 0
    elseif refusal then
      return nil, usage.mistake(command, refusal)
    end
  end
  local ok, parsed = once.use("argparse", function(argparse)
    local parser = argparse("cunnekt " .. command):add_help(false)
    define(parser)
    return parser:pparse(args)
  end)
  if not ok then
    return nil, usage.mistake(command, joined(parsed))
  end
  return parsed
end

---Why a file cannot be read.
---@param path string
---@return string? problem nil when it can
function usage.unreadable(path)
  local file, problem = io.open(path, "r")
  if not file then
    return "cannot read " .. problem
  end
  -- A folder opens, but does not read.
  local _, read_problem = file:read(0)
  file:close()
  return read_problem and ("cannot read %s: %s"):format(path, read_problem)
end

local function flag_of(name)
  return "--" .. name:gsub("_", "-")
end

---The names of the settings that are options, sorted.
---@param is_client_only? boolean only those of cunnekt.client
---@return string[]
function usage.setting_names(is_client_only)
  local names = {}
  for name, setting in pairs(settings.known) do
    if not setting.is_secret and (setting.is_client or not is_client_only) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

---Declares --verbose and --log.
---@param parser table argparse's
function usage.declare_log(parser)
  parser:flag "--verbose"
  parser:option "--log"
end

---Sets what is logged: by the environment, then by the options.
---@param command string
---@param parsed table what usage.parse gave
---@return integer? code the exit code, when a value is wrong
function usage.apply_log(command, parsed)
  local problem = log.configure(os.getenv "CUNNEKT_LOG")
  if problem then
    return usage.mistake(command, "CUNNEKT_LOG: " .. problem)
  end
  problem = log.configure(parsed.log)
  if problem then
    return usage.mistake(command, "--log: " .. problem)
  end
  log.is_debug = log.is_debug or parsed.verbose ~= nil
  return nil
end

---The options for these settings, and --config. Each takes one value.
---@param names string[]
---@return string[]
function usage.setting_flags(names)
  local flags = { "--config" }
  for i, name in ipairs(names) do
    flags[i + 1] = flag_of(name)
  end
  return flags
end

---Declares those options.
---@param parser table argparse's
---@param names string[]
function usage.declare_settings(parser, names)
  parser:option("--config"):target "config"
  for _, name in ipairs(names) do
    parser:option(flag_of(name)):target(name)
  end
end

---Sets the settings that were given for the whole process.
---@param command string
---@param parsed table what usage.parse gave
---@param names string[]
---@param folder? string the script's, where the store and cunnekt.conf.lua are
---@param is_unchecked? boolean a wrong value is found by whoever loads the settings
---@return integer? code the exit code, when a value is wrong
function usage.apply_settings(command, parsed, names, folder, is_unchecked)
  local flags = {}
  for _, name in ipairs(names) do
    flags[name] = parsed[name]
  end
  local function no_environment() end
  local ok, problem = pcall(settings.load, { flags = flags, conf_path = false, getenv = no_environment })
  if not ok and not is_unchecked then
    return usage.mistake(command, problem)
  end
  local problem_of_config = parsed.config and usage.unreadable(parsed.config)
  if problem_of_config then
    return usage.mistake(command, problem_of_config)
  end
  settings.set_host { flags = flags, conf_path = parsed.config, folder = folder }
  return nil
end

return usage
