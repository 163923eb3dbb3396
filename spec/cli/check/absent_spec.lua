-- SPDX-License-Identifier: MIT
-- What may be nil and is used at once: the answer to a question with a timeout, exactly in the case that the timeout is for, and the
-- text of a photo, with which bots for "message" failed five times and answered nothing. And filters that `and` and `or` take apart:
-- a command for staff that way was everybody's.

local rules = require "cunnekt.cli.check.rules"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() local f = cunnekt.filter\n'

local function check(code, ...)
  local found = {}
  for i, problem in ipairs(rules.check(HEAD .. code:format(...), "")) do
    found[i] = ("%d: %s"):format(problem.line, problem.message)
  end
  return found
end

local function of_dialog(body)
  return check("bot:dialog('d', function(chat)\n%s\nend)", body)
end

local function of_handler(what, body)
  return check("bot:on('%s', function(msg)\n%s\nend)", what, body)
end

describe("cunnekt check, of what may be nil,", function()
  it("names answers whose fields are used without a look", function()
    for body, name in pairs {
      ["print(chat:ask('?', { timeout = 60 }).text)"] = "ask",
      ["local a = chat:ask('?', { tries = 2 }) print(a.text)"] = "ask",
      ["print(chat:ask_buttons { body = 'x', timeout = 5, buttons = { { id = 'y', title = 'Yes' } } }.reply.id)"] = "ask_buttons",
      ["local a = chat:ask_template('1', { timeout = 60 }) local function say() print(a.payload) end say()"] = "ask_template",
    } do
      local said = ("3: chat:%s gives nil when its timeout or its tries are over; look first: if not answer then … end"):format(name)
      assert.same({ said }, of_dialog(body), body)
    end
  end)

  it("leaves alone answers that are looked at, or always come", function()
    for _, body in ipairs {
      "local a, err = chat:ask('?', { timeout = 60 }) if err then return end print(a.text)", "local a = chat:ask('?', { timeout = math.huge }) print(a.text)",
      "print(chat:ask('?').text)", "local a = chat:ask('?', { timeout = 60 }) if a then print(a.text) end",
      "local a = chat:ask('?', { timeout = 60 }) print(a and a.text)", "local a = chat:ask('?', { timeout = 60 }) a = a or {} print(a.text)",
      "local a = chat:ask('?', { timeout = 60 }) a = chat:ask('!') print(a.text)", "print((chat:ask('?', { timeout = 60 }) or chat:ask('!')).text)",
      "local a = assert(chat:ask('?', { timeout = 60 })) print(a.text)", "local a = chat:ask('?', { remind = { after = 5, text = 'x' } }) print(a.text)",
      "for _, one in ipairs(chat:collect { timeout = 5 } or {}) do print(one.id) end",
    } do
      assert.same({}, of_dialog(body), body)
    end
  end)

  it("names the text of any message", function()
    for _, what in ipairs { "message", "any" } do
      for _, body in ipairs { "print(msg.text:lower())", "local said = 'You said ' .. msg.text print(said)", "local t = msg.text print(1) print(msg.text .. '!')" } do
        assert.same({ '3: msg.text is nil for a photo or a voice note: write bot:on("text", …), or (msg.text or "")' },
          of_handler(what, body), body)
      end
    end
  end)

  it("leaves alone a text that is surely there, or looked at", function()
    assert.same({}, of_handler("text", "print(msg.text:lower())"))
    assert.same({}, check("bot:on('message', f.text '^a', function(msg) %s end)", "print(msg.text:lower())"))
    for _, before in ipairs {
      "bot:use(function(m, next) if m.text then return next() end end)", "bot:on('message', function(m) return m.text and 'next' end)",
    } do
      assert.same({}, check(before .. " bot:on('message', function(msg) %s end)", "print(msg.text:lower())"))
    end
    assert.same({}, of_handler("message", "msg.text = msg.text or '' print(msg.text:lower())"))
    for _, body in ipairs {
      "if msg.text then print(msg.text:lower()) end", "if msg.type ~= 'text' then return end print(msg.text:lower())",
      "print((msg.text or ''):lower())", "print(msg.text and msg.text:lower())", "print(msg.text)",
    } do
      assert.same({}, of_handler("message", body), body)
    end
  end)
end)

describe("cunnekt check, of filters,", function()
  it("names those that and, or and not take apart", function()
    for matcher, said in pairs {
      ["f.from '919999999999' and f.text 'refund'"] = "filters are combined with &: Lua's 'and' takes only the last one",
      ["f.text 'a' or f.text 'b'"] = "filters are combined with |: Lua's 'or' takes only the first one",
      ["not f.media()"] = "a filter is turned round with ~: Lua's 'not' gives false, and no filter",
    } do
      assert.same({ "2: " .. said }, check("bot:on('message', %s, print)", matcher))
    end
  end)

  it("leaves alone a choice between two", function()
    for _, matcher in ipairs { "f.from '919999999999' & f.text 'a' | ~f.media()", "HARD and f.text 'a' or f.media()", "GIVEN or f.media()" } do
      assert.same({}, check("HARD, GIVEN = os.getenv 'X', nil bot:on('message', %s, print)", matcher))
    end
  end)
end)

-- A check that forgets its `return true` asks the same question for ever, and nothing is in the log.
describe("cunnekt check, of checks of answers,", function()
  local function of_check(body)
    return check("local function fits(msg) %s end bot:dialog('d', function(chat)\nchat:ask('?', { check = fits })\nend)", body)
  end

  it("names those that are never true", function()
    assert.same({ "3: chat:ask: check: the function returns nothing, so no answer is valid; write return …" }, of_check "tonumber(msg.text)")
    for _, body in ipairs { "if not tonumber(msg.text) then return false, 'no' end", "if msg.text then return nil end return false" } do
      assert.same({ "3: chat:ask: check: the function never returns true, so no answer is valid; end it with return true" }, of_check(body))
    end
  end)

  it("leaves alone those that may be", function()
    for _, body in ipairs { "return tonumber(msg.text)", "if not msg.text then return false end return true", "return msg.text ~= '' and msg.text" } do
      assert.same({}, of_check(body))
    end
  end)
end)

-- Without quotes it is Lua's own function, and the event counts as handled.
describe("cunnekt check, of handlers that forward an event,", function()
  it("names a next that is none", function()
    local said = { '3: bot:on: only return "next", in quotes and small letters, forwards the event' }
    assert.same(said, of_handler("text", "print(msg) return next"))
    assert.same(said, of_handler("text", "if msg.text then return 'Next' end"))
  end)

  it("leaves alone one that is", function()
    for _, body in ipairs { "return 'next'", "local next = 'next' return next", "print(next {})", "return next(msg.chat.state) and 'next'" } do
      assert.same({}, of_handler("text", body), body)
    end
  end)
end)
