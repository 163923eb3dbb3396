-- SPDX-License-Identifier: MIT
-- Filters: what each fits, and how they combine.

local cunnekt = require "cunnekt"
local route = require "cunnekt.bot.route"

local filter = cunnekt.filter

local function text(words, from)
  return { kind = "message", type = "text", text = words, from = from or "919999999999" }
end

local function button(id)
  return { kind = "message", type = "button", reply = { id = id }, from = "919999999999" }
end

local image = { kind = "message", type = "image", text = "hi there", media = { id = "1", caption = "hi there" }, from = "918888888888" }

describe("filter", function()
  it("fits what it says", function()
    local cases = {
      { filter.text "^hi", { text "hi", image }, { text "oh hi", button "hi" } },
      { filter.button "yes", { button "yes" }, { button "yes!", text "yes", { kind = "message", type = "list", reply = { id = "yes" } } } },
      { filter.button("yes", "no"), { button "yes", button "no" }, { button "maybe" } },
      { filter.button { "yes", "no" }, { button "no" }, { button "maybe" } },
      { filter.button(), { button "anything" }, { text "yes" } },
      { filter.list "a", { { kind = "message", type = "list", reply = { id = "a" } } }, { button "a" } },
      { filter.quick_reply "p", { { kind = "message", type = "quick_reply", payload = "p" } }, { button "p" } },
      { filter.quick_reply(), { { kind = "message", type = "quick_reply", payload = "p" } }, { button "p" } },
      { filter.from "+91 88888 88888", { image }, { text "hi", { kind = "status", status = "sent" } } },
      { filter.from { "919999999999", "918888888888" }, { text "hi", image }, { text("hi", "917777777777") } },
      { filter.from "+55 31 98765-4321", { text("hi", "553187654321"), text("hi", "5531987654321") }, { text("hi", "553187654322") } },
      { filter.from "IN.1", { { kind = "message", type = "text", user_id = "IN.1" } }, { text "hi" } },
      { filter.media(), { image }, { text "hi", { kind = "error" } } },
      { filter.type { "image", "video" }, { image }, { text "hi" } },
      { filter.type("text", "failed"), { text "hi", { kind = "status", status = "failed" } }, { image, { kind = "status", status = "sent" } } },
      { filter.type "message", { text "hi", image }, { { kind = "status", status = "sent" } } },
      { filter.fn(function(msg) return msg.text == "x" end), { text "x" }, { text "y" } },
    }
    for i, case in ipairs(cases) do
      for _, event in ipairs(case[2]) do
        assert.is_true(case[1](event), i)
      end
      for _, event in ipairs(case[3]) do
        assert.is_false(case[1](event), i)
      end
    end
  end)

  it("combines with &, | and ~, with functions and actions", function()
    local act = cunnekt.action("order", { "id" })
    local vip = filter.from "919999999999"
    local both = vip & filter.text "^hi"
    assert.is_true(both(text "hi"))
    assert.is_false(both(text("hi", "917777777777")))
    assert.is_true((vip | filter.media())(image))
    assert.is_false((~vip)(text "hi"))
    assert.is_true((~vip & ~filter.text "^bye")(image))
    local weekday = function() return true end
    assert.is_true((vip & weekday)(text "x"))
    assert.is_true((weekday & vip)(text "x"))
    local click = button "order:7"
    assert.is_true((vip & act)(click))
    assert.equal(7, click.action.id)
    assert.is_true((act | vip)(text "x"))
    assert.is_false((~act)(click))
    -- What the first decides, the second is not asked.
    local asked = false
    local ask = filter.fn(function() asked = true end)
    assert.is_false((filter.media() & ask)(text "x"))
    assert.is_true((vip | ask)(text "x"))
    assert.is_false(asked)
  end)

  it("is a matcher of bot:on", function()
    local routes, got = route.new(), {}
    routes:add("message", filter.from "919999999999" & (filter.media() | filter.text "^hi"), function(msg)
      got[#got + 1] = msg.type
    end, nil, 2)
    routes:dispatch(text "hi")
    routes:dispatch(text "no")
    routes:dispatch(image)
    assert.are.same({ "text" }, got)
  end)

  -- WhatsApp names a person by number, user id or both, by turns: colleagues were greeted as customers.
  it("knows a person by each id, and by those that their conversation knows", function()
    local number, user_id = "919999999999", "IN.1"
    local known, asked = { number = number, user_id = user_id }, 0
    local function event(from, id)
      return setmetatable({ kind = "message", type = "text", from = from, user_id = id }, { __index = function(_, name)
        asked = asked + (name == "chat" and 1 or 0)
        return name == "chat" and known or nil
      end })
    end
    for _, wanted in ipairs { number, user_id } do
      local it = filter.from(wanted)
      assert.is_true(it(event(number, user_id)) and it(event(number)) and it(event(nil, user_id)))
    end
    assert.equal(2, asked)
    known = { number = "918888888888" }
    assert.is_false(filter.from(user_id)(event "918888888888") or filter.from(number)(event(nil, "IN.2")))
    asked = 0
    assert.is_false(filter.from(number)(event "918888888888") or filter.from(number)(event()))
    assert.equal(0, asked)
  end)

  it("blames the script's line for a mistake", function()
    local function problem(fn, ...)
      local arguments = table.pack(...)
      local ok, message = pcall(function()
        local it = fn(table.unpack(arguments, 1, arguments.n))
        return it
      end)
      assert.is_false(ok)
      assert.truthy(message:find("filter_spec.lua:", 1, true), message)
      return (message:gsub("^.-:%d+: ", ""))
    end
    assert.truthy(problem(filter.text, "[a"):find("filter.text: '[a' is not a Lua pattern", 1, true))
    assert.truthy(problem(filter.text):find("filter.text: expected a string, got nil", 1, true))
    assert.equal("filter.type: unknown event 'imag' (did you mean 'image'?)", problem(filter.type, "imag"))
    assert.equal("filter.from: number 2 is not a phone number: it has letters", problem(filter.from, "919999999999", "me"))
    assert.not_matches("98765", problem(filter.from, "9876543210"))
    assert.matches("such as %+919999999999$", problem(filter.from, "9876543210")) -- no option of a bot would help
    assert.equal("filter.from: expected strings, got number", problem(filter.from, 919999999999))
    assert.equal("filter.fn: expected a function, got nil", problem(filter.fn))
    for name in pairs { media = true, text = true, fn = true } do
      assert.equal(("filter: filter.%s makes a filter when it is called; write filter.%s(…)"):format(name, name), problem(function()
        local it = filter.media() & filter[name]
        return it
      end))
    end
    assert.equal("filter: expected a filter, an action or a function, got string", problem(function()
      local it = filter.media() & "image"
      return it
    end))
  end)
end)
