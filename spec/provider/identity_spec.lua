-- SPDX-License-Identifier: MIT
-- Recipients as messages take them are in build_spec.lua too; keys of real webhooks in webhook_edges_spec.lua.

local identity = require "cunnekt.provider.identity"

describe("the key of a conversation", function()
  it("is made of the business number's id and the customer", function()
    assert.equal("123:919999999999", identity.key("123", "919999999999"))
    assert.equal(":919999999999", identity.key(nil, "919999999999"))
    assert.equal("123:", identity.key("123", nil))
  end)

  it("comes apart into what it was made of", function()
    for _, parts in ipairs { { "123", "919999999999" }, { "", "IN.1" }, { "123", "" }, { "", "" }, { "1", "a:b\nc" } } do
      assert.same(parts, { identity.parts(identity.key(parts[1], parts[2])) })
    end
  end)

  it("is all customer when it has no colon", function()
    assert.same({ "", "919999999999" }, { identity.parts "919999999999" })
  end)

  it("names no business number where that is not known", function()
    assert.equal("123", identity.phone_number_id "123:91")
    assert.is_nil(identity.phone_number_id ":91")
    assert.is_nil(identity.phone_number_id "91")
  end)

  it("is the sender's of a message, and the recipient's of a status", function()
    assert.equal("1:91", identity.of_event { phone_number_id = "1", from = "91", user_id = "IN.1" })
    assert.equal("1:IN.1", identity.of_event { phone_number_id = "1", user_id = "IN.1" })
    assert.equal("1:91", identity.of_event { phone_number_id = "1", recipient = "91" })
    assert.equal(":", identity.of_event {})
  end)
end)

describe("two texts", function()
  local function all_same(texts, is_same)
    for _, a in ipairs(texts) do
      for _, b in ipairs(texts) do
        assert.are.same({ a, b, is_same or a == b }, { a, b, identity.same(a, b) })
      end
    end
  end

  it("are the same number however it is written", function()
    all_same({ "919999999999", "+919999999999", "0091 99999 99999", "+91 (99999) 99.999", "https://wa.me/919999999999" }, true)
  end)

  it("are the same number in both of its forms", function()
    all_same({ "5531987654321", "553187654321", "+55 (31) 98765-4321", "0055 31 8765 4321" }, true)
    all_same({ "525512345678", "5215512345678", "+52 55 1234 5678", "+52 1 55 1234 5678" }, true)
    all_same({ "5491123456789", "541123456789", "+54 9 11 2345-6789", "+54 11 2345-6789", "+54 11 15 2345-6789" }, true)
    all_same({ "5492231234567", "542231234567", "+54 223 15 123-4567" }, true)
    all_same({ "5492966412345", "542966412345", "+54 2966 15 41-2345" }, true)
  end)

  it("are different people otherwise", function()
    all_same({ "919999999999", "918888888888", "IN.1", "IN1", "", "abc", "5531987654321", "5531987654322", "9199" }, false)
  end)
end)

describe("a recipient", function()
  it("is taken in every usual form", function()
    for _, to in ipairs { 919999999999, 919999999999.0, "919999999999", "+91 99999 99999", "00919999999999", "  +91-99999.99999 " } do
      assert.equal("919999999999", identity.normalise(to))
    end
  end)

  it("may be a user id", function()
    assert.equal("IN.1349120865530274", identity.normalise "IN.1349120865530274")
  end)

  it("gets the default country where it is written without one", function()
    local opts = { default_country = "91" }
    assert.equal("919999999999", identity.normalise("9999999999", opts))
    assert.equal("919999999999", identity.normalise("09999999999", opts))
    assert.equal("919999999999", identity.normalise("919999999999", opts))
    assert.equal("14155550100", identity.normalise("+14155550100", opts))
  end)

  it("is written with a plus where that is wanted", function()
    assert.equal("+919999999999", identity.normalise("919999999999", { mobile_format = "plus" }))
  end)

  it("is refused with the field's name, and never repeated", function()
    local wrong = {
      [""] = "is empty", ["12345"] = "has 5 digits", ["1234567890123456"] = "has 16 digits",
      ["01234567890"] = "begins with 0", ["4155-CALL-NOW"] = "is not a phone number",
    }
    for to, what in pairs(wrong) do
      local recipient, err = identity.normalise(to, nil, "mobile")
      assert.is_nil(recipient)
      assert.same({ "invalid", "mobile" }, { err.kind, err.field })
      assert.matches("^mobile " .. what, err.message)
      assert(to == "" or not err.message:find(to, 1, true))
    end
    assert.matches("^to is missing", select(2, identity.normalise(nil)).message)
    assert.matches("^to must be a string, got table", select(2, identity.normalise {}).message)
  end)
end)
