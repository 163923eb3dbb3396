-- SPDX-License-Identifier: MIT
-- Where the admin socket of a store without a file is. It was always beside the script, where a service of systemd may not write, so
-- that no command reached a bot on PostgreSQL which ran as the manual says.

local location = require "cunnekt.store.location"
local process = require "spec.support.process"
local unit = require "cunnekt.operate.doctor.unit"

local URL = "postgres://bot@db1/shop"

describe("the name of a store on PostgreSQL", function()
  after_each(function()
    location.set_state_folder(nil)
  end)

  local function path_in(environment)
    local folder = process.folder()
    local script = process.write(folder.path .. "/bot.lua", ("print(require('cunnekt.store.location').path '%s')"):format(URL))
    local found = process.run({ process.host, "run", script }, { env = environment }).out
    return (found:gsub("^" .. folder.path, "BESIDE"))
  end

  it("is in the folder that systemd gives to a service, and else beside the script", function()
    assert.equal("/var/lib/shop/cunnekt-postgres\n", path_in { STATE_DIRECTORY = "/var/lib/shop:/var/lib/more" })
    assert.equal("BESIDE/cunnekt-postgres\n", path_in { STATE_DIRECTORY = "" })
  end)

  it("is the same for a command that is told the unit", function()
    local folder = process.folder()
    assert.equal(0, process.run({ process.host, "new", "shop" }, { cwd = folder.path }).code)
    local its_unit = assert(unit.read(folder.path .. "/shop/cunnekt-shop.service"))
    location.set_state_folder(its_unit.state_folder)
    assert.equal("/var/lib/cunnekt-shop/cunnekt-postgres", location.path(URL))
    assert.equal("/var/lib/cunnekt-shop/cunnekt-postgres-sales", location.path(URL .. "?options=-csearch_path%3Dsales"))
    assert.equal("bot.db", location.path "sqlite:bot.db")
  end)
end)
