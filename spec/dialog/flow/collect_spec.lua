-- SPDX-License-Identifier: MIT
-- chat:collect: the messages that belong together.

local talk = require "spec.support.rigs.talk"

describe("chat:collect", function()
  after_each(talk.finish)

  -- A dialog that collects, and says what it got.
  local function define(opts)
    return function(bot)
      bot:dialog("it", function(chat)
        local list, err = chat:collect(opts)
        local words = {}
        for i, msg in ipairs(list or {}) do
          words[i] = msg.text or msg.type
        end
        chat:reply_text(list and "got " .. table.concat(words, ", ") or err.kind)
      end)
    end
  end

  local image = { type = "image" }

  it("joins what comes until it is quiet for a while", function()
    local said = talk.play(define(), { "go", 1000, image, 4, image, "one", 4, "two", 4, { type = "audio" }, 5, "later" })
    assert.are.same({ "got image, image, one, two, audio", "handler: later" }, said)
  end)

  it("takes as long as it is told to be quiet", function()
    local said = talk.play(define { quiet = 60 }, { "go", "one", 59, "two", 59, 1 })
    assert.are.same({ "got one, two" }, said)
  end)

  it("ends at the maximum", function()
    assert.are.same({ "got one, two", "handler: three" }, talk.play(define { max = 2 }, { "go", "one", "two", "three" }))
  end)

  it("leaves other messages to the handlers", function()
    local steps = { "go", image, "words", image, { type = "location" }, 5 }
    local media = { "handler: words", "handler: location", "got image, image" }
    assert.are.same(media, talk.play(define { media = true }, steps))
    local text = { "handler: image", "handler: image", "handler: location", "got words" }
    assert.are.same(text, talk.play(define { text = true }, steps))
    assert.are.same(text, talk.play(define { media = false }, steps))
  end)

  it("times out when nothing comes at all", function()
    assert.are.same({ "timeout" }, talk.play(define { timeout = 100 }, { "go", 99, 1 }))
    assert.are.same({ "got one" }, talk.play(define { timeout = 100, quiet = 3 }, { "go", 99, "one", 3 }))
  end)

  it("gets the rest of an album in a handler", function()
    local said = talk.play(function(bot)
      bot:on("image", function(msg)
        local more = msg.chat:collect { media = true, timeout = 5 } or {}
        msg:reply_text(("%d photos"):format(1 + #more))
      end)
    end, { image, image, image, 5, image, 5 })
    assert.are.same({ "3 photos", "1 photos" }, said)
  end)

  it("takes what came while the program was down as one", function()
    talk.begin(define())
    talk.say "go"
    talk.say "one"
    talk.all:finish(function()
      talk.all.bot:stop(0)
    end)
    talk.all.clock:advance(3)
    talk.all:act(talk.customer, { type = "text", text = "two" })
    talk.all:act(talk.customer, image)
    talk.all:start()
    talk.all:settle()
    talk.all:pass(5)
    assert.are.same({ "got one, two, image" }, talk.said())
  end)

  it("takes what was kept for it", function()
    local said = talk.play(function(bot)
      bot:dialog("it", function(chat)
        chat:sleep(100)
        chat:reply_text(("%d"):format(#chat:collect { text = true }))
      end, { unexpected = "queue" })
    end, { "go", "one", "two", 100, "three", 5 })
    assert.are.same({ "3" }, said)
  end)

  it("is checked, at the script's line", function()
    local problems = {}
    talk.begin(function(bot)
      bot:dialog("it", function(chat)
        for i, opts in ipairs { { quite = 1 }, { media = false, text = false }, { quiet = 0 }, { max = 0 }, { max = 101 }, { max = 1.5 } } do
          problems[i] = select(2, pcall(function()
            chat:collect(opts)
          end))
        end
      end)
    end)
    talk.say "go"
    for i, pattern in ipairs {
      "unknown option 'quite' %(did you mean 'quiet'%?%)", "expected media = true", "option 'quiet' must be", "option 'max' must be 1 to 100",
      "option 'max' must be 1 to 100", "option 'max' must be an integer",
    } do
      assert.matches("^spec/dialog/flow/collect_spec.lua:%d+: chat:collect: " .. pattern, problems[i])
    end
  end)
end)
