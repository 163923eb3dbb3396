-- SPDX-License-Identifier: MIT
-- A conversation: its replies with what a script says about their delivery, its service window, and its state. What it asks
-- and waits for is in spec/dialog.

local chat = require "cunnekt.bot.chat"
local clock = require "cunnekt.time.clock"
local engine_rig = require "spec.support.rigs.engine_rig"
local errors = require "cunnekt.base.errors"
local event = require "cunnekt.bot.event"
local hooks = require "cunnekt.bot.hooks"
local lists = require "cunnekt.store.lists"
local recovery = require "cunnekt.store.recovery"

local contact, customer = "1:919999999999", "919999999999"
local day, hour = 86400, 3600
local now = 1700000000

describe("a chat", function()
  local it_, time, scope, asked, its_chat

  before_each(function()
    time = clock.virtual(now):install()
    it_ = engine_rig.new()
    asked = {}
    scope = {
      engine = it_.engine,
      hooks = hooks.new(),
      -- The functions of dialog/flow note what they are asked, and give it back.
      flow = setmetatable({}, {
        __index = function(_, name)
          return function(...)
            asked = { name, ... }
            return "first", "second"
          end
        end,
      }),
      dialogs = {
        plan = function(_, ...)
          asked = { "plan", ... }
        end,
      },
    }
    its_chat = chat.new(scope, contact, customer)
  end)

  after_each(function()
    it_:close()
    time:uninstall()
  end)

  -- The customer wrote so many seconds ago.
  local function wrote(seconds_ago)
    local record = it_:accept(contact, "x", { inbound_at = now - seconds_ago })
    assert(it_.store:commit_turn { event = record.id })
  end

  local function within_turn(fn, record)
    local err = it_:turn(record, fn)
    assert(not err, err and err.traceback or tostring(err))
  end

  local function problem_of(fn)
    local ok, message = pcall(fn)
    assert.is_false(ok)
    assert.matches("^%S*chat_spec.lua:%d+: ", message)
    return (message:gsub("^.-:%d+: ", ""))
  end

  -- ---- replies -------------------------------------------------------------------------------------------------------

  describe("replying", function()
    it("outside of turns sends at once", function()
      local handle = assert(its_chat:reply_text "hi")
      it_:settle()
      assert.are.same({ { "hi" }, "accepted" }, { it_:texts(), handle.state })
      assert.equal(customer, it_.delivered[1].mobile)
    end)

    it("in a turn sends with the turn, and not when it fails", function()
      it_:turn(nil, function()
        its_chat:reply_text "never"
        error "no luck"
      end)
      within_turn(function()
        assert.equal("queued", its_chat:reply_text("hi").state)
      end)
      it_:settle()
      assert.are.same({ "hi" }, it_:texts())
    end)

    it("refuses what WhatsApp would refuse, and sends nothing", function()
      local handle, err = its_chat:reply_text(("x"):rep(5000))
      assert.are.same({ nil, "invalid" }, { handle, err.kind })
      handle, err = chat.new(scope, contact, nil):reply_text "hi"
      assert.are.same({ nil, "invalid" }, { handle, err.kind })
      it_:settle()
      assert.are.same({}, it_:texts())
    end)

    it("reaches whoever wrote, also from a number that no plan knows", function()
      local stranger = chat.new(scope, "1:9712345", "9712345")
      assert(stranger:reply_text "one")
      assert(stranger:reply_text("two", { fallback = { template_id = "t" } }))
      scope.hooks.senders[1] = function(payload)
        return payload
      end
      assert(stranger:reply_text "three")
      scope.hooks.senders[1] = function(payload)
        payload.mobile = "9876543210"
        return payload
      end
      local handle, err = stranger:reply_text "four"
      assert.are.same({ nil, "mobile" }, { handle, err.field })
      it_:settle()
      assert.are.same({ "one", "two", "three" }, it_:texts())
      assert.equal("9712345", it_.delivered[3].mobile)
    end)

    it("says that the store cannot keep it, outside of turns", function()
      it_.store.conversation = function()
        return { version = 0 }
      end
      it_.store:close()
      local handle, err = its_chat:reply_text "hi"
      assert.are.same({ nil, "store" }, { handle, err.kind })
    end)

    it("takes what a script says about the delivery out of the last argument, and leaves its table alone", function()
      it_:hold(1)
      local opts = { track = { n = 1 }, unknown = "resend", after = "delivered" }
      local handle = assert(its_chat:reply_text("hi", opts))
      local row = recovery.messages(it_.store)[1]
      assert.are.same({ "resend", "delivered", { n = 1 } }, { row.unknown, row.after, row.track })
      assert.is_nil(row.payload.track)
      assert.are.same({ track = { n = 1 }, unknown = "resend", after = "delivered" }, opts)
      assert.are.same({ n = 1 }, handle.track)
      it_:step_until(function()
        return it_.held[1]
      end, "the message")
      it_:let_go(1, 1)
      it_:settle()
    end)

    it("takes content and delivery out of one table", function()
      assert(its_chat:reply_buttons { body = "Which?", buttons = { { id = "a", title = "A" } }, track = { n = 2 } })
      it_:settle()
      assert.are.same({ "Which?", nil }, { it_.delivered[1].body, it_.delivered[1].track })
      assert.are.same({ n = 2 }, lists.message(it_.store, 1).track)
    end)

    -- It blamed the line of the one who had called the script's function.
    it("blames the script's line for an option of another kind", function()
      local msg = event.bind(scope, contact, { kind = "message", from = customer })
      for _, of in ipairs { its_chat, msg } do
        assert.matches("^reply_text: option 'unknown' must be one of: hold, resend, fail", problem_of(function()
          of:reply_text("hi", { unknown = "never" })
        end))
      end
      assert.matches("^reply_text: option 'track' must be a table, got string", problem_of(function()
        its_chat:reply_text("hi", { track = "x" })
      end))
    end)

    it("asks before_send, which may change or drop the message", function()
      scope.hooks.senders[1] = function(payload, of)
        assert.equal(its_chat, of)
        payload.text = payload.text .. "!"
        return payload.text ~= "drop!" and payload
      end
      local _, err = its_chat:reply_text "drop"
      assert.equal("cancelled", err.kind)
      assert(its_chat:reply_text "hi")
      it_:settle()
      assert.are.same({ "hi!" }, it_:texts())
    end)
  end)

  -- ---- the service window ----------------------------------------------------------------------------------------------

  describe("with a service window", function()
    it("says how long it is still open", function()
      assert.equal(0, its_chat:window())
      wrote(hour)
      assert.equal(day - hour, its_chat:window())
      time:advance(day)
      assert.equal(0, its_chat:window())
    end)

    it("counts the message that this very turn handles", function()
      local record = it_:accept(contact, "x", { inbound_at = now })
      within_turn(function()
        assert.equal(day, its_chat:window())
        assert.equal(0, chat.new(scope, "1:2", "2"):window())
      end, record)
    end)

    it("is never open for more than a day, whatever the customer's clock says", function()
      wrote(-3 * hour)
      assert.equal(day, its_chat:window())
    end)

    it("refuses a free-form message after its end, before the network", function()
      wrote(day)
      local handle, err = its_chat:reply_text "late"
      assert.are.same({ nil, "window_closed" }, { handle, err.kind })
      assert(its_chat:reply_template("tpl", {}))
      it_:settle()
      assert.are.same({ "tpl" }, it_:texts())
    end)

    it("lets the provider decide where the store never heard the customer", function()
      assert(its_chat:reply_text "hi")
      it_:settle()
      assert.are.same({ "hi" }, it_:texts())
    end)

    it("lets a message through that answers the one which opened it", function()
      wrote(2 * day)
      within_turn(function()
        assert(its_chat:reply_text "hi")
      end, it_:accept(contact, "x", { inbound_at = now - 1 }))
      it_:settle()
      assert.are.same({ "hi" }, it_:texts())
    end)

    it("sends the fallback instead after its end", function()
      wrote(day)
      assert(its_chat:reply_text("late", { fallback = { template_id = "tpl", body = { "a" } } }))
      it_:settle()
      assert.are.same({ "tpl" }, it_:texts())
    end)

    it("keeps the fallback for the case that the provider finds it closed", function()
      wrote(hour)
      it_.answers[1] = errors.new("window_closed", "24 hours")
      assert(its_chat:reply_text("hi", { fallback = { template_id = "tpl" } }))
      it_:settle()
      time:advance(0)
      it_:settle()
      assert.are.same({ "hi", "tpl" }, it_:texts())
    end)

    it("lets bot:before_send change that fallback, behind its message, or take it away", function()
      wrote(hour)
      local seen, verdict = {}, nil
      scope.hooks.senders[1] = function(payload, of)
        seen[#seen + 1] = payload.templateid or payload.text
        assert.equal(its_chat, of)
        if payload.templateid then
          payload.templateid = "tpl_hi"
          return verdict
        end
      end
      local closed = errors.new("window_closed", "closed")
      it_.answers[1] = closed
      assert(its_chat:reply_text("hi", { fallback = { template_id = "tpl" } }))
      it_:settle()
      time:advance(0)
      it_:settle()
      assert.are.same({ { "hi", "tpl" }, { "hi", "tpl_hi" } }, { seen, it_:texts() })
      verdict, it_.answers[1] = false, closed
      local handle = assert(its_chat:reply_text("two", { fallback = { template_id = "tpl" } }))
      it_:settle()
      assert.are.same({ { "hi", "tpl_hi", "two" }, "rejected" }, { it_:texts(), handle.state })
    end)

    it("refuses a reply whose fallback bot:before_send has made invalid", function()
      wrote(hour)
      scope.hooks.senders[1] = function(payload)
        if payload.templateid then
          payload.templateid = ""
        end
      end
      local handle, err = its_chat:reply_text("hi", { fallback = { template_id = "tpl" } })
      assert.are.same({ nil, "invalid" }, { handle, err.kind })
    end)

    it("refuses a fallback that is no template", function()
      local handle, err = its_chat:reply_text("hi", { fallback = { body = { "a" } } })
      assert.are.same({ nil, "invalid", "fallback.template_id" }, { handle, err.kind, err.field })
    end)

    it("is watched with the turn, an hour before its end unless told otherwise", function()
      wrote(0)
      local function is_closing(at)
        return #it_.store:query("closing_windows", { window = day, ["until"] = at }) == 1
      end
      local function is_watched(before)
        return is_closing(now + day - before) and not is_closing(now + day - before - 1)
      end
      its_chat:watch_window()
      assert.is_true(is_watched(hour))
      within_turn(function()
        its_chat:watch_window(60)
        assert.is_true(is_watched(hour))
      end)
      assert.is_true(is_watched(60))
    end)

    it("blames the script's line for a time that it does not have", function()
      for _, wrong in ipairs { 0, -1, day, "60", 0 / 0 } do
        assert.equal("chat:watch_window: seconds must be a number between 0 and 86400", problem_of(function()
          its_chat:watch_window(wrong)
        end), tostring(wrong))
      end
    end)
  end)

  -- ---- state and fields --------------------------------------------------------------------------------------------------

  it("has the state of its conversation, which may be replaced", function()
    within_turn(function()
      its_chat.state.n = 1
      assert.are.same({ n = 1 }, chat.new(scope, contact, customer).state)
      its_chat.state = { m = 2 }
    end)
    assert.equal('{"m":2}', it_.store:conversation(contact).state)
  end)

  it("has no other field to set", function()
    assert.equal("a chat has no field 'step1' to set; use chat.state", problem_of(function()
      its_chat.step1 = true
    end))
    assert.equal("chat.state must be a table, got string", problem_of(function()
      its_chat.state = "x"
    end))
    assert.is_nil(its_chat.never)
  end)

  -- ---- what it forwards ----------------------------------------------------------------------------------------------------

  it("forwards what it asks and waits for, with the dialogs and itself, and gives back what comes", function()
    for name, args in pairs {
      ask = { "?", {} }, ask_buttons = { {} }, ask_list = { {} }, ask_form = { {} }, wait = { {} }, sleep = { 5 }, cancel = { "it" }, back = {},
    } do
      assert.are.same({ "first", "second" }, { its_chat[name](its_chat, table.unpack(args)) }, name)
      assert.are.same({ name, scope.dialogs, its_chat, table.unpack(args) }, asked, name)
    end
    for name, args in pairs { step = { "x", print }, call = { "it", 1 } } do
      its_chat[name](its_chat, table.unpack(args))
      assert.are.same({ name, its_chat, table.unpack(args) }, asked, name)
    end
  end)

  it("is paused and resumed by one function", function()
    its_chat:pause()
    assert.are.same({ "pause", scope.dialogs, its_chat, true }, asked)
    its_chat:resume()
    assert.are.same({ "pause", scope.dialogs, its_chat, false }, asked)
  end)

  it("begins a dialog with its contact", function()
    its_chat:start("order", { n = 1 }, { replace = true })
    local plan = { name = "order", contact = contact, to = customer, args = { n = 1 } }
    assert.are.same({ "plan", "chat:start", plan, { replace = true } }, asked)
  end)
end)
