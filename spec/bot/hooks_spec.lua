-- SPDX-License-Identifier: MIT
-- What a script hears of beside its handlers: messages before they leave, failures, restarts.

local bot_rig = require "spec.support.rigs.bot_rig"
local errors = require "cunnekt.base.errors"
local json = require "cunnekt.base.json"
local hooks = require "cunnekt.bot.hooks"
local log = require "cunnekt.base.log"
local sent = require "cunnekt.bot.sent"

local function text(words)
  return { mobile = "919999999999", type = "text", text = words or "hi" }
end

describe("before_send", function()
  it("sees the payload and the chat, in the order of registration", function()
    local its_hooks, seen, chat = hooks.new(), {}, {}
    for i = 1, 2 do
      its_hooks.senders[i] = function(payload, its_chat)
        seen[i] = { payload.text, its_chat }
        payload.text = payload.text .. i
      end
    end
    assert.equal("hi12", assert(its_hooks:before_send(text(), chat)).text)
    assert.are.same({ { "hi", chat }, { "hi1", chat } }, seen)
  end)

  it("may put another payload in its place, which the next one sees", function()
    local its_hooks, seen = hooks.new(), nil
    its_hooks.senders[1] = function()
      return text "other"
    end
    its_hooks.senders[2] = function(payload)
      seen = payload.text
      return true
    end
    assert.equal("other", assert(its_hooks:before_send(text(), {})).text)
    assert.equal("other", seen)
  end)

  it("drops the message by false, and nothing else is asked", function()
    local its_hooks = hooks.new()
    its_hooks.senders[1] = function()
      return false
    end
    its_hooks.senders[2] = function()
      error "asked"
    end
    local payload, err = its_hooks:before_send(text(), {})
    assert.are.same({ nil, "cancelled" }, { payload, err.kind })
  end)

  it("is held to the limits of a message", function()
    local its_hooks = hooks.new()
    its_hooks.senders[1] = function(payload)
      payload.text = ("x"):rep(5000)
    end
    local payload, err = its_hooks:before_send(text(), {})
    assert.are.same({ nil, "invalid" }, { payload, err.kind })
  end)
end)

describe("a failure", function()
  local write, lines

  before_each(function()
    write, lines = log.write, {}
    log.write = function(line)
      lines[#lines + 1] = line
    end
  end)

  after_each(function()
    log.write = write
  end)

  it("is logged with its traceback where nobody hears it", function()
    hooks.new():on_failure(errors.new("handler", "no luck", { traceback = "no luck\n%s a trace" }))
    assert.equal(1, #lines)
    assert.matches("no luck\n%%s a trace", lines[1])
  end)

  it("is logged as a sentence where it has no traceback", function()
    hooks.new():on_failure(errors.new("rejected", "no", { code = 7 }))
    assert.matches("rejected: no %(code 7%)", lines[1])
  end)

  it("of a job has its name, and of a message its id, as fields in JSON", function()
    log.configure "json"
    finally(function()
      log.configure "text"
    end)
    local job = { name = "report", attempts = 3, next_try = 2.25 }
    hooks.new():on_failure(errors.new("handler", "bot.lua:7: no", { job = job, attempts = 2 }))
    hooks.new():on_failure(errors.new("budget", "no", { job = { name = "sum", attempts = 1 }, attempts = 1, where = "a.lua:3" }))
    local line, final = json.decode(lines[1]), json.decode(lines[2])
    assert.same({ "report", 2, 3, 2.2, "bot.lua", 7 }, { line.job, line.attempt, line.attempts, line.next_try, line.file, line.line })
    assert.same({ "sum", "a.lua", 3 }, { final.job, final.file, final.line })
    assert.is_nil(final.next_try)
  end)

  it("of a message says which one, and to whom, since many may fail in the same words", function()
    local its_hooks = hooks.new()
    its_hooks.is_kept = true
    for i, number in ipairs { "919812345678", "919812345679" } do
      local handle = sent.new { mobile = number, type = "text", text = "offer" }
      handle.id = 1000 + i
      its_hooks:on_failure(errors.new("window_closed", "Re-engagement message", { code = 131047 }), handle)
    end
    local words = "cunnekt: error: window_closed: Re-engagement message (code 131047) (message %d to 9198…%d; cunnekt outbox show %d)"
    assert.are.same({ words:format(1001, 78, 1001), words:format(1002, 79, 1002) }, lines)
    its_hooks.is_kept = false
    its_hooks:on_failure(errors.new("rejected", "no"), sent.new { mobile = "919812345678" })
    assert.equal("cunnekt: error: rejected: no", lines[3]) -- it has no id, for it is in no outbox
  end)

  it("goes to everyone who hears, with what it is about, and not to the log", function()
    local its_hooks, heard, err, about = hooks.new(), {}, errors.new("handler", "no luck"), {}
    for i = 1, 2 do
      its_hooks.failure_listeners[i] = function(...)
        heard[i] = { ... }
      end
    end
    its_hooks:on_failure(err, about)
    assert.are.same({ { err, about }, { err, about } }, heard)
    assert.are.same({}, lines)
  end)

  it("is logged as well where somebody develops the script", function()
    log.shows_heard_failures = true
    finally(function()
      log.shows_heard_failures = false
    end)
    local its_hooks, count = hooks.new(), 0
    its_hooks.failure_listeners[1] = function()
      count = count + 1
    end
    its_hooks:on_failure(errors.new("handler", "no luck"))
    assert.equal(1, count)
    assert.matches("no luck", lines[1])
  end)

  it("of the one who hears is logged, and the next one hears", function()
    local its_hooks, has_heard = hooks.new(), false
    its_hooks.failure_listeners[1] = function()
      error "worse luck"
    end
    its_hooks.failure_listeners[2] = function()
      has_heard = true
    end
    its_hooks:on_failure(errors.new("handler", "no luck"))
    assert.is_true(has_heard)
    assert.matches("bot:on_error failed: .*worse luck", lines[1])
  end)
end)

-- Telling the owner is what everybody does in bot:on_error. The owner had not written for a day, so that message failed, which called
-- bot:on_error, which sent the next one: one in six seconds for ever, and after a restart, too.
describe("on_error", function()
  it("is not called for a message that it has sent itself", function()
    local rig, calls = bot_rig.new(), 0
    local bot = rig:new_bot()
    bot:on_error(function(err)
      calls = calls + 1
      bot:chat("918888888888"):reply_text("Something failed: " .. err.kind)
    end)
    bot:on("text", function()
      bot:chat("917777777777"):reply_text "not for who never wrote"
    end)
    rig:start()
    rig:say "hi"
    local function lines_with(words)
      local found = {}
      for _, line in ipairs(rig.lines) do
        found[#found + 1] = line:find(words, 1, true) and line or nil
      end
      return found
    end
    bot_rig.wait_for(function()
      return lines_with "bot:on_error sent it, and is not called for it" [1]
    end, "the log")
    rig:say "again"
    bot_rig.wait_for(function()
      return lines_with "bot:on_error sent it" [2]
    end, "the log of the second")
    assert.equal(2, calls)
    rig:close()
  end)
end)
