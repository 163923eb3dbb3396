-- SPDX-License-Identifier: MIT
-- Payloads against the provider's own collection, and every refusal that keeps a bad one from going out.

local build = require "cunnekt.provider.build"
local canonical = require "spec.support.canonical"
local json = require "cunnekt.base.json"
local limits = require "cunnekt.provider.limits"

local NUMBER = "919999999999"

-- A request of the provider's collection, with the number filled in where it has a placeholder.
local function collected(name)
  local file = assert(io.open("spec/fixtures/requests/" .. name .. ".json", "rb"))
  local text = file:read "a"
  file:close()
  return (text:gsub("mobile_number_with_country_code", NUMBER))
end

local function assert_wire(name, payload, err)
  assert.is_nil(err)
  -- As it goes out, not as it lies in memory.
  assert.are.equal(canonical.of(collected(name)), canonical.of(json.encode(payload)))
end

local function assert_refused(field, pattern, payload, err)
  assert.is_nil(payload)
  assert.are.equal("invalid", err.kind)
  assert.are.equal(field, err.field)
  assert.matches(pattern, err.message)
  return err
end

local function numbered(from, to, prefix)
  local list = {}
  for i = from, to do
    list[#list + 1] = { id = tostring(i), title = prefix .. i }
  end
  return list
end

local warnings

before_each(function()
  warnings = {}
  limits.forget_warnings()
  limits.set_logger(function(message)
    warnings[#warnings + 1] = message
  end)
end)

after_each(function()
  limits.set_logger(nil)
end)

describe("build makes the collection's own request", function()
  it("of a template", function()
    assert_wire("template", build.send_template(NUMBER, "asdasdDSDsd"))
    assert_wire("template", build.send_template(NUMBER, "asdasdDSDsd", { body = {} }))
  end)

  it("of a template with media and variables", function()
    assert_wire(
      "template_media",
      build.send_template(NUMBER, "sdsdDSDdssd", {
        header = { image = "https://yourdomain.com/filename.jpg" },
        body = { "variable_1_value", "variable_2_value" },
      })
    )
    assert_wire(
      "template_media_example",
      build.send_template(NUMBER, "DFasdfdfFSFDF", {
        header = {
          image = "https://www.cunnekt.com/wp-content/themes/twentytwenty-child/images/wts_4.jpg",
        },
        body = { "Vivek", "Rs. 999" },
      })
    )
  end)

  it("of a carousel", function()
    local cards = {}
    for i = 1, 3 do
      cards[i] = {
        image = "{URL}",
        buttons = {
          { type = "quick_reply", payload = ("card_%d_button_0"):format(i - 1) },
          { type = "url", payload = ("card_%d_button_1"):format(i - 1) },
        },
      }
    end
    local payload = assert(build.send_template(NUMBER, "1036659577939498", { cards = cards, override_bot = true }))
    assert.are.equal("yes", payload.overridebot)
    payload.overridebot = "yes/no"
    assert_wire("template_carousel", payload)
  end)

  it("of a text", function()
    assert_wire("text", build.send_text(NUMBER, "Hi. how are you doing?"))
    assert_wire("text_example", build.send_text(NUMBER, "Hi. how are you doing?"))
  end)

  it("of buttons", function()
    local spec = { header = "header_text_message", body = "body_text_message", buttons = numbered(1, 3, "") }
    for i, button in ipairs(spec.buttons) do
      button.title = ("button_%d_label"):format(i)
    end
    assert_wire("button", build.send_buttons(NUMBER, spec))
    spec.header = { type = "text", text = "header_text_message" }
    assert_wire("button", build.send_buttons(NUMBER, spec))
    assert_wire(
      "button_example",
      build.send_buttons(NUMBER, {
        header = "Dear Customer!",
        body = "How would you like to rate our Services?",
        buttons = {
          { id = "1", title = "Good" },
          { id = "2", title = "Excellent" },
          { id = "3", title = "Could be better" },
        },
      })
    )
  end)

  it("of a list", function()
    local list = {}
    for i = 1, 4 do
      local title = "list_row_title_" .. i
      list[i] = { id = tostring(i), title = title, description = title .. "_description" }
    end
    assert_wire(
      "list",
      build.send_list(NUMBER, {
        header = "header_text_message",
        body = "body_text_message",
        list_title = "list_heading",
        list = list,
      })
    )
  end)

  it("of a form", function()
    local spec = { body = "Hi. how are you doing?", form_cta = "button", form_id = "925610928478879" }
    assert_wire("flow", build.send_form(NUMBER, spec))
    spec.form_cta = "Fill Form"
    assert_wire("flow_example", build.send_form(NUMBER, spec))
  end)

  it("of media", function()
    assert_wire("image", build.send_image(NUMBER, "link-to-image-file.com/image.jpg", "image_caption"))
    assert_wire("video", build.send_video(NUMBER, "videofile_url", "video_caption"))
    assert_wire("document", build.send_document(NUMBER, "documentfile_url", "document_caption"))
    assert_wire("audio", build.send_audio(NUMBER, "audiofile_url", "audiofile_caption"))
    local plain = assert(build.send_image(NUMBER, "https://example.com/a.jpg"))
    assert.are.equal('{"image":"https://example.com/a.jpg","mobile":"919999999999","type":"image"}', canonical.of(plain))
  end)

  it("of a link button", function()
    assert_wire(
      "cta_url",
      build.send_cta_url(NUMBER, { body = "body_text_message", button_text = "Click Me", button_url = "https://domain.com" })
    )
  end)
end)

describe("build.send", function()
  local names = {
    "template", "template_media", "template_carousel", "text", "button", "list", "flow", "image", "video", "document",
    "audio", "cta_url", "text_example", "button_example", "list_example", "flow_example", "image_example",
    "video_example", "document_example", "audio_example", "template_media_example",
  }
  for _, name in ipairs(names) do
    it("gives the collection's request back as it is: " .. name, function()
      assert_wire(name, build.send(json.decode(collected(name))))
    end)
  end

  it("names the endpoint by what the payload has", function()
    assert.are.equal("sendnotification", build.endpoint(build.send_template(NUMBER, "x")))
    assert.are.equal("sendreplymessage", build.endpoint(build.send_text(NUMBER, "x")))
  end)

  it("passes a template's components untouched, of any form, and keeps its own copy", function()
    local text = [[{"mobile":"919999999999","templateid":"x","template":{"components":[
      {"type":"LIMITED_TIME_OFFER","parameters":[],"odd":{},"n":0,"nothing":null,"f":1.5}]}}]]
    local payload = json.decode(text)
    local made = assert(build.send(payload))
    assert.are.equal(canonical.of(text), canonical.of(json.encode(made)))
    payload.template.components[1].type = "CHANGED"
    assert.are.equal("LIMITED_TIME_OFFER", made.template.components[1].type)

    local components = json.decode(text).template.components
    local built = assert(build.send_template(NUMBER, "x", { components = components }))
    assert.are.equal(canonical.of(text), canonical.of(json.encode(built)))
  end)

  it("checks as the builders do", function()
    local err = assert_refused("text", "4097 characters", build.send { mobile = NUMBER, type = "text", text = ("é"):rep(4097) })
    assert.are.same({ 4096, 4097 }, { err.limit, err.length })
    assert_refused("text", "is missing", build.send { mobile = NUMBER, type = "text" })
    assert_refused("mobile", "not a phone number", build.send { mobile = "mobile_number", type = "text", text = "a" })
    assert_refused("mobile", "is missing", build.send { type = "text", text = "a" })
    assert_refused("type", "did you mean 'button'", build.send { mobile = NUMBER, type = "buttons" })
    assert_refused("type", "missing", build.send { mobile = NUMBER })
    assert_refused("type", "not both", build.send { mobile = NUMBER, type = "text", templateid = "x" })
    assert_refused("txt", "did you mean 'text'", build.send { mobile = NUMBER, type = "text", txt = "a" })
    assert_refused("overridebot", "'yes' or 'no'", build.send { mobile = NUMBER, templateid = "x", overridebot = "maybe" })
    assert_refused("payload", "must be a table, got string", build.send "text")
    local raw = json.decode(collected "button")
    raw.buttons[2].reply.title = ("x"):rep(25)
    assert_refused("buttons[2].reply.title", "Cunnekt allows 24", build.send(raw))
    raw.buttons[2] = { type = "url" }
    assert_refused("buttons[2].type", "must be 'reply'", build.send(raw))
  end)

  it("takes a null for an absent field", function()
    local payload = assert(build.send { mobile = NUMBER, type = "image", image = "https://e.com/a", caption = json.null })
    assert.is_nil(payload.caption)
  end)
end)

describe("a refusal names the field and says what is wrong", function()
  local function buttons(list)
    return build.send_buttons(NUMBER, { body = "b", buttons = list })
  end

  it("of a missing, empty, mistyped or unknown field", function()
    assert_refused("text", "is missing", build.send_text(NUMBER))
    assert_refused("text", "is empty", build.send_text(NUMBER, " \n"))
    assert_refused("text", "must be a string, got number", build.send_text(NUMBER, 5))
    assert_refused("body", "is missing", build.send_buttons(NUMBER, { buttons = numbered(1, 1, "a") }))
    assert_refused("bdy", "did you mean 'body'", build.send_buttons(NUMBER, { bdy = "x" }))
    assert_refused("message", "got string", build.send_buttons(NUMBER, "x"))
    assert_refused("header", "empty", build.send_buttons(NUMBER, { header = "", body = "b", buttons = numbered(1, 1, "a") }))
    assert_refused("form_id", "missing", build.send_form(NUMBER, { body = "b", form_cta = "c" }))
    assert_refused("image", "missing", build.send_image(NUMBER))
    assert_refused("image", "space", build.send_image(NUMBER, "https://e.com/a b.jpg"))
    assert_refused("template_id", "missing", build.send_template(NUMBER))
  end)

  it("of buttons", function()
    assert_refused("buttons", "is missing", buttons(nil))
    assert_refused("buttons", "is empty", buttons {})
    assert_refused("buttons", "4 items; Cunnekt allows 3", buttons(numbered(1, 4, "t")))
    assert_refused("buttons", "key 'a'", buttons { a = 1 })
    assert_refused("buttons", "holes", buttons { [2] = { id = "1", title = "a" } })
    assert_refused("buttons[1]", "must be a table", buttons { "yes" })
    assert_refused("buttons[2].title", "missing", buttons { { id = "1", title = "a" }, { id = "2" } })
    assert_refused("buttons[1].titel", "did you mean 'title'", buttons { { id = "1", titel = "a" } })
    assert_refused("buttons[2].title", "same as buttons%[1%].title", buttons { { id = "1", title = "a" }, { id = "2", title = "a" } })
    assert_refused("buttons[2].id", "same as buttons%[1%].id", buttons { { id = "1", title = "a" }, { id = "1", title = "b" } })
  end)

  it("of lists", function()
    local function list(rows)
      return build.send_list(NUMBER, { body = "b", list_title = "l", list = rows })
    end
    assert_refused("list", "is empty", list {})
    assert_refused("list", "11 items; Cunnekt allows 10", list(numbered(1, 11, "t")))
    assert_refused("list[2].id", "same as list%[1%].id", list { { id = "1", title = "a" }, { id = "1", title = "b" } })
    local row = { id = "1", title = "a", description = ("x"):rep(73) }
    assert_refused("list[1].description", "73 characters long; WhatsApp allows 72", list { row })
    assert.is_table(list { { id = "1", title = "a" } })
  end)

  it("of templates", function()
    local function template(message)
      return build.send_template(NUMBER, "x", message)
    end
    local card = { image = "https://e.com/a.jpg" }
    assert_refused("header", "both image and video", template { header = { image = "a", video = "b" } })
    assert_refused("header", "needs one of", template { header = {} })
    assert_refused("header.filename", "document only", template { header = { image = "a", filename = "b" } })
    assert_refused("body[2]", "must be a string, got number", template { body = { "a", 2 } })
    assert_refused("body", "must be a table, got string", template { body = "a" })
    assert_refused("buttons[1].type", "'url' or 'quick_reply'", template { buttons = { { text = "a" } } })
    assert_refused("buttons[1].payload", "takes text", template { buttons = { { type = "url", payload = "a" } } })
    assert_refused("buttons[1].index", "integer from 0", template { buttons = { { type = "url", text = "a", index = 10 } } })
    assert_refused("cards", "1 item; WhatsApp allows 2 to 10", template { cards = { card } })
    assert_refused("cards[2].image", "needs image or video", template { cards = { card, {} } })
    local far = { image = "https://e.com/a.jpg", buttons = { { type = "url", payload = "p", index = 2 } } }
    assert_refused("cards[2].buttons[1].index", "from 0 to 1", template { cards = { card, far } })
    assert_refused("override_bot", "true or false", template { override_bot = "yes" })
    assert_refused("components", "body does not go with it", template { components = {}, body = { "a" } })
    assert_refused("components[1].text", "byte 1 is 0xFF", template { components = { { text = "\xff" } } })
    assert_refused("components[1].f", "is a function", template { components = { { f = print } } })
    local loop = {}
    loop[1] = loop
    assert_refused(nil, "too deeply", (function()
      local payload, err = template { components = loop }
      err.field = nil
      return payload, err
    end)())
  end)

  it("but raises for unknown options, which are the program's mistake", function()
    assert.error_matches(function()
      build.send_text(NUMBER, "a", { mobile_fromat = "plus" })
    end, "build.send_text: unknown option 'mobile_fromat' %(did you mean 'mobile_format'")
    assert.error_matches(function()
      build.send_text(NUMBER, "a", { default_country = "India" })
    end, "default_country")
  end)

  it("never repeats what the message says, or to whom", function()
    local _, err = build.send_text("98765x43210", "a")
    assert.not_matches("98765", tostring(err))
    _, err = build.send_text(NUMBER, ("secret"):rep(1000))
    assert.not_matches("secret", tostring(err))
  end)
end)

describe("all that is wrong with a message", function()
  -- The fields of the error and of the others with it.
  local function fields(payload, err)
    assert.is_nil(payload)
    local list = { err.field }
    for _, one in ipairs(err.more or {}) do
      assert.equal("invalid", one.kind)
      list[#list + 1] = one.field
    end
    return list
  end

  it("comes with the first mistake", function()
    local payload, err = build.send_list(NUMBER, {
      header = "a\nb", body = "", list = { { id = "1", title = ("x"):rep(25) }, 7, { id = "1", title = "" }, { title = "y", description = 3, icon = "z" } },
    })
    assert.same({ "header", "body", "list_title", "list[1].title", "list[2]", "list[3].title", "list[3].id", "list[4].icon", "list[4].id",
      "list[4].description" }, fields(payload, err))
    assert.equal("header has a line break; WhatsApp allows one line", err.message)
    assert.matches("^invalid: header has a line break; WhatsApp allows one line; body is empty; list_title is missing; ", tostring(err))
    assert.same({ 24, 25 }, { err.more[3].limit, err.more[3].length })
  end)

  it("is said of buttons, templates, raw payloads and the recipient, too", function()
    assert.same({ "buttons[1].id", "buttons[1].title", "buttons[2].title", "to" },
      fields(build.send_buttons("123", { body = "b", buttons = { {}, { id = "a", title = "a\nb" } } })))
    assert.same({ "body[1]", "body[2]" }, fields(build.send_template(NUMBER, "1", { body = { "a\tb", "" } })))
    assert.same({ "text", "mobile" }, fields(build.send { type = "text", text = 3, mobile = "1" }))
    assert.same({ "form_cta", "form_id" }, fields(build.send_form(NUMBER, { body = "b" })))
    assert.same({ "image", "caption" }, fields(build.send_image(NUMBER, nil, 3)))
  end)

  it("is one mistake where there is one, and ten where there are more", function()
    local _, one = build.send_text(NUMBER, "")
    assert.is_nil(one.more)
    local _, none = build.send_buttons(NUMBER, "x")
    assert.is_nil(none.more)
    local rows = {}
    for i = 1, 10 do
      rows[i] = { id = "", title = "" }
    end
    local payload, err = build.send_list(NUMBER, { body = "b", list_title = "l", list = rows })
    assert.equal(11, #fields(payload, err))
    assert(build.send_text(NUMBER, "hi")) -- nothing of it stays
  end)
end)

describe("templates", function()
  it("write simple ones in lower case, with button numbers as strings", function()
    local payload = assert(build.send_template(NUMBER, "x", {
      header = { document = "https://e.com/a.pdf", filename = "a.pdf" },
      body = { "one" },
      buttons = { { type = "url", text = "order/4711" }, { type = "quick_reply", payload = "p", index = 2 } },
      override_bot = false,
    }))
    assert.are.equal("no", payload.overridebot)
    assert.are.same({
      { type = "header", parameters = { { type = "document", document = { link = "https://e.com/a.pdf", filename = "a.pdf" } } } },
      { type = "body", parameters = { { type = "text", text = "one" } } },
      { type = "button", sub_type = "url", index = "0", parameters = { { type = "text", text = "order/4711" } } },
      { type = "button", sub_type = "quick_reply", index = "2", parameters = { { type = "payload", payload = "p" } } },
    }, payload.template.components)
  end)

  it("take a text as header, by itself or in a table", function()
    local wanted = { { type = "header", parameters = { { type = "text", text = "Hi" } } } }
    for _, header in ipairs { "Hi", { text = "Hi" }, { type = "text", text = "Hi" } } do
      assert.are.same(wanted, build.send_template(NUMBER, "x", { header = header }).template.components)
    end
  end)

  it("number cards and their buttons by JSON integers", function()
    local cards = {}
    for i = 1, 2 do
      cards[i] = { video = "https://e.com/v.mp4", body = "text", buttons = { { type = "url", payload = "p" } } }
    end
    local text = json.encode(build.send_template(NUMBER, "x", { body = { "b" }, cards = cards }))
    assert.matches('"card_index":1[,}]', text)
    assert.matches('"index":0[,}]', text)
    assert.matches('"type":"VIDEO"', text)
    assert.matches('"type":"BODY"', text)
    assert.not_matches('"body"', text)
  end)
end)

describe("a recipient's number", function()
  local function sent_to(to, opts)
    local payload, err = build.send_text(to, "a", opts)
    return payload and payload.mobile, err
  end

  it("is taken as people write it", function()
    for _, to in ipairs { "919999999999", "+919999999999", "+91 99999-99999", " +91 (999) 999.9999 ", "00919999999999", 919999999999 } do
      assert.are.equal(NUMBER, sent_to(to))
    end
    assert.are.equal("+919999999999", sent_to("919999999999", { mobile_format = "plus" }))
  end)

  it("gets the default country when it has none", function()
    local opts = { default_country = "91" }
    assert.are.equal(NUMBER, sent_to("99999 99999", opts))
    assert.are.equal(NUMBER, sent_to("099999 99999", opts))
    assert.are.equal(NUMBER, sent_to("919999999999", opts))
    assert.are.equal("6591234567", sent_to("+65 9123 4567", opts))
    assert.are.equal("447911123456", sent_to("447911123456", opts))
  end)

  it("may be a user id, for those with usernames", function()
    assert.are.equal("IN.1349120865530274", sent_to "IN.1349120865530274")
    assert.are.equal("IN.1349120865530274", sent_to("IN.1349120865530274", { mobile_format = "plus" }))
  end)

  it("is refused when it is none", function()
    for _, to in ipairs { "", "abc", "+", "12345", "1234567890123456", "0123456789", "91x9999999999", "in.123", true, {} } do
      local mobile, err = sent_to(to)
      assert.is_nil(mobile)
      assert.are.same({ "invalid", "to" }, { err.kind, err.field })
    end
    assert.is_nil((sent_to(nil)))
  end)
end)

describe("a warning", function()
  it("is given once for what WhatsApp may refuse though Cunnekt allows it", function()
    local titles = { { id = "1", title = ("x"):rep(21) } }
    for _ = 1, 3 do
      assert(build.send_buttons(NUMBER, { body = "b", buttons = titles }))
    end
    assert.are.equal(1, #warnings)
    assert.matches("buttons%[1%].title is 21 characters long; Cunnekt allows 24, but WhatsApp itself only 20", warnings[1])
  end)

  it("is given for a caption of audio and for a page in place of a file", function()
    assert(build.send_audio(NUMBER, "https://e.com/a.mp3", "c"))
    assert(build.send_document(NUMBER, "https://drive.google.com/file/d/1/view"))
    assert.are.equal(2, #warnings)
    assert.matches("caption", warnings[1])
    assert.matches("not the file itself", warnings[2])
  end)
end)
