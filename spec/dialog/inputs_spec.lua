-- SPDX-License-Identifier: MIT
-- What a dialog gets from outside is the same when it is replayed: in another process, and after ten minutes without an answer.

local cunnekt = require "cunnekt"
local talk = require "spec.support.rigs.talk"

local begin, say, said, stored = talk.begin, talk.say, talk.said, talk.stored

describe("what a dialog gets", function()
  after_each(talk.finish)

  -- Begins a dialog that says what `fn` gives, before and after a question, which the customer answers when the bot was killed.
  local function both_times(fn)
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local it = fn(chat)
        chat:reply_text(it)
        chat:ask "and?"
        chat:reply_text(it)
      end)
    end)
    say "go"
    talk.all:kill()
    say "on"
    assert.are.same({}, stored())
    local heard = said()
    assert.equal(heard[#heard], heard[#heard - 2])
    return heard[#heard]
  end

  it("from json.encode has its names in the same order", function()
    local function say_it(chat)
      local order = {}
      for i = 1, 20 do
        order["name" .. i] = i
      end
      chat:reply_text(cunnekt.json.encode(order))
      return "fine"
    end
    assert.equal("fine", both_times(say_it))
  end)

  it("with its start is what that was, whatever it makes of it", function()
    local function define(its_bot)
      its_bot:dialog("order", function(chat, args)
        table.insert(args.items, "delivery")
        local first = chat:ask(("%d items?"):format(#args.items))
        table.insert(args.items, first.text)
        local second = chat:ask(("And %d?"):format(#args.items))
        if second.text == "back" then
          chat:back()
        end
        chat:reply_text(table.concat(args.items, ",") .. " " .. second.text)
      end)
      its_bot:on("text", "^order", function(msg)
        msg:start("order", { items = { "tea" } })
      end)
    end
    assert.are.same({ "2 items?", "And 3?", "2 items?", "And 3?", "tea,delivery,milk yes" }, talk.play(define, { "order", "cake", "back", "milk", "yes" }))
  end)

  it("of the clock is so for a handler that took its time before it asked", function()
    begin(function(its_bot)
      its_bot:on("text", "^order", function(msg)
        local before = os.time()
        cunnekt.sleep(3)
        msg:reply_text(("began at %d"):format(before))
        msg:reply_text(("got %s after %d"):format(msg.chat:ask("How many?").text, os.time() - before))
      end)
    end)
    talk.all:act(talk.customer, { type = "text", text = "order" })
    talk.all:go_round(20)
    talk.all:pass(3)
    talk.all:kill()
    say "2"
    assert.are.same({ "began at 1700000000", "How many?", "got 2 after 3" }, said())
  end)

  it("of the clock is now where it goes on after an attempt that failed", function()
    local runs = 0
    begin(function(its_bot)
      its_bot:on("text", "^order", function(msg)
        msg:reply_text "One moment"
        msg.chat:flush()
        runs = runs + 1
        if runs < 4 then
          error "x"
        end
        local answer, err = msg.chat:ask(("Q %d?"):format(os.time() - 1700000000), { timeout = 15, remind = { after = 5, text = "Well?" } })
        msg:reply_text(answer and answer.text or err.kind)
      end)
    end)
    say "order"
    talk.all:pass(1)
    talk.all:pass(4)
    talk.all:pass(16)
    talk.all:pass(4)
    talk.all:kill()
    talk.all:pass(1)
    say "2"
    assert.are.same({ "One moment", "Q 21?", "Well?", "2" }, said())
  end)

  it("of a state is what a step of it has made of it, or has read first", function()
    local function define(its_bot)
      its_bot:before_send(function(_, chat)
        chat.state.sent = (chat.state.sent or 0) + 1
        local _ = its_bot:chat("917777777777").state.off
      end)
      local function talk_to(chat)
        local admin = its_bot:chat "918888888888"
        local count = chat:step("count", function()
          chat.state.n = (chat.state.n or 0) + 1
          admin.state.seen = "seen"
          return admin.state.n or 0
        end)
        admin.state.n = count + 1
        chat:reply_text(("%d %s %s"):format(chat.state.n, admin.state.seen, chat.state.sent))
        chat:reply_text(("sent %d, off %s"):format(chat.state.sent, its_bot:chat("917777777777").state.off))
        local name = chat:ask("Name?").text
        chat:reply_text(("%s %d %d %d"):format(name, chat.state.n, admin.state.n, chat.state.sent))
      end
      its_bot:dialog("it", talk_to)
      its_bot:on("text", "^handler", function(msg)
        talk_to(msg.chat)
      end)
    end
    assert.are.same({ "1 seen nil", "sent 1, off nil", "Name?", "a 1 1 3" }, talk.play(define, { "go", "a" }))
    assert.are.same({ "1 seen nil", "sent 1, off nil", "Name?", "a 1 1 3" }, talk.play(define, { "handler", "a" }))
  end)

  it("of a message is what it was when it was asked", function()
    assert.equal("queued, delivered, nil", both_times(function(chat)
      local sent = chat:reply_text "Your bill"
      local first = sent.state
      sent:wait "delivered"
      return ("%s, %s, %s"):format(first, sent.state, sent.err)
    end))
  end)

  it("of a message is so for a handler that asks", function()
    begin(function(its_bot)
      its_bot:on("text", "^bill", function(msg)
        local sent = msg:reply_text "Your bill"
        local before, id = sent.state, sent.message_id
        msg.chat:ask "Did it come?"
        msg:reply_text(("%s %s, %s"):format(before, id, sent.state))
      end)
    end)
    say "bill"
    talk.all:kill()
    say "yes"
    assert.matches("^queued nil, %a+$", said()[3])
    assert.are.same({}, stored())
  end)

  it("as a signal is a number as the journal has it", function()
    begin(function(its_bot)
      its_bot:dialog("it", function(chat)
        local paid = chat:wait({ signal = "paid" }).value
        chat:reply_text(("%s and %s"):format(paid, paid))
        chat:ask "and?"
      end)
      its_bot:on("image", function(msg)
        its_bot:signal(msg.from, "paid", 1000 / 2)
      end)
    end)
    say "go"
    talk.act "image"
    talk.all:kill()
    say "on"
    assert.are.same({ "500 and 500", "and?" }, said())
    assert.are.same({}, stored())
  end)

  it("as an error of a step is one as the journal has it", function()
    assert.equal("5", both_times(function(chat)
      local _, err = pcall(chat.step, chat, "fails", function()
        error { code = 5.0 }
      end)
      return tostring(err.code)
    end))
  end)

  it("is the state, whose tables stay the conversation's", function()
    begin(function(its_bot)
      its_bot:on("text", "^begin", function(msg)
        msg.chat.state.cart = {}
      end)
      its_bot:on("text", "^add", function(msg)
        local cart = msg.chat.state.cart
        cart[#cart + 1] = msg.chat:ask("Which item?").text
        msg:reply_text(#cart .. " in the cart")
      end)
      its_bot:on("text", "^cart", function(msg)
        msg:reply_text(table.concat(msg.chat.state.cart, ", "))
      end)
    end)
    for _, text in ipairs { "begin", "add", "tea", "add", "soup", "cart" } do
      say(text)
    end
    assert.are.same({ "Which item?", "1 in the cart", "Which item?", "2 in the cart", "tea, soup" }, said())
  end)

  it("is no table that a script has for all conversations, after a question as before it", function()
    local new_cart = { items = {} }
    begin(function(its_bot)
      its_bot:on("text", "^order", function(msg)
        local state = msg.chat.state
        state.cart = new_cart
        msg.chat:ask "Which item?"
        table.insert(state.cart.items, "tea")
        msg:reply_text(("%d in it, %d in a new one"):format(#state.cart.items, #new_cart.items))
      end)
    end)
    for _, text in ipairs { "order", "tea", "order", "tea" } do
      say(text)
    end
    local last = "1 in it, 0 in a new one"
    assert.are.same({ "Which item?", last, "Which item?", last }, said())
  end)

  it("is no table that it has given away: a state is a copy", function()
    local fresh = { step = 0, items = {} }
    begin(function(its_bot)
      its_bot:on("text", function(msg)
        msg.chat.state = fresh
        msg.chat.state.secret = msg.text
        table.insert(msg.chat.state.items, msg.text)
        msg:reply_text(cunnekt.json.encode(fresh))
      end)
    end)
    say "mine"
    assert.are.same({ '{"items":{},"step":0}' }, said())
  end)

  it("is what was there when a dialog was started, and a message said", function()
    begin(function(its_bot)
      its_bot:dialog("first", function(chat, args)
        chat:reply_text("n " .. args.n)
      end)
      its_bot:on("text", function(msg)
        local args = { n = 1 }
        msg:start("first", args)
        args.n = 2
        local buttons = { body = "b 1", buttons = { { id = "a", title = "A" } }, track = { n = 1 } }
        local sent = msg:reply_buttons(buttons)
        buttons.body, buttons.buttons[1].title, buttons.track.n = "b 2", "B", 2
        msg:reply_text("track " .. sent.track.n)
      end)
    end)
    say "go"
    assert.are.same({ "b 1 [a]", "track 1", "n 1" }, said())
  end)

  it("cannot be stored where JSON cannot hold it, which its line says", function()
    local problem
    begin(function(its_bot)
      its_bot:on("text", function(msg)
        problem = select(2, pcall(function()
          msg.chat.state = { it = print }
        end))
      end)
    end)
    say "go"
    assert.matches("inputs_spec.lua:%d+: chat.state: the table cannot be stored: .*function", problem)
  end)
end)
