-- SPDX-License-Identifier: MIT
-- Dialogs: asking, waiting, and resuming where they waited. Whole generated ones are in spec/dialog/replay_spec.lua.

local inside = require("cunnekt.service").of
local cunnekt = require "cunnekt"
local log = require "cunnekt.base.log"
local process = require "spec.support.process"
local sandbox = require "cunnekt.sandbox"
local stored_dialogs = require "cunnekt.store.dialogs"
local talk = require "spec.support.rigs.talk"
local wire = require "spec.support.wire"

local customer = "919999999999"

describe("dialogs", function()
  local bot, fake, write, folder, lines

  before_each(function()
    write, lines = log.write, {}
    log.write = function(line)
      lines[#lines + 1] = line
    end
    fake = assert(sandbox.new())
    folder = process.folder()
  end)

  after_each(function()
    if bot then
      bot:stop(1)
    end
    fake:close()
    log.write = write
    bot = nil
  end)

  -- Starts a bot on the same database; `define` registers what the script holds.
  local function start(define)
    bot = cunnekt.bot {
      api_key = "key",
      base_url = fake.url .. "/v1",
      listen = "127.0.0.1:0",
      store = "sqlite:" .. folder.path .. "/cunnekt.db",
      rate = 0,
      pair_rate = 0,
    }
    define(bot)
    assert(bot:listen())
    fake:aim("http://" .. bot:address() .. "/webhook")
  end

  -- Nothing is under way, neither a webhook nor an event.
  local function wait_for_quiet()
    wire.step_until(function()
      return not fake:is_busy() and inside(bot).inbox:count() == 0
    end, "quiet")
  end

  local function said()
    local texts = {}
    for _, entry in ipairs(fake.state:since(0, nil, 10000)) do
      if entry.direction == "out" then
        texts[#texts + 1] = entry.payload.text or entry.payload.body
      end
    end
    return texts
  end

  local function wait_for_texts(count)
    return wire.step_until(function()
      local texts = said()
      return #texts >= count and inside(bot).inbox:count() == 0 and texts
    end, count .. " messages")
  end

  local function say(text, from)
    return assert(fake:say { type = "text", text = text, from = from })
  end

  -- A status that comes while nobody listens would be repeated a second later.
  local function restart(define)
    wait_for_quiet()
    bot:stop(2)
    start(define)
  end

  local function booking(b)
    b:dialog("booking", function(chat, args)
      local name = assert(chat:ask("Your name?")).text
      local day = assert(chat:ask_buttons {
        body = "Which day?",
        buttons = { { id = "mon", title = "Monday" }, { id = "tue", title = "Tuesday" } },
      })
      chat:reply_text(("%s, %s, %s"):format(args.service, name, day.reply.id))
      return "done"
    end)
    b:on("text", "^book", function(msg)
      msg:start("booking", { service = "cut" })
    end)
  end

  it("ask, wait and go on with the answers", function()
    start(booking)
    say "book"
    wait_for_texts(1)
    say "Asha"
    wait_for_texts(2)
    assert(fake:say { type = "button", id = "tue", title = "Tuesday" })
    assert.are.same({ "Your name?", "Which day?", "cut, Asha, tue" }, wait_for_texts(3))
    assert.are.same({}, stored_dialogs.of(inside(bot).store, "123456789:" .. customer))
  end)

  it("go on where they stood after a restart at every step, saying nothing twice", function()
    start(booking)
    say "book"
    wait_for_texts(1)
    restart(booking)
    say "Asha"
    wait_for_texts(2)
    restart(booking)
    say "Tuesday"
    wait_for_texts(3)
    restart(booking)
    assert.are.same({ "Your name?", "Which day?", "cut, Asha, tue" }, said())
  end)

  it("go on after they left memory", function()
    start(booking)
    say "book"
    wait_for_texts(1)
    inside(bot).dialogs:evict_all()
    say "Asha"
    wait_for_texts(2)
    inside(bot).dialogs:evict_all()
    say "monday"
    assert.are.same({ "Your name?", "Which day?", "cut, Asha, mon" }, wait_for_texts(3))
  end)

  it("check answers, say what is wrong, and give up after some tries", function()
    start(function(b)
      b:dialog("age", function(chat)
        local answer, err = chat:ask("How old?", {
          check = function(msg)
            return tonumber(msg.text) ~= nil, "A number, please."
          end,
          tries = 3,
        })
        chat:reply_text(answer and "ok " .. answer.text or err.kind)
      end)
      b:on("text", "^start", function(msg)
        msg:start "age"
      end)
    end)
    say "start"
    wait_for_texts(1)
    say "old"
    wait_for_texts(2)
    say "42"
    wait_for_texts(3)
    say "start"
    wait_for_texts(4)
    for i, text in ipairs { "x", "y", "z" } do
      say(text)
      wait_for_texts(4 + i)
    end
    assert.are.same({
      "How old?", "A number, please.", "ok 42", "How old?", "A number, please.", "A number, please.", "tries",
    }, said())
  end)

  it("leave other messages to the handlers, and words that work everywhere to theirs", function()
    start(function(b)
      b:dialog("pick", function(chat)
        local choice = chat:ask_buttons { body = "Pick", buttons = { { id = "a", title = "A" } } }
        chat:reply_text("picked " .. choice.reply.id)
      end)
      b:on("text", "^start", function(msg)
        msg:start "pick"
      end)
      b:on("image", function(msg)
        msg:reply_text "nice picture"
      end)
      b:global("cancel", function(msg)
        msg:reply_text(tostring(msg.chat:cancel()))
      end)
    end)
    say "start"
    wait_for_texts(1)
    assert(fake:say { type = "image" })
    wait_for_texts(2)
    assert(fake:say { type = "button", id = "a" })
    wait_for_texts(3)
    say "start"
    wait_for_texts(4)
    say " CANCEL "
    wait_for_texts(5)
    assert(fake:say { type = "button", id = "a" })
    wait_for_quiet()
    assert.are.same({ "Pick", "nice picture", "picked a", "Pick", "1" }, said())
  end)

  it("get the same time, chance and order again when they are rebuilt", function()
    local seen = {}
    local function define(b)
      b:dialog("chance", function(chat)
        local draws = {}
        for i = 1, 3 do
          draws[i] = math.random(1000000)
        end
        draws[4] = os.time()
        local order = {}
        for key in pairs { a = 1, b = 2, c = 3, [1] = "x", zebra = true } do
          order[#order + 1] = tostring(key)
        end
        draws[5] = table.concat(order, ",")
        seen[#seen + 1] = table.concat(draws, " ")
        chat:ask "x"
        chat:reply_text "end"
      end)
      b:on("text", "^go", function(msg)
        msg:start "chance"
      end)
    end
    start(define)
    say "go"
    wait_for_texts(1)
    restart(define)
    say "answer"
    wait_for_texts(2)
    assert.equal(2, #seen)
    assert.equal(seen[1], seen[2])
    assert.matches("1,a,b,c,zebra", seen[1])
  end)

  it("do a step once, and keep what it gave", function()
    local count = 0
    local function define(b)
      b:dialog("steps", function(chat)
        local n = chat:step("count", function()
          count = count + 1
          return { n = count }
        end).n
        bot.store:increment "visits"
        chat:ask "x"
        chat:reply_text(("%d %d"):format(n, bot.store:get "visits"))
      end)
      b:on("text", "^go", function(msg)
        msg:start "steps"
      end)
    end
    start(define)
    say "go"
    wait_for_texts(1)
    restart(define)
    say "answer"
    assert.are.same({ "x", "1 1" }, wait_for_texts(2))
    assert.equal(1, count)
  end)

  it("refuse inside dialogs what cannot be journaled, and name the way", function()
    local problem
    start(function(b)
      b:dialog("files", function()
        local ok, message = pcall(io.open, "/tmp/x", "r")
        problem = not ok and message
      end)
      b:on("text", function(msg)
        msg:start "files"
      end)
    end)
    say "go"
    wire.step_until(function()
      return problem
    end, "the refusal")
    assert.matches("io.open", problem)
    assert.matches("chat:step", problem)
  end)

  it("keep chat.state right across waits and restarts", function()
    local function define(b)
      b:dialog("state", function(chat)
        local state = chat.state
        state.a = (state.a or 0) + 1
        chat:ask "one"
        state.b = (state.b or 0) + 1
        chat:ask "two"
        chat:reply_text(("%d %d"):format(chat.state.a, chat.state.b))
      end)
      b:on("text", "^go", function(msg)
        msg:start "state"
      end)
    end
    start(define)
    say "go"
    wait_for_texts(1)
    restart(define)
    say "x"
    wait_for_texts(2)
    restart(define)
    say "y"
    assert.are.same({ "one", "two", "1 1" }, wait_for_texts(3))
  end)

  it("wait for a signal from elsewhere", function()
    start(function(b)
      b:dialog("payment", function(chat)
        local paid = chat:wait { signal = "paid" }
        chat:reply_text("paid " .. paid.value.amount)
      end)
      b:on("text", function(msg)
        msg:start "payment"
        msg:reply_text "waiting"
      end)
    end)
    say "go"
    wait_for_texts(1)
    assert(bot:signal(customer, "paid", { amount = 5 }))
    assert.are.same({ "waiting", "paid 5" }, wait_for_texts(2))
  end)

  it("are broken when the script does something else, and log it", function()
    local box = { text = "first" }
    local function define(b)
      b:on_error(function() end)
      b:dialog("changing", function(chat)
        chat:reply_text(box.text)
        chat:ask "x"
        chat:reply_text "end"
      end)
      b:on("text", "^go", function(msg)
        msg:start "changing"
      end)
      b:on("text", function(msg)
        msg:reply_text("handler heard " .. msg.text)
      end)
    end
    start(define)
    say "go"
    wait_for_texts(2)
    box.text = "second"
    restart(define)
    say "answer"
    assert.are.same({ "first", "x", "handler heard answer" }, wait_for_texts(3))
    assert.matches("differs from its journal at step 1", table.concat(lines, "\n"))
  end)

  it("let a handler that is not a dialog wait as well", function()
    local function define(b)
      b:on("text", "^hello", function(msg)
        local name = msg.chat:ask "Who are you?"
        msg:reply_text("Hello " .. name.text)
      end)
    end
    start(define)
    say "hello"
    wait_for_texts(1)
    restart(define)
    say "Asha"
    assert.are.same({ "Who are you?", "Hello Asha" }, wait_for_texts(2))
  end)

  it("are silent while a person has taken over", function()
    start(function(b)
      b:on("text", "^human", function(msg)
        msg:reply_text "a person will answer"
        msg.chat:pause()
      end)
      b:on("text", function(msg)
        msg:reply_text "bot"
      end)
    end)
    say "x"
    wait_for_texts(1)
    say "human"
    wait_for_texts(2)
    say "y"
    wait_for_quiet()
    bot:chat(customer, "123456789"):resume()
    say "z"
    assert.are.same({ "bot", "a person will answer", "bot" }, wait_for_texts(3))
  end)
end)

describe("dialogs under a virtual clock", function()
  after_each(talk.finish)

  it("time out while the customer is silent, also when the program was down meanwhile", function()
    talk.begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local answer, err = chat:ask("Still there?", { timeout = 300 })
        chat:reply_text(answer and answer.text or err.kind)
      end)
    end)
    talk.say "go"
    talk.all:pass(299)
    assert.are.same({ "Still there?" }, talk.said())
    talk.all:pass(1)
    talk.say "go"
    assert.are.same({ "Still there?", "timeout", "Still there?" }, talk.said())
    talk.all:finish(function()
      talk.all.bot:stop(0)
    end)
    talk.all.clock:advance(400)
    talk.all:start()
    talk.all:settle()
    assert.are.same({ "Still there?", "timeout", "Still there?", "timeout" }, talk.said())
  end)
end)
