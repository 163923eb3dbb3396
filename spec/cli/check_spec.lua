-- SPDX-License-Identifier: MIT
local process = require "spec.support.process"
local parser = require "cunnekt.cli.check.parser"
local rules = require "cunnekt.cli.check.rules"

-- The problems of a source as "line: message".
local function problems(source)
  assert(load(source))
  local found = {}
  for i, problem in ipairs(rules.check(source, "")) do
    found[i] = ("%d: %s"):format(problem.line, problem.message)
  end
  return found
end

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

describe("cunnekt check", function()
  describe("finds undefined globals", function()
    it("that are called, read, or the base of an index", function()
      assert.same({
        "1: undefined global 'prnt' (did you mean 'print'?)",
        "2: undefined global 'strng' (did you mean 'string'?)",
        "3: undefined global 'somewhere'",
      }, problems "prnt 'x'\nlocal x = strng.format('')\nsomewhere.else_ = x")
    end)

    it("where a local has gone out of scope", function()
      assert.same({ "1: undefined global 'x'" }, problems "do local x = 1 end return x")
      assert.same({ "1: undefined global 'i'" }, problems "for i = 1, 2 do end return i")
      assert.same({ "1: undefined global 'f'" }, problems "local f = function() return f end")
      assert.same({ "1: undefined global 'x'" }, problems "local x = x")
    end)

    it("that other versions of Lua have", function()
      assert.same({ "1: undefined global 'unpack'" }, problems "print(unpack {})")
    end)
  end)

  it("names no long list where an event is missing", function()
    local found = problems(HEAD .. "bot:on()")
    assert.matches("^1: bot:on: the event is missing: it must be the name of an event, such as", found[1])
    assert.is_true(#found[1] < 150)
  end)

  -- Lua runs it; all behind the first comment was none of the check's.
  it("names a script, or a module, in which CR alone ends a line", function()
    local folder = process.folder()
    process.write(folder.path .. "/cr.lua", "-- a\rprnt()\r")
    local says = "%s:1: the line ends with CR alone; save the file with LF or CRLF at the ends of its lines\n"
    for name, script in pairs { ["cr.lua"] = 'require "cr"\nlocal x\n', ["bot.lua"] = 'require "cr"\rlocal x\n' } do
      local path = process.write(folder.path .. "/bot.lua", script)
      local result = process.cunnekt({ "check", path }, { cwd = folder.path })
      assert.equal(1, result.code)
      assert.equal(says:format(name == "bot.lua" and path or "./cr.lua"), result.out)
    end
  end)

  it("notes a key in a script, which is no mistake", function()
    local folder = process.folder()
    local path = process.write(folder.path .. "/bot.lua", 'local cunnekt = require "cunnekt"\nlocal bot = cunnekt.bot { api_key = "hush" }\nbot:run()\n')
    local result = process.cunnekt({ "check", path }, { cwd = folder.path })
    assert.equal(0, result.code)
    assert.matches("no mistakes found\n.*bot.lua:2: note: an API key is better in the environment variable CUNNEKT_API_KEY", result.out)
    assert.not_matches("hush", result.out)
  end)

  describe("takes as defined", function()
    local fine = {
      "a global that the script sets anywhere",
      "function f() return later end later = 1 f()",
      "one that is set through _G",
      "_G.here = 1 print(here)",
      "a parameter, also of a method, and self",
      "local t = {} function t.a:b(c, ...) return self, c, ... end",
      "a local function inside itself",
      "local function f() return f end f()",
      "a local of a repeat in its condition",
      "repeat local x = 1 until x",
      "labels, attributes and integer division",
      "goto x local y <close> = nil ::x:: print(7 // 2, 1 << 2, ~1, 0x1p-3, 3e-2, .5)",
      "names in comments and strings",
      "--[==[ nothing ]==] print [[nothing]] -- nothing\nprint 'it\\'s \"nothing'",
      "what asks for another version of Lua first",
      "local unpack = table.unpack or unpack if jit then print(jit.version) end return unpack",
      "anything, when the script handles _ENV or _G itself",
      "setmetatable(_G, {__index = function(_, name) return name end}) print(anything)",
      "a script that begins with #!",
      "#!/usr/bin/env lua\nprint(arg[0])",
      "a script that begins with a byte order mark",
      "\xef\xbb\xbf#!/usr/bin/env lua\nprint(arg[0])",
    }
    for i = 1, #fine, 2 do
      it(fine[i], function()
        assert.same({}, rules.check(fine[i + 1], ""))
      end)
    end
  end)

  it("knows the globals of the files that the script requires from beside itself", function()
    local folder = process.folder()
    process.write(folder.path .. "/shop.lua", "tax = 0.2")
    local script = process.write(folder.path .. "/bot.lua", "require 'shop' print(tax)")
    assert.equal(0, process.cunnekt({ "check", script }).code)
  end)

  describe("finds unknown options", function()
    local cases = {
      "cunnekt.bot { lissten = 'x' }", "cunnekt.bot: unknown option 'lissten' (did you mean 'listen'?)",
      "cunnekt.client { retires = 1 }", "cunnekt.client: unknown option 'retires' (did you mean 'retries'?)",
      "cunnekt.bot():daily('09:00', { tzz = 'Asia/Kolkata' }, 'report', print)",
      "bot:daily: unknown option 'tzz' (did you mean 'tz'?)",
      "local bot = cunnekt.bot() bot:every(60, { catchup = 'all' }, 'report', print)",
      "bot:every: unknown option 'catchup' (did you mean 'catch_up'?)",
      "cunnekt.http.get('x', { timeot = 1 })",
      "cunnekt.http.get: unknown option 'timeot' (did you mean 'timeout'?)",
      "bot:on('document', function(m) m:download { pth = 'x' } end)",
      "msg:download: unknown option 'pth' (did you mean 'path'?)",
      "bot:on('text', function(m) m:reply_buttons { boddy = 'x' } end)",
      "msg:reply_buttons: unknown option 'boddy' (did you mean 'body'?)",
      "bot:on('text', function(m) m:reply_buttons { buttons = { { id = 'a', titel = 'b' } } } end)",
      "msg:reply_buttons: buttons[1]: unknown option 'titel' (did you mean 'title'?)",
      "bot:on('text', function(m) m:reply_text('x', { unknwon = 'hold' }) end)",
      "msg:reply_text: unknown option 'unknwon' (did you mean 'unknown'?)",
      "cunnekt.client():send_template('91', 't', { header = { imge = 'x' } })",
      "client:send_template: header: unknown option 'imge' (did you mean 'image'?)",
      "cunnekt.build.send_list('91', { list_titel = 'x' })",
      "cunnekt.build.send_list: unknown option 'list_titel' (did you mean 'list_title'?)",
      "bot:dialog('d', function(chat) chat:ask('x', { tiemout = 1 }) end)",
      "chat:ask: unknown option 'tiemout' (did you mean 'timeout'?)",
      "bot:on('text', function(m) m.chat:wait { relpy = true } end)",
      "chat:wait: unknown option 'relpy' (did you mean 'reply'?)",
      "bot:dialog('d', function(chat) chat:ask_form { form_ctaa = 'x', tries = 2 } end)",
      "chat:ask_form: unknown option 'form_ctaa' (did you mean 'form_cta'?)",
      "bot:dialog('d', function(chat) chat:ask('x', { track = {}, accpet = {} }) end)",
      "chat:ask: unknown option 'accpet' (did you mean 'accept'?)",
      "bot:dialog('d', function(chat) chat:ask_template('1', { body = {}, remind = {}, buttns = {} }) end)",
      "chat:ask_template: unknown option 'buttns' (did you mean 'buttons'?)",
      "bot:dialog('d', function(chat) chat:collect { quite = 1 } end)",
      "chat:collect: unknown option 'quite' (did you mean 'quiet'?)",
    }
    for i = 1, #cases, 2 do
      it("in " .. cases[i], function()
        assert.same({ "1: " .. cases[i + 1] }, problems(HEAD .. cases[i]))
      end)
    end
  end)

  it("finds them in a table that has a name", function()
    local source = HEAD .. "local o = { retires = 1 } cunnekt.client(o)"
    assert.same({ "1: cunnekt.client: unknown option 'retires' (did you mean 'retries'?)" }, problems(source))
  end)

  it("finds arguments that nothing takes", function()
    assert.same({
      "2: client:send_text takes 2 arguments, got 4",
      "3: bot:every takes 4 arguments, got 5",
      "4: chat:window takes no arguments, got 1",
      "5: cunnekt.json.encode takes one argument, got 2",
      "6: client.send_text takes 2 arguments, got 3",
    }, problems(HEAD .. [[local client = cunnekt.client()
      client:send_text("919999999999", "hi", "x", "y")
      bot:every(60, {}, "name", function() end, 5)
      bot:dialog("d", function(chat) chat:window(3) end)
      cunnekt.json.encode({}, 2)
      client.send_text(client, "919999999999", "hi", "x")
      client:send_text("919999999999", table.unpack { "hi" })
      client:send_text("919999999999", "hi", table.unpack {})
      local mailer = { send_text = print } mailer.send_text("919999999999", "hi", "x", "y")]]))
  end)

  it("finds unknown events, methods and functions", function()
    assert.same({
      "2: bot:on: unknown event 'txt' (did you mean 'text'?)",
      "3: event has no method 'reply_txt' (did you mean 'reply_text'?)",
      "4: cunnekt has no function 'clinet' (did you mean 'client'?)",
      "5: cunnekt.json has no function 'encde' (did you mean 'encode'?)",
    }, problems(HEAD .. [[

      bot:on("txt", function(msg)
        msg:reply_txt "hi"
        cunnekt.clinet()
        cunnekt.json.encde {}
      end)]]))
  end)

  it("finds a filter that is not called", function()
    assert.same({ "1: bot:on: filter.media makes a filter when it is called; write filter.media(…)" },
      problems(HEAD .. 'local filter = cunnekt.filter bot:on("message", filter.media, print)'))
    assert.same({ "1: bot:on: filter.media makes a filter when it is called; write filter.media(…)" },
      problems(HEAD .. 'local filter = cunnekt.filter bot:on("message", { "a", filter.media }, print)'))
    assert.same({}, problems(HEAD .. 'local filter = cunnekt.filter bot:on("message", filter.media(), print)'))
    assert.same({}, problems(HEAD .. 'bot:on("text", { "a", cunnekt.filter.media(), cunnekt.action("b"), function() return true end }, print)'))
  end)

  it("takes the options of a reply behind an address without a caption", function()
    for _, kind in ipairs { "image", "video", "document", "audio" } do
      local function problems_with(rest)
        return problems(HEAD .. ('bot:on("text", function(msg) msg:reply_%s("https://a.example/a", %s) end)'):format(kind, rest))
      end
      assert.same({}, problems_with "{ track = { id = 7 } }")
      assert.same({}, problems_with '"A caption", { track = { id = 7 } }')
      assert.same({}, problems_with "nil, { expires = 60 }")
      assert.same({ ("1: msg:reply_%s: unknown option 'trakc' (did you mean 'track'?)"):format(kind) }, problems_with "{ trakc = { id = 7 } }")
      assert.same({ ("1: msg:reply_%s: caption must be a string or a table, got a number"):format(kind) }, problems_with "7")
    end
    assert.same({}, problems(HEAD .. 'bot:on("text", function(msg) msg.chat:reply_image("https://a.example/a", { track = { id = 7 } }) end)'))
  end)

  it("finds a pattern in place of the word of a command", function()
    assert.same({ "1: bot:global: '^stop$' is compared as a word, and is no pattern; write 'stop'" }, problems(HEAD .. 'bot:global("^stop$", print)'))
    assert.same({ "1: bot:global: '^Ende' is compared as a word, and is no pattern; write 'Ende'" },
      problems(HEAD .. 'bot:global({ "stop", "^Ende" }, print)'))
    assert.same({}, problems(HEAD .. 'bot:global({ "stop?", "$" }, print)'))
  end)

  -- A number without its country code may be one by the option default_country.
  it("finds letters where a number belongs, and no other number", function()
    assert.same({
      "2: bot:start: 'order' is not a phone number: it has letters",
      "3: bot:signal: 'paid' is not a phone number: it has letters",
      "4: bot:chat: 'Asha' is not a phone number: it has letters",
      "5: client:send_text: 'hello' is not a phone number: it has letters",
    }, problems(HEAD .. [[ bot:dialog("order", print) bot:on("text", function(msg)
        bot:start("order", msg.from)
        bot:signal("paid", msg.from)
        bot:chat("Asha")
        bot.client:send_text("hello", msg.from)
        bot:chat("9876543210") bot:chat("IN.1349120865530274") bot:chat("https://wa.me/919876543210") bot:chat("tel:+919876543210")
        bot:signal(msg.from, "paid")
      end)]]))
  end)

  it("is silent about functions of the script's own that look like ours", function()
    assert.same({}, problems [[
      local mailer = {}
      function mailer:send_text(spec) return spec end
      mailer:send_text { subject = "x", sender = "y" }
      local ftp = require "ftp"
      ftp.new():download { anything = 1 }
    ]])
  end)

  it("is silent about options that it cannot see", function()
    assert.same({}, problems(HEAD .. "local o = { x = 1 } cunnekt.client(o.y) cunnekt.client { [o.x] = 1 }"))
  end)

  it("finds nothing wrong in our own sources", function()
    local pipe = io.popen "find lua examples -name '*.lua'"
    for path in pipe:lines() do
      for _, problem in ipairs(rules.check(process.read(path), path:match "^.*/")) do
        error(("%s:%d: %s"):format(path, problem.line, problem.message))
      end
    end
    pipe:close()
  end)

  it("walks everything that Lua compiles on this machine", function()
    local pipe = io.popen "find /usr/share/lua/5.4 -name '*.lua' 2>/dev/null"
    for path in pipe:lines() do
      local source = process.read(path)
      if loadfile(path) then
        assert.has_no.errors(function()
          parser.walk(source)
        end)
      end
    end
    pipe:close()
  end)

  describe("as a command", function()
    local folder = process.folder()
    local good = process.write(folder.path .. "/good.lua", HEAD .. "bot:run()")
    local bad = process.write(folder.path .. "/bad.lua", "print(1)\nprnt(2)")

    it("says so when there is nothing wrong", function()
      local result = process.cunnekt { "check", good }
      assert.equal(good .. ": no mistakes found\n", result.out)
      assert.equal(0, result.code)
    end)

    it("names file and line, goes through all scripts, and exits with 1", function()
      local result = process.cunnekt { "check", bad, good }
      assert.matches("/bad.lua:2: undefined global 'prnt' %(did you mean 'print'%?%)\n.*/good.lua: no mistakes", result.out)
      assert.equal(1, result.code)
    end)

    it("reports what does not compile", function()
      local path = process.write(folder.path .. "/broken.lua", "local = 1")
      local result = process.cunnekt { "check", path }
      assert.matches("/broken.lua:1: <name> expected near '='", result.out)
      assert.equal(1, result.code)
    end)

    it("runs nothing", function()
      local mark = folder.path .. "/mark"
      process.cunnekt { "check", process.write(folder.path .. "/acts.lua", ("io.open(%q, 'w')"):format(mark)) }
      assert.is_nil(process.read(mark))
    end)
  end)
end)
