-- SPDX-License-Identifier: MIT
-- What customers write to an example, step by step, and what may happen to the bot meanwhile: between two steps, or in the
-- middle of one. Whatever it is, they must see the same.

local action = require "cunnekt.bot.action"
local clock = require "cunnekt.time.clock"
local lives = require "spec.support.dialogs.lives"
local process = require "spec.support.process"
local server = require "spec.support.server"

local scenario = {}

local asha, ravi, staff = "919999999999", "919999999998", "918888888888"
local HOUR, DAY = 3600, 24 * 3600
local document = "%PDF-1.4 a certificate"

local function text(words, from)
  return { type = "text", text = words, from = from }
end

local function pass(seconds)
  return { pass = seconds }
end

local slot = action.new("slot", { "day:string", "time:string" })
local language = action.new("language", { "code:string" })
local dish = action.new("dish", { "id:string" })

local function tap(kind, id, title, from)
  return { type = kind, id = id, title = title, from = from }
end

local function set(key, value)
  return { set = key, value = value }
end

local function staff_write(words, to)
  return { type = "echo", text = words, from = to }
end

local offer = action.new("offer", { "name:string", "answer:string" })
local support = "106540352242923"

local function to_support(words)
  return { type = "text", text = words, set = { ["metadata.phone_number_id"] = support } }
end

---@type table<string, table[]> example → steps: what somebody does, how long nothing happens, or a value that another program sets
scenario.steps = {
  ["appointment.lua"] = {
    text "good morning", text "Asha", text "tomorrow", text "2023-11-20",
    { type = "list", id = slot:pack { day = "2023-11-20", time = "11:00" }, title = "11:00" },
    text("hello", ravi), text("Ravi", ravi), text("2023-11-20", ravi), text("9 o'clock", ravi), text("09:00", ravi),
    pass(7 * DAY), text "Cancel", text "hello again", text "cancel",
    text("cancel", ravi), text("me too", ravi), text("Ravi", ravi), text("2023-12-01", ravi), text("17:00", ravi), text("CANCEL", ravi),
  },
  ["order_status.lua"] = {
    text "where is it?", text "it is late", text "4711", { type = "button", id = "yes", title = "Yes, please" }, pass(HOUR + 1),
    text("order", ravi), text("12", ravi), text("order", ravi), text("a", ravi), text("b", ravi), text("c", ravi),
    text "order", text "500", pass(601), pass(1201), pass(1801), text "order", text "4713",
  },
  ["feedback_handover.lua"] = {
    text "hi", text "what?", { type = "button", id = "bad", title = "Bad" }, text "it was cold",
    text "hello?", text("noted", staff), text "is anybody there?", text("done " .. asha, staff), text "thank you",
    { type = "button", id = "good", title = "Good" }, text("hi", ravi), text("a", ravi), text("b", ravi), text("c", ravi),
    text("hi", ravi), pass(DAY + 1),
  },
  ["intake.lua"] = {
    text "hello", pass(DAY + 1), { type = "form", form = { name = "Asha" } }, text "which one?",
    { type = "document", filename = "birth.pdf", data = document },
    text("hello", ravi), { type = "form", form = { name = "Ravi" }, from = ravi }, pass(DAY + 1), pass(DAY + 1), text("hello", ravi),
  },
  ["two_languages.lua"] = {
    text "hello", text "what?", { type = "button", id = language:pack { code = "hi" }, title = "हिन्दी" },
    { type = "list", id = dish:pack { id = "samosa" }, title = "समोसा" }, text "back", text "चाय", text "30", text "3",
    text "hello", text "समोसा", text "2", text "language", text "English", text "Tea", text "Back", text "Samosa", text "1",
  },
  ["cake_order.lua"] = {
    text "hello", { type = "image" }, text "CHERRY", text "yes", { type = "image" }, text "with much cream", { type = "image" }, pass(21),
    { type = "reaction", text = "👍" }, { type = "audio" }, tap("button", "yes", "Yes"),
    text("hello", ravi), pass(HOUR + 1), tap("button", "apple", "Apple", ravi), text("no", ravi), text("hello?", ravi),
    text("no", ravi), text "hello", pass(DAY + 1), text "hello",
  },
  ["clinic.lua"] = {
    text "hello", set("visit " .. asha, { name = "Asha", time = "11:00" }), set("visit " .. ravi, { name = "Ravi", time = "12:00" }),
    pass(15 * HOUR + 1200), tap("quick_reply", "yes", "Yes"), text("perhaps", ravi), text("Nice, I come", ravi), pass(2 * HOUR + 60),
    text("No, sorry", ravi),
    pass(10 * HOUR), text "hello", text "CANCEL", text("रद्द", ravi), pass(DAY),
  },
  ["opt_out.lua"] = {
    text "hi", text "STOP", text "green", text "hello?", text " Start", text "hi", text "green", text "offer",
    { type = "user_preferences", text = "stop" }, text "Offer", text "hi", text "black",
    text("hi", ravi), text("Стоп", ravi), { type = "image", from = ravi }, text("START", ravi), text("hi", ravi),
  },
  ["assistant.lua"] = {
    text "what teas do you have?", pass(4), { type = "image" }, text "how much is it?", pass(4), text "PERSON", text "are you there?",
    text("hello", ravi), pass(4),
  },
  ["front_desk.lua"] = {
    text "hi", text "opening hours", text "hi", tap("button", "person", "A person"), text "are you there?",
    staff_write("Yes, I am.", asha), text "wonderful", staff_write("#bot", asha), text "hi", text("hi", ravi),
    staff_write("How are you, Ravi?", ravi), text("fine", ravi), pass(2 * HOUR + 1), tap("button", "hours", "Opening hours", ravi),
  },
  ["two_numbers.lua"] = {
    text "hello", tap("button", "buy", "I want to buy"), to_support "hello", text "hello", text "I want to buy", to_support "4711",
    text "hello", to_support "it is broken", tap("button", "complain", "Something is wrong"), to_support "4712", to_support "no lid",
  },
  ["newsletter.lua"] = {
    text "hello", text("send summer", staff), tap("quick_reply", offer:pack { name = "summer", answer = "yes" }, "Yes"), text "a few",
    text("send summer", staff), text "3", tap("quick_reply", offer:pack { name = "summer", answer = "yes" }, "Yes", ravi),
    text("many", ravi), text("many many", ravi), text("very many", ravi), text("send winter", staff),
  },
}

-- What the examples ask over HTTP: an order book, and the provider for files. Counts what it is asked for. A request that is
-- cut off is made again, so the answers depend on the time, not on the count.
local function serve(asked)
  return server.new(function(request)
    asked[request.path] = (asked[request.path] or 0) + 1
    if request.path == "/orders/4711" then
      return 200, '{"state":"packed","arrives":"today"}'
    elseif request.path == "/orders/4713" then
      return 200, '{"state":"delivered"}'
    elseif request.path == "/chat/completions" then
      return 200, '{"choices":[{"message":{"content":"We have 12 sorts of tea."}}]}'
    elseif request.path == "/orders/500" then
      return clock.now() < lives.began + HOUR + 1000 and 500 or 404, "{}"
    elseif request.path:find "getmediafile" then
      return 200, document, { ["Content-Type"] = "application/pdf" }
    end
    return 404, "{}"
  end)
end

---@class spec.scenario.result
---@field seen table<string, string[]> number → what was seen there
---@field asked table<string, integer> path → requests
---@field lines string[] of the log
---@field restarts integer

---Plays an example's steps.
---@param example string
---@param opts table path: of another file; bot: options; prepare(lives); between(lives, n): before step n; wheel(lives, n) again and again during it; twice: everything is posted twice, and again later
---@return spec.scenario.result
function scenario.play(example, opts)
  local asked = {}
  local http = serve(asked)
  local options = { base_url = http.url .. "/v1" }
  for name, value in pairs(opts.bot or {}) do
    options[name] = value
  end
  local folder = process.folder()
  process.write(folder.path .. "/customers.txt", asha .. "\n" .. ravi .. "\n")
  local environment = {
    ORDER_API = http.url, CHAT_URL = http.url, STAFF_NUMBER = staff, INTAKE_FOLDER = folder.path, CUSTOMERS = folder.path .. "/customers.txt",
  }
  local all = lives.new(lives.script(opts.path or "examples/" .. example, environment), options)
  local ok, failure = xpcall(function()
    if opts.prepare then
      opts.prepare(all)
    end
    all:start()
    local earlier = {}
    for n, step in ipairs(scenario.steps[example]) do
      if opts.between then
        opts.between(all, n)
      end
      local wheel = opts.wheel and function()
        opts.wheel(all, n)
      end
      if step.pass then
        all:pass(step.pass, wheel)
      elseif step.set and not step.type then
        all:finish(function()
          assert(all.bot.store:set(step.set, step.value))
        end)
      else
        local body = all:act(step.from or asha, step)
        for i = math.max(1, #earlier - 2), opts.twice and #earlier or 0 do
          all:post(earlier[i])
        end
        earlier[#earlier + 1] = body
        if opts.twice then
          all:post(body)
        end
        all:settle(wheel)
      end
    end
  end, debug.traceback)
  all:close()
  http.close()
  assert(ok, failure)
  return { seen = all.seen, asked = asked, lines = all.lines, restarts = all.restarts }
end

return scenario
