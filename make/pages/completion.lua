-- SPDX-License-Identifier: MIT
-- Completions for bash, zsh and fish, from the help pages: commands, their verbs, their options, and what these take.

local help = require "help"

local completion = {}

---@class pages.command
---@field name string
---@field summary string
---@field verbs string[]
---@field options pages.option[]
---@field operand? "scripts"|"files" what stands beside the options

local HELP = { flag = "--help", about = "Print the command's page" }

local function operand_of(sections)
  local synopsis = table.concat(sections[2].paragraphs[1].lines, " "):gsub("%-%-[%a-]+ %S+", "")
  return synopsis:find "SCRIPT" and "scripts" or synopsis:find "%f[%a]FILE" and "files" or nil
end

---The commands, as the shells' scripts need them.
---@param cli table cunnekt.cli
---@return pages.command[]
function completion.commands(cli)
  local commands = {}
  for i, name in ipairs(cli.names()) do
    local sections = help.read(cli.page(name))
    local options = help.options(sections)
    options[#options + 1] = HELP
    commands[i] = {
      name = name, summary = help.summary(sections), verbs = help.verbs(sections), options = options,
      operand = operand_of(sections),
    }
  end
  return commands
end

-- The names of the examples; an interpreter that stands in for the program has none.
local function example_names()
  local has_examples, examples = pcall(require, "cunnekt.cli.new.examples")
  local names = {}
  for name in pairs(has_examples and examples or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names[1] and names or "anything"
end

-- "files", "scripts", a list of words, "anything", or nil for an option that takes nothing.
local function values_of(option)
  local argument = option.argument
  if not argument then
    return nil
  elseif argument == "EXAMPLE" then
    return example_names()
  elseif argument == "SCRIPT" then
    return "scripts"
  elseif argument:find "FILE" or argument:find "PATH$" and option.flag ~= "--webhook-path" then
    return "files"
  elseif argument:find "^%l+|" then
    local words = {}
    for word in argument:gmatch "[^|]+" do
      words[#words + 1] = word
    end
    return words
  end
  return "anything"
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function flags(command, wanted)
  local list = {}
  for _, option in ipairs(command.options) do
    if not wanted or values_of(option) == wanted then
      list[#list + 1] = option.flag
    end
  end
  return list
end

local function names_of(commands)
  local names = {}
  for i, command in ipairs(commands) do
    names[i] = command.name
  end
  return table.concat(names, " ")
end

local function fill(template, values)
  return (template:gsub("@(%u+)@", values))
end

-- ---- bash ----------------------------------------------------------------------------------------------------------------

local BASH = [[
# Completion of cunnekt for bash, made from the program's help.

_cunnekt_scripts() {
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X '!*.lua' -- "$cur")
}

_cunnekt() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local options='' verbs='' operand=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '@NAMES@ help -h --help -V --version' -- "$cur")
    return
  fi
  case $command in
    help) [ "$COMP_CWORD" -eq 2 ] && mapfile -t COMPREPLY < <(compgen -W '@NAMES@' -- "$cur"); return ;;
@COMMANDS@
    *) return ;;
  esac
  case "$command $prev" in
@VALUES@
  esac
  if [ "$cur" != "${cur#-}" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  elif [ -n "$verbs" ] && [ "$COMP_CWORD" -eq 2 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
  elif [ "$operand" = scripts ]; then
    _cunnekt_scripts
  elif [ "$operand" = files ]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -F _cunnekt cunnekt
]]

local function bash_values(command, lines)
  local function case(list, action)
    if #list > 0 then
      local words = {}
      for i, flag in ipairs(list) do
        words[i] = quote(command.name .. " " .. flag)
      end
      lines[#lines + 1] = ("    %s) %s; return ;;"):format(table.concat(words, "|"), action)
    end
  end
  case(flags(command, "files"), 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")')
  case(flags(command, "scripts"), "_cunnekt_scripts")
  case(flags(command, "anything"), ":")
  for _, option in ipairs(command.options) do
    local words = values_of(option)
    if type(words) == "table" then
      case({ option.flag }, ("mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")"):format(table.concat(words, " ")))
    end
  end
end

---@param commands pages.command[]
---@return string
function completion.bash(commands)
  local cases, values = {}, {}
  for i, command in ipairs(commands) do
    cases[i] = ("    %s) options='%s' verbs='%s' operand='%s' ;;"):format(
      command.name, table.concat(flags(command), " "), table.concat(command.verbs, " "), command.operand or "")
    bash_values(command, values)
  end
  return fill(BASH, {
    NAMES = names_of(commands), COMMANDS = table.concat(cases, "\n"), VALUES = table.concat(values, "\n"),
  })
end

-- ---- zsh -----------------------------------------------------------------------------------------------------------------

local ZSH = [[
#compdef cunnekt
# Completion of cunnekt for zsh, made from the program's help.

_cunnekt() {
  local -a commands
  commands=(
@NAMES@
    'help:Print a page'
  )
  if (( CURRENT == 2 )); then
    _describe -t commands command commands
    _arguments '(- *)'{-h,--help}'[Print the page]' '(- *)'{-V,--version}'[Print the version]'
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
    help) _describe -t commands command commands ;;
@COMMANDS@
  esac
}

_cunnekt "$@"
]]

local function zsh_text(text)
  return (text:gsub("[%[%]:\\]", "\\%0"))
end

local function zsh_option(option)
  local values = values_of(option)
  local action = values == "files" and "_files" or values == "scripts" and '_files -g "*.lua"' or type(values) == "table" and ("(%s)"):format(table.concat(values, " ")) or " "
  local argument = values and (":%s:%s"):format(zsh_text(option.argument), action) or ""
  -- Some may be repeated, which the pages say in words only.
  return quote(("*%s%s%s"):format(option.flag, option.about and ("[%s]"):format(zsh_text(option.about)) or "", argument))
end

---@param commands pages.command[]
---@return string
function completion.zsh(commands)
  local names, cases = {}, {}
  for i, command in ipairs(commands) do
    names[i] = "    " .. quote(command.name .. ":" .. zsh_text(command.summary))
    local words = {}
    for _, option in ipairs(command.options) do
      words[#words + 1] = zsh_option(option)
    end
    if #command.verbs > 0 then
      words[#words + 1] = quote(("1:what:(%s)"):format(table.concat(command.verbs, " ")))
    end
    words[#words + 1] = quote(command.operand == "scripts" and '*:script:_files -g "*.lua"' or "*:argument:_files")
    cases[i] = ("    %s) _arguments \\\n      %s ;;"):format(command.name, table.concat(words, " \\\n      "))
  end
  return fill(ZSH, { NAMES = table.concat(names, "\n"), COMMANDS = table.concat(cases, "\n") })
end

-- ---- fish ----------------------------------------------------------------------------------------------------------------

local FISH = [[
# Completion of cunnekt for fish, made from the program's help.

function __cunnekt_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test "$words[2]" = $argv[1]
end

function __cunnekt_first
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test "$words[2]" = $argv[1]
end

complete -c cunnekt -f
complete -c cunnekt -n __fish_use_subcommand -s h -l help -d 'Print the page'
complete -c cunnekt -n __fish_use_subcommand -s V -l version -d 'Print the version'
complete -c cunnekt -n __fish_use_subcommand -a help -d 'Print a page'
complete -c cunnekt -n '__cunnekt_first help' -a '@NAMES@'
@COMMANDS@
]]

local function fish_quote(text)
  return "'" .. text:gsub("[\\']", "\\%0") .. "'"
end

local function fish_option(command, option)
  local values = values_of(option)
  local takes = values == "files" and " -r -F" or values == "scripts" and " -x -a '(__fish_complete_suffix .lua)'" or type(values) == "table" and (" -x -a " .. fish_quote(table.concat(values, " ")))
    or values and " -x" or ""
  local about = option.about and " -d " .. fish_quote(option.about) or ""
  return ("complete -c cunnekt -n '__cunnekt_command %s' -l %s%s%s"):format(command.name, option.flag:sub(3), takes, about)
end

---@param commands pages.command[]
---@return string
function completion.fish(commands)
  local lines = {}
  for _, command in ipairs(commands) do
    lines[#lines + 1] = ("complete -c cunnekt -n __fish_use_subcommand -a %s -d %s"):format(command.name, fish_quote(command.summary))
    if #command.verbs > 0 then
      lines[#lines + 1] = ("complete -c cunnekt -n '__cunnekt_first %s' -a %s"):format(
        command.name, fish_quote(table.concat(command.verbs, " ")))
    end
    if command.operand then
      lines[#lines + 1] = ("complete -c cunnekt -n '__cunnekt_command %s' %s"):format(
        command.name, command.operand == "scripts" and "-a '(__fish_complete_suffix .lua)'" or "-F")
    end
    for _, option in ipairs(command.options) do
      lines[#lines + 1] = fish_option(command, option)
    end
  end
  return fill(FISH, { NAMES = names_of(commands), COMMANDS = table.concat(lines, "\n") })
end

return completion
