-- SPDX-License-Identifier: MIT
-- Values that WhatsApp refuses after it has taken the message, where nobody looks: line breaks, tabs and rows of blanks in a
-- template's parameters, line breaks in titles, and addresses that are not the web's. Builder, client and sandbox refuse them
-- alike, before. And a template's values by name.

local build = require "cunnekt.provider.build"
local client = require "cunnekt.provider.client"
local http = require "cunnekt.provider.http"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"
local sandbox = require "cunnekt.sandbox"

local NUMBER = "919999999999"

local bad_values = {
  { "two\nlines", "line break" }, { "two\r\nlines", "line break" }, { "two\rlines", "line break" }, { "a\vb", "line break" },
  { "a\u{2028}b", "line break" }, { "a\u{2029}b", "line break" }, { "a\u{85}b", "line break" }, { "ends\n", "line break" },
  { "a\tb", "tab" }, { "\tb", "tab" }, { "a     b", "4 blanks" }, { "      b", "4 blanks" },
}
local good_values = { "a    b", "é", "a\u{A0}b", "₹ 500 – “ok”", "a\u{2026}b", "नमस्ते" }

-- Each place of a template's parameter: a message with the value there, and the field.
local parameters = {
  function(value) return { body = { "x", value } }, "body[2]" end,
  function(value) return { body = { city = value } }, "body.city" end,
  function(value) return { header = value }, "header" end,
  function(value) return { header = { text = value } }, "header.text" end,
  function(value) return { header = { text = { sale = value } } }, "header.text.sale" end,
  function(value) return { buttons = { { type = "url", text = value } } }, "buttons[1].text" end,
  function(value)
    local card = { image = "https://a.example/1.png", body = { value } }
    return { cards = { card, card } }, "cards[1].body[1]"
  end,
  function(value)
    local card = { image = "https://a.example/1.png", body = value }
    return { cards = { { image = "https://a.example/1.png" }, card } }, "cards[2].body[1]"
  end,
  function(value)
    return { components = { { type = "body", parameters = { { type = "text", text = value } } } } }, "components[1].parameters[1].text"
  end,
  function(value)
    local card = { card_index = 0, components = { { type = "BODY", parameters = { { type = "TEXT", text = value } } } } }
    return { components = { { type = "CAROUSEL", cards = { card } } } }, "components[1].cards[1].components[1].parameters[1].text"
  end,
}

-- The same for titles, labels and headers, which have one line.
local lines = {
  function(value) return "send_buttons", { body = "b", buttons = { { id = "1", title = value } } }, "buttons[1].title" end,
  function(value) return "send_buttons", { header = value, body = "b", buttons = { { id = "1", title = "t" } } }, "header" end,
  function(value)
    return "send_list", { header = { type = "text", text = value }, body = "b", list_title = "l", list = { { id = "1", title = "t" } } }, "header.text"
  end,
  function(value) return "send_list", { body = "b", list_title = value, list = { { id = "1", title = "t" } } }, "list_title" end,
  function(value) return "send_list", { body = "b", list_title = "l", list = { { id = "1", title = value } } }, "list[1].title" end,
  function(value) return "send_form", { body = "b", form_cta = value, form_id = "1" }, "form_cta" end,
  function(value) return "send_cta_url", { body = "b", button_text = value, button_url = "https://a.example" }, "button_text" end,
}

local bad_urls = {
  "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.example/x", "mailto:a@b.example",
  "vbscript:x", "tel:+91", "http://", "https:///x", "https:a.example", "http://?x", "blob:https://a.example/1",
}

local urls = {
  function(url) return "send_cta_url", { { body = "b", button_text = "t", button_url = url } }, "button_url" end,
  function(url) return "send_image", { url }, "image" end,
  function(url) return "send_video", { url, "caption" }, "video" end,
  function(url) return "send_document", { url }, "document" end,
  function(url) return "send_audio", { url }, "audio" end,
  function(url) return "send_template", { "t", { header = { image = url } } }, "header.image" end,
  function(url) return "send_template", { "t", { header = { document = url, filename = "a.pdf" } } }, "header.document" end,
  function(url) return "send_template", { "t", { cards = { { video = url }, { image = url } } } }, "cards[1].video" end,
  function(url)
    local header = { type = "header", parameters = { { type = "image", image = { link = url } } } }
    return "send_template", { "t", { components = { header } } }, "components[1].parameters[1].image.link"
  end,
}

local function assert_refused(field, pattern, payload, err)
  assert.is_nil(payload)
  assert.are.same({ "invalid", field }, { err.kind, err.field })
  assert.equal(field, err.message:sub(1, #field))
  assert.matches(pattern, err.message)
end

before_each(function()
  limits.set_logger(function() end)
end)

after_each(function()
  limits.set_logger(nil)
end)

describe("a template's parameter", function()
  it("is refused with a line break, a tab or more than four blanks in a row, wherever it stands", function()
    for _, place in ipairs(parameters) do
      for _, bad in ipairs(bad_values) do
        local message, field = place(bad[1])
        assert_refused(field, bad[2], build.send_template(NUMBER, "t", message))
      end
      for _, good in ipairs(good_values) do
        assert(build.send_template(NUMBER, "t", (place(good))))
      end
    end
  end)

  it("is refused in the provider's own form as well", function()
    local body = { type = "body", parameters = { { type = "text", text = "a\nb" } } }
    local raw = { mobile = NUMBER, templateid = "t", template = { components = { body } } }
    assert_refused("template.components[1].parameters[1].text", "line break", build.send(raw))
  end)

  -- The commonest mistake in what is pasted from the dashboard: a variable of the script that is nil.
  it("is refused where it is missing or no text, in components as they are", function()
    local function of(parameter)
      return build.send_template(NUMBER, "t", { components = { { type = "body", parameters = { parameter } } } })
    end
    assert_refused("components[1].parameters[1].text", "missing", of { type = "text" })
    assert_refused("components[1].parameters[1].text", "missing", of { type = "TEXT", text = json.null })
    assert_refused("components[1].parameters[1].text", "number", of { type = "text", text = 5 })
  end)

  it("is no data of a form, which may hold any text", function()
    local data = { items = { { type = "text", text = "a\nb" }, { type = "text", link = "./x" } } }
    local flow = { type = "button", sub_type = "flow", index = "0", parameters = { { type = "action", action = { flow_token = "t", flow_action_data = data } } } }
    assert.are.same({ flow }, assert(build.send_template(NUMBER, "t", { components = { flow } })).template.components)
  end)

  it("has 1024 characters in a body, and 32768 where that is all", function()
    local function body(length, more)
      more = more or {}
      more.body = { ("ü"):rep(length) }
      return build.send_template(NUMBER, "t", more)
    end
    assert(body(32768) and body(1024, { header = "h" }))
    for _, payload in ipairs { { body(32769) }, { body(1025, { header = "h" }) }, { body(1025, { buttons = { { type = "url", text = "x" } } }) } } do
      assert_refused("body[1]", "WhatsApp allows", table.unpack(payload, 1, 2))
    end
  end)

  it("may be a payload of any form, which comes back as it is", function()
    assert(build.send_template(NUMBER, "t", { buttons = { { type = "quick_reply", payload = "a\nb\t     c" } } }))
  end)
end)

describe("a title, a label and a header", function()
  it("are refused with a line break, and a text with one is not", function()
    for _, place in ipairs(lines) do
      for _, bad in ipairs { "a\nb", "a\r\nb", "a\u{2028}b", "\nb", "b\n" } do
        local name, message, field = place(bad)
        assert_refused(field, "line break", build[name](NUMBER, message))
      end
      for _, good in ipairs { "é", "a b", "नमस्ते", "a\u{2013}b" } do
        local name, message = place(good)
        assert(build[name](NUMBER, message))
      end
    end
    assert(build.send_text(NUMBER, "two\nlines\tand     blanks"))
    assert(build.send_buttons(NUMBER, { body = "two\nlines", buttons = { { id = "1", title = "t" } } }))
    assert(build.send_image(NUMBER, "https://a.example/i.png", "two\nlines"))
  end)
end)

describe("the id of a choice", function()
  it("is refused with a blank around it", function()
    for _, bad in ipairs { " a", "a ", "a\n", "\ta" } do
      assert_refused("buttons[1].id", "blank", build.send_buttons(NUMBER, { body = "b", buttons = { { id = bad, title = "t" } } }))
      assert_refused("list[1].id", "blank", build.send_list(NUMBER, { body = "b", list_title = "l", list = { { id = bad, title = "t" } } }))
      local raw = { mobile = NUMBER, type = "button", body = "b", buttons = { { type = "reply", reply = { id = bad, title = "t" } } } }
      assert_refused("buttons[1].reply.id", "blank", build.send(raw))
    end
    assert(build.send_buttons(NUMBER, { body = "b", buttons = { { id = "a b", title = "t" } } }))
  end)
end)

describe("an address", function()
  it("is refused when it is a path of this machine, and may be without its scheme", function()
    for _, place in ipairs(urls) do
      for _, bad in ipairs { "menu.png", "Menu.PDF", "./menu", "../a/menu.png", "/srv/menu.png", "~/menu.png", "images/menu.png", "a\\menu.png" } do
        local name, arguments, field = place(bad)
        assert_refused(field, "is a path of this machine, not a web address$", build[name](NUMBER, table.unpack(arguments)))
      end
      for _, good in ipairs { "shop.example", "shop.example/menu.png", "shop.example?file=menu.png", "documentfile_url", "{URL}" } do
        local name, arguments = place(good)
        assert(build[name](NUMBER, table.unpack(arguments)))
      end
    end
  end)

  it("is refused when it is not the web's, wherever it stands", function()
    for _, place in ipairs(urls) do
      for _, bad in ipairs(bad_urls) do
        local name, arguments, field = place(bad)
        assert_refused(field, "not a web address", build[name](NUMBER, table.unpack(arguments)))
      end
      for _, good in ipairs { "https://a.example/x?y=javascript:z", "HTTP://a.example:8080/x", "https://[::1]/x" } do
        local name, arguments = place(good)
        assert(build[name](NUMBER, table.unpack(arguments)))
      end
    end
  end)
end)

describe("a template's values by name", function()
  local function components(message)
    return assert(build.send_template(NUMBER, "t", message)).template.components
  end

  it("have WhatsApp's form, in an order that is always the same", function()
    local made = components { header = { text = { sale = "Diwali" } }, body = { order_no = "7", name = "Asha" } }
    assert.are.same({
      { type = "header", parameters = { { type = "text", parameter_name = "sale", text = "Diwali" } } },
      {
        type = "body",
        parameters = {
          { type = "text", parameter_name = "name", text = "Asha" },
          { type = "text", parameter_name = "order_no", text = "7" },
        },
      },
    }, made)
    local card = { image = "https://a.example/1.png", body = { price = "5" } }
    local body = components({ cards = { card, card } })[1].cards[2].components[2]
    assert.are.same({ type = "BODY", parameters = { { type = "TEXT", parameter_name = "price", text = "5" } } }, body)
  end)

  it("are refused with a name that is none, beside a list, and empty", function()
    assert_refused("body", "Order.*no name of a variable", build.send_template(NUMBER, "t", { body = { ["Order No"] = "7" } }))
    assert_refused("body", "list", build.send_template(NUMBER, "t", { body = { "x", name = "Asha" } }))
    assert_refused("body.name", "empty", build.send_template(NUMBER, "t", { body = { name = "" } }))
    assert_refused("body.name", "must be a string", build.send_template(NUMBER, "t", { body = { name = 5 } }))
    assert_refused("header.text", "more than one", build.send_template(NUMBER, "t", { header = { text = { a = "1", b = "2" } } }))
  end)
end)

describe("client and sandbox", function()
  it("refuse the same with the same sentence", function()
    local its_client = client.new { api_key = "k", base_url = "http://127.0.0.1:1/v1", rate = 0, pair_rate = 0 }
    local _, err = its_client:send_template(NUMBER, "t", { body = { "a\nb" } })
    assert.are.same({ "invalid", "body[1]" }, { err.kind, err.field })
    _, err = its_client:send_cta_url(NUMBER, { body = "b", button_text = "t", button_url = "javascript:x" })
    assert.are.same({ "invalid", "button_url" }, { err.kind, err.field })

    local box = assert(sandbox.new())
    local payloads = {
      sendnotification = {
        ["template.components%[1%]"] = { mobile = NUMBER, templateid = "t", template = { components = { { type = "body", parameters = { { type = "text", text = "a\tb" } } } } } },
      },
      sendreplymessage = {
        ["button_url"] = { mobile = NUMBER, type = "cta_url", body = "b", button_text = "t", button_url = "javascript:x" },
        ["title"] = { mobile = NUMBER, type = "button", body = "b", buttons = { { type = "reply", reply = { id = "1", title = "a\nb" } } } },
      },
    }
    for endpoint, list in pairs(payloads) do
      for field, payload in pairs(list) do
        local answer = assert(http.post(box.url .. "/v1/" .. endpoint, json.encode(payload), { headers = { ["API-KEY"] = "k" } }))
        assert.equal(400, answer.status)
        assert.matches(field, answer.body)
      end
    end
    box:close()
  end)
end)
