-- SPDX-License-Identifier: MIT
local personal = require "cunnekt.provider.personal"
local redact = require "cunnekt.base.redact"

describe("what operators see of customers", function()
  it("is the beginning and the end of a number", function()
    assert.equal("9199…99", redact.number "919999999999")
    assert.equal("IN.1…74", redact.number "IN.1349120865530274")
  end)

  it("is nothing of a short one", function()
    assert.equal("…", redact.number "12345678")
    assert.equal("…", redact.number "")
  end)

  it("is the end of a message id, which contains the number", function()
    assert.equal("…AwMDA=", redact.id "wamid.HBgMOTE5OTk5OTk5OTk5AwMDA=")
    assert.equal("…", redact.id "wamid.short")
  end)

  it("is the number of a conversation's key, or all of it on demand", function()
    assert.equal("9199…99", personal.contact "123:919999999999")
    assert.equal("919999999999", personal.contact("123:919999999999", true))
    assert.equal("", personal.contact "123:")
  end)
end)

describe("an error message", function()
  local event = {
    text = "my secret (100%) wish",
    name = "Asha",
    media = { caption = "a secret", filename = "bill.pdf" },
    reply = { title = "Yes please" },
  }

  it("loses numbers and message ids", function()
    assert.equal("no order of 9199…99", personal.error "no order of 919999999999")
    assert.equal("refused …abcdef", personal.error "refused wamid.HBgMOTE5OTk5OTk5OTk5abcdef")
  end)

  it("keeps short numbers, such as lines and order numbers", function()
    assert.equal("bot.lua:17: no order 4711", personal.error "bot.lua:17: no order 4711")
  end)

  it("loses what the customer wrote, whatever characters are in it", function()
    local text = "cannot handle my secret (100%) wish of Asha: a secret, bill.pdf, Yes please"
    assert.equal("cannot handle … of …: …, …, …", personal.error(text, event))
  end)

  it("keeps words that a very short text of the customer is in", function()
    assert.equal("no such item", personal.error("no such item", { text = "no" }))
  end)
end)

describe("a sentence of others", function()
  local function sentence(text, ...)
    return redact.sentence(text, { ... })
  end

  it("loses numbers however they are written, and keeps what only looks like one", function()
    for text, wanted in pairs {
      ["call +91 99999 99999 now"] = "call 9199…99 now",
      ["call (0) 99999-99999, please"] = "call (0999…99, please",
      ["call 0-99999.99999"] = "call 0999…99",
      ["call 91_99999_12345, 91,99999,12345"] = "call 9199…45, 9199…45",
      ["call 91\u{a0}99999–12345"] = "call 9199…45",
      ["call +91\\u00a099999\\n12345"] = "call 9199…45",
      ["to=%2B91%2099999%2012345"] = "to=9199…45",
      ["call 2345678"] = "call …",
      ["on 2026-11-29 919999912345"] = "on 2026-11-29 9199…45",
      ["call 9199-99-912345 or 91.99.99.912345"] = "call 9199…45 or 9199…45",
      ["from 10.0.0.1 to 919999912345"] = "from 10.0.0.1 to 9199…45",
      ["on 2026-11-29 at 192.168.100.200:8080"] = "on 2026-11-29 at 192.168.100.200:8080",
      ["line 17, order 4711 of 2026"] = "line 17, order 4711 of 2026",
      ["a.lua:123: 4567 (code 131047)"] = "a.lua:123: 4567 (code 131047)",
    } do
      assert.equal(wanted, redact.sentence(text))
    end
  end)

  it("names the recipient of a message, in any writing", function()
    local payload = { mobile = "919999912345", type = "text", text = "Hi" }
    for _, number in ipairs { "919999912345", "+919999912345", "+91 99999 12345", "09999912345", "99999-12345" } do
      local text = personal.refusal("Recipient " .. number .. " is unknown", payload, payload.mobile)
      assert.equal("Recipient the recipient is unknown", text)
    end
    assert.equal("no the recipient", personal.refusal("no IN.134912", { mobile = "IN.134912" }, "IN.134912"))
  end)

  it("loses words of a customer in any case, with an end that is cut off, and escaped", function()
    assert.equal("bad text …", sentence("bad text HELLO WORLD", "Hello world"))
    assert.equal("value '… your …...' is too long", sentence("value 'Dear Asha your appoin...' is too long", "Dear Asha, your appointment is on Friday"))
    assert.equal("got …", sentence("got \\u0939\\u0932\\u094b", "हलो"))
    assert.equal("near …", sentence("near केला", "दो केला"))
    assert.equal("code … is wrong", sentence("code 4711 is wrong", "Your code is 4711"))
  end)

  -- Words next to an escape, to a quote beyond ASCII or to a sign of omission were taken for other words.
  it("loses words of a customer whatever the server made of them", function()
    for text, wanted in pairs {
      ["bad 'Mein%20Geheimnis'"] = "bad '…'",
      ['bad "Hallo\\nGeheimnis\\tBlaubeeren"'] = 'bad "…"',
      ["bad 'Mein Geheim…' is long"] = "bad '…' is long",
      ["bad “Geheimnis”, «Blaubeeren» and ‘Hallo’"] = "bad “…”, «…» and ‘…’",
      ["bad Geheim\u{fffd}"] = "bad …\u{fffd}",
      ["bad MÜLLER, ГОСПОДИН, ΩΡΑΣ"] = "bad …, …, …",
      ["bad M\\u00fcller, M%C3%BCller, M&#252;ller, M\\xc3\\xbcller"] = "bad …, …, …, …",
      ["{\\\"error\\\":\\\"M\\\\u00fcller\\\"}"] = '{"error":"…"}',
      ["bad \\ud83d\\ude00\\ud83d\\ude00"] = "bad …",
      ["bad &#2325;&#x947;ला"] = "bad …",
      ["at /find?q=%e0%a4%95%e0%a5%87%e0%a4%b2%e0%a4%be"] = "at /find?q=…",
    } do
      assert.equal(wanted, sentence(text, "Mein Geheimnis: Blaubeeren", "Hallo\nHerr Müller", "господин ώρας ωρας", "😀😀", "केला"))
    end
    assert.equal("bad …", sentence("bad 100%25", "100%25"))
  end)

  it("keeps the words of errors, and names in a script", function()
    local text = "bot.lua:17: attempt to index a nil value (field 'total') in function 'order.price'"
    assert.equal(text, sentence(text, "total price of the order value, nil bot.lua"))
    for _, name in ipairs { "(upvalue 'total')", "(method 'total')", "in method 'order.total'", "in local 'total'" } do
      assert.equal("attempt to call " .. name, sentence("attempt to call " .. name, "total of the order"))
    end
    assert.equal("the parameter is invalid", sentence("the parameter is invalid", "the parameter: is it invalid?"))
  end)

  it("takes nothing for a name in a script that Lua does not call one", function()
    assert.equal("17: we meet in … '…'", sentence("17: we meet in Berlin%00'Hauptbahnhof'", "in Berlin\0'Hauptbahnhof'"))
    assert.equal("17: for … (… '…')", sentence("17: for Meier (Zimmer 'Blau')", "Blau, Zimmer, Meier"))
  end)

  it("is looked at in bounded time, whatever is in it", function()
    local started = os.clock()
    for _, text in ipairs { ("1 "):rep(1 << 19), ("(1"):rep(1 << 19), ("a "):rep(1 << 19), ("…"):rep(1 << 18), ("\\u1234"):rep(1 << 17),
      ("wamid."):rep(1 << 17), ("a.lua:1"):rep(1 << 17) } do
      sentence(text, ("ab "):rep(20000), text:sub(1, 60000))
      personal.error(text, { text = text, raw = { text } })
    end
    assert.is_true(os.clock() - started < 10)
  end)
end)
