-- SPDX-License-Identifier: MIT
-- `cunnekt doctor --unit` has the settings of the unit that `cunnekt new` wrote, and finds what is wrong with its files.

local doctor = require "spec.support.rigs.doctor"
local process = require "spec.support.process"

describe("cunnekt doctor, given a unit,", function()
  local folder, unit, env_file

  -- The unit of a new bot, with the folders of the machine in the test's folder.
  before_each(function()
    folder = process.folder()
    local home = folder.path
    assert.equal(0, process.run({ process.host, "new", "shop" }, { cwd = home }).code)
    process.run({ "sh", "-c", "chmod 755 . shop; chmod 644 shop/*; mkdir var etc" }, { cwd = home })
    env_file = process.write(home .. "/etc/shop.env", "# secrets\nCUNNEKT_API_KEY=\"the key\"\nCUNNEKT_WEBHOOK_SECRET=s3cr3t\n")
    process.run { "chmod", "600", env_file }
    local text = process.read(home .. "/shop/cunnekt-shop.service"):gsub("/etc/cunnekt%-shop%.env", env_file)
      :gsub("/var/lib/cunnekt%-shop", home .. "/var"):gsub("/srv/shop", home .. "/shop")
    unit = process.write(home .. "/cunnekt-shop.service", text)
  end)

  local function ask(...)
    local none = { CUNNEKT_API_KEY = "", CUNNEKT_WEBHOOK_SECRET = "", CUNNEKT_LISTEN = "" }
    return doctor.run({ "--unit", unit, ... }, { env = none, cwd = folder.path })
  end

  local function write_env(text)
    process.write(env_file, text)
  end

  local function change(from, to)
    local text, count = process.read(unit):gsub(from, to)
    assert.equal(1, count)
    process.write(unit, text)
  end

  -- The port of the unit's settings is the machine's, which another program may have.
  local function without_port(text)
    return (text:gsub("address: [^\n]*\n?", ""))
  end

  it("checks its settings, and not those of the shell", function()
    write_env "CUNNEKT_API_KEY=thekey\nCUNNEKT_WEBHOOK_SECRET=s3cr3t\n"
    local result = ask()
    assert.equal("", without_port(result.wrong))
    assert.matches("api_key is set, and not shown here, from the environment", result.ok)
    assert.matches("webhook_secret is set", result.ok)
    assert.matches("store is sqlite:" .. folder.path:gsub("%p", "%%%0") .. "/var/bot.db, from the environment", result.ok)
    assert.matches("listen is 127.0.0.1:8080, from cunnekt.conf.lua", result.ok)
    local other = doctor.run({ "--unit", unit }, { env = { CUNNEKT_RATE = "7", CUNNEKT_APIKEY = "k" }, cwd = folder.path })
    assert.matches("rate is 80, by default", other.ok)
    assert.equal("", without_port(other.wrong))
  end)

  it("reads quotes, comments and options as systemd does", function()
    write_env "CUNNEKT_API_KEY='thekey'\n; a comment\n\nCUNNEKT_RATE=\"5\"\n"
    change("ExecStart=cunnekt run (%S+)", "ExecStart=cunnekt run --listen \"127.0.0.1:9\" \\\n  --pair-rate 0 %1")
    change("Environment=", "Environment=\"CUNNEKT_VERIFY_TOKEN=a word\" ")
    local result = ask()
    assert.matches("rate is 5, from the environment", result.ok)
    assert.matches("listen is 127.0.0.1:9, from the command line", result.ok)
    assert.matches("store is sqlite:%S+/var/bot.db", result.ok)
    assert.matches("holds CUNNEKT_VERIFY_TOKEN, and every user can read units; move it to a file of mode 600", result.wrong)
  end)

  -- The word behind an option was taken for the script.
  it("takes every option of cunnekt run", function()
    write_env "CUNNEKT_API_KEY=thekey\n"
    change("ExecStart=cunnekt run (%S+)", "ExecStart=cunnekt run --log json --verbose --config shop/cunnekt.conf.lua --rate 9 %1")
    local result = ask()
    assert.equal("", without_port(result.wrong))
    assert.matches("rate is 9, from the command line", result.ok)
    for _, words in ipairs { { "events", "list" }, { "values", "list" }, { "backup", "copy.db" } } do
      local ended = process.run({ process.host, words[1], words[2], "--unit", unit }, { cwd = folder.path })
      assert.equal(1, ended.code)
      assert.matches("there is no store %S+/var/bot.db", ended.err)
    end
  end)

  it("heeds what an override changes", function()
    write_env "CUNNEKT_API_KEY=thekey\n"
    process.run { "mkdir", unit .. ".d" }
    process.write(unit .. ".d/override.conf", "[Service]\nEnvironment=CUNNEKT_RATE=3\n")
    assert.matches("rate is 3, from the environment", ask().ok)
  end)

  it("finds an environment file that is missing, or open to others", function()
    process.run { "chmod", "644", env_file }
    assert.matches("secret: " .. env_file:gsub("%p", "%%%0") .. " holds secrets, and can be read by other users; chmod 600 it", ask().wrong)
    os.remove(env_file)
    local result = ask()
    assert.matches("unit: the environment file cannot be read: %S+/etc/shop.env: No such file or directory; make it from .env.example", result.wrong)
    assert.matches("key: there is no API key", result.wrong)
  end)

  it("finds a secret that was not filled in", function()
    write_env(process.read(folder.path .. "/shop/.env.example"))
    assert.matches("settings: CUNNEKT_[%u_]+: is empty; give it a value", ask().wrong)
  end)

  it("finds a script, and settings, that the service cannot read", function()
    write_env "CUNNEKT_API_KEY=thekey\n"
    process.run({ "chmod", "600", "shop/bot.lua", "shop/cunnekt.conf.lua" }, { cwd = folder.path })
    local result = ask()
    assert.matches("unit: %S+/shop/bot.lua cannot be read by the service, which is another user; chmod 644 it", result.wrong)
    assert.matches("unit: %S+/shop/cunnekt.conf.lua cannot be read by the service", result.wrong)
    os.remove(folder.path .. "/shop/bot.lua")
    assert.matches("names no script that can be read: cannot read", ask().wrong)
  end)

  it("says what units there may be", function()
    local result = process.cunnekt { "doctor", "--unit", "cunnekt-no-such" }
    assert.equal(2, result.code)
    assert.matches("there is no unit cunnekt%-no%-such; systemctl list%-unit%-files", result.err)
    assert.equal(2, process.cunnekt({ "doctor", "--unit", unit, "bot.lua" }).code)
  end)

  it("shares it with the commands on a store, which look into that of the service", function()
    for _, words in ipairs {
      { "events", "list" }, { "outbox", "list" }, { "dialogs", "list" }, { "values", "list" }, { "contacts", "list" }, { "backup", "x.db" },
    } do
      local result = process.cunnekt(table.move({ "--unit", unit }, 1, 2, #words + 1, { table.unpack(words) }), { env = { CUNNEKT_STORE = "sqlite:shell.db" }, cwd = folder.path })
      assert.equal(1, result.code, result.err)
      assert.is_truthy(result.err:find(("cunnekt %s: there is no store %s/var/"):format(words[1], folder.path), 1, true), result.err)
    end
    local events = { "events", "list", "--unit", unit, "--store", "sqlite:other.db" }
    assert.matches("there is no store [^\n]*/shop/other.db", process.cunnekt(events, { cwd = folder.path }).err)
  end)

  it("says what keeps a command from reading the service", function()
    local function refused(...)
      local result = process.cunnekt({ "events", "list", "--unit", ... }, { cwd = folder.path })
      assert.equal(2, result.code)
      return result.err
    end
    assert.matches("there is no unit no%-such%-service; systemctl", refused "no-such-service")
    assert.matches("%-%-unit names the script already", refused(unit, "--script", "bot.lua"))
    os.remove(env_file)
    assert.matches("the environment file of the service cannot be read: .*run this with sudo", refused(unit))
  end)
end)
