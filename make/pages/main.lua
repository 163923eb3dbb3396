-- SPDX-License-Identifier: MIT
-- Writes what is made from the program's own help: man pages, completions for shells, the unit for systemd. The host runs
-- it: cunnekt run make/pages/main.lua FOLDER.

package.path = arg[0]:gsub("[^/]*$", "?.lua") .. ";" .. package.path

local cli = require "cunnekt.cli"
local completion = require "completion"
local man = require "man"
local settings = require "cunnekt.provider.settings"
local unit = require "cunnekt.cli.new.unit"
local version = require("cunnekt").version

local folder = assert(arg[1], "the folder to write to is missing")

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  assert(file:write(text))
  assert(file:close())
end

local conf, others = { "cunnekt.conf", 5 }, {}
for _, name in ipairs(cli.names()) do
  others[#others + 1] = { "cunnekt-" .. name, 1 }
  write(("cunnekt-%s.1"):format(name), man.command(name, cli.page(name), version, { { "cunnekt", 1 }, conf }))
end
others[#others + 1] = conf
write("cunnekt.1", man.command(nil, cli.page(), version, others))
write("cunnekt.conf.5", man.conf(settings.known, version))

local commands = completion.commands(cli)
for _, shell in ipairs { "bash", "zsh", "fish" } do
  write("cunnekt." .. shell, completion[shell](commands))
end

write("cunnekt.service", unit.text("cunnekt", "/srv/bot"))
