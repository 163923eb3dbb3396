-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local route = require "cunnekt.bot.route"

local function text(body)
  return { kind = "message", type = "text", text = body }
end

local function button(id)
  return { kind = "message", type = "button", text = "Title", reply = { id = id, title = "Title" } }
end

describe("routes", function()
  local heard, routes

  before_each(function()
    heard, routes = {}, route.new()
  end)

  local function note(name, verdict)
    return function()
      heard[#heard + 1] = name
      return verdict
    end
  end

  local function on(what, matcher, handler)
    routes:add(what, matcher, handler, nil, 2)
  end

  it("run the first handler that matches", function()
    on("text", "^[Hh]i", note "hi")
    on("text", nil, note "other")
    routes:dispatch(text "Hi there")
    routes:dispatch(text "Bye")
    assert.are.same({ "hi", "other" }, heard)
  end)

  it("pass on where a handler returns next", function()
    on("any", nil, note("log", "next"))
    on("message", nil, note "message")
    on("text", nil, note "never")
    routes:dispatch(text "x")
    assert.are.same({ "log", "message" }, heard)
  end)

  it("match replies by their exact id, even where it is no pattern", function()
    on("button", "100%", note "percent")
    on("button", { "a", "b" }, note "either")
    routes:dispatch(button "100%")
    routes:dispatch(button "b")
    routes:dispatch(button "ab")
    assert.are.same({ "percent", "either" }, heard)
  end)

  it("match captions, payloads and status ids", function()
    on("image", "receipt", note "image")
    on("quick_reply", "YES", note "payload")
    on("delivered", "wamid.1", note "status")
    routes:dispatch { kind = "message", type = "image", text = "my receipt" }
    routes:dispatch { kind = "message", type = "quick_reply", text = "Yes!", payload = "YES" }
    routes:dispatch { kind = "status", status = "delivered", id = "wamid.1" }
    routes:dispatch { kind = "status", status = "delivered", id = "wamid.2" }
    assert.are.same({ "image", "payload", "status" }, heard)
  end)

  it("take a function or a callable table as the matcher", function()
    on("text", function(event)
      return #event.text > 3
    end, note "long")
    on("text", setmetatable({}, {
      __call = function(_, event)
        return event.text == "yes"
      end,
    }), note "yes")
    routes:dispatch(text "long one")
    routes:dispatch(text "yes")
    routes:dispatch(text "no")
    assert.are.same({ "long", "yes" }, heard)
  end)

  it("take a list of strings, functions, filters and actions, of which an action gives its values", function()
    local yes, no = cunnekt.action("yes", { "id:integer" }), cunnekt.action("no", { "id:integer" })
    on("button", { yes, no, "other" }, function(event)
      heard[#heard + 1] = event.action and event.action.id or event.reply.id
    end)
    on("message", { cunnekt.filter.media(), cunnekt.filter.text "photo", function(event) return event.text == "x" end }, function(event)
      heard[#heard + 1] = event.text or event.type
    end)
    for _, event in ipairs {
      button "yes:7", button "no:8", button "other", button "nothing", text "a photo", text "x", text "y", { kind = "message", type = "image", media = {} },
    } do
      routes:dispatch(event)
    end
    assert.are.same({ 7, 8, "other", "a photo", "x", "image" }, heard)
  end)

  it("hear unknown kinds, unknown types and new statuses", function()
    on("unknown", nil, note "unknown")
    on("status", nil, note "status")
    routes:dispatch { kind = "unknown", raw = {} }
    routes:dispatch { kind = "message", type = "unknown", raw = {} }
    routes:dispatch { kind = "status", status = "warned" }
    assert.are.same({ "unknown", "unknown", "status" }, heard)
  end)

  it("wrap every handler, outermost first", function()
    routes:wrap(function(_, next)
      heard[#heard + 1] = "before"
      next()
      heard[#heard + 1] = "after"
    end)
    routes:wrap(function(event, next)
      if event.text ~= "stop" then
        next()
      end
    end)
    on("text", nil, note "handler")
    routes:dispatch(text "go")
    routes:dispatch(text "stop")
    assert.are.same({ "before", "handler", "after", "before", "after" }, heard)
  end)

  it("see handlers that are added later", function()
    on("text", "a", note "a")
    routes:dispatch(text "b")
    on("text", "b", note "b")
    routes:dispatch(text "b")
    assert.are.same({ "b" }, heard)
  end)

  -- It was taken, and never fitted: an opt-out written so was lost.
  it("takes no string for events that have nothing to compare it with", function()
    local others = route.new()
    for _, what in ipairs {
      "reaction", "location", "form", "system", "user_preferences", "automatic_event", "account", "message_template_status_update",
      "error", "accepted", "window_closing",
    } do
      for _, matcher in ipairs { "stop", { "stop" } } do
        assert.error_matches(function()
          others:add(what, matcher, print, nil, 1)
        end, "'" .. what .. "' has neither text nor an id")
      end
      others:add(what, function() return true end, print, nil, 1)
    end
    for _, what in ipairs { "image", "edit", "echo", "any", "unknown", "failed", "status", "call", "payment", "group" } do
      others:add(what, "stop", print, nil, 1)
    end
  end)

  it("refuse what is not known, naming what may be meant", function()
    assert.error_matches(function()
      on("txt", nil, print)
    end, "did you mean 'text'")
    assert.error_matches(function()
      on("text", "[a", print)
    end, "not a Lua pattern")
    assert.error_matches(function()
      on("text", { 1 }, print)
    end, "a list of matchers must hold strings, filters, actions or functions, got number$")
    assert.error_matches(function()
      on("text", { "a", cunnekt.filter.media }, print)
    end, "filter.media makes a filter when it is called; write filter.media%(…%)$")
    assert.error_matches(function()
      on("text", { nil, "a" }, print)
    end, "a list of matchers must hold strings, filters, actions or functions, got nil$")
    assert.error_matches(function()
      on("message", cunnekt.filter.media, print)
    end, "filter.media makes a filter when it is called; write filter.media%(…%)$")
    assert.error_matches(function()
      on("text", 7, print)
    end, "the matcher must be a string")
    assert.error_matches(function()
      on("text", nil, "print")
    end, "handler must be a function")
  end)
end)
