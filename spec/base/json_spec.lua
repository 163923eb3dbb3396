-- SPDX-License-Identifier: MIT
-- JSON at our edge: what RFC 8259 allows and no more, and values that come back as they were.

local cjson = require "cjson"
local core = require "cunnekt.core"
local json = require "cunnekt.base.json"

local function decode(text)
  local value, err = json.decode(text)
  assert.is_nil(err, text)
  return value
end

-- Written anew from the grammar, in the order of RFC 8259: the text, and the value it stands for.
local accepted = {
  -- 2: white space around every token, and any value at the top
  { " \t\r\n1 \t\r\n", 1 }, { "\n[\t1 \r, 2\n]", { 1, 2 } }, { ' { "a" : 1 , "b" : 2 } ', { a = 1, b = 2 } },
  { '"top"', "top" }, { "true", true }, { "false", false }, { "null", json.null }, { "0", 0 },
  -- 4: objects
  { "{}", {} }, { '{"":0}', { [""] = 0 } }, { '{"a":{"b":{}}}', { a = { b = {} } } }, { '{"a":1,"a":2}', { a = 2 } },
  { '{"a":1,"a":1}', { a = 1 } }, { '{"\\u0000x":1}', { ["\0x"] = 1 } }, { '{"1":"x"}', { ["1"] = "x" } },
  { '{"a":null,"b":[null,false]}', { a = json.null, b = { json.null, false } } },
  -- 5: arrays
  { "[]", {} }, { "[ ]", {} }, { "[[]]", { {} } }, { "[1,\"a\",null,true,{}]", { 1, "a", json.null, true, {} } },
  { "[[],[[]],{}]", { {}, { {} }, {} } },
  -- 6: numbers
  { "-0", 0 }, { "-1", -1 }, { "10", 10 }, { "0.5", 0.5 }, { "-0.5", -0.5 }, { "1.0", 1.0 }, { "0.0", 0.0 },
  { "1e0", 1.0 }, { "1E0", 1.0 }, { "1e+2", 100.0 }, { "1e-2", 0.01 }, { "0e1", 0.0 }, { "0e+00", 0.0 },
  { "1.25e2", 125.0 }, { "123.456e-3", 0.123456 }, { "1e-400", 0.0 }, { "-1e-400", 0.0 }, { "1e05", 100000.0 },
  { "0.1", 0.1 }, { "12.971599", 12.971599 }, { "1.7976931348623157e308", 1.7976931348623157e308 },
  { "0.000000000000000000000000000001", 1e-30 }, { "3.141592653589793238462643", 3.141592653589793 },
  { "100000000000000000000000000000", 1e29 }, { "9007199254740993.5", 9007199254740994.0 },
  -- 7: strings
  { '""', "" }, { '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t' }, { '"a/b"', "a/b" }, { '"\127"', "\127" },
  { '"\\u0041\\u00e9\\u20AC"', "Aé€" }, { '"\\uD83D\\uDE00"', "😀" }, { '"\\ud83d\\ude00"', "😀" },
  { '"\\u0000"', "\0" }, { '"a\\u0000b"', "a\0b" }, { '"\\\\u0041"', "\\u0041" }, { '"\\\\"', "\\" },
  { '"\\uFFFE\\uFDD0"', "\u{FFFE}\u{FDD0}" }, { '"\\u2028"', "\u{2028}" }, { '"नमस्ते 😀"', "नमस्ते 😀" },
  { '"\u{10FFFF}\u{7FF}\u{800}\u{FFFF}"', "\u{10FFFF}\u{7FF}\u{800}\u{FFFF}" }, { '"\\uDBFF\\uDFFF"', "\u{10FFFF}" },
  { '"// /* no comment */"', "// /* no comment */" }, { '"NaN"', "NaN" }, { '"[]"', "[]" }, { '"a 12345678901234567890"', "a 12345678901234567890" },
  -- 8.1: a byte order mark may be ignored
  { "\u{FEFF}[1]", { 1 } },
  -- 8.2: lone surrogates stand for nothing; neither do bytes that are not UTF-8
  { '"\\uD800"', "\u{FFFD}" }, { '"\\uDC00"', "\u{FFFD}" }, { '"x\\uD83Dy"', "x\u{FFFD}y" },
  { '"\\uDE00\\uD83D"', "\u{FFFD}\u{FFFD}" }, { '"\\uD83D\\uD83D\\uDE00"', "\u{FFFD}😀" },
  { '"\\uD83D\\n"', "\u{FFFD}\n" }, { '"\\uD83D\\u0041"', "\u{FFFD}A" }, { '{"\\uD800":1}', { ["\u{FFFD}"] = 1 } },
  { '"\xFF"', "\u{FFFD}" }, { '"a\x80b"', "a\u{FFFD}b" }, { '"\xC3"', "\u{FFFD}" }, { '"\xC0\x80"', "\u{FFFD}\u{FFFD}" },
  { '"\xE2\x82"', "\u{FFFD}" }, { '"\xE2\x82x"', "\u{FFFD}x" }, { '"\xED\xA0\x80"', "\u{FFFD}\u{FFFD}\u{FFFD}" },
  { '"\xF0\x9F\x98"', "\u{FFFD}" }, { '"\xF4\x90\x80\x80"', ("\u{FFFD}"):rep(4) }, { '"\xF8\x88\x80\x80\x80"', ("\u{FFFD}"):rep(5) },
  { '"\xFFa"', "\u{FFFD}a" }, { '"\xFFn1"', "\u{FFFD}n1" }, { '{"\xFF":[]}', { ["\u{FFFD}"] = {} } },
}

local refused = {
  -- nothing, or not enough
  "", " ", "\n", "[", "{", "[1", "[1,", '{"a"', '{"a":', '{"a":1', '{"a":1,', '"', '"abc', '"\\', '"\\u', '"\\u12', "-",
  "t", "tru", "nul", "fals", "[[", '[{"a":[', "[\"", "\u{FEFF}", "[1,\0", '"\0',
  -- too much
  "1 2", "[]]", "{}}", "[][]", '"a""b"', "null null", "1,", "[1],", "{} x", "true false", "[1]\0", "1\0", "[]/", "\u{FEFF}\u{FEFF}1",
  -- commas and colons
  "[,]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "{,}", '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}', '{"a":1 "b":2}',
  '{"a" 1}', '{"a":}', '{"a"::1}', '{"a",1}', '{:1}', '["a":1]', '[1;2]', "{'a':1}", "{a:1}", '{1:1}', "{null:1}", "{[]:1}",
  -- brackets
  "]", "}", "[}", "{]", '{"a":1]', "[1}", "[1}]", "(1)", "<1>",
  -- words
  "True", "NULL", "nULL", "truee", "nullx", "undefined", "None", "nan", "NaN", "[NaN]", "Infinity", "-Infinity", "inf",
  "-nan", "+1", "tRue", "a", "\u{FF11}", "[\u{2028}1]", "\u{A0}1", "\f1", "\v1", "[1\f]", "/**/1", "1//x", "[1,#x\n2]",
  -- numbers
  "01", "-01", "00", "1.", "-1.", ".5", "-.5", "1.e1", "1e", "1e+", "1E-", "1e1.5", "1.5.5", "--1", "- 1", "-a", "0x10", "0X1F", "0b1",
  "1_000", "1,000", "1e1e1", "0.1.2", "1 .5", "1. 5", "1e 5", "[-]", "[1.]", "1f", "1L", "0e", "0.e1", "+0", "1+1", "0x", "1e999", "-1e999",
  -- strings
  "'a'", '"\t"', '"\n"', '"\r"', '"\1"', '"\31"', '"\\x41"', '"\\a"', '"\\v"', '"\\0"', "\"\\'\"", '"\\u"', '"\\u004"', '"\\u00G0"',
  '"\\U0041"', '"\\u 041"', '"\\u+041"', '"\\u-041"', '"\\ud83d\\u"', '"\\ud83d\\u12"', '"a', 'a"', '"\\"', '"a\0b"', "`a`", '"\\\n"',
  '{"a\1":1}', '{"\\z":1}',
  -- encodings that RFC 8259 gave up
  "1\0", "\0001", "[\0001\0]\0", "\xFF\xFE[\0]\0", "\xFE\xFF\0[\0]", "\xFF", "[\xFF]", "\xC3\xA9",
}

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
    end, tostring, print)
    assert.equal(value, decode_by(text))
    assert.equal(text, seen)
    assert.same({ 1.5 }, value)
  end)
end)
