-- SPDX-License-Identifier: MIT
-- Every limit at its edge, counted in characters: one below passes, one above is an error with the numbers in it.

local build = require "cunnekt.provider.build"
local limits = require "cunnekt.provider.limits"

local NUMBER = "919999999999"
-- Two, three and four bytes: what is counted must not be bytes, nor UTF-16 units.
local characters = { "x", "é", "अ", "😀" }

local function one_button(fields)
  return build.send_buttons(NUMBER, {
    header = fields.header,
    body = fields.body or "b",
    buttons = { { id = fields.id or "1", title = fields.title or "t" } },
  })
end

local function one_row(fields)
  return build.send_list(NUMBER, {
    header = fields.header,
    body = fields.body or "b",
    list_title = fields.list_title or "l",
    list = { { id = fields.id or "1", title = fields.title or "t", description = fields.description } },
  })
end

local function form(fields)
  return build.send_form(NUMBER, { body = fields.body or "b", form_cta = fields.form_cta or "c", form_id = "1" })
end

local function link(fields)
  return build.send_cta_url(NUMBER, {
    body = fields.body or "b",
    button_text = fields.button_text or "c",
    button_url = "https://e.com",
  })
end

-- path in the error, whose limit, how long, and what makes a message with a field of that text
local edges = {
  { "text", "WhatsApp", 4096, function(s) return build.send_text(NUMBER, s) end },
  { "body", "Cunnekt", 1024, function(s) return one_button { body = s } end },
  { "body", "Cunnekt", 1024, function(s) return one_row { body = s } end },
  { "body", "Cunnekt", 1024, function(s) return form { body = s } end },
  { "body", "WhatsApp", 1024, function(s) return link { body = s } end },
  { "header", "WhatsApp", 60, function(s) return one_button { header = s } end },
  { "header.text", "WhatsApp", 60, function(s) return one_row { header = { type = "text", text = s } } end },
  { "header.text", "WhatsApp", 60, function(s) return build.send_template(NUMBER, "x", { header = { text = s } }) end },
  { "buttons[1].title", "Cunnekt", 24, function(s) return one_button { title = s } end },
  { "buttons[1].id", "WhatsApp", 256, function(s) return one_button { id = s } end },
  { "list_title", "Cunnekt", 24, function(s) return one_row { list_title = s } end },
  { "list[1].title", "Cunnekt", 24, function(s) return one_row { title = s } end },
  { "list[1].description", "WhatsApp", 72, function(s) return one_row { description = s } end },
  { "list[1].id", "WhatsApp", 200, function(s) return one_row { id = s } end },
  { "form_cta", "Cunnekt", 20, function(s) return form { form_cta = s } end },
  { "button_text", "WhatsApp", 20, function(s) return link { button_text = s } end },
  { "caption", "WhatsApp", 1024, function(s) return build.send_image(NUMBER, "https://e.com/a", s) end },
  { "caption", "WhatsApp", 1024, function(s) return build.send_document(NUMBER, "https://e.com/a", s) end },
}

before_each(function()
  limits.forget_warnings()
  limits.set_logger(function() end)
end)

after_each(function()
  limits.set_logger(nil)
end)

describe("a limit", function()
  for _, edge in ipairs(edges) do
    local field, whose, most, make = table.unpack(edge)
    it(("of %d characters holds for %s"):format(most, field), function()
      for _, character in ipairs(characters) do
        assert.is_table(make(character:rep(most)))
        local payload, err = make(character:rep(most + 1))
        assert.is_nil(payload)
        assert.are.same({ "invalid", field, most, most + 1 }, { err.kind, err.field, err.limit, err.length })
        assert.are.equal(("%s is %d characters long; %s allows %d"):format(field, most + 1, whose, most), err.message)
      end
    end)
  end

  it("is about characters, so bytes that are none are named", function()
    for _, bad in ipairs { "ab\xff", "ab\xc3", "ab\xed\xa0\x80", "ab\xf5\x80\x80\x80" } do
      local payload, err = build.send_text(NUMBER, bad)
      assert.is_nil(payload)
      assert.are.equal("text", err.field)
      assert.matches("text is not UTF%-8: byte 3 is 0x%x%x", err.message)
    end
  end)
end)

describe("warnings", function()
  it("go once to the logger that was set, for each limit, and never hold the text", function()
    local heard = {}
    limits.set_logger(function(message)
      heard[#heard + 1] = message
    end)
    for _ = 1, 2 do
      assert(one_button { title = ("s"):rep(22) })
      assert(one_row { list_title = ("s"):rep(24) })
    end
    assert.are.same({
      "buttons[1].title is 22 characters long; Cunnekt allows 24, but WhatsApp itself only 20",
      "list_title is 24 characters long; Cunnekt allows 24, but WhatsApp itself only 20",
    }, heard)
  end)

  it("give the logger before back when another is set", function()
    local function logger() end
    limits.set_logger(logger)
    assert.are.equal(logger, limits.set_logger(nil))
  end)
end)
