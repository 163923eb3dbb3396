-- SPDX-License-Identifier: MIT
-- Man pages and completions hold all that the command line takes. What it takes is asked of the parsers themselves: each
-- command is called with a `usage.parse` that only keeps how its arguments are declared.

local argparse = require "argparse"
local cli = require "cunnekt.cli"
local kinds = require "cunnekt.cli.send.kinds"
local process = require "spec.support.process"
local settings = require "cunnekt.provider.settings"
local store_command = require "cunnekt.cli.store_command"
local usage = require "cunnekt.cli.usage"

-- What a command declares: flags and verbs, each a set.
local function declared(name)
  local flags, verbs = {}, {}
  local parse, run_verb = usage.parse, store_command.run_verb
  finally(function()
    usage.parse, store_command.run_verb = parse, run_verb
  end)
  local command = require("cunnekt.cli." .. name)
  local calls = { { "x.lua" } }
  usage.parse = function(_, _, define)
    local parser = argparse("x"):add_help(false)
    define(parser)
    for _, option in ipairs(parser._options) do
      for _, alias in ipairs(option._aliases) do
        flags[alias] = true
      end
    end
    return nil, 0
  end
  store_command.run_verb = function(_, help, _, verbs_of, order)
    for _, verb in ipairs(order) do
      verbs[verb] = true
      run_verb(name, help, { verb }, verbs_of, order)
    end
    return 0
  end
  if name == "send" then
    for i, kind in ipairs(kinds.names) do
      verbs[kind], calls[i] = true, { kind }
    end
  end
  for _, args in ipairs(calls) do
    command.run(args)
  end
  usage.parse, store_command.run_verb = parse, run_verb
  return flags, verbs
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

-- The words of a text that are in the set.
local function found_in(text, set)
  local found = {}
  for word in text:gmatch "[-%w_]+" do
    found[word] = set[word]
  end
  return sorted(found)
end

describe("what is made from the help", function()
  local folder

  setup(function()
    folder = process.folder()
    local made = process.cunnekt { "run", "make/pages/main.lua", folder.path }
    assert(made.code == 0, made.err)
  end)

  local function read(name)
    return assert(process.read(folder.path .. "/" .. name), name)
  end

  -- The part of a completion about one command, by shell.
  local part = {
    bash = function(name)
      return read("cunnekt.bash"):match("\n    " .. name .. "%) (options=[^\n]*)")
    end,
    zsh = function(name)
      return read("cunnekt.zsh"):match("\n    " .. name .. "%) (_arguments.-);;")
    end,
    fish = function(name)
      local lines = {}
      for line in read("cunnekt.fish"):gmatch("'__cunnekt_%l+ " .. name .. "'([^\n]*)") do
        lines[#lines + 1] = line:gsub(" %-l ", " --")
      end
      return table.concat(lines, "\n")
    end,
  }

  it("has a page for every command, listed in cunnekt(1), and every command in the completions", function()
    for _, name in ipairs(cli.names()) do
      assert.matches("\n%.SH NAME\ncunnekt\\%-" .. name .. " \\%- %l", read("cunnekt-" .. name .. ".1"))
      assert.matches("cunnekt\\%-" .. name .. " %(1%)", read "cunnekt.1")
      for shell, part_of in pairs(part) do
        assert.truthy(part_of(name), ("%s in the completion for %s"):format(name, shell))
      end
    end
  end)

  for _, name in ipairs(cli.names()) do
    it("has every option and verb of " .. name, function()
      local flags, verbs = declared(name)
      local page = read("cunnekt-" .. name .. ".1"):gsub("\\f.", ""):gsub("\\%-", "-")
      assert.same(sorted(flags), found_in(page, flags))
      assert.same(sorted(verbs), found_in(page, verbs))
      flags["--help"] = true
      for shell, part_of in pairs(part) do
        local text = part_of(name)
        assert.same(sorted(flags), found_in(text, flags), "options for " .. shell)
        assert.same(sorted(verbs), found_in(text, verbs), "verbs for " .. shell)
      end
      for flag in part.bash(name):match("options='(.-)'"):gmatch "%S+" do
        assert.truthy(flags[flag], flag .. " is completed, and is no option")
      end
    end)
  end

  it("says of every setting what it is, with its variable and its default", function()
    local page = read("cunnekt.conf.5"):gsub("\\f.", ""):gsub("\\%-", "-"):gsub("\\%(aq", "'")
    for name, setting in pairs(settings.known) do
      local text = page:match("\n%.TP\n" .. name .. "\n(.-)\n%.[TS]")
      assert.truthy(text, name)
      assert.truthy(text:lower():find(setting.about:lower(), 1, true), name)
      assert.truthy(not setting.env or text:find(setting.env, 1, true), name)
    end
    assert.matches("by default 127%.0%.0%.1:8080", page)
  end)

  it("completes in bash what a user begins to type", function()
    local script = [[
      source "$1"; shift
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      compopt() { :; }
      _cunnekt; echo "${COMPREPLY[*]}"
    ]]
    local function complete(...)
      local result = process.run { "bash", "-c", script, "bash", folder.path .. "/cunnekt.bash", "cunnekt", ... }
      assert.equal("", result.err)
      return (result.out:gsub("\n$", ""))
    end
    assert.equal("doctor", complete "doc")
    assert.equal("--listen", complete("run", "--lis"))
    assert.equal("list show retry drop", complete("events", ""))
    assert.equal("digits plus", complete("send", "text", "9", "--mobile-format", ""))
    assert.equal("examples/echo.lua", complete("run", "examples/ec"))
    assert.equal("text json", complete("dev", "--log", ""))
    assert.equal("echo", complete("new", "shop", "--from", "ech"))
    assert.equal("examples/echo.lua", complete("events", "list", "--script", "examples/ec"))
    assert.equal("Makefile", complete("run", "--config", "Makef"))
    assert.equal("", complete("run", "Makef"))
    assert.equal("", complete("no-command", "-"))
  end)

  -- The unit in the docs is the one that is installed.
  it("has the unit that operations.md shows", function()
    local shown = process.read("docs/operations.md"):match "```ini\n(%[Unit%].-)```"
    assert.equal(read "cunnekt.service", shown)
  end)
end)
