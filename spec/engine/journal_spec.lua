-- SPDX-License-Identifier: MIT
-- What a journal keeps of results and errors: a script gets the same when a step is recalled as the first time. The bytes
-- are pinned in spec/store/formats_spec.lua.

local errors = require "cunnekt.base.errors"
local journal = require "cunnekt.engine.journal"
local json = require "cunnekt.base.json"

describe("a journal", function()
  local every_byte = {}
  for byte = 0, 255 do
    every_byte[#every_byte + 1] = string.char(byte)
  end
  every_byte = table.concat(every_byte)

  local values = {
    empty = "", NUL = "\0", text = "ä €", bytes = every_byte, ["a large text"] = ("x"):rep(3 * 1024 * 1024),
    integer = 9007199254740993, negative = -1, float = 0.1, yes = true, no = false,
    list = { 1, "b", { "\xff" } }, ["empty table"] = {}, nested = { a = { b = { c = every_byte } } }, ["JSON's null"] = json.null,
  }
  for name, value in pairs(values) do
    it("keeps a value as it is: " .. name, function()
      local kept = journal.read(journal.write { value })
      assert.are.same({ value }, kept)
      assert.equal(math.type(value), math.type(kept[1]))
    end)
  end

  -- A server's answer may look like what the journal writes for bytes; a script got bytes at the replay.
  it("keeps a value that looks like its own wrapper for bytes", function()
    local key = require("cunnekt.store.formats").bytes_key
    for _, value in ipairs {
      { [key] = "AAEC" }, { [key] = "no base64" }, { [key] = { [key] = "AAEC" } }, { { [key] = { 1, 2 }, other = "\xff" } }, { [key] = 7 },
    } do
      assert.are.same(value, journal.read(journal.write(value)))
      assert.are.same(value, journal.decode(journal.encode { value = value }).value)
    end
  end)

  it("that is damaged is refused with an error that says so", function()
    for _, text in ipairs { "", "{", "7", '"x"', "null", '{"at":"soon"}', '{"v":{"\\u0001base64":"?"}}', "\0" } do
      local ok, err = pcall(journal.decode, text)
      assert.is_false(ok)
      assert.is_true(errors.is(err), tostring(err))
      assert.matches("^corrupt: the journal of a dialog has a step ", tostring(err))
    end
    assert.is_true(errors.is(select(2, pcall(journal.read, "{"))))
  end)

  -- JSON has one kind of number. Both times: a script is given what the journal says (dialog/engine/run.lua, write_now).
  it("makes a float that is whole an integer", function()
    assert.equal("integer", math.type(journal.read(journal.write { 3.0 })[1]))
  end)

  it("keeps an empty list a list", function()
    assert.equal('{"v":[]}', journal.encode { value = json.array {} })
    assert.equal("[]", json.encode(journal.decode('{"v":[]}').value))
  end)

  it("keeps several results of a function, nil and errors too, each as it was", function()
    local key = require("cunnekt.store.formats").results_key
    local err = errors.new("timeout", "too late", { sent = true })
    for _, results in ipairs {
      { n = 0 }, { n = 1 }, { n = 1, 7 }, { n = 1, false }, { n = 2, 7 }, { n = 3, nil, "\xff", nil }, { n = 2, nil, err }, { n = 1, err },
      { n = 2, { 1, { a = true } }, json.array {} }, { n = 1, { [key] = { 1, 2 } } }, { n = 2, false, { [key] = "x" } },
    } do
      local text = journal.encode { value = journal.pack_results(table.unpack(results, 1, results.n)) }
      local back = table.pack(journal.unpack_results(journal.decode(text).value))
      back.n = results.n == 0 and 0 or back.n -- a function without results gives nil, as it always did
      assert.are.same(results, back)
      assert.equal(errors.is(results[2]), errors.is(back[2]))
    end
  end)

  it("keeps the id of a message that was sent as any other value", function()
    for _, id in ipairs { 1, math.maxinteger } do
      assert.equal(journal.encode { value = { id = id } }, journal.encode_sent(id))
    end
  end)

  it("keeps what came of a step", function()
    for _, outcome in ipairs {
      {}, { value = false }, { value = "x", at = 1700000000.25 }, { value = 1, is_commit = true }, { raised = { value = "no luck" }, at = 3.0 },
    } do
      assert.are.same(outcome, journal.decode(journal.encode(outcome)))
    end
  end)

  it("gives a time back as a float", function()
    assert.equal("float", math.type(journal.decode(journal.encode { value = 1, at = 1700000000.0 }).at))
    assert.equal("float", math.type(journal.decode '{"at":1700000000}'.at))
  end)

  it("takes the absence of a value and JSON's null for the same", function()
    assert.is_nil(journal.decode('{"v":null}').value)
    assert.is_nil(journal.decode("{}").value)
  end)

  it("refuses what JSON cannot hold", function()
    for _, value in ipairs { print, { print }, { [{}] = 1 }, 0 / 0, math.huge } do
      assert.has_error(function()
        journal.encode { value = value }
      end)
    end
  end)

  it("is not changed by what the script does to a value afterwards", function()
    local value = { a = { 1 } }
    local copy = journal.snapshot(value)
    value.a[1], value.b = 2, 3
    assert.are.same({ a = { 1 } }, copy)
    assert.equal("x", journal.snapshot "x")
    assert.equal("[]", json.encode(journal.snapshot(json.array {})))
  end)
end)

describe("an error in a journal", function()
  local function through(err)
    return journal.unpack_error(journal.read(journal.write(journal.pack_error(err))))
  end

  it("is a failure of the same kind, with what JSON can hold of it", function()
    local err = through(errors.new("rejected", "no", { code = 100, sent = false, raw = { a = "\xff" }, callback = print }))
    assert.is_true(errors.is(err))
    assert.are.same({ "rejected", "no", 100, false, { a = "\xff" } }, { err.kind, err.message, err.code, err.sent, err.raw })
    assert.is_nil(err.callback)
  end)

  it("is the value that was raised, where JSON can hold that", function()
    for _, value in ipairs { "no luck", 7, { code = "x" }, "\xff\0" } do
      assert.are.same(value, through(value))
    end
    assert.is_false(through(false))
  end)

  it("is its text where JSON cannot", function()
    assert.matches("^function: ", through(print))
    assert.equal("an object", through(setmetatable({ print }, {
      __tostring = function()
        return "an object"
      end,
    })))
  end)

  it("is another object each time", function()
    local kept = journal.pack_error(errors.new("timeout", "late"))
    local first = journal.unpack_error(kept)
    first.message = "changed by the script"
    assert.equal("late", journal.unpack_error(kept).message)
  end)
end)
