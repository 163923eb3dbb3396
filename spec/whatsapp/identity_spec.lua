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

describe("the form for comparing", function()
  -- Each list: the canonical form, and other forms of the same number.
  local forms = {
    { "5511987654321", "551187654321" }, { "5531966666666", "553166666666" },
    { "525512345678", "5215512345678" },
    { "5491123456789", "541123456789", "54111523456789" },
    { "5492231234567", "542231234567", "54223151234567" }, { "5492966412345", "542966412345", "54296615412345" },
    { "5492215151515", "542215151515", "54221155151515" }, -- a number with more than one 15
  }

  it("is one for all forms of a number, and stays", function()
    for _, list in ipairs(forms) do
      for _, form in ipairs(list) do
        assert.are.same({ form, list[1] }, { form, core.canonical_number(form) })
      end
    end
  end)

  it("is the text itself for all that have no other", function()
    for _, text in ipairs {
      "", "5", "55", "919876543210", "14155550100", "551123456789", -- a landline, which got no ninth digit
      "5511123456789", "55119876543210", "521551234567", "52155123456789", "54112345678", "541123456789012", "549112345678901",
      "53512345678", "535123456789", "+5531987654321", "55 31 8765 4321", "IN.1349120865530274", "55318765432\0", "55318765432x",
      "546123456789", "54612315456789",
    } do
      assert.are.equal(text, core.canonical_number(text))
    end
  end)

  it("differs for different numbers", function()
    math.randomseed(20261129)
    local seen = {}
    for _ = 1, 20000 do
      local national = ("%d%09d"):format(math.random(1, 9), math.random(0, 999999999))
      local code = ({ "55", "52", "54" })[math.random(3)]
      local canonical = core.canonical_number(code .. national)
      assert.are.equal(canonical, core.canonical_number(canonical))
      assert(not seen[canonical] or seen[canonical] == code .. national, "two numbers have one canonical form")
      seen[canonical] = code .. national
    end
  end)

  it("takes a string", function()
    assert.has_error(function() core.canonical_number() end)
    assert.has_error(function() core.canonical_number {} end)
  end)
end)
