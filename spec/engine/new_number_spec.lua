-- SPDX-License-Identifier: MIT
-- Messages that wait while their person changes their number: they go to the new one, and never to whoever has the old one then.

local engine_rig = require "spec.support.rigs.engine_rig"
local json = require "cunnekt.base.json"
local process = require "spec.support.process"
local recovery = require "cunnekt.store.recovery"

local OLD, NEW, USER_ID = "919999999999", "918888888888", "IN.1"

describe("a message that waits", function()
  local it_, sequence, taken

  local function open(url)
    it_ = engine_rig.new { sends = 4, url = url }
    taken = {}
    local client = it_.engine.client
    function client.take_permit(_, payload)
      taken[payload.mobile] = (taken[payload.mobile] or 0) + 1
      return 0, false
    end
    function client.return_permit(_, payload)
      taken[payload.mobile] = taken[payload.mobile] - 1
    end
  end

  before_each(function()
    sequence = 0
    open()
  end)

  after_each(function()
    it_:close()
  end)

  local function accept(fields)
    sequence = sequence + 1
    fields.id, fields.timestamp = "wamid.in" .. sequence, "1700000000"
    local is_done = false
    local body = json.encode { metadata = { phone_number_id = "1" }, messages = { fields } }
    assert(it_.inbox:accept(body, function(err)
      assert.is_nil(err)
      is_done = true
    end))
    it_:step_until(function()
      return is_done
    end, "the event")
  end

  local function write(from, user_id)
    accept { type = "text", text = { body = "hi" }, from = from, from_user_id = user_id }
  end

  local function change(from, to)
    accept { type = "system", from = from, system = { type = "user_changed_number", wa_id = to } }
  end

  -- Rows to a number, in the conversation of `contact`.
  local function rows(contact, mobile, ...)
    local list = {}
    for i, text in ipairs { ... } do
      list[i] = it_:row("1:" .. contact, text)
      list[i].payload.mobile = mobile
    end
    return table.unpack(list)
  end

  local function delivered()
    local list = {}
    for i, payload in ipairs(it_.delivered) do
      list[i] = payload.text .. " " .. payload.mobile
    end
    return list
  end

  it("goes to the new number; what is being sent was sent to the old one", function()
    it_:hold(1)
    it_:send(rows(OLD, OLD, "a", "b", "c"))
    change(OLD, NEW)
    it_.held[1]()
    it_:settle()
    assert.are.same({ "a " .. OLD, "b " .. NEW, "c " .. NEW }, delivered())
    assert.are.same({ [OLD] = 1, [NEW] = 2 }, taken)
  end)

  it("goes there also beyond what memory holds, with its handle", function()
    it_:hold(1)
    local texts = {}
    for i = 1, 60 do
      texts[i] = "t" .. i
    end
    local handles = { it_:send(rows(OLD, OLD, table.unpack(texts))) }
    change(OLD, NEW)
    it_.held[1]()
    it_:step_until(function()
      return #it_.delivered == 60
    end, "all")
    it_:settle()
    for i, text in ipairs(texts) do
      assert.equal(text .. " " .. (i == 1 and OLD or NEW), delivered()[i])
    end
    assert.equal(NEW, handles[2].payload.mobile)
  end)

  it("goes to the new number that a turn does not know yet", function()
    write(OLD, USER_ID)
    change(OLD, NEW)
    it_:send(rows(NEW, OLD, "a"))
    it_:settle()
    assert.are.same({ "a " .. NEW }, delivered())
  end)

  it("goes to the old number again when its person is back there", function()
    it_:hold(1)
    it_:send(rows(OLD, OLD, "a", "b"))
    change(OLD, NEW)
    change(NEW, OLD)
    write(OLD)
    it_.held[1]()
    it_:settle()
    it_:send(rows(OLD, NEW, "c"))
    it_:settle()
    assert.are.same({ "a " .. OLD, "b " .. OLD, "c " .. OLD }, delivered())
  end)

  it("stays with an id that its person still has", function()
    write(OLD, USER_ID)
    it_:send(rows(OLD, USER_ID, "a", "b"))
    it_:settle()
    assert.are.same({ "a " .. USER_ID, "b " .. USER_ID }, delivered())
  end)

  it("stays with the form of a number that it was written to", function()
    write(OLD, USER_ID)
    it_:send(rows("5511987654321", "551187654321", "a", "b"))
    it_:settle()
    assert.are.same({ "a 551187654321", "b 551187654321" }, delivered())
  end)

  it("does not go to whoever has the old number then, also after a crash", function()
    it_:close()
    local folder = process.folder() -- which is gone when nothing holds it
    local url = "sqlite:" .. folder.path .. "/cunnekt.db"
    open(url)
    it_:hold(1)
    it_:send(rows(OLD, OLD, "a", "b"))
    change(OLD, NEW)
    write(OLD) -- somebody else
    it_:close()
    open(url)
    it_.outbox:recover(assert(recovery.park(it_.store)), assert(recovery.count_parked(it_.store)))
    it_:step_until(function()
      return delivered()[1]
    end, "what waited")
    it_:settle()
    assert.are.same({ "b " .. NEW }, delivered())
  end)

  it("does not go to whoever has the old number then, in this process", function()
    it_:hold(1)
    it_:send(rows(OLD, OLD, "a", "b"))
    change(OLD, NEW)
    write(OLD)
    it_:send(rows(OLD, OLD, "c"))
    it_.held[1]()
    it_:settle()
    local list = delivered()
    table.sort(list)
    assert.are.same({ "a " .. OLD, "b " .. NEW, "c " .. OLD }, list)
  end)
end)
