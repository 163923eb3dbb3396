-- SPDX-License-Identifier: MIT
-- What holds for numbers and for the keys of conversations, however they are written; and that none is in a sentence that
-- is logged. An input is two texts, with a zero byte between.

local core = require "cunnekt.core"
local identity = require "cunnekt.provider.identity"
local personal = require "cunnekt.provider.personal"
local redact = require "cunnekt.base.redact"

local function check_key(phone_number_id, id)
  local key = identity.key(phone_number_id, id)
  if not phone_number_id:find(":", 1, true) then
    local a, b = identity.parts(key)
    assert(a == phone_number_id and b == id, "a key that falls apart otherwise")
  end
  identity.parts(id)
  identity.phone_number_id(id)
  local shown = personal.contact(key)
  assert(#id <= 8 and shown:find "^…?$" or #shown <= 4 + #"…" + 2, "a contact is shown whole")
  assert(identity.of_event { phone_number_id = phone_number_id, from = id } == key)
end

local function is_number(text, least, most)
  return text:find "^[1-9]%d*$" ~= nil and #text >= least and #text <= most
end

local function check_number(text, opts)
  local number, err = identity.normalise(text, opts)
  if not number then
    assert(err.kind == "invalid" and err.field == "to")
    for digits in err.message:gmatch "%d+" do
      assert(#digits < 5 or digits == "919999999999", "a number in an error")
    end
    return
  end
  local is_id = number:find "^%u%u%.[%w.]+$"
  assert(is_id or number:find(opts.mobile_format == "plus" and "^%+[1-9]%d+$" or "^[1-9]%d+$"), "not normal: " .. number)
  assert(is_id or #number:gsub("%D", "") <= 15, "too long")
  -- A default country is for what people write: a short number that is whole would get another one. Without its "+" a number may
  -- be refused, where the country's plan has none like it; it is never another one.
  local again = identity.normalise(number, { mobile_format = opts.mobile_format })
  assert(again == number or (again == nil and not opts.mobile_format), "normal, and changed again")
  assert(identity.same(number, number))
  if not is_id then
    local sentence = redact.sentence("to " .. text .. " or " .. number .. ".")
    assert(not sentence:find(number:gsub("%D", ""), 1, true), "a number in a log")
  end
end

local function check(input)
  local first, second = input:match "^([^%z]*)%z?(.*)$"
  check_key(first, second)
  for _, text in ipairs { first, second } do
    for _, opts in ipairs { {}, { mobile_format = "plus" }, { default_country = "91" }, { default_country = 1, mobile_format = "plus" } } do
      check_number(text, opts)
    end
    local canonical = identity.canonical(text)
    assert(identity.canonical(canonical) == canonical, "canonical, and changed again")
    local country = identity.country(text)
    assert(not country or country:find "^[1-9]%d?%d?$")
    assert(core.is_number(text, 4, 15) == is_number(text, 4, 15), "no number is one, or one is none")
    assert(redact.sentence(text, { second }):find "^wamid%.[%w+/=_-]+" == nil)
  end
end

-- Planted is a byte that is read behind a number, in c/planted.c.
return { check = check }
