-- SPDX-License-Identifier: MIT
-- JSON at our edge: what RFC 8259 allows and no more, and values that come back as they were.

local cjson = require "cjson"
local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local json_texts = require "spec.support.json_texts"
local webhook = require "cunnekt.provider.webhook"

local function decode(text)
  local value, err = json.decode(text)
  assert.is_nil(err, text)
  return value
end

local accepted, refused = json_texts.accepted, json_texts.refused

describe("json.decode", function()
  it("takes every form of the grammar for what it means", function()
    for _, case in ipairs(accepted) do
      assert.are.same(case[2], decode(case[1]), case[1])
    end
  end)

  it("refuses what the grammar does not hold, and says where", function()
    for _, text in ipairs(refused) do
      local value, err = json.decode(text)
      assert.is_nil(value, text)
      assert.equal("invalid", err and err.kind, text)
      assert.matches("^not JSON: ", err.message)
    end
    assert.matches("at byte 4$", select(2, json.decode "[1 2]").message)
    assert.matches("unexpected end at byte 3$", select(2, json.decode "[1").message)
  end)

  it("refuses every beginning of a text, and the text with anything after it", function()
    local text = '{"a":[1,-2.5e3,"x\\u0041\\ud83d\\ude00é",true,false,null,{}]}'
    decode(text)
    for length = 0, #text - 1 do
      assert.is_nil((json.decode(text:sub(1, length))), text:sub(1, length))
    end
    for byte = 0, 255 do
      local rest = string.char(byte)
      assert.equal(rest:find "^[ \t\r\n]$" ~= nil, json.decode(text .. rest) ~= nil, "byte " .. byte)
    end
  end)

  it("gives integers for integers, and floats for the rest", function()
    local integers = {
      "0", "-7", "999999999999999", "1000000000000000", "9007199254740991", "9007199254740992", "9007199254740993",
      "-9007199254740993", "1234567890123456789", "9223372036854775807", "-9223372036854775808",
    }
    for _, text in ipairs(integers) do
      local value = decode(text)
      assert.equal("integer", math.type(value), text)
      assert.equal(text, tostring(value))
      assert.equal(value, decode('{"a":[' .. text .. "]}").a[1])
    end
    for _, text in ipairs { "9223372036854775808", "-9223372036854775809", "1e2", "1.0", "0.0", "123456789012345678901234567890", "1.5" } do
      assert.equal("float", math.type(decode(text)), text)
    end
    assert.equal(2.0 ^ 63, decode "9223372036854775808")
  end)

  it("refuses a number beyond the range of a double, as the reader of webhooks does, also one that a later value replaces", function()
    local digits = ("9"):rep(400)
    for text, at in pairs { ["[1e309]"] = 2, ["[" .. digits .. "]"] = 2, ["-1.8e308"] = 1, ['{"a":1e999,"a":1}'] = 6, ['{"a":[0.1e400],"a":1}'] = 7 } do
      local value, err = json.decode(text)
      assert.is_nil(value, text)
      assert.equal(("not JSON: a number beyond the range of a double at byte %d"):format(at), err.message)
      assert.equal(err.message, select(2, webhook.parse(text)).message)
    end
    assert.equal(1e308, decode "1e308")
    assert.equal(1e-300, decode(("0.%s1"):format(("0"):rep(299))))
    assert.equal(0.0, decode "1e-999")
  end)

  it("gives an empty list that stays one", function()
    assert.equal("[]", json.encode(decode "[]"))
    assert.equal('{"a":[]}', json.encode(decode '{"a":[]}'))
    assert.equal("[[],{}]", json.encode(decode "[[],{}]"))
  end)

  it("takes 128 levels and not one more", function()
    for _, pair in ipairs { { "[", "]" }, { '{"a":', "}" } } do
      local core_text = pair[1] == "[" and "" or "1"
      assert.is_table(decode(pair[1]:rep(128) .. core_text .. pair[2]:rep(128)))
      local value, err = json.decode(pair[1]:rep(129) .. core_text .. pair[2]:rep(129))
      assert.is_nil(value)
      assert.matches("nested deeper than 128 levels", err.message)
      assert.is_nil((json.decode(pair[1]:rep(100000))))
    end
  end)

  -- 180 KB of list items stood for half a second, and 1.4 million took 355 MB.
  it("counts the values of a text from outside, and reads no further than it may", function()
    local texts = {
      [3] = { "[1,2]", '{"a":1,"b":{}}', "[[],[]]", '["a","b"]', '["\\ud800"]', '["\xff"]' },
      [1] = { "1", "[]", "{}", '""', " null " },
    }
    for most, list in pairs(texts) do
      for _, text in ipairs(list) do
        assert.is_nil(select(2, json.decode_bounded(text, most)), text)
        if most > 1 then
          local value, err = json.decode_bounded(text, most - 1)
          assert.is_nil(value)
          assert.equal("too_large: more than 2 values in a JSON text", tostring(err))
        end
      end
    end
    assert.equal("invalid", select(2, json.decode_bounded("[1,", 3)).kind)
    assert.equal("too_large", select(2, json.decode_bounded("[1,2,3,{", 3)).kind)
  end)

  it("raises for what is no text", function()
    assert.error_matches(function()
      json.decode(nil)
    end, "json.decode: expected a string, got nil")
  end)
end)

describe("json.encode", function()
  local function same_again(value)
    local text = json.encode(value)
    local back = decode(text)
    assert.are.same(value, back, text)
    return text
  end

  it("writes numbers so that they come back", function()
    local numbers = {
      [0] = "0", [-1] = "-1", [1.5] = "1.5", [0.1] = "0.1", [-2.25] = "-2.25", [99999999999999] = "99999999999999", [100000000000000] = "100000000000000",
      [1234567890123456789] = "1234567890123456789", [math.maxinteger] = "9223372036854775807", [math.mininteger] = "-9223372036854775808",
      [1 / 3] = "0.3333333333333333", [0.1 + 0.2] = "0.30000000000000004", [12.971599] = "12.971599", [1710392516.25] = "1710392516.25",
    }
    for number, text in pairs(numbers) do
      assert.equal(text, json.encode(number))
      assert.equal(number, decode(text))
    end
    math.randomseed(7)
    for _ = 1, 2000 do
      local number = string.unpack("d", string.pack("i8", math.random(0)))
      if number == number and number - number == 0 then
        assert.equal(number, decode(json.encode(number)))
      end
      local integer = math.random(0) >> math.random(0, 63)
      assert.equal(tostring(integer), json.encode(integer))
      assert.equal(integer, decode(tostring(integer)))
    end
  end)

  it("writes lists, objects, and the empty ones of both", function()
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(json.array()))
    assert.equal("[1,2]", json.encode { 1, 2 })
    assert.equal("[1,2]", json.encode(json.array { 1, 2 }))
    assert.equal('{"a":{"b":[[],{},null,true]}}', json.encode { a = { b = { json.array {}, {}, json.null, true } } })
    assert.equal('{"1":"x"}', json.encode { ["1"] = "x" })
  end)

  it("writes members in the order of their names' bytes, so that equal values give equal texts", function()
    assert.equal('{"":0,"B":1,"a":2,"a b":3,"aa":4,"b":5,"é":6}', json.encode { b = 5, a = 2, aa = 4, ["a b"] = 3, B = 1, [""] = 0, ["é"] = 6 })
    assert.equal('[{"a":{"x":1,"y":2},"b":0}]', json.encode { { b = 0, a = { y = 2, x = 1 } } })
    local there, back, expected = {}, {}, {}
    for i = 1, 1000 do
      there[("k%04d"):format(i)], back[("k%04d"):format(1001 - i)] = i, 1001 - i
      expected[i] = ('"k%04d":%d'):format(i, i)
    end
    assert.equal("{" .. table.concat(expected, ",") .. "}", json.encode(there))
    assert.equal(json.encode(there), json.encode(back))
  end)

  it("writes text plainly, slashes too, and repairs what is not UTF-8", function()
    assert.equal('"https://a.example/x?y=1"', json.encode "https://a.example/x?y=1")
    assert.equal('{"a/b":"c/d"}', json.encode { ["a/b"] = "c/d" })
    assert.equal([["\\/\\\\/"]], json.encode [[\/\\/]])
    assert.equal('"नमस्ते"', json.encode "नमस्ते")
    assert.equal('"\u{FFFD}a\u{FFFD}"', json.encode "\xFFa\xE2\x82")
    assert.equal('{"\u{FFFD}n1":"\u{FFFD}a"}', json.encode { ["\xFFn1"] = "\xFFa" })
    for byte = 0, 127 do
      same_again(string.char(byte))
      same_again { [string.char(byte) .. "/"] = "\\" .. string.char(byte) .. "/\\" }
    end
  end)

  it("escapes each byte that needs it, at every place of a text, and reads it again", function()
    for byte = 0, 127 do
      for before = 0, 17 do
        local char, left, right = string.char(byte), ("x"):rep(before), ("y"):rep(11)
        local needs = byte < 32 or byte == 127 or char == '"' or char == "\\"
        local inner = json.encode(char):sub(2, -2)
        assert.equal(needs, inner ~= char)
        local text = json.encode(left .. char .. right)
        assert.equal('"' .. left .. inner .. right .. '"', text)
        assert.equal(left .. char .. right, json.decode(text))
      end
    end
  end)

  it("reads text beyond ASCII, and ends of text, at every place", function()
    for before = 0, 17 do
      for _, char in ipairs { "ü", "न", "\u{1F600}", "\127" } do
        local text = ("x"):rep(before) .. char
        assert.equal(text, json.decode('"' .. text .. '"'))
        assert.equal(text .. "yyyyyyyyy", json.decode('"' .. text .. 'yyyyyyyyy"'))
        assert.is_nil((json.decode('"' .. text)))
        assert.is_nil((json.decode('"' .. text .. "yyyyyyyyy")))
        assert.is_nil((json.decode('"' .. text .. "\1yyyyyyyyy\"")))
      end
    end
  end)

  it("leaves the value as it was", function()
    local value = { list = json.array {}, big = 1234567890123456789, bad = "\xFF", inner = { json.array {} } }
    json.encode(value)
    assert.equal("\xFF", value.bad)
    assert.equal(1234567890123456789, value.big)
    assert.are.same({ json.array {} }, value.inner)
  end)

  it("brings any tree back", function()
    math.randomseed(11)
    local function tree(depth)
      local kind = math.random(depth > 5 and 4 or 7)
      if kind == 1 then return math.random(0) >> math.random(0, 63) end
      if kind == 2 then return math.random(2) == 1 or math.random() * 10 ^ math.random(-20, 20) end
      if kind == 3 then return json.null end
      if kind == 4 then return utf8.char(math.random(0, 0xD7FF), math.random(0xE000, 0x10FFFF)):rep(math.random(0, 3)) end
      local node = {}
      for i = 1, math.random(0, 4) do
        node[kind == 5 and i or "k/" .. i] = tree(depth + 1)
      end
      return kind == 5 and json.array(node) or node
    end
    for _ = 1, 1000 do
      same_again(tree(1))
    end
  end)

  it("raises for what JSON cannot hold, and names the place", function()
    local itself = {}
    itself.again = itself
    local deep = {}
    for _ = 1, 128 do
      deep = { deep }
    end
    local cases = {
      { { template = { components = { 1, print } } }, "cannot encode a function, at value%.template%.components%[2%]$" },
      { { a = { x = 0 / 0 } }, "cannot encode nan, at value%.a%.x$" },
      { { 1 / 0 }, "cannot encode an infinite number, at value%[1%]$" },
      { { a = { 1, nil, 3 } }, "cannot encode a list with holes, at value%.a$" },
      { { 1, x = 2 }, "cannot encode a list that has string keys too, at value$" },
      { json.array { x = 2 }, "cannot encode a list that has string keys too, at value$" },
      { { [1.5] = 1 }, "a key that is neither a string nor a position: a number, at value$" },
      { { [0] = 1 }, "a key that is neither" },
      { { b = { [true] = 1 } }, "a boolean, at value%.b$" },
      { io.stdout, "cannot encode a userdata, at value$" },
      { coroutine.create(print), "cannot encode a thread" },
      { itself, "nested deeper than 128 levels" },
      { deep, "nested deeper than 128 levels" },
    }
    for _, case in ipairs(cases) do
      assert.error_matches(function()
        json.encode(case[1])
      end, case[2])
    end
    assert.error_matches(function()
      json.encode(nil)
    end, "^json.encode: cannot encode nil")
    assert.is_string(json.encode(deep[1]))
  end)
end)

describe("json", function()
  it("does not care for what a script sets on its own cjson", function()
    cjson.encode_number_precision(3)
    cjson.decode_max_depth(2)
    assert.equal("3.14159", json.encode(3.14159))
    assert.are.same({ { { 1 } } }, decode "[[[1]]]")
    cjson.encode_number_precision(14)
    cjson.decode_max_depth(1000)
  end)

  it("marks lists in place", function()
    local list = {}
    assert.equal(list, json.array(list))
    assert.error_matches(function()
      json.array "x"
    end, "json.array: expected a table, got string")
  end)

  -- The way of nearly every webhook: nothing is copied before lua-cjson, and nothing is walked after it.
  it("hands a text that needs no mending to lua-cjson as it is", function()
    local text = '{"messages":[{"from":"919999999999","text":{"body":"' .. ("hello "):rep(60) .. '"}}]}'
    local seen, value = nil, { 1.5 }
    local decode_by = core.json_codec(function(given)
      seen = given
      return value
    end, print)
    assert.equal(value, decode_by(text))
    assert.equal(text, seen)
    assert.same({ 1.5 }, value)
  end)
end)
