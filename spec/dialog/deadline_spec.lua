-- SPDX-License-Identifier: MIT
-- An answer that was stored before the timer of its question fired counts, however late it is handled.

local inside = require("cunnekt.service").of
local talk = require "spec.support.rigs.talk"
local task = require "cunnekt.base.task"

local said, say = talk.said, talk.say

describe("an answer that is handled after its question's deadline", function()
  after_each(talk.finish)

  local release, is_slow

  -- A question with a deadline, and a handler of images that takes as long as the spec wants.
  local function begin(opts)
    release, is_slow = nil, true
    talk.begin(function(bot)
      bot:dialog("it", function(chat)
        local answer, err = chat:ask("Number?", {
          timeout = 100, check = function(msg) return tonumber(msg.text) ~= nil, "A number!" end,
        })
        chat:reply_text("got " .. (answer and answer.text or err.kind))
      end, opts)
      bot:on("image", function()
        if is_slow then
          task.await(function(done) release = done end)
        end
      end)
    end)
    say "go"
  end

  local function post(fields)
    talk.all:act(talk.customer, fields)
    talk.all:go_round(50)
  end

  local function text(words)
    return { type = "text", text = words }
  end

  -- The bot takes webhooks, but handles nothing, until it is cut off. The next one starts after some seconds.
  local function die(seconds, ...)
    inside(talk.bot).dialogs.due:stop()
    inside(talk.bot).inbox:stop()
    for _, fields in ipairs { ... } do
      post(fields)
    end
    talk.all.clock:advance(seconds)
    talk.all:kill()
    talk.all:settle()
  end

  local function pass_slowly(seconds)
    talk.all.clock:advance(seconds)
    talk.all:go_round(200)
  end

  it("counts when the host was down across the deadline", function()
    begin()
    die(1000, text "7")
    assert.are.same({ "Number?", "got 7" }, said())
  end)

  it("counts when one that was no answer came before it", function()
    begin()
    die(1000, text "x", text "7", text "late")
    assert.are.same({ "Number?", "A number!", "got 7", "handler: late" }, said())
  end)

  it("does not count when it came after the start, whose timer fired first", function()
    begin()
    die(1000)
    assert.are.same({ "Number?", "got timeout" }, said())
    say "7"
    assert.equal("handler: 7", said()[3])
  end)

  it("times out when all that came in time was no answer", function()
    begin()
    die(1000, text "x")
    assert.are.same({ "Number?", "A number!", "got timeout" }, said())
  end)

  it("counts when the dialog would have expired", function()
    begin { expires = 50 }
    die(1000, text "7")
    assert.are.same({ "Number?", "got 7" }, said())
  end)

  for what, befall in pairs {
    ["a slow handler"] = function() end,
    ["a slow handler, and a kill"] = function()
      is_slow = false
      talk.all:kill()
    end,
  } do
    it("counts when it waited behind " .. what, function()
      begin()
      post { type = "image" }
      post(text "7")
      pass_slowly(1000)
      assert.are.same({ "Number?" }, said())
      local go = release
      befall()
      go()
      talk.all:settle()
      assert.are.same({ "Number?", "got 7" }, said())
    end)

    it("does not count when it came after the timer, behind " .. what, function()
      begin()
      post { type = "image" }
      pass_slowly(1000)
      post(text "7")
      local go = release
      befall()
      go()
      talk.all:settle()
      assert.are.same({ "Number?", "got timeout", "handler: 7" }, said())
    end)
  end
end)
