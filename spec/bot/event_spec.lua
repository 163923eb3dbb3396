-- SPDX-License-Identifier: MIT
-- What a handler gets: the parsed event with its methods, and the chat that belongs to it.

local chat = require "cunnekt.bot.chat"
local event = require "cunnekt.bot.event"

local contact = "1:919999999999"

describe("an event", function()
  local asked, scope

  before_each(function()
    asked = {}
    scope = {
      dialogs = {
        plan = function(_, ...)
          asked.plan = { ... }
        end,
      },
      engine = {
        client = {
          download = function(_, ...)
            asked.download = { ... }
            return "result"
          end,
        },
      },
    }
  end)

  local function bind(fields, its_contact)
    return event.bind(scope, its_contact or contact, fields)
  end

  it("is the parsed table itself", function()
    local parsed = { kind = "message", type = "text", text = "hi" }
    assert.equal(parsed, bind(parsed))
    assert.equal("hi", parsed.text)
  end)

  it("has one chat, with the conversation and who wrote", function()
    local msg = bind { kind = "message", from = "919999999999" }
    assert.equal(msg.chat, msg.chat)
    assert.are.same({ contact, "919999999999" }, { msg.chat.contact, msg.chat.to })
  end)

  it("has a chat with a user id where there is no number, and with the recipient of a status", function()
    assert.equal("IN.1", bind({ kind = "message", user_id = "IN.1" }, "1:IN.1").chat.to)
    assert.equal("919999999999", bind({ kind = "message", user_id = "IN.1" }).chat.to, "known from earlier messages")
    assert.equal("918888888888", bind({ kind = "status", recipient = "918888888888" }, "1:918888888888").chat.to)
    assert.is_nil(bind({ kind = "unknown" }, "1:").chat.to)
  end)

  it("that is a message has every reply of its chat, and no other event has", function()
    local msg = bind { kind = "message", from = "919999999999" }
    for _, kind in ipairs(chat.kinds) do
      assert.is_function(msg["reply_" .. kind], kind)
      assert.is_function(msg.chat["reply_" .. kind], kind)
    end
    for _, kind in ipairs { "status", "own", "unknown", "error" } do
      local it_ = bind { kind = kind }
      assert.are.same({ nil, nil, nil }, { it_.reply_text, it_.start, it_.download })
    end
  end)

  it("replies through its chat", function()
    local msg = bind { kind = "message", from = "1" } -- too short for a number
    local handle, err = msg:reply_text "hi"
    assert.are.same({ nil, "invalid" }, { handle, err.kind })
    assert.is_table(rawget(msg, "chat"))
  end)

  it("has no field that nobody gave it", function()
    assert.is_nil(bind({ kind = "message" }).never)
    assert.is_nil(bind({ kind = "status" }).never)
  end)

  it("begins a dialog with its contact", function()
    bind({ kind = "message", from = "919999999999" }):start("order", { n = 1 }, { replace = true })
    local plan = { name = "order", contact = contact, to = "919999999999", args = { n = 1 }, is_remark = false }
    assert.are.same({ "msg:start", plan, { replace = true } }, asked.plan)
    bind({ kind = "message", user_id = "IN.1" }, "1:IN.1"):start "order"
    assert.are.same({ "msg:start", { name = "order", contact = "1:IN.1", to = "IN.1", is_remark = false } }, asked.plan)
  end)

  it("downloads its media, and checks the webhook's checksum unless another is given", function()
    local msg = bind { kind = "message", id = "wamid.1", type = "image", media = { sha256 = "abc" } }
    assert.equal("result", msg:download { path = "x.jpg" })
    assert.are.same({ "wamid.1", { path = "x.jpg", sha256 = "abc" } }, asked.download)
    local opts = { path = "x.jpg", sha256 = "def" }
    msg:download(opts)
    assert.are.same({ path = "x.jpg", sha256 = "def" }, asked.download[2])
    assert.are_not.equal(opts, asked.download[2])
  end)

  it("without media has nothing to download, and says so at the script's line", function()
    local ok, message = pcall(function()
      local result = bind({ kind = "message", type = "text" }):download { path = "x" }
      return result
    end)
    assert.is_false(ok)
    assert.matches("event_spec.lua:%d+: msg:download: a message of type 'text' has no media", message)
  end)

  -- What copies the options raised an error about a 'for iterator'.
  it("takes no path in place of the options, and says what to write", function()
    local ok, message = pcall(function()
      local result = bind({ kind = "message", type = "image", media = {} }):download "x.jpg"
      return result
    end)
    assert.is_false(ok)
    assert.matches("event_spec.lua:%d+: msg:download: options must be a table, got string; write msg:download { path = \"photo.jpg\" }$", message)
  end)
end)
