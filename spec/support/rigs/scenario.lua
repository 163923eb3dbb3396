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

---@type table<string, table[]> example → steps: what somebody does, or how long nothing happens
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
  local environment = { ORDER_API = http.url, STAFF_NUMBER = staff, INTAKE_FOLDER = process.folder().path }
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
