-- SPDX-License-Identifier: MIT
-- The store's files and its disk, and what waits in it, as `cunnekt doctor` finds them.

local doctor = require "spec.support.rigs.doctor"
local kept_bot = require "spec.support.rigs.kept_bot"
local network = require "cunnekt.base.network"
local process = require "spec.support.process"
local store = require "cunnekt.store"

local NOBODY = "65534"

local is_root = process.run({ "sh", "-c", "test $(id -u) = 0 && setpriv --reuid=65534 --clear-groups true" }).code == 0
-- A small disk of one's own: mounted where only this process and its children see it.
local small_disk = [[mount -t tmpfs -o size=2m tmpfs small && dd if=/dev/zero of=small/rest bs=1k count=%d 2>/dev/null; exec "$@"]]
local can_mount = process.run({ "unshare", "-rm", "true" }).code == 0

describe("cunnekt doctor, asked about the store,", function()
  local kept

  before_each(function()
    kept = kept_bot.new()
  end)

  after_each(function()
    kept:close()
  end)

  local function ask(opts)
    opts = opts or {}
    opts.cwd = kept.folder.path
    return doctor.run(opts.words or {}, opts)
  end

  local function make_store()
    kept:start()
    kept:stop()
  end

  it("finds nothing where it can be written", function()
    make_store()
    assert.equal("", ask().wrong)
  end)

  -- It said that another program has the addresses, and to stop that: it was the bot, which waited for its database.
  it("knows the host also where that cannot read the store", function()
    local busy = assert(network.listen({ host = "127.0.0.1", port = 0 }, function() end))
    local host = assert(network.listen({ unix = kept.path .. ".ctl", max_body = 4096, max_connections = 4 }, function(exchange, _, target)
      local body = target == "/readyz" and "the store is away\n" or [[{"error":{"kind":"store","message":"the store is away"}}]]
      exchange:answer(503, body, { "Content-Type: application/json" })
    end))
    local result = ask { env = { CUNNEKT_LISTEN = "127.0.0.1:" .. busy:port() } }
    host:close()
    busy:close()
    assert.equal("store: the store cannot be read: the store is away", result.wrong:match "^store: the store cannot[^\n]*")
    assert.not_matches("cannot listen", result.wrong)
  end)

  it("takes the process that has the store for the host, also where that has no admin socket", function()
    local busy = assert(network.listen({ host = "127.0.0.1", port = 0 }, function() end))
    local opened = assert(store.open(kept.url))
    local result = ask { env = { CUNNEKT_LISTEN = "127.0.0.1:" .. busy:port() } }
    busy:close()
    opened:close()
    assert.matches("in use by process %d+, and that process has no admin socket", result.wrong)
    assert.not_matches("cannot listen", result.wrong)
  end)

  it("says what a file system is that was mounted read-only", function()
    if not can_mount then
      return pending "needs a namespace of its own"
    end
    make_store()
    local mount = [[mount --bind . . && mount -o remount,bind,ro . && cd "$PWD"; exec "$@"]]
    local result = ask { as = { "unshare", "-rm", "sh", "-c", mount, "sh" } }
    assert.matches("cunnekt.db cannot be written: read%-only file system; after an error of the disk the system mounts it so: see dmesg", result.wrong)
    assert.not_matches("bot's user", result.wrong)
  end)

  it("finds a store that its user cannot write", function()
    if not is_root then
      return pending "for root, who can become another user"
    end
    make_store()
    process.run({ "sh", "-c", "chmod 755 .; chmod 644 cunnekt.db*" }, { cwd = kept.folder.path })
    local as = { "setpriv", "--reuid=" .. NOBODY, "--clear-groups" }
    local result = ask { as = as }
    assert.matches("store: cunnekt.db cannot be written: permission denied; run this as the bot's user, or give it that owner", result.wrong)
    assert.matches("store: no files can be made in ., which the store needs: permission denied", result.wrong)
    process.run({ "chown", "-R", NOBODY, "." }, { cwd = kept.folder.path })
    assert.equal("", ask({ as = as }).wrong)
  end)

  it("finds, for root, files that are not the user's who has the folder", function()
    if not is_root then
      return pending "for root, who can give files away"
    end
    make_store()
    process.run({ "chown", NOBODY, "." }, { cwd = kept.folder.path })
    local result = ask()
    assert.matches("store: cunnekt.db is not the user's who has its folder, so the bot cannot write it: sudo chown %-%-reference=%. cunnekt.db",
      result.wrong)
    process.run({ "sh", "-c", "chown --reference=. cunnekt.db*" }, { cwd = kept.folder.path })
    assert.equal("", ask().wrong)
  end)

  it("finds a folder that is not there", function()
    local result = ask { words = { "--store", "sqlite:no/such/folder/bot.db" } }
    assert.matches("disk: the folder of the store, no/such/folder, cannot be used: no such file or directory; make it, or set CUNNEKT_STORE",
      result.wrong)
  end)

  it("finds a disk that is full, and one that is nearly", function()
    if not can_mount then
      return pending "needs a namespace of its own"
    end
    process.run({ "mkdir", "small" }, { cwd = kept.folder.path })
    local function with(kilobytes)
      return ask {
        words = { "--store", "sqlite:small/bot.db" },
        as = { "unshare", "-rm", "sh", "-c", small_disk:format(kilobytes), "sh" },
      }
    end
    assert.matches("disk: the store's disk is full: webhooks are refused until you free space on it %(df small%)", with(2000).wrong)
    assert.matches("disk: only %S+ %S+ are free on the store's disk", with(100).wrong)
  end)

  it("counts paused conversations", function()
    assert.is_nil(ask().note:find("paused", 1, true))
    local bot = kept:start()
    kept:say "hi"
    kept:settle()
    assert.equal(0, kept:run("dialogs", "pause", "919999999999").code)
    local line = "dialogs: 1 conversation is paused for up to %d+s, and nothing is handled there %(%d messages? came meanwhile%); "
      .. "see cunnekt dialogs list %-%-paused"
    assert.matches(line, (ask().note:gsub("0 messages", "0 message")))
    assert.truthy(bot)
    kept:stop()
    assert.matches("1 conversation is paused", ask().note)
    kept:start()
    assert.equal(0, kept:run("dialogs", "resume", "919999999999").code)
    assert.is_nil(ask().note:find("paused", 1, true))
  end)

  it("counts events that wait, and dead letters", function()
    kept:start(function(bot)
      bot:on("text", function()
        error "no"
      end)
    end)
    kept:say "x"
    kept:wait_for_events("dead", 1)
    kept:stop()
    assert.matches("store: 1 dead letter; see cunnekt events list", ask().note)
    assert.equal(0, kept:run("events", "retry", "--all").code)
    local result = ask()
    assert.matches("store: no host runs, so nothing of that is handled or sent", result.note)
    assert.matches("waiting: 1 event to be handled", result.ok)
  end)
end)
