-- SPDX-License-Identifier: MIT
-- Actions: values go into an id and come back as they were; nothing else is taken for one.

local cunnekt = require "cunnekt"
local route = require "cunnekt.bot.route"

local function click(id)
  return { kind = "message", type = "button", reply = { id = id, title = "x" } }
end

describe("action", function()
  local order = cunnekt.action("order", { "id", "choice" })

  it("packs its values into an id, and unpacks them", function()
    assert.equal("order:7:yes", order:pack { id = 7, choice = "yes" })
    assert.are.same({ id = 7, choice = "yes" }, order:unpack "order:7:yes")
    assert.equal("integer", math.type(order:unpack("order:7:yes").id))
  end)

  it("gives every value back as it went in", function()
    local values = {
      "", "yes", "7", "007", "-0", "1.5", "1e5", "0x10", "true", "false", "nil", "inf", "a:b", "100%", "%41", ":", "::",
      "नमस्ते", "ÅÄÖ", "\xff\xfe", "\0\n\t", "a b", "1 2", "-", "+5", " 7", "99999999999999999999", "1.5.2", "2026-10-01",
      0, 7, -7, math.maxinteger, math.mininteger, 1.5, -0.25, 7.0, 1e300, 0.1, 1 / 3, true, false,
    }
    for _, value in ipairs(values) do
      local id = order:pack { id = value, choice = "x" }
      local back = order:unpack(id)
      assert(back, id)
      assert.equal(value, back.id)
      assert.equal(math.type(value), math.type(back.id))
      assert.is_not_nil(utf8.len(id))
    end
    math.randomseed(5)
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, math.random(0, 20) do
        bytes[i] = string.char(math.random(3) == 1 and math.random(0, 255) or ("0123456789.-+e:%tru"):byte(math.random(19)))
      end
      local text = table.concat(bytes)
      assert.are.same({ id = text, choice = text }, order:unpack(order:pack { id = text, choice = text }))
    end
  end)

  -- WhatsApp takes no id that ends with a blank.
  it("packs a blank at its end so that WhatsApp takes the id", function()
    assert.equal("order:7 :yes %20", order:pack { id = "7 ", choice = "yes  " })
    assert.are.same({ id = "7 ", choice = "yes  " }, order:unpack "order:7 :yes %20")
    assert.are.same({ id = "7 ", choice = "yes  " }, order:unpack "order:7 :yes  ") -- of an earlier version
  end)

  it("does not take foreign or broken ids for its own", function()
    for _, id in ipairs {
      "order", "order:", "order:7", "order:7:yes:more", "orders:7:yes", "ord:7:yes", "Order:7:yes", "", ":7:yes", "good",
      "order:007:yes", "order:7:%4", "order:7:%zz", "order:7:%79es", "order:-0:yes", "order:1e5:yes", "order:7:%2f",
    } do
      assert.is_nil(order:unpack(id), id)
    end
    assert.is_nil(order:unpack(nil))
    assert.is_nil(order:unpack(7))
  end)

  it("lets only the declared types pass", function()
    local slot = cunnekt.action("slot", { "id:integer", "word:string", "is_final:boolean", "price:number" })
    local id = slot:pack { id = 1, word = "2", is_final = false, price = 2.5 }
    assert.are.same({ id = 1, word = "2", is_final = false, price = 2.5 }, slot:unpack(id))
    for _, foreign in ipairs { "slot:x:2:false:2.5", "slot:1:2:false:2.5", "slot:1:w:no:2.5", "slot:1:w:true:x", "slot:1.5:w:true:1" } do
      assert.is_nil(slot:unpack(foreign), foreign)
    end
    local ok, message = pcall(slot.pack, slot, { id = "1", word = "2", is_final = false, price = 2.5 })
    assert.is_false(ok)
    assert.truthy(message:find("action 'slot': field 'id' must be of type integer, got string", 1, true))
  end)

  it("blames the script's line for what cannot be packed", function()
    local function problem(values)
      local ok, message = pcall(function()
        local id = order:pack(values)
        return id
      end)
      assert.is_false(ok)
      assert.truthy(message:find("action_spec.lua:", 1, true), message)
      return (message:gsub("^.-:%d+: ", ""))
    end
    assert.equal("action 'order': field 'choice' must be a string, a number, true or false, got nil", problem { id = 7 })
    assert.equal("action 'order': unknown field 'chioce' (did you mean 'choice'?)", problem { id = 7, chioce = "yes" })
    assert.equal("action 'order': field 'id' must be a string, a number, true or false, got table", problem { id = {}, choice = "" })
    assert.equal("action 'order': field 'id' must be a string, a number, true or false, got float", problem { id = 0 / 0, choice = "" })
    assert.equal("action 'order': the id would be 258 bytes long; at most 256 fit", problem { id = 7, choice = ("x"):rep(250) })
    assert.equal("action 'order': the values must be a table, got number", problem(7))
    assert.equal(256, #order:pack { id = 7, choice = ("x"):rep(248) })
  end)

  it("refuses names and fields that cannot be kept apart", function()
    for _, bad in ipairs { { "a:b", {} }, { "", {} }, { 7, {} }, { "a", { "id", "id" } }, { "a", { "id:int" } }, { "a", { "1st" } }, { "a", { 1 } }, { "a", "id" } } do
      local ok, message = pcall(cunnekt.action, bad[1], bad[2])
      assert.is_false(ok)
      assert.truthy(message:find("cunnekt.action", 1, true))
    end
    assert.equal("cancel", cunnekt.action("cancel"):pack())
    assert.are.same({}, cunnekt.action("cancel", {}):unpack "cancel")
  end)

  it("is a matcher that hands its values to the handler", function()
    local routes, got = route.new(), {}
    local stop = cunnekt.action("stop", { "id" })
    routes:add("button", order, function(msg)
      got[#got + 1] = msg.action.id .. msg.action.choice
    end, nil, 2)
    routes:add("list", order, function(msg)
      got[#got + 1] = "row " .. msg.action.id
    end, nil, 2)
    routes:add("quick_reply", stop, function(msg)
      got[#got + 1] = "stop " .. msg.action.id
    end, nil, 2)
    routes:add("message", stop | cunnekt.filter.text "^stop$", function(msg)
      got[#got + 1] = "any " .. (msg.action and msg.action.id or msg.text)
    end, nil, 2)
    routes:dispatch(click(order:pack { id = 7, choice = "yes" }))
    routes:dispatch { kind = "message", type = "list", reply = { id = "order:8:no" } }
    routes:dispatch { kind = "message", type = "quick_reply", payload = stop:pack { id = "x" } }
    routes:dispatch(click "stop:9")
    routes:dispatch { kind = "message", type = "text", text = "stop" }
    routes:dispatch(click "order:8")
    routes:dispatch { kind = "message", type = "text", text = "order:8:no" }
    assert.are.same({ "7yes", "row 8", "stop x", "any 9", "any stop" }, got)
  end)
end)
