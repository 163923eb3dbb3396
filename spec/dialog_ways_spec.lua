-- SPDX-License-Identifier: MIT
-- The less usual ways through dialogs, each with a bot that is cut off in between.

local clock = require "cunnekt.clock"
local cunnekt = require "cunnekt"
local lives = require "spec.support.dialog_lives"
local samples = require "cunnekt.sandbox.samples"
local server = require "spec.support.server"

local customer = "919999999999"
local contact = samples.PHONE_NUMBER_ID .. ":" .. customer

describe("dialogs", function()
  local all, bot

  after_each(function()
    all:close()
  end)

  -- A bot with what `define` gives it; "go" begins the dialog "it".
  local function begin(define, opts)
    all = lives.new(function(its_bot)
      bot = its_bot
      define(its_bot)
      its_bot:on("text", "^go$", function(msg)
        msg:start "it"
      end)
      its_bot:on("message", function(msg)
        msg:reply_text("handler: " .. (msg.text or msg.type))
      end)
    end, opts)
    all:start()
  end

  local function say(text)
    all:act(customer, { type = "text", text = text })
    all:settle()
  end

  local function said()
    return all.seen[customer] or {}
  end

  local function logged()
    return table.concat(all.lines, "\n")
  end

  local function stored()
    return bot._store:dialogs_of(contact)
  end

  -- ---- back --------------------------------------------------------------------------------------------------------

  local function three_questions(its_bot)
    its_bot:dialog("it", function(chat)
      local answers = {}
      for i, question in ipairs { "one?", "two?", "three?" } do
        answers[i] = chat:ask(question).text
        if answers[i] == "back" then
          chat:back()
        end
      end
      chat:reply_text(table.concat(answers, " "))
    end)
    its_bot:global("zurück", function(msg)
      msg:reply_text(tostring(msg.chat:back()))
    end)
  end

  it("go back to the question before, across restarts", function()
    begin(three_questions)
    say "go"
    say "1"
    say "2"
    say "back"
    all:kill()
    say "zwei"
    say "back"
    all:kill()
    say "ii"
    all:kill()
    say "iii"
    assert.are.same({ "one?", "two?", "three?", "two?", "three?", "two?", "three?", "1 ii iii" }, said())
    assert.are.same({}, stored())
  end)

  it("ask the first question again when there is none before it", function()
    begin(three_questions)
    say "go"
    say "back"
    say "1"
    assert.are.same({ "one?", "one?", "two?" }, said())
  end)

  it("go back when somebody else says so", function()
    begin(three_questions)
    say "go"
    say "1"
    say "zurück"
    all:kill()
    say "eins"
    say "2"
    say "3"
    assert.are.same({ "one?", "two?", "true", "one?", "two?", "three?", "eins 2 3" }, said())
    say "zurück"
    assert.equal("false", said()[8])
  end)

  it("cannot be kept from going back by pcall", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:ask "one?"
        local answer = chat:ask("two?").text
        pcall(function()
          if answer == "back" then
            chat:back()
          end
        end)
        chat:reply_text("end " .. answer)
      end)
    end)
    say "go"
    say "1"
    say "back"
    say "1"
    say "2"
    assert.are.same({ "one?", "two?", "one?", "two?", "end 2" }, said())
  end)

  -- ---- messages that nobody waits for ------------------------------------------------------------------------------

  local function queueing(its_bot)
    its_bot:dialog("it", function(chat)
      chat:reply_text "wait for the click"
      chat:wait { click = true }
      chat:reply_text(chat:ask("first?").text .. chat:ask("second?").text)
      chat:wait { click = true }
    end, { unexpected = "queue" })
  end

  it("keep messages for their later waits, in order", function()
    begin(queueing)
    say "go"
    say "a"
    all:kill()
    say "b"
    all:act(customer, { type = "button", id = "x", title = "X" })
    all:settle()
    assert.are.same({ "wait for the click", "first?", "second?", "ab" }, said())
  end)

  it("leave what they kept and never took to the handlers", function()
    begin(queueing)
    say "go"
    for _, text in ipairs { "a", "b", "c", "d" } do
      say(text)
    end
    all:kill()
    for _ = 1, 2 do
      all:act(customer, { type = "button", id = "x", title = "X" })
      all:settle()
    end
    assert.are.same({ "wait for the click", "first?", "second?", "ab", "handler: c", "handler: d" }, said())
    assert.are.same({}, bot._store:_run { { "SELECT * FROM kept", want = "rows" } }[1])
  end)

  -- ---- what is done once -------------------------------------------------------------------------------------------

  it("ask a server once, whatever becomes of the bot", function()
    local count = 0
    local crm = server.new(function(request)
      count = count + 1
      return 200, ("\xff%d %s"):format(count, request.body)
    end)
    finally(crm.close)
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local answer = cunnekt.http.post(crm.url, nil, { json = { b = 1, a = { 2 }, c = "x" } })
        local again = cunnekt.http.get(crm.url .. "/again")
        answer.status = answer.status + 1
        chat:ask "?"
        chat:reply_text(("%d %s %d"):format(#answer.body, answer.body:sub(2, 2), again.status + answer.status))
      end)
    end)
    all:act(customer, { type = "text", text = "go" })
    all:settle()
    all:kill()
    say "x"
    assert.are.same({ "?", "26 1 401" }, said())
    assert.equal(2, count)
  end)

  it("keep what a failed call gave", function()
    local nobody = server.nobody()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local _, err = cunnekt.http.get(nobody)
        chat:ask "?"
        chat:reply_text(("%s %s"):format(err.kind, tostring(err):match "^network: GET"))
      end)
    end)
    say "go"
    all:kill()
    say "x"
    assert.are.same({ "?", "network network: GET" }, said())
  end)

  it("wait for what becomes of a message, across restarts", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local sent = chat:reply_text "picture"
        local it = chat:wait { sent = sent, reaches = "read", timeout = 1000 }
        chat:reply_text(it.status .. " " .. tostring(it.sent == sent) .. " " .. sent.state)
      end)
      its_bot:on("read", function(status)
        status.chat:reply_text "handlers hear of it as well"
      end)
    end)
    say "go"
    all:kill()
    all:post(samples.status("delivered", { from = customer, id = "wamid.out1" }))
    all:settle()
    all:kill()
    all:post(samples.status("read", { from = customer, id = "wamid.out1" }))
    all:settle()
    assert.are.same({ "picture", "handlers hear of it as well", "read true read" }, said())
  end)

  it("wait for a message that comes to no good end", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local it = chat:wait { sent = chat:reply_text "picture", timeout = 1000 }
        chat:reply_text(it.status)
      end)
    end)
    say "go"
    all:kill()
    all:post(samples.status("failed", { from = customer, id = "wamid.out1" }))
    all:settle()
    assert.are.same({ "picture", "failed" }, said())
  end)

  it("begin others and send signals once", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        its_bot:start("918888888888", "other", { n = 1 })
        its_bot:signal("917777777777", "knock", 5)
        chat:ask "?"
        chat:reply_text "end"
      end)
      its_bot:dialog("other", function(chat, args)
        chat:reply_text("begun " .. args.n)
        chat:ask "other?"
      end)
      its_bot:dialog("knocked", function(chat)
        chat:reply_text("knock " .. chat:wait({ signal = "knock" }).value)
        chat:reply_text("knock " .. chat:wait({ signal = "knock" }).value)
      end)
      its_bot:on("text", "^listen", function(msg)
        msg:start "knocked"
      end)
    end)
    all:act("917777777777", { type = "text", text = "listen" })
    all:settle()
    say "go"
    all:kill()
    say "x"
    assert.are.same({ "?", "end" }, said())
    assert.are.same({ "begun 1", "other?" }, all.seen["918888888888"])
    assert.are.same({ "knock 5" }, all.seen["917777777777"])
  end)

  it("hear signals before anybody has written since the start", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:reply_text("paid " .. chat:wait({ signal = "paid" }).value.amount)
      end)
    end)
    say "go"
    all:kill()
    assert(bot:signal(customer, "paid", { amount = 5 }))
    all:settle()
    assert.are.same({ "paid 5" }, said())
  end)

  -- ---- time --------------------------------------------------------------------------------------------------------

  it("count a question's time from when it was asked, wrong answers and restarts included", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local _, err = chat:ask("number?", { timeout = 100, otherwise = "no", check = function(msg)
          return tonumber(msg.text) ~= nil
        end })
        chat:reply_text(err.kind .. " " .. os.time() - 1700000000)
      end)
    end)
    say "go"
    all:pass(60)
    all:kill()
    say "x"
    all:pass(39)
    all:kill()
    assert.are.same({ "number?", "no" }, said())
    all:pass(1)
    assert.are.same({ "number?", "no", "timeout 100" }, said())
  end)

  it("time out once when the clock is put forward or back", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:sleep(3600)
        chat:reply_template "woken"
        chat:sleep(3600)
        chat:reply_template "woken again"
      end)
    end)
    say "go"
    all.clock:set_wall(clock.now() + 10 * 365 * 86400)
    all:pass(60)
    assert.are.same({ "woken" }, said())
    all.clock:set_wall(clock.now() - 3000)
    all:pass(3600)
    all:kill()
    all:pass(2940)
    assert.are.same({ "woken" }, said())
    all:pass(120)
    all:pass(10000)
    assert.are.same({ "woken", "woken again" }, said())
  end)

  it("stand still while a person has taken over, and are due afterwards", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local _, err = chat:ask("there?", { timeout = 60 })
        chat:reply_text(err.kind)
      end)
    end)
    say "go"
    bot:chat(customer):pause()
    all:settle()
    all:pass(300)
    say "hello, person"
    all:kill()
    all:pass(300)
    assert.are.same({ "there?" }, said())
    bot:chat(customer):resume()
    all:settle()
    assert.are.same({ "there?", "timeout" }, said())
  end)

  it("do not pause again when they are rebuilt", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:reply_text "a person will come"
        chat:pause()
        chat:wait { signal = "done" }
        chat:resume()
        chat:reply_text(chat:ask("all well?").text)
      end)
    end)
    say "go"
    say "to the person"
    all:kill()
    bot:signal(customer, "done")
    all:settle()
    all:kill()
    say "yes"
    assert.are.same({ "a person will come", "all well?", "yes" }, said())
    say "again"
    assert.equal("handler: again", said()[4])
  end)

  -- ---- failures ----------------------------------------------------------------------------------------------------

  it("are set aside when they keep failing; another try of the event goes on with them", function()
    local is_broken = true
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local answer = chat:ask("?", { timeout = 100 }).text
        if is_broken then
          error "no luck"
        end
        chat:reply_text("end " .. answer)
      end)
    end, { attempts = 2 })
    say "go"
    say "x"
    all:pass(2)
    local broken = stored()[1]
    assert.matches("no luck", broken.error.message)
    assert.equal(2, broken.error.step)
    say "y"
    all:pass(1000)
    assert.are.same({ "?", "handler: y" }, said())
    all:kill()
    is_broken = false
    local dead = bot._store:list_events("dead", {})
    bot._store:revive_events { dead[1].seq }
    bot._inbox:take_up(dead[1].seq, contact)
    all:settle()
    assert.are.same({ "?", "handler: y", "end x" }, said())
    assert.are.same({}, stored())
  end)

  it("are set aside when they fail after a commit in the middle of a turn", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:reply_text("before, delivered"):wait "accepted"
        error "after"
      end)
    end, { attempts = 2 })
    say "go"
    all:pass(2)
    assert.are.same({ "before, delivered" }, said())
    assert.matches("after", stored()[1].error.message)
    assert.equal(1, #bot._store:list_events("dead", {}))
  end)

  it("get no further when a script catches that its turn failed", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:ask "?"
        pcall(chat.reply_text, chat, all.is_late and "changed" or "text")
        chat:reply_text "end"
        chat:ask "??"
      end)
    end)
    say "go"
    say "x"
    all.is_late = true
    all:kill()
    say "y"
    assert.are.same({ "?", "text", "end", "??", "handler: y" }, said())
    assert.matches("step 3, 'send', differs", logged())
    -- What differs is in the store, and not in the log.
    assert.is_nil(logged():find("changed", 1, true))
    assert.matches("changed", stored()[1].error.is_now)
  end)

  it("are set aside when they end, or do something more, before they come to where they stood", function()
    local what
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        if what == "end" then
          return
        end
        chat:reply_text "text"
        if what == "more" then
          chat:reply_text "more"
        end
        chat:ask "?"
      end)
    end)
    for _, one in ipairs { "end", "more" } do
      what = nil
      say "go"
      what = one
      all:kill()
      say "x"
    end
    assert.are.same({ "text", "?", "handler: x", "text", "?", "handler: x" }, said())
    assert.matches("step 1 was 'send', and is now 'end'", logged())
    assert.matches("step 2, 'send', differs", logged())
  end)

  it("lose nothing to a result that cannot be kept", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local ok, why = pcall(chat.step, chat, "x", function()
          return print
        end)
        chat:ask "?"
        chat:reply_text(tostring(ok) .. " " .. why:match "cannot be kept")
      end)
    end)
    say "go"
    all:kill()
    say "x"
    assert.are.same({ "?", "false cannot be kept" }, said())
  end)

  -- ---- handlers that wait ------------------------------------------------------------------------------------------

  it("are what handlers become that wait, with their wrappers, their joined texts and their track", function()
    begin(function(its_bot)
      its_bot:use(function(event, next)
        event.note = "wrapped"
        its_bot.store:increment "events"
        local verdict = next()
        if event.kind == "message" then
          event.chat:reply_text "after"
        end
        return verdict
      end)
      its_bot:on("text", "^long", function(msg)
        msg.chat:ask "?"
        msg:reply_text(("%s %s %d"):format(msg.note, msg.text:gsub("\n", "+"), #msg.joined))
      end, { debounce = 5 })
      its_bot:on("delivered", function(status)
        if status.track then
          status.chat:ask(("got %d?"):format(status.track.n))
          status.chat:reply_text("thanks for " .. status.track.n)
        end
      end)
      its_bot:on("text", "^track", function(msg)
        msg:reply_text("to be delivered", { track = { n = 7 } })
      end)
    end)
    say "track"
    all:kill()
    say "yes"
    assert.are.same({ "to be delivered", "after", "got 7?", "thanks for 7" }, said())
    all.seen = {}
    all:act(customer, { type = "text", text = "long 1" })
    all:act(customer, { type = "text", text = "long 2" })
    all:settle(function()
      all.clock:advance(0.1)
    end)
    all:kill()
    say "x"
    assert.are.same({ "?", "wrapped long 1+long 2 2", "after" }, said())
  end)

  it("tell the script once what an earlier life left", function()
    local told = {}
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        chat:ask "?"
      end)
      its_bot:on_restart(function(left)
        table.insert(told, left)
        its_bot:chat(customer):reply_text "back again"
      end)
    end)
    assert.are.same({}, told)
    say "go"
    all:kill()
    all:settle()
    assert.are.same({ { events = 0, messages = 0, dialogs = 1 } }, told)
    assert.are.same({ "?", "back again" }, said())
  end)

  -- ---- the script's world ------------------------------------------------------------------------------------------

  it("refuse what could not be the same again", function()
    local problems = {}
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local function try(fn, ...)
          local _, why = pcall(fn, ...)
          problems[#problems + 1] = why
        end
        try(cunnekt.spawn, print)
        try(cunnekt.http.stream, { url = "http://127.0.0.1:9/" })
        try(os.remove, "x")
        try(pairs, { [{}] = 1, [{}] = 2 })
        try(coroutine.wrap(function()
          chat:ask "?"
        end))
        try(chat.step, chat, "asks", function()
          chat:ask "?"
        end)
        chat:reply_text "end"
      end)
    end)
    say "go"
    assert.are.same({ "end" }, said())
    for i, word in ipairs { "cunnekt.spawn", "http.stream", "os.remove", "keys are tables", "coroutine", "chat:step" } do
      assert.matches(word, tostring(problems[i]))
    end
  end)

  it("hold the states that a script keeps a hold of", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local state = chat.state
        state.a = 1
        chat:ask "?"
        state.b = state.c
        chat:reply_text("sent and delivered"):wait "accepted"
        state.d = 4
        chat:ask "??"
        chat:reply_text(("%d %d %d %d"):format(state.a, state.b, state.c, state.d))
      end)
      its_bot:on("image", function(msg)
        msg.chat.state.c = (msg.chat.state.c or 0) + 1
      end)
    end)
    say "go"
    all:act(customer, { type = "image" })
    all:settle()
    say "x"
    all:kill()
    all:act(customer, { type = "image" })
    all:settle()
    say "y"
    assert.are.same({ "?", "sent and delivered", "??", "1 1 2 4" }, said())
    assert.are.same({ a = 1, b = 1, c = 2, d = 4 }, bot:chat(customer).state)
  end)

  it("print nothing twice", function()
    local printed, real = {}, print
    _G.print = function(text)
      printed[#printed + 1] = text
    end
    finally(function()
      _G.print = real
    end)
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        print "one"
        chat:ask "?"
        print "two"
        chat:ask "??"
        print "three"
      end)
    end)
    say "go"
    all:kill()
    say "x"
    all:kill()
    say "y"
    assert.are.same({ "one", "two", "three" }, printed)
  end)
end)
