-- SPDX-License-Identifier: MIT
-- Public methods that are called with a dot, on nothing and with nothing: the error names the line of the script and what to write,
-- never a line or a word of cunnekt's own files.

local annotations = require "spec.support.annotations"
local bot_rig = require "spec.support.rigs.bot_rig"
local cunnekt = require "cunnekt"

local client = cunnekt.client { api_key = "key", base_url = "http://127.0.0.1:9" }
local action = cunnekt.action("order", { "id" })
local stream = setmetatable({}, annotations.upvalue(cunnekt.http.stream, "stream_mt"))

local classes = {
  { owner = "bot", methods = "bot_methods", file = "lua/cunnekt/bot/init.lua", reach = "bot" },
  { owner = "bot.store", methods = "values_methods", file = "lua/cunnekt/bot/values.lua", reach = "bot.store" },
  { owner = "chat", methods = "chat_methods", file = "lua/cunnekt/bot/chat.lua", reach = "msg.chat", has_replies = true },
  { owner = "msg", methods = "message_methods", file = "lua/cunnekt/bot/event.lua", reach = "msg", has_replies = true },
  { owner = "client", names = "^send", methods = "client_methods", file = "lua/cunnekt/provider/client.lua", reach = "client" },
  { owner = "client", names = "^download$", methods = "client_methods", file = "lua/cunnekt/provider/client.lua", reach = "bot.client" },
  { owner = "sent", names = "^wait$", methods = "sent_methods", file = "lua/cunnekt/bot/sent.lua", reach = "sent" },
  { owner = "action", methods = "action_methods", file = "lua/cunnekt/bot/action.lua", reach = "action" },
  { owner = "stream", methods = "stream_methods", file = "lua/cunnekt/provider/http.lua", reach = "stream" },
}

-- The names of a class's methods, from its file.
local function methods_of(class)
  local file = assert(io.open(class.file))
  local text = file:read "a"
  file:close()
  local names, seen = {}, {}
  local function add(name)
    names[#names + 1] = not seen[name] and name:find(class.names or "") and name or nil
    seen[name] = true
  end
  for name in text:gmatch("\nfunction " .. class.methods .. "[:.]([%w_]+)") do
    add(name)
  end
  if class.has_replies then
    for _, kind in ipairs(require("cunnekt.bot.chat").kinds) do
      add("reply_" .. kind)
    end
  end
  return names
end

local internal_words = { "cunnekt/", "attempt to", "bad argument", "rawget", "_scope", "stack traceback" }

-- What is wrong with an error that a script sees; nil: it is fit.
local function fault_of(failure, wanted)
  local text = tostring(failure)
  if not text:find "^bot%.lua:1: " then
    return "no line of the script: " .. text
  end
  for _, word in ipairs(internal_words) do
    if text:find(word, 1, true) then
      return "words of ours: " .. text
    end
  end
  return not text:find(wanted, 1, true) and "not told what to write: " .. text or nil
end

describe("a method that is called with a dot", function()
  local rig

  before_each(function()
    rig = bot_rig.new()
  end)

  after_each(function()
    rig:close()
  end)

  -- Calls `reach.name(argument)` in each of the ways; gives the faults of the errors.
  local function faults(class, msg)
    local list, names = {}, methods_of(class)
    local sent = msg and msg:reply_text "x" or nil
    assert.is_true(#names > 0, "the methods were not found")
    for _, name in ipairs(names) do
      for _, argument in ipairs { "", "nil", "'x'", "'x', 'y'", "'x', {}", "{}", "print" } do
        local call = ("%s.%s(%s)"):format(class.reach, name, argument)
        local fn = assert(load("local bot, msg, client, sent, action, stream = ... " .. call .. " return", "@bot.lua"))
        local ok, failure = pcall(fn, rig.bot, msg, client, sent, action, stream)
        local fault = ok and "no error" or fault_of(failure, ("write %s:%s(…), with a colon"):format(class.owner, name))
        list[#list + 1] = fault and ("%s: %s"):format(call, fault) or nil
      end
    end
    return list
  end

  it("is refused with the script's line and a colon, in a handler", function()
    local found = {}
    rig:new_bot():on("text", function(msg)
      for _, class in ipairs(classes) do
        for _, fault in ipairs(faults(class, msg)) do
          found[#found + 1] = fault
        end
      end
      found.is_done = true
    end)
    rig:start()
    rig:say "hi"
    bot_rig.wait_for(function()
      return found.is_done
    end, "the handler")
    found.is_done = nil
    assert.same({}, found)
  end)

  it("is refused at the top of a script", function()
    rig:new_bot()
    assert.same({}, faults(classes[1]))
    assert.same({}, faults(classes[2]))
  end)

  it("works with the object as its first argument", function()
    local bot = rig:new_bot()
    assert.is_true(bot.store.set(bot.store, "k", 1))
    assert.equal(1, bot.store.get(bot.store, "k"))
  end)
end)

describe("a public function that is called with nothing that fits", function()
  -- What is said of a call at the top of a script.
  local function said(call)
    local ok, failure = pcall(assert(load("local cunnekt = ... " .. call .. " return", "@bot.lua")), cunnekt)
    return ok or failure
  end

  it("names the script's line, and what it takes", function()
    assert.equal("bot.lua:1: cunnekt.spawn: expected a function, got nil; write cunnekt.spawn(function() … end)", said "cunnekt.spawn(nil)")
    assert.equal("bot.lua:1: cunnekt.run: expected a function, got number; write cunnekt.run(function() … end)", said "cunnekt.run(3)")
    assert.equal("bot.lua:1: cunnekt.sleep: seconds must be a number, got string", said "cunnekt.sleep('x')")
    assert.equal("bot.lua:1: cunnekt.http.url_encode: expected a string, got nil", said "cunnekt.http.url_encode(nil)")
    assert.equal("bot.lua:1: filter.text: expected a string, got nil", said "cunnekt.filter.text(nil)")
    assert.equal("bot.lua:1: filter.button: expected strings, got number", said "cunnekt.filter.button(3)")
  end)

  it("says none of our words", function()
    local names = { "run", "spawn", "sleep", "action", "http.url_encode", "http.url_decode", "http.parse_query", "http.get", "http.post",
      "json.encode", "webhook.parse", "filter.text", "filter.quick_reply", "filter.from", "filter.type", "filter.fn" }
    local found = {}
    for _, name in ipairs(names) do
      for _, argument in ipairs { "nil", "true", "print" } do
        local call = ("cunnekt.%s(%s)"):format(name, argument)
        local is_fit = argument == "print" and (name == "run" or name == "spawn" or name == "filter.fn") or call == "cunnekt.json.encode(true)"
        local fault = not is_fit and fault_of(said(call), "")
        found[#found + 1] = fault and ("%s: %s"):format(call, fault) or nil
      end
    end
    assert.same({}, found)
  end)
end)

describe("a state that cannot be stored", function()
  it("names the handler", function()
    local rig = bot_rig.new()
    local bot = rig:new_bot { attempts = 1 }
    local err
    bot:on_error(function(given)
      err = given
    end)
    assert(load('local bot = ...\nbot:on("text", function(msg)\n  msg.chat.state.x = print\nend)', "@bot.lua"))(bot)
    rig:start()
    rig:say "hi"
    bot_rig.wait_for(function()
      return err
    end, "the error")
    rig:close()
    assert.matches("^bot%.lua:2: in the handler of 'text': chat%.state cannot be stored: ", err.message)
  end)
end)

describe("a table in place of a name", function()
  local rig

  before_each(function()
    rig = bot_rig.new()
    rig:new_bot()
  end)

  after_each(function()
    rig:close()
  end)

  local function said(call)
    local ok, failure = pcall(assert(load("local bot, f = ... " .. call .. " return", "@bot.lua")), rig.bot, function() end)
    return ok or failure
  end

  it("is refused by each function of a bot, with what to write", function()
    local ways = {
      on = { "{ 'text', f }", "{ event = 'text' }, f", "f", "" },
      use = { "{ f }" }, tap = { "{ f }" }, before_send = { "{ f }" }, on_error = { "{ f }" }, on_restart = { "{ f }" },
      dialog = { "{ 'order', f }", "{ name = 'order' }, f", "'order', { f }" },
      global = { "{ 'stop', f }", "{ words = 'stop' }, f", "'stop', { f }" },
      job = { "{ 'report', f }" }, after = { "{ 60, 'x', f }" }, every = { "{ seconds = 60 }" }, daily = { "{ '09:00', 'x', f }" },
      cron = { "{ '* * * * *', 'x', f }" }, cancel_job = { "{ 'x' }" },
      start = { "{ '919999999999', 'x' }", "'919999999999', { 'x' }", "'919999999999'" },
      signal = { "{ '919999999999', 'x' }", "'919999999999', { 'x' }", "'919999999999'" },
      chat = { "{ '919999999999' }" }, stop = { "{ 3 }" },
    }
    for name, arguments in pairs(ways) do
      for _, one in ipairs(arguments) do
        local text = said(("bot:%s(%s)"):format(name, one))
        assert.is_nil(fault_of(text, ("; write bot:%s("):format(name)))
        assert.not_matches("table: 0x", text)
      end
    end
  end)

  it("that is nil in place of a matcher is told to be left out, and is not taken for every event", function()
    local expected = "bot.lua:1: bot:on: the matcher is nil, as a misspelt name is; for every 'text' leave it out: bot:on('text', function … end)"
    assert.equal(expected, said "bot:on('text', nil, f)")
    assert.equal(expected, said "bot:on('text', ({ greet = 'hello' }).great, f, { debounce = 1 })")
    assert.is_true(said "bot:on('text', f)")
    assert.is_true(said "bot:on('text', f, { debounce = 1 })")
    assert.is_true(said "bot:on('text', f, nil)")
  end)

  it("that is a list of events is told to be several calls", function()
    assert.equal("bot.lua:1: bot:on: it takes one event, not a list; call it for each: bot:on(\"text\", …), or for all messages: bot:on(\"message\", …)",
      said(("bot:%s"):format "on({ 'text', 'image' }, f)"))
  end)

  it("is still a list of words for bot:global", function()
    assert.is_true(said "bot:global({ 'stop', 'end' }, f)")
    assert.equal("bot.lua:1: bot:global: expected a word or a list of words, got an empty list", said "bot:global({}, f)")
  end)

  it("of a dialog is refused by a message, too", function()
    local text
    rig.bot:on("text", function(msg)
      local ok, failure = pcall(assert(load("local msg = ... msg:start({ 'order' }) return", "@bot.lua")), msg)
      text = not ok and failure
    end)
    rig:start()
    rig:say "hi"
    bot_rig.wait_for(function()
      return text
    end, "the handler")
    assert.equal("bot.lua:1: msg:start: expected the name of a dialog, got table; write msg:start(\"order\", args)", text)
  end)
end)
