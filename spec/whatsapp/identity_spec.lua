-- SPDX-License-Identifier: MIT
-- Keys of conversations: the same as they have always been, for they are in every store.
local core = require "cunnekt.core"
local webhook = require "cunnekt.provider.webhook"

describe("the key of a conversation", function()
  local pairs_of_ids = {
    { "1055", "919999999999", "1055:919999999999" },
    { nil, "919999999999", ":919999999999" },
    { "1055", nil, "1055:" },
    { nil, nil, ":" },
    { "", "", ":" },
    { "1055", "IN.a:b", "1055:IN.a:b" },
    { "1055", "a\0b\xFF", "1055:a\0b\xFF" },
    { ("9"):rep(3000), ("8"):rep(3000), ("9"):rep(3000) .. ":" .. ("8"):rep(3000) },
  }

  it("has the business number, a colon and the customer", function()
    for i = 1, 8 do
      local number, customer, key = table.unpack(pairs_of_ids[i], 1, 3)
      assert.are.equal(key, core.contact_key(number, customer))
    end
    assert.are.equal(":", core.contact_key())
  end)

  it("is what webhook.key makes", function()
    for i = 1, 8 do
      local number, customer = table.unpack(pairs_of_ids[i], 1, 2)
      for _, name in ipairs { "from", "user_id", "recipient" } do
        local event = { phone_number_id = number, [name] = customer }
        assert.are.equal(webhook.key(event), core.contact_key(number, customer))
      end
    end
  end)

  it("is taken apart into what it was made of; what is not known is nil or empty", function()
    for i = 1, 8 do
      local number, customer, key = table.unpack(pairs_of_ids[i], 1, 3)
      assert.are.same({ number ~= "" and number or nil, customer or "" }, { core.contact_parts(key) })
      assert.are.equal(key, core.contact_key(core.contact_parts(key)))
    end
  end)

  it("is no text without a colon", function()
    for _, text in ipairs { "", "919999999999", "a;b" } do
      assert.are.same({ n = 1 }, table.pack(core.contact_parts(text)))
    end
  end)

  it("takes strings alone", function()
    assert.has_error(function() core.contact_key({}, "1") end)
    assert.has_error(function() core.contact_parts() end)
    assert.has_error(function() core.contact_parts(nil) end)
    assert.has_error(function() core.contact_is("1:2") end)
  end)

  it("is meant by itself and by its customer, and by nobody else", function()
    assert.is_true(core.contact_is("1055:9199", "1055:9199"))
    assert.is_true(core.contact_is("1055:9199", "9199"))
    assert.is_true(core.contact_is("1055:a:b", "a:b"))
    for _, who in ipairs { "", "1055", "1055:", ":9199", "919", "91999", "1056:9199" } do
      assert.is_false(core.contact_is("1055:9199", who))
    end
    assert.is_false(core.contact_is("9199:1055", "9199"))
  end)

  it("comes before what is behind its number, and keys of longer numbers do not", function()
    local behind = core.contact_behind "1055"
    assert.is_true(core.contact_key("1055", ("\xFF"):rep(20)) < behind)
    assert.is_true(core.contact_key("1055", "") < behind)
    assert.is_true(core.contact_key("1056", "") > behind)
    assert.are.equal("1055;", behind)
    assert.are.equal(";", core.contact_behind(nil))
  end)
end)
