-- SPDX-License-Identifier: MIT
-- How the functions of a bot are called, for scripts that give them a table in place of a name, a number or a function: the error
-- says what to write. What else is wrong with an argument the functions say themselves.

local calls = {}

local forms = {
  on = 'bot:on("text", function(msg) … end)',
  use = "bot:use(function(msg, next) … return next() end)",
  tap = "bot:tap(function(what) … end)",
  before_send = "bot:before_send(function(payload, chat) … end)",
  on_error = "bot:on_error(function(err, about) … end)",
  on_restart = "bot:on_restart(function(left) … end)",
  dialog = 'bot:dialog("order", function(chat, args) … end)',
  global = 'bot:global({ "stop", "end" }, function(msg) … end)',
  job = 'bot:job("report", function(job) … end)',
  after = 'bot:after(60, "report", function(job) … end)',
  every = 'bot:every(3600, "report", function(job) … end)',
  daily = 'bot:daily("09:00", "report", function(job) … end)',
  cron = 'bot:cron("0 9 * * 1-5", "report", function(job) … end)',
  cancel_job = 'bot:cancel_job("report")',
  start = 'bot:start("919999999999", "order", args)',
  signal = 'bot:signal("919999999999", "paid", value)',
  chat = 'bot:chat("919999999999")',
  stop = "bot:stop(10), with seconds, or bot:stop()",
}

---What is said of a function that registers something and is called in a handler, a dialog or a job. For `cunnekt check`, too.
calls.late = "bot:%s: it is for all customers, so it belongs at the top of the script, not into a handler, a dialog or a job; "
  .. "for this customer's next message use chat:ask or chat:wait"

---The functions that register something.
calls.registers = { on = true, use = true, tap = true, before_send = true, on_error = true, on_restart = true, dialog = true, global = true, job = true }

-- `level`: of the function that calls the public one that calls this.
local function refuse(name, what, value, level)
  error(("bot:%s: expected %s, got %s; write %s"):format(name, what, type(value), forms[name]), level + 1)
end

---Refuses a table.
---@param name string the bot's function, which calls this
---@param what string what is expected instead
---@param value any
function calls.refuse_table(name, what, value)
  if type(value) == "table" then
    refuse(name, what, value, 3)
  end
end

---Refuses what is no string.
---@param name string the bot's function, which calls this
---@param what string
---@param value any
function calls.check_string(name, what, value)
  if type(value) ~= "string" then
    refuse(name, what, value, 3)
  end
end

---Refuses what is no function.
---@param name string the bot's function, which calls this
---@param fn any
function calls.check_function(name, fn)
  if type(fn) ~= "function" then
    refuse(name, "a function", fn, 3)
  end
end

-- Whether a table is a list of strings.
local function is_list_of_names(list)
  for _, value in pairs(list) do
    if type(value) ~= "string" then
      return false
    end
  end
  return list[1] ~= nil
end

---Refuses what is no name, in place of the event of bot:on.
---@param what any
function calls.check_event(what)
  if type(what) == "table" and is_list_of_names(what) then
    local text = 'bot:on: it takes one event, not a list; call it for each: bot:on("%s", …), or for all messages: bot:on("message", …)'
    error(text:format(what[1]), 3)
  elseif type(what) ~= "string" then
    refuse("on", "the name of an event", what, 3)
  end
end

---Refuses nil in the place of a matcher: a misspelt field, which every event would fit.
---@param what string
function calls.refuse_missing_matcher(what)
  error(("bot:on: the matcher is nil, as a misspelt name is; for every '%s' leave it out: bot:on('%s', function … end)"):format(what, what), 3)
end

---Refuses a table that is no list, in place of the words of bot:global.
---@param words any
---@param fn any
function calls.check_words(words, fn)
  if type(words) == "table" and (fn == nil or next(words) ~= nil and words[1] == nil) then
    refuse("global", "a word or a list of words", words, 3)
  end
end

return calls
