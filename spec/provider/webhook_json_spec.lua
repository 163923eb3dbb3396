-- SPDX-License-Identifier: MIT
-- A webhook's body as JSON: it is read by other code than json.decode's, and must be read alike. `raw` shows how.

local json = require "cunnekt.base.json"
local texts = require "spec.support.json_texts"
local webhook = require "cunnekt.provider.webhook"

-- A value with all that json.encode does not tell: integers and floats, lists that are empty.
local function shown(value)
  if type(value) ~= "table" then
    return (math.type(value) or type(value)) .. " " .. (math.type(value) == "float" and ("%a"):format(value) or tostring(value))
  end
  local fields = {}
  for name, item in pairs(value) do
    fields[#fields + 1] = shown(name) .. "=" .. shown(item)
  end
  table.sort(fields)
  return (getmetatable(value) and "list{" or "{") .. table.concat(fields, ",") .. "}"
end

-- Whatever the text holds, as an item of a body that means nothing.
local function read(text)
  local events, err = webhook.parse("[" .. text .. "]")
  return events and events[1].raw[1], err
end

local function assert_alike(text)
  local value, err = json.decode(text)
  if err then
    local events, problem = webhook.parse(text)
    assert.is_nil(events, text)
    assert.equal(tostring(err), tostring(problem), text)
  elseif not text:find "^\u{FEFF}" then
    assert.equal(shown(value), shown(read(text)), text)
  end
end

describe("a webhook's body", function()
  it("is read as json.decode reads it, by every form of the grammar", function()
    for _, case in ipairs(texts.accepted) do
      assert_alike(case[1])
      assert.equal(shown(json.decode(case[1])), shown(webhook.parse(case[1])[1].raw), case[1])
    end
    for _, text in ipairs(texts.refused) do
      assert_alike(text)
    end
  end)

  it("is refused with the same sentence at every place that it may end", function()
    local text = '{"a":[1,-2.5e3,"x\\u0041\\ud83d\\ude00é",true,false,null,{}]}'
    for length = 0, #text do
      assert_alike(text:sub(1, length))
    end
    for byte = 0, 255 do
      assert_alike(text .. string.char(byte))
      assert_alike('{"' .. string.char(byte) .. '":"' .. string.char(byte) .. '"}')
      assert_alike('"\\' .. string.char(byte) .. '"')
    end
  end)

  it("has the same numbers", function()
    local numbers = {
      "0", "-0", "-0.0", "999999999999999", "1000000000000000", "9007199254740993", "9223372036854775807", "9223372036854775808",
      "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1.0", "1e2", "1e308", "1.7976931348623157e308",
      "1.7976931348623159e308", "1e309", "-1e309", "1e-999", "0e999", ("9"):rep(308), ("9"):rep(309), ("9"):rep(400), "0." .. ("0"):rep(400) .. "1",
      ("1"):rep(250) .. ".5", "123456789012345678901234567890.25",
    }
    for _, number in ipairs(numbers) do
      assert_alike(number)
      assert_alike('{"a":[' .. number .. "]}")
      assert_alike("[" .. number .. ",")
    end
  end)

  it("may be nested as deep, and no deeper", function()
    for depth = 125, 130 do
      for _, pair in ipairs { { "[", "]" }, { '{"a":', "}" } } do
        local text = pair[1]:rep(depth) .. "1" .. pair[2]:rep(depth)
        local events, err = webhook.parse(text)
        local _, problem = json.decode(text)
        assert.equal(tostring(problem), tostring(err))
        assert.equal(depth <= 128, events ~= nil)
      end
    end
  end)

  it("may have as many values, counted alike", function()
    local values_in = { ["1,"] = 1, ["{},"] = 1, ['{"a":1},'] = 2, ['"\\ud83d\\ude00",'] = 2, ['"\\ud83d",'] = 2, ['"\xff",'] = 2 }
    for text, values in pairs(values_in) do
      local most = (200000 - 2) // values -- beside the list, and its last item
      for count = most, most + 1 do
        local body = "[" .. text:rep(count) .. "1]"
        local events, err = webhook.parse_bounded(body)
        local _, problem = json.decode_bounded(body, 200000)
        assert.equal(tostring(problem), tostring(err))
        assert.equal(count == most, events ~= nil, text)
      end
    end
  end)

  -- It was refused with 413, each time that WhatsApp repeated it.
  it("may be a history of 3 MB, of short messages", function()
    local message = '{"from":"16505551234","to":"15550783881","id":"wamid.%052d","timestamp":"1738796547","type":"text","text":{"body":"ok"},'
      .. '"history_context":{"status":"READ"}}'
    local messages = {}
    for i = 1, 15200 do
      messages[i] = message:format(i)
    end
    local body = '{"field":"history","value":{"history":[{"threads":[{"id":"1","messages":[' .. table.concat(messages, ",") .. "]}]}]}}"
    assert.is_true(#body > 3000000 and #body <= 3 * 1024 * 1024)
    assert.equal(15200, #assert(webhook.parse_bounded(body))[1].threads[1].messages)
  end)

  it("has the fields that its names stand for, and of equal names the last", function()
    local function events_of(text)
      local events = assert(webhook.parse(text))
      return #events, events[1]
    end
    local count, event = events_of '{"\\u006Dessages":[{"i\\u0064":"a","type":"te\\u0078t","text":{"bod\\u0079":"\\u0068i\\n"}}]}'
    assert.are.same({ 1, "message", "a", "text", "hi\n" }, { count, event.kind, event.id, event.type, event.text })
    count, event = events_of '{"messages":[{"id":"a"},{"id":"b"}],"messages":[{"id":"c","id":"d","from":"1","from":null}]}'
    assert.are.same({ 1, "d" }, { count, event.id, event.from })
    count, event = events_of '{"messages":[{"id":"a"}],"mess\\u0061ges":null,"statuses":5,"statuses":[{"id":"b","status":"sent"}]}'
    assert.are.same({ 1, "status", "b" }, { count, event.kind, event.id })
    count, event = events_of '{"messages":[{"context":{"id":"a","id":5,"from":"1","from":[]},"type":"text","text":{"body":"x\\ud800y\xff"}}]}'
    assert.are.same({ 1, { id = "5" }, "x\u{FFFD}y\u{FFFD}" }, { count, event.context, event.text })
    count = events_of '{"messages":[{}],"others":[{}],"others":[{},{}],"metadata":5,"metadata":{"phone_number_id":"1"}}'
    assert.equal(3, count)
  end)

  it("is read while another one is: a finalizer may ask for it in the middle", function()
    local seen, made = 0, 0
    local function text_of(number)
      return ("x"):rep(number % 90 * 10)
    end
    local function check(number, parse)
      local fields = { id = "wamid." .. number, type = "text", text = { body = text_of(number) }, context = { id = "c" .. number } }
      local event = parse(json.encode { messages = { fields } })[1]
      assert(event.id == fields.id and event.context.id == fields.context.id and event.text == text_of(number))
    end
    local function check_at_finalization(number)
      setmetatable({}, {
        __gc = function()
          seen = seen + 1
          check(number, webhook.parse)
        end,
      })
    end
    local pause = collectgarbage("setpause", 0)
    while seen < 100 and made < 50000 do
      made = made + 1
      check_at_finalization(made)
      check(made + 7, webhook.parse_bounded)
    end
    collectgarbage("setpause", pause)
    assert.is_true(seen >= 100, seen .. " bodies")
  end)

  it("gives back the memory that a large one took", function()
    local large = "[" .. ("0,"):rep(500000) .. "0]"
    assert.equal(1, #webhook.parse(large))
    assert.is_nil((webhook.parse_bounded(large)))
    assert.equal(1, #webhook.parse '{"messages":[{"id":"a"}]}')
  end)

  local function seconds_of(fn, ...)
    local began = os.clock()
    local result = fn(...)
    return os.clock() - began, result
  end

  -- Where each part is looked for among all others it takes a second.
  it("with very many parts takes no longer than its size asks for", function()
    local parts = {}
    for i = 1, 40000 do
      parts[i] = ('"p%d":[]'):format(i)
    end
    local rest, changes = table.concat(parts, ","), ('{"field":"flows","value":{}},'):rep(4900)
    local bodies = {
      '{"messages":[{}],' .. rest .. "}",
      '{"messages":[{}],"others":[' .. ("{},"):rep(4900) .. "{}]," .. rest .. "}",
      '{"entry":[{"id":"1","changes":[' .. changes .. '{"field":"flows","value":{}}],' .. rest .. "}]}",
      '{"messages":[' .. ("{},"):rep(4900) .. '{}],"metadata":{' .. rest .. "}}",
      '{"messages":[{}],"others":[' .. ("{},"):rep(4900) .. '{}],"metadata":{' .. rest .. "}}",
    }
    for i, body in ipairs(bodies) do
      local usual = seconds_of(json.decode, body)
      local seconds, events = seconds_of(webhook.parse_bounded, body)
      assert.is_table(events)
      assert.is_true(seconds < 8 * usual + 0.1, ("body %d: %g s, and %g s for json.decode"):format(i, seconds, usual))
    end
  end)
end)
