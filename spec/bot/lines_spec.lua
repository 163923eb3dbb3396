-- SPDX-License-Identifier: MIT
-- bot:chat, bot:start and bot:signal: to whom, and from which business number. Before the first webhook of a process, and
-- where customers write to several business numbers, the number that the last webhook named is not the one that is meant.

local bot_rig = require "spec.support.rigs.bot_rig"
local process = require "spec.support.process"
local rig = require "spec.support.rigs.service_rig"
local samples = require "cunnekt.sandbox.samples"

local customer = rig.customer

describe("whom a bot writes to", function()
  local it_

  before_each(function()
    it_ = rig.new()
  end)

  after_each(function()
    it_:close()
  end)

  local calls = {
    chat = function(bot, to, opts)
      return bot:chat(to, opts)
    end,
    start = function(bot, to, opts)
      return bot:start(to, "it", nil, opts)
    end,
    signal = function(bot, to, opts)
      return bot:signal(to, "paid", nil, opts)
    end,
  }

  it("is read as sends do", function()
    local bot = it_:serve(nil, { phone_number_id = "1", default_country = 91 })
    for _, to in ipairs { customer, 919999999999, "99999 99999", "099999-99999", "+91\u{A0}99999\u{2011}99999", "wa.me/919999999999", "919999999999.0" } do
      local chat = assert(bot:chat(to))
      assert.are.same({ "1:" .. customer, customer }, { chat.contact, chat.to })
    end
    assert.equal("1:IN.134912", bot:chat("IN.134912").contact)
  end)

  it("is refused when it is not certain, and nothing is stored", function()
    local bot = it_:serve()
    for _, call in pairs(calls) do
      for _, to in ipairs { "9876543210", "9.19877E+11", "", "abc" } do
        local found, err = call(bot, to, { phone_number_id = "1" })
        assert.are.same({ nil, "invalid", "to" }, { found, err.kind, err.field })
        assert.not_matches("98765", err.message)
      end
      assert.is_nil((call(bot, nil, { phone_number_id = "1" })))
    end
    it_:settle()
    assert.is_nil(it_.service.store:read("next_contact", { after = "" })[1].contact)
  end)

  it("gets a dialog and its signal, however the number is written", function()
    local bot = it_:serve(function(bot)
      bot:dialog("it", function(chat)
        chat:reply_text("to " .. chat.to)
        chat:reply_text("paid " .. chat:wait({ signal = "paid" }).value)
      end)
    end, { phone_number_id = 1 })
    assert(bot:start("+91 99999 99999", "it"))
    it_:settle()
    assert(bot:signal("https://wa.me/919999999999", "paid", "5"))
    it_:settle()
    assert.are.same({ "to " .. customer, "paid 5" }, it_.delivered)
  end)

  -- Ten digits of Singapore, as a webhook gives them, are a number of the default country as well.
  it("is the customer who wrote from exactly that number, whatever the default country makes of it", function()
    local bot = it_:serve(nil, { default_country = "91" })
    assert.equal("916591234567", bot:chat("6591234567", "1").to)
    it_:say("hi", "6591234567")
    it_:say("hi", "9712345") -- no plan knows such a number
    it_:settle()
    assert.equal("6591234567", bot:chat("6591234567").to)
    assert.equal("916591234568", bot:chat("6591234568").to)
    assert.equal("9712345", bot:chat("9712345").to)
    assert.is_nil((bot:chat "9712346"))
  end)

  it("is that customer also when their conversation has another number by now", function()
    local bot, body = it_:serve(nil, { default_country = "91" }), it_.body
    it_:say("hi", "6591234567")
    it_.body = function(...)
      local change = '"system":{"type":"user_changed_number","wa_id":"4915112345678"},"type":"system"'
      return (body(...):gsub('"text":{.-}', change):gsub(',"type":"text"', ""))
    end
    it_:say("", "6591234567")
    it_:settle()
    assert.equal("1:4915112345678", it_.service.store.persons:conversation_of "1:6591234567")
    assert.equal("6591234567", bot:chat("6591234567").to)
    assert.equal("916591234568", bot:chat("6591234568").to)
  end)

  it("stays the same when a dialog is rebuilt", function()
    local function define(bot)
      bot:dialog("it", function(chat)
        bot:chat("6591234567"):reply_text "one"
        chat:wait { signal = "go" }
        chat:reply_text "two"
      end)
    end
    local opts = { default_country = "91", phone_number_id = "1" }
    local bot = it_:serve(define, opts)
    assert(bot:start(customer, "it"))
    it_:settle()
    it_:say("hi", "6591234567") -- known from now on
    it_:settle()
    it_:stop()
    bot = it_:serve(define, opts)
    assert(bot:signal(customer, "go"))
    it_:settle()
    assert.are.same({ "one", "two" }, it_.delivered)
  end)
end)

describe("the business number that a bot writes from", function()
  local it_

  before_each(function()
    it_ = rig.new()
  end)

  after_each(function()
    it_:close()
  end)

  local function line_of(bot, opts)
    return bot:chat(customer, opts).contact:match "^(.-):"
  end

  -- A customer writes to a business number.
  local function say_to(line, from)
    local body = it_.body
    it_.body = function(...)
      return (body(...):gsub('"phone_number_id":"1"', ('"phone_number_id":"%s"'):format(line)))
    end
    it_:say("hi", from)
    it_.body = body
    it_:settle()
  end

  it("is the one that is asked for, then the bot's", function()
    local bot = it_:serve(nil, { phone_number_id = "7" })
    assert.equal("7", line_of(bot))
    assert.equal("8", line_of(bot, { phone_number_id = "8" }))
    assert.equal("8", line_of(bot, { phone_number_id = 8 }))
    assert.equal("8", line_of(bot, "8"))
    say_to "9"
    assert.equal("7", line_of(bot))
  end)

  it("is the only one that customers wrote to, also before a webhook and before the bot serves", function()
    local bot = it_:serve()
    assert.equal("", line_of(bot))
    say_to "7"
    assert.equal("7", line_of(bot))
    it_:stop()
    bot = it_:new_bot()
    assert.equal("7", line_of(bot))
    assert(bot:listen())
    assert.equal("7", line_of(bot))
  end)

  it("is none when there are several: the error names them, at the script's line", function()
    local bot = it_:serve()
    say_to "7"
    say_to "8"
    for _, is_after_restart in ipairs { false, true } do
      if is_after_restart then
        it_:stop()
        bot = it_:serve()
      end
      for name, call in pairs {
        chat = function() bot:chat(customer) end,
        start = function() assert(bot:start(customer, "it")) end,
        signal = function() assert(bot:signal(customer, "it")) end,
      } do
        local ok, problem = pcall(call)
        assert.is_false(ok)
        assert.matches("^spec/bot/lines_spec.lua:%d+: bot:" .. name .. ": customers write to several business numbers", problem)
        assert.matches("phone_number_id .* one of: 7, 8$", problem)
      end
      assert.equal("8", line_of(bot, { phone_number_id = "8" }))
    end
  end)

  it("is in a handler the one that its customer wrote to", function()
    local lines = {}
    it_:serve(function(bot)
      bot:on("text", function()
        lines[#lines + 1] = bot:chat("918888888888").contact:match "^(.-):"
      end)
    end, { phone_number_id = "1" })
    say_to "7"
    say_to "8"
    assert.are.same({ "7", "8" }, lines)
  end)

  it("is not the one of sample events, when there is another", function()
    local bot = it_:serve()
    say_to(samples.PHONE_NUMBER_ID)
    assert.equal(samples.PHONE_NUMBER_ID, line_of(bot))
    say_to "7"
    assert.equal("7", line_of(bot))
  end)

  it("is checked", function()
    local bot = it_:serve()
    for _, wrong in ipairs { "7:7", "", "a b" } do
      local ok, problem = pcall(function() bot:chat(customer, { phone_number_id = wrong }) end)
      assert.is_false(ok)
      assert.matches("lines_spec.lua:%d+: bot:chat: phone_number_id is not the id of a business number", problem)
    end
    local ok, problem = pcall(function() bot:chat(customer, { phone_number = "7" }) end)
    assert.is_false(ok)
    assert.matches("lines_spec.lua:%d+: bot:chat: unknown option 'phone_number' %(did you mean 'phone_number_id'", problem)
  end)

  it("is warned of when a dialog starts from an unknown one, once", function()
    local bot = it_:serve(function(bot)
      bot:dialog("it", function() end)
    end)
    assert(bot:start(customer, "it"))
    assert(bot:start(customer, "it"))
    it_:settle()
    local count = select(2, table.concat(it_.lines, "\n"):gsub("set the option phone_number_id of cunnekt.bot", ""))
    assert.equal(1, count)
  end)

  it("is kept apart from others whatever webhooks say: no more than some are kept", function()
    local bot = it_:serve()
    for i = 1, 40 do
      say_to(tostring(1000 + i))
    end
    assert.equal(16, #it_.service.engine.lines)
    assert.is_false((pcall(bot.chat, bot, customer)))
  end)
end)

describe("two business numbers in one bot", function()
  local box, folder

  before_each(function()
    box, folder = bot_rig.new(), process.folder()
  end)

  after_each(function()
    box:close()
  end)

  local function define(bot)
    bot:on("text", "^window", function(msg)
      local lines = {}
      for _, line in ipairs { "111", "222" } do
        local chat = bot:chat(msg.from, { phone_number_id = line })
        lines[#lines + 1] = ("%s %s %s"):format(line, chat:window() > 0, chat.state.count)
      end
      msg:reply_text(table.concat(lines, ", "))
    end)
    bot:dialog("ask", function(chat)
      chat:reply_text("you said " .. chat:ask("What?").text)
    end)
    bot:on("text", function(msg)
      msg.chat.state.count = (msg.chat.state.count or 0) + 1
      msg:reply_text(("%s: %d"):format(msg.phone_number_id, msg.chat.state.count))
    end)
  end

  local function start()
    define(box:new_bot { store = "sqlite:" .. folder.path .. "/bot.db", rate = 0, pair_rate = 0 })
    box:start()
  end

  local function say(text, line)
    local before = #box:outgoing()
    assert(box.fake:say { type = "text", text = text, set = { ["metadata.phone_number_id"] = line } })
    local messages = box:wait_for_messages(before + 1)
    return messages[#messages].payload.text
  end

  it("have states, windows and dialogs of their own, also after a restart and before a webhook", function()
    start()
    assert.equal("111: 1", say("hi", "111"))
    assert.equal("111 true 1, 222 false nil", say("window", "111"))
    assert.equal("222: 1", say("hi", "222"))
    assert.equal("111: 2", say("hi", "111"))
    box.bot:stop(1)
    start()
    local before = #box:outgoing()
    assert(box.bot:start("+91 99999-99999", "ask", nil, { phone_number_id = "222" }))
    box:wait_for_messages(before + 1)
    assert.equal("111: 3", say("tea", "111"))
    assert.equal("you said tea", say("tea", "222"))
    assert.equal("111 true 3, 222 true 1", say("window", "222"))
    assert(box.bot:chat("919999999999", { phone_number_id = "111" }):reply_text "hello")
    box:wait_for_messages(before + 5)
  end)

  it("may be chosen by the environment", function()
    process.write(folder.path .. "/bot.lua", [[
      local bot = require("cunnekt").bot{ store = "memory:", api_key = "key" }
      print(bot:chat("919999999999").contact)
      bot:stop(0)
    ]])
    local result = process.cunnekt({ "run", "bot.lua" }, { cwd = folder.path, env = { CUNNEKT_PHONE_NUMBER_ID = "77" } })
    assert.equal("77:919999999999\n", result.out, result.err)
    result = process.cunnekt({ "run", "bot.lua" }, { cwd = folder.path, env = { CUNNEKT_PHONE_NUMBER_ID = "7:7" } })
    assert.equal(1, result.code)
    assert.matches("CUNNEKT_PHONE_NUMBER_ID: must be the provider's id of a business number", result.err)
  end)
end)
