-- SPDX-License-Identifier: MIT
-- The usual mistakes of whoever writes their first bot: what `cunnekt check` says about each, and what is seen when the script
-- runs anyway. A mistake that only one of them can see says so.

local blame = require "cunnekt.base.blame"
local bot_rig = require "spec.support.rigs.bot_rig"
local cunnekt = require "cunnekt"
local inside = require("cunnekt.service").of
local refusals = require "cunnekt.bot.refusals"
local rules = require "cunnekt.cli.check.rules"

-- On the first line, so that lines count as in a script.
local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

-- check: what it prints, as "line: message"; run: the beginning of what the log says, or of what the script raises as it is
-- loaded; `false`: nothing, where a run cannot know.
local mistakes = {
  {
    "an event that there is not",
    'bot:on("txt", function(msg) end)',
    check = "1: bot:on: unknown event 'txt' (did you mean 'text'?)",
    run = "bot.lua:1: bot:on: unknown event 'txt' (did you mean 'text'?)",
  },
  {
    "a table in place of an event",
    'bot:on({ "text" }, function(msg) end)',
    check = '1: bot:on takes the name of one event, got a table; write bot:on("text", function(msg) … end)',
    run = 'bot.lua:1: bot:on: it takes one event, not a list; call it for each: bot:on("text", …)',
  },
  {
    "a method of the bot, misspelt",
    'bot:onn("text", function(msg) end)',
    check = "1: bot has no method 'onn' (did you mean 'on'?)",
    run = "bot.lua:1: attempt to call a nil value (method 'onn')",
  },
  {
    "a method of a message, misspelt",
    'bot:on("text", function(msg)\n  msg:replytext "hi"\nend)',
    check = "2: msg has no method 'replytext' (did you mean 'reply_text'?)",
    run = "error: bot.lua:2: attempt to call a nil value (method 'replytext') (event",
  },
  {
    "a method that other libraries have",
    'bot:on("text", function(msg)\n  msg:reply "hi"\nend)',
    check = "2: msg.reply is no method, but a field (write msg:reply_text)",
    run = "error: bot.lua:2: attempt to call a nil value (method 'reply') (event",
  },
  {
    "a method of a chat, misspelt",
    'bot:on("text", function(msg)\n  msg.chat:aks "Your name?"\nend)',
    check = "2: chat has no method 'aks' (did you mean 'ask'?)",
    run = "error: bot.lua:2: attempt to call a nil value (method 'aks') (event",
  },
  {
    "a method of the store, misspelt",
    'bot:on("text", function()\n  return bot.store:gett "x"\nend)',
    check = "2: bot.store has no method 'gett' (did you mean 'get'?)",
    run = "error: bot.lua:2: attempt to call a nil value (method 'gett') (event",
  },
  {
    "a field of a message, misspelt: it is nil",
    'bot:on("text", function(msg)\n  if msg.txt == "hi" then msg:reply_text "hello" end\nend)',
    check = "2: msg has no field 'txt' (did you mean 'text'?)",
    run = false,
  },
  {
    "a field of what was tapped, misspelt",
    'bot:on("button", function(msg)\n  print(msg.reply.ids)\nend)',
    check = "2: msg.reply has no field 'ids' (did you mean 'id'?)",
    run = false,
  },
  {
    "a word that a field never is",
    'bot:on("message", function(msg)\n  if msg.type == "picture" then msg:reply_text "nice" end\nend)',
    check = "2: msg.type is never 'picture' (did you mean 'image'?)",
    run = false,
  },
  {
    "a dot where a colon belongs",
    'bot:on("text", function(msg)\n  msg.reply_text "hi"\nend)',
    check = "2: msg.reply_text(…) needs a colon: write msg:reply_text(…)",
    run = "error: bot.lua:2: ",
  },
  {
    "a dot where a colon belongs, of a handle",
    'bot:on("text", function(msg)\n  local sent = msg:reply_text "hi"\n  sent.wait("delivered")\nend)',
    check = "3: sent.wait(…) needs a colon: write sent:wait(…)",
    run = "error: bot.lua:3: sent:wait: got a string instead of the sent; write sent:wait(…), with a colon (event",
  },
  {
    "a dot where a colon belongs, of a client, before a number that is computed",
    'bot:on("text", function(msg)\n  bot.client.send_text(msg.chat.state.friend, "hi")\nend)',
    check = "2: client.send_text(…) needs a colon: write client:send_text(…)",
    run = "error: bot.lua:2: client:send_text: got nothing instead of the client; write client:send_text(…), with a colon (event",
  },
  {
    "more arguments than there are",
    'bot:on("text", function(msg)\n  msg:reply_text("hi", nil, "there")\nend)',
    check = "2: msg:reply_text takes 2 arguments, got 3",
    run = "error: bot.lua:2: reply_text: options must be a table, got string (event",
  },
  {
    "a colon where a dot belongs",
    'bot:on("text", function()\n  return cunnekt.json:encode { 1 }\nend)',
    check = "2: cunnekt.json.encode is no method: write a dot in place of the colon, cunnekt.json.encode(…)",
    run = false, -- it encodes the module itself, or fails inside
    is_free = true,
  },
  {
    "an option of the bot, misspelt",
    'cunnekt.bot { lissten = "127.0.0.1:0" }',
    check = "1: cunnekt.bot: unknown option 'lissten' (did you mean 'listen'?)",
    run = "bot.lua:1: cunnekt.bot: unknown option 'lissten' (did you mean 'listen'?)",
  },
  {
    "an option of a question, misspelt",
    'bot:on("text", function(msg)\n  msg.chat:ask("When?", { tiemout = 60 })\nend)',
    check = "2: chat:ask: unknown option 'tiemout' (did you mean 'timeout'?)",
    run = "error: bot.lua:2: chat:ask: unknown option 'tiemout' (did you mean 'timeout'?) (event",
  },
  {
    "a number in quotation marks",
    'bot:on("text", function(msg)\n  msg.chat:ask("When?", { timeout = "60" })\nend)',
    check = "2: chat:ask: timeout must be a number, got a string",
    run = "error: bot.lua:2: chat:ask: option 'timeout' must be a number, got string (event",
  },
  {
    "an option of a reply, misspelt",
    'bot:on("text", function(msg)\n  msg:reply_buttons { boddy = "Ok?", buttons = { { id = "y", title = "Yes" } } }\nend)',
    check = "2: msg:reply_buttons: unknown option 'boddy' (did you mean 'body'?)",
    run = "warning: bot.lua:2: reply_buttons: boddy is unknown (did you mean 'body'?)",
  },
  {
    "an empty text",
    'bot:on("text", function(msg)\n  msg:reply_text ""\nend)',
    check = "2: msg:reply_text: text is empty; leave the reply out, or write something",
    run = "warning: bot.lua:2: reply_text: text is empty; leave the reply out, or write something",
  },
  {
    "no text at all",
    'bot:on("text", function(msg)\n  msg:reply_text(msg.chat.state.never_set)\nend)',
    check = false, -- only a run knows
    run = "warning: bot.lua:2: reply_text: text is missing; it is nil: give a string",
  },
  {
    "a number as the text",
    'bot:on("text", function(msg)\n  msg:reply_text(42)\nend)',
    check = "2: msg:reply_text: text must be a string, got a number",
    run = 'warning: bot.lua:2: reply_text: text must be a string, got number; write tostring(value), or ("%d"):format(value)',
  },
  {
    "a file of this machine as an image",
    'bot:on("text", function(msg)\n  msg:reply_image("menu.png", "Our menu")\nend)',
    check = "2: msg:reply_image: image is a path of this machine, not a web address; it must be on a web server: write its https:// address",
    run = "warning: bot.lua:2: reply_image: image is a path of this machine, not a web address; it must be on a web server: write",
  },
  {
    "an address without https://",
    'bot:on("text", function(msg)\n  msg:reply_image("shop.example/menu.png")\nend)',
    check = "2: msg:reply_image: image does not begin with https://; WhatsApp may refuse it",
    run = "warning: bot.lua:2: image does not begin with https://; WhatsApp may refuse it",
  },
  {
    "plain strings as buttons",
    'bot:on("text", function(msg)\n  msg:reply_buttons { body = "Ok?", buttons = { "Yes", "No" } }\nend)',
    check = "2: msg:reply_buttons: buttons[1] must be a table {id=, title=}, got a string",
    run = 'warning: bot.lua:2: reply_buttons: buttons[1] must be a table, got string; write { id = "yes", title = "Yes" } for each button',
  },
  {
    "two buttons with one id",
    'bot:on("text", function(msg)\n  msg:reply_buttons { body = "Ok?", buttons = { { id = "a", title = "Yes" }, { id = "a", title = "No" } } }\nend)',
    check = "2: msg:reply_buttons: buttons[2].id is the same as buttons[1].id; each button needs an id of its own",
    run = "warning: bot.lua:2: reply_buttons: buttons[2].id is the same as buttons[1].id; each button needs an id of its own",
  },
  {
    "four buttons",
    'bot:on("text", function(msg)\n  msg:reply_buttons { body = "?", buttons = {\n{id="a",title="A"},{id="b",title="B"},{id="c",title="C"},{id="d",title="D"} } }\nend)',
    check = "2: msg:reply_buttons: buttons has 4 items; Cunnekt allows 3; with more choices use reply_list",
    run = "warning: bot.lua:2: reply_buttons: buttons has 4 items; Cunnekt allows 3; with more choices use reply_list",
  },
  {
    "a title that is too long",
    'bot:on("text", function(msg)\n  msg:reply_buttons { body = "Ok?", buttons = {\n    { id = "a", title = "Yes, I would like to order now" } } }\nend)',
    check = "3: msg:reply_buttons: buttons[1].title is 30 characters long; Cunnekt allows 24",
    run = "warning: bot.lua:2: reply_buttons: buttons[1].title is 30 characters long; Cunnekt allows 24",
  },
  {
    "a list without its label",
    'bot:on("text", function(msg)\n  msg:reply_list { body = "Choose", list = { { id = "tea", title = "Tea" } } }\nend)',
    check = '2: msg:reply_list: list_title is missing; write list_title = "Menu": the label that opens the list',
    run = 'warning: bot.lua:2: reply_list: list_title is missing; write list_title = "Menu": the label that opens the list',
  },
  {
    "twelve rows",
    'local rows = {} for i = 1, 12 do rows[i] = { id = "r" .. i, title = "Row " .. i } end\nbot:on("text", function(msg)\n  msg:reply_list { body = "Choose", list_title = "Menu", list = rows }\nend)',
    check = false, -- the script computes them
    run = 'warning: bot.lua:3: reply_list: list has 12 items; Cunnekt allows 10; offer the others in a second list, with a row "More"',
  },
  {
    "a line break in a template's parameter",
    'bot:on("text", function(msg)\n  msg:reply_template("hello", { body = { "a\\nb" } })\nend)',
    check = "2: msg:reply_template: body[1] has a line break; WhatsApp allows none in a template's parameter; write it in one line",
    run = "warning: bot.lua:2: reply_template: body[1] has a line break; WhatsApp allows none in a template's parameter; write it in one line",
  },
  {
    "a question that is refused",
    'bot:on("text", function(msg)\n  local answer = msg.chat:ask ""\n  return answer\nend)',
    check = "2: chat:ask: text is empty; leave the reply out, or write something",
    run = "warning: bot.lua:2: chat:ask: text is empty; leave the reply out, or write something",
  },
  {
    "a dialog that there is not",
    'bot:dialog("order", function(chat) chat:ask "What?" end)\nbot:on("text", function(msg)\n  msg:start "ordr"\nend)',
    check = "3: msg:start: there is no dialog 'ordr' (did you mean 'order'?)",
    run = "error: bot.lua:3: msg:start: there is no dialog 'ordr' (did you mean 'order'?) (event",
  },
  {
    "a function of a job that there is not",
    'bot:job("remind", function() end)\nbot:on("text", function(msg)\n  bot:after(60, "remind " .. msg.from, "remnd")\nend)',
    check = "3: bot:after: there is no bot:job 'remnd' (did you mean 'remind'?)",
    run = "error: bot.lua:3: bot:after: there is no bot:job 'remnd' (did you mean 'remind'?) (event",
  },
  {
    "a state of a message that there is not",
    'bot:on("text", function(msg)\n  msg:reply_text("hi"):wait "deliverd"\nend)',
    check = "2: sent:wait: wanted: unknown value 'deliverd' (did you mean 'delivered'?)",
    run = "error: bot.lua:2: sent:wait: 'deliverd' is not one of: accepted, sent, delivered, read (event",
  },
  {
    "a handler behind one that takes everything",
    'bot:on("text", function(msg) msg:reply_text "Sorry?" end)\nbot:on("text", "menu", function(msg) msg:reply_text "Tea" end)',
    check = "2: bot:on: this handler never runs: that of line 1 takes every 'text' first; move this one above it, or return \"next\" there",
    run = false,
  },
  {
    "a value in a field of the store",
    'bot:on("text", function()\n  bot.store.count = 1\nend)',
    check = '2: bot.store keeps nothing in its fields: write bot.store:set("count", value)',
    run = 'error: bot.lua:2: bot.store keeps nothing in its fields: call bot.store:set("count", value) (event',
  },
  {
    "a global, misspelt",
    'bot:on("text", function(msg)\n  prnt(msg.text)\nend)',
    check = "2: undefined global 'prnt' (did you mean 'print'?)",
    run = "error: bot.lua:2: attempt to call a nil value (global 'prnt') (event",
  },
  {
    "a string where options belong",
    'bot:on("text", function(msg)\n  msg:reply_text("a", "b")\nend)',
    check = "2: msg:reply_text: delivery must be a table, got a string",
    run = "error: bot.lua:2: reply_text: options must be a table, got string (event",
  },
  {
    "a method of another language's strings",
    'bot:on("text", function(msg)\n  if msg.text:contains "menu" then print "yes" end\nend)',
    check = "2: a string has no method 'contains' (write text:find(word, 1, true))",
    run = "error: bot.lua:2: attempt to call a nil value (method 'contains') (event",
  },
  {
    "a status that there is not",
    'bot:on("status", function(s)\n  if s.status == "deliverd" then print "x" end\nend)',
    check = "2: event.status is never 'deliverd' (did you mean 'delivered'?)",
    run = false,
    is_free = true,
  },
  {
    "a kind of error that there is not",
    'bot:on("text", function(msg)\n  local sent, err = msg:reply_text "x"\n  if not sent and err.kind == "timeot" then print "x" end\nend)',
    check = "3: err.kind is never 'timeot' (did you mean 'timeout'?)",
    run = false,
    is_free = true,
  },
  {
    "a reminder without its time",
    'bot:on("text", function(msg)\n  msg.chat:ask("x", { remind = { text = "x" } })\nend)',
    check = "2: chat:ask: remind: after is missing: it must be a number",
    run = "error: bot.lua:2: chat:ask: option 'remind' must be { after = seconds, text = … }, or a list of these",
  },
  {
    "a time zone that there is not",
    'bot:daily("09:00", { tz = "Asia/Calcuta" }, "a", function() end)',
    check = "1: bot:daily: no time zone is called 'Asia/Calcuta' (did you mean 'Asia/Calcutta'?)",
    run = "bot.lua:1: bot:daily: no time zone is called 'Asia/Calcuta' (did you mean 'Asia/Calcutta'?)",
  },
  {
    "a job every 0 seconds",
    'bot:every(0, "a", function() end)',
    check = "1: bot:every: seconds must be a number of more than 0",
    run = "bot.lua:1: bot:every: seconds must be a number of more than 0",
  },
  {
    "two jobs of one name",
    'bot:every(5, "a", function() end)\nbot:daily("09:00", "a", function() end)',
    check = "2: bot:daily: there is a job 'a' in line 1 already, which this one replaces",
    run = false,
    is_free = true,
  },
  {
    "a malformed pattern",
    'bot:on("text", "[a", function() end)',
    check = "1: bot:on: '[a' is not a Lua pattern: malformed pattern (missing ']'); for these words write '%[a'",
    run = "bot.lua:1: bot:on: '[a' is not a Lua pattern: malformed pattern (missing ']'); for these words write '%[a'",
  },
  {
    "a number as a matcher",
    'bot:on("text", 5, function() end)',
    check = "1: bot:on: matcher must be a string or a list or a filter or an action or a function, got a number",
    run = "bot.lua:1: bot:on: the matcher must be a string, a filter, an action, a function or a list of these, got number",
  },
  {
    "a filter for an event that there is not",
    'bot:on("message", cunnekt.filter.type("txt"), function() end)',
    check = "1: filter.type: unknown event 'txt' (did you mean 'text'?)",
    run = "bot.lua:1: filter.type: unknown event 'txt' (did you mean 'text'?)",
  },
  {
    "a field of an action of a type that there is not",
    'bot:on("button", cunnekt.action("order", { "id:int" }), function() end)',
    check = "1: cunnekt.action('order'): 'id:int' is not a field such as 'id' or 'id:integer'",
    run = "bot.lua:1: cunnekt.action('order'): 'id:int' is not a field such as 'id' or 'id:integer'",
  },
  {
    "an event by another name",
    'bot:on("photo", function(msg) end)',
    check = "1: bot:on: unknown event 'photo' (did you mean 'image'?)",
    run = "bot.lua:1: bot:on: unknown event 'photo' (did you mean 'image'?)",
  },
  {
    "a message as the args of a dialog",
    'bot:dialog("d", function() end)\nbot:on("text", function(msg)\n  msg:start("d", { from = msg })\nend)',
    check = false,
    run = "error: bot.lua:3: msg:start: the dialog's args cannot be stored: value.from is a message; store what you need of it, such as",
  },
  {
    "a function as the value of a signal",
    'bot:on("text", function(msg)\n  bot:signal(msg.from, "paid", print)\nend)',
    check = false,
    run = "error: bot.lua:2: bot:signal: the value cannot be stored: json.encode: cannot encode a function, at value (event",
  },
  {
    "a message to track a reply",
    'bot:on("text", function(msg)\n  msg:reply_text("x", { track = { msg } })\nend)',
    check = false,
    run = "error: bot.lua:2: reply_text: option 'track' cannot be stored: value[1] is a message; store what you need of it, such as",
  },
  {
    "a list where a template's parts belong",
    'bot:on("text", function(msg)\n  msg:reply_template("hello", { "Asha" })\nend)',
    check = "2: msg:reply_template: message must be a table {after=, body=, buttons=, cards=, …}, got a list",
    run = "warning: bot.lua:2: reply_template: 1 is unknown (known: header, body, buttons, ",
  },
  {
    "plain strings as a template's buttons",
    'bot:on("text", function(msg)\n  msg:reply_template("hello", { buttons = { "Yes" } })\nend)',
    check = "2: msg:reply_template: buttons[1] must be a table {index=, payload=, text=, type=}, got a string",
    run = 'warning: bot.lua:2: reply_template: buttons[1] must be a table, got string; write { type = "quick_reply", payload = "yes" } for',
  },
  {
    "an option behind a text, misspelt",
    'bot:on("text", function(msg)\n  msg:reply_text("x", { prioriti = "bulk" })\nend)',
    check = "2: msg:reply_text: unknown option 'prioriti' (did you mean 'priority'?)",
    run = "error: bot.lua:2: reply_text: unknown option 'prioriti' (did you mean 'priority'?) (event",
  },
  {
    "the text and the buttons apart",
    'bot:on("text", function(msg)\n  msg:reply_buttons(msg.text, { { id = "a", title = "Yes" } })\nend)',
    check = "2: msg:reply_buttons takes one argument, got 2",
    run = 'warning: bot.lua:2: reply_buttons: message must be a table, got string; write the fields in braces: { body = "…", … }',
  },
  {
    "a time where seconds from now belong",
    'bot:on("text", function(msg)\n  msg.chat:sleep(os.time() + 60)\nend)',
    check = false,
    run = "error: bot.lua:2: chat:sleep: seconds count from now, and these are ",
  },
  {
    "a check of answers that returns nothing",
    'bot:on("text", function(msg)\n  msg.chat:ask("Age?", { check = function(it) tonumber(it.text) end })\nend)',
    check = "2: chat:ask: check: the function returns nothing, so no answer is valid; write return …",
    run = false,
    is_free = true,
  },
  {
    "a pattern as an id",
    'bot:on("button", "^tea:", function() end)',
    check = "1: bot:on: '^tea:' is compared with the exact id; for a pattern write function(msg) return msg.reply.id:find '^tea:' end",
    run = false,
  },
  {
    "a second parameter of a handler",
    'bot:on("text", function(msg, chat)\n  chat:reply_text "x"\nend)',
    check = "1: bot:on: handler: its parameter 'chat' is always nil (write msg.chat)",
    run = "error: bot.lua:2: attempt to index a nil value (local 'chat') (event",
  },
  {
    "a handler behind one whose pattern takes everything",
    'bot:on("text", ".*", function(msg) msg:reply_text "Sorry?" end)\nbot:on("text", "menu", function(msg) msg:reply_text "Tea" end)',
    check = "2: bot:on: this handler never runs: that of line 1 takes every 'text' first; move this one above it, or return \"next\" there",
    run = false,
  },
  {
    "a handler behind one whose function takes everything",
    'bot:on("text", function() return true end, function(msg) msg:reply_text "Sorry?" end)\nbot:on("text", function(msg) msg:reply_text "Tea" end)',
    check = "2: bot:on: this handler never runs: that of line 1 takes every 'text' first; move this one above it, or return \"next\" there",
    run = false,
  },
  {
    "a function that Lua's os does not have",
    'bot:on("text", function()\n  return os.tim()\nend)',
    check = "2: os has no function 'tim' (did you mean 'time'?)",
    run = "error: bot.lua:2: attempt to call a nil value (field 'tim') (event",
  },
  {
    "a function that Lua's string does not have",
    'bot:on("text", function(msg)\n  msg:reply_text(string.fromat("%d", 5))\nend)',
    check = "2: string has no function 'fromat' (did you mean 'format'?)",
    run = "error: bot.lua:2: attempt to call a nil value (field 'fromat') (event",
  },
  {
    "a title that is too long, in a table above",
    'local B = { { id = "a", title = "A title that is far too long" } }\nbot:on("text", function(msg)\n  msg:reply_buttons { body = "x", buttons = B }\nend)',
    check = "1: msg:reply_buttons: buttons[1].title is 28 characters long; Cunnekt allows 24",
    run = "warning: bot.lua:3: reply_buttons: buttons[1].title is 28 characters long; Cunnekt allows 24",
  },
}

describe("a mistake", function()
  local rig

  before_each(function()
    rig = bot_rig.new()
    refusals.forget()
  end)

  after_each(function()
    rig:close()
  end)

  -- Loads the script with the rig's bot; gives what that raised.
  local function load_script(code)
    local bot = rig:new_bot()
    local module = setmetatable({}, { __index = cunnekt })
    function module.bot()
      module.bot = nil -- a second one is the script's
      return bot
    end
    local env = setmetatable({ print = function() end, require = function() return module end }, { __index = _G })
    local ok, raised = xpcall(assert(load(HEAD .. code, "@bot.lua", "t", env)), function(failure)
      return (blame.describe(failure, 2))
    end)
    return not ok and raised or nil
  end

  local function shown(code)
    local raised = load_script(code)
    if raised then
      return raised
    end
    rig:start()
    local before = #rig.lines
    rig:say "hi"
    bot_rig.wait_for(function()
      local counts = inside(rig.bot).counts
      return rig.lines[before + 1] or counts.events_finished + counts.events_failed > 0
    end, "the turn")
    return rig.lines[before + 1] and rig.lines[before + 1]:gsub("^cunnekt: ", "") or nil
  end

  for _, mistake in ipairs(mistakes) do
    it("is seen by check: " .. mistake[1], function()
      local found = {}
      for i, problem in ipairs(rules.check(HEAD .. mistake[2], "")) do
        found[i] = ("%d: %s"):format(problem.line, problem.message)
      end
      assert.same({ mistake.check or nil }, found)
    end)

    if not mistake.is_free then
      it("is seen when it runs, or cannot be: " .. mistake[1], function()
        local text = shown(mistake[2])
        if mistake.run then
          assert.equal(mistake.run, (text or "nothing"):sub(1, #mistake.run))
        else
          assert.is_nil(text)
        end
      end)
    end
  end

  it("is listed at least 24 times, and most are seen by check", function()
    local by_check = 0
    for _, mistake in ipairs(mistakes) do
      by_check = by_check + (mistake.check and 1 or 0)
      assert.truthy(mistake.check or mistake.run, mistake[1])
    end
    assert.is_true(#mistakes >= 24 and by_check >= 24)
  end)
end)
