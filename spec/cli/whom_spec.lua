-- SPDX-License-Identifier: MIT
-- Whom an operator means: every command that takes a customer takes each of their ids, in each form, and the conversation with one
-- business number as <phone_number_id>:<customer>; with a host on the store and without.

local cunnekt = require "cunnekt"
local json = require "cunnekt.base.json"
local kept_bot = require "spec.support.rigs.kept_bot"

-- Written to in its form without the ninth digit, and with it.
local OLD, NEW, USER_ID, OTHER = "551187654321", "5521987654321", "BR.1349120865530274", "918888888888"

describe("a customer on the command line", function()
  local kept

  local function define(bot)
    bot:dialog("order", function(chat)
      chat:ask "Size?"
    end)
    bot:on("text", "^order$", function(msg)
      msg:start "order"
    end)
    bot:on("text", function(msg)
      error("cannot " .. msg.text)
    end)
  end

  before_each(function()
    kept = kept_bot.new()
    kept:start(define)
  end)

  after_each(function()
    kept:close()
  end)

  local function write(text, from, line, user_id)
    kept.sandbox.state:hear(from)
    local body = cunnekt.json.encode {
      metadata = { phone_number_id = line, display_phone_number = "15550000000" },
      contacts = { { wa_id = from, user_id = user_id, profile = { name = "Ana" } } },
      messages = { { from = from, id = "wamid." .. text .. from .. line, timestamp = tostring(os.time()), type = "text", text = { body = text } } },
    }
    local answer = assert(cunnekt.http.request { method = "POST", url = "http://" .. kept.bot:address() .. "/webhook", body = body })
    assert.equal(200, answer.status)
    kept:settle()
  end

  local function fill()
    for _, line in ipairs { "1", "2" } do
      write("order", OLD, line, USER_ID)
      write("order", NEW, line)
      write("order", OTHER, line)
    end
    kept:stop()
    kept.sandbox:aim "http://127.0.0.1:1/"
  end

  -- How many rows each list has for a customer.
  local function counts(whom)
    local found = {}
    for i, name in ipairs { "dialogs", "outbox", "contacts" } do
      local args = name == "contacts" and { name, "show", whom, "--json" } or { name, "list", "--contact", whom, "--json" }
      if name == "outbox" then
        table.insert(args, "--state")
        table.insert(args, "accepted,sent,delivered,read")
      end
      local result = kept:run(table.unpack(args))
      local answer = result.code == 0 and json.decode(result.out) or {}
      found[i] = #(answer.dialogs or answer.messages or answer.contacts or {})
    end
    return table.concat(found, " ")
  end

  local forms = {
    [OLD] = { OLD, "5511987654321", "+55 11 98765-4321", "0055 (11) 8765 4321", "https://wa.me/551187654321", USER_ID },
    [NEW] = { NEW, "552187654321", "+55 (21) 8765-4321" },
  }

  it("is found by each form, in all conversations or in one", function()
    fill()
    for _, list in pairs(forms) do
      for _, whom in ipairs(list) do
        assert.equal("2 2 2", counts(whom), whom)
        if not whom:find "^http" then
          assert.equal("1 1 1", counts("1:" .. whom), whom)
        end
      end
    end
    assert.equal("0 0 0", counts("3:" .. OLD))
    assert.equal("0 0 0", counts "1:5511987654322")
  end)

  it("is paused and resumed in one conversation, by a running host and by none", function()
    fill()
    local function paused()
      local list = {}
      for _, contact in ipairs(json.decode(kept:run("contacts", "list", "--json", "--reveal").out).contacts) do
        list[#list + 1] = contact.is_paused and contact.phone_number_id .. ":" .. contact.number or nil
      end
      return table.concat(list, " ")
    end
    for round = 1, 2 do
      assert.equal(0, kept:run("dialogs", "pause", "2:+55 11 98765-4321").code)
      assert.equal("2:" .. OLD, paused())
      assert.equal(0, kept:run("dialogs", "pause", "1:" .. NEW).code)
      assert.equal("1:" .. NEW .. " 2:" .. OLD, paused())
      assert.equal(0, kept:run("dialogs", "resume", "2:" .. USER_ID).code)
      assert.equal(0, kept:run("dialogs", "resume", "552187654321").code)
      assert.equal("", paused())
      assert.equal(1, kept:run("dialogs", "pause", "3:" .. NEW).code)
      if round == 1 then
        kept:start(define)
      end
    end
  end)

  it("is one whose events and dialogs alone are listed, dropped or ended", function()
    for _, line in ipairs { "1", "2" } do
      write("a", OLD, line)
      write("a", OTHER, line)
      write("order", NEW, line)
    end
    kept:wait_for_events("dead", 4)
    local function events(whom)
      return #json.decode(kept:run("events", "list", "--contact", whom, "--json").out).events
    end
    assert.are.same({ 2, 1, 1 }, { events "+55 11 98765-4321", events("2:" .. OLD), events "1:5511987654321" })
    assert.equal(0, kept:run("events", "drop", "--all", "--contact", "1:5511987654321").code)
    assert.are.same({ 1, 2 }, { events(OLD), events(OTHER) })
    assert.equal(0, kept:run("dialogs", "end", "--all", "--contact", "2:552187654321").code)
    local left = json.decode(kept:run("dialogs", "list", "--json").out).dialogs
    assert.equal(1, #left)
    assert.equal(0, kept:run("contacts", "forget", "2:" .. OLD, "--yes").code)
    assert.equal(0, events(OLD))
    assert.equal(1, #json.decode(kept:run("contacts", "show", OLD, "--json").out).contacts)
  end)

  it("is refused with the reason where it is not certain, and is not read as a number of another country", function()
    fill()
    for _, whom in ipairs { "8765-4321", "1:8765-4321 x", "1:+55 11", "9.19877E+11" } do
      local result = kept:run("contacts", "show", whom)
      assert.equal(2, result.code, whom)
      assert.not_matches("8765", result.err)
    end
    local config = assert(io.open(kept.folder.path .. "/cunnekt.conf.lua", "w"))
    config:write 'return { default_country = "91" }\n'
    config:close()
    kept:start(define)
    for _, whom in ipairs { OTHER, "88888 88888", "1:88888 88888", "+918888888888" } do
      assert.equal(0, kept:run("contacts", "show", whom).code, whom)
    end
    write("order", "6591234567", "1")
    assert.equal("1 1 1", counts "+65 9123 4567")
    assert.equal("1 1 1", counts "1:6591234567")
    assert.equal("0 0 0", counts "6591234567") -- nine digits and one more: an Indian number
  end)
end)
