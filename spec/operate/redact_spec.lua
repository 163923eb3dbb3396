-- SPDX-License-Identifier: MIT
local redact = require "cunnekt.operate.redact"

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
    assert.equal("9199…99", redact.contact "123:919999999999")
    assert.equal("919999999999", redact.contact("123:919999999999", true))
    assert.equal("", redact.contact "123:")
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
    assert.equal("no order of 9199…99", redact.error "no order of 919999999999")
    assert.equal("refused …abcdef", redact.error "refused wamid.HBgMOTE5OTk5OTk5OTk5abcdef")
  end)

  it("keeps short numbers, such as lines and order numbers", function()
    assert.equal("bot.lua:17: no order 4711", redact.error "bot.lua:17: no order 4711")
  end)

  it("loses what the customer wrote, whatever characters are in it", function()
    local text = "cannot handle my secret (100%) wish of Asha: a secret, bill.pdf, Yes please"
    assert.equal("cannot handle … of …: …, …, …", redact.error(text, event))
  end)

  it("keeps words that a very short text of the customer is in", function()
    assert.equal("no such item", redact.error("no such item", { text = "no" }))
  end)
end)
