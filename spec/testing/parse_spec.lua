-- SPDX-License-Identifier: MIT
-- Which lines are those of a transcript, in a script and in a chat file, and what is said of one that is nearly right.

local parse = require "cunnekt.testing.parse"
local play = require "cunnekt.testing.play"
local process = require "spec.support.process"
local testing = require "cunnekt.testing"

local head = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

describe("a transcript", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  -- The problems of transcripts as "line: message".
  local function played(list)
    local found = {}
    for _, transcript in ipairs(list) do
      for _, problem in ipairs(play.run(transcript).problems) do
        found[#found + 1] = ("%d: %s"):format(problem.line, problem.message)
      end
    end
    return found
  end

  local function problems(code, text)
    local path = folder.path .. "/bot.lua"
    process.write(path, code)
    return played(parse.text(text, { path = "bot.chat", script = path, is_chat = true }))
  end

  local function problems_in_script(lines)
    local path = folder.path .. "/bot.lua"
    process.write(path, head .. "\n" .. lines)
    return played((assert(testing.read(path))))
  end

  it("names lines that it does not know", function()
    assert.are.same({ "2: 'costumer: hi' is no line of a transcript; did you mean 'customer'?", "3: 'hello' is no line of a transcript" },
      problems(head, "customer: hi\ncostumer: hi\nhello\n"))
  end)

  it("in a script is comments, between which there may be others", function()
    local list = parse.text("-- customer data: none\nlocal x\n  -- customer: hi\n-- a note\n-- Note: none\n-- TODO: more\n-- boot: hi\n", { path = "a", script = "a" })
    assert.are.same({ "customer", "unknown" }, { list[1].steps[1].kind, list[1].steps[2].kind })
    assert.are.equal(3, list[1].line)
  end)

  it("in a script stands behind all code: a comment or a string that looks the same is none", function()
    local function kinds(code)
      local list = parse.text(code, { path = "a", script = "a" })
      local words = {}
      for i, step in ipairs(list[1] and list[1].steps or {}) do
        words[i] = ("%d %s"):format(step.line, step.kind)
      end
      return table.concat(words, ", ")
    end
    local says = "-- customer: hi\n-- bot: Hello\n"
    assert.are.equal("5 customer, 6 bot", kinds("-- bot: a shop's\n-- customer: one\nlocal function a()\nend -- bot: no\n" .. says))
    assert.are.equal("4 customer, 5 bot", kinds("local a = [[\n-- customer: no\n]]\n" .. says))
    assert.are.equal("", kinds("local a = [==[\n" .. says .. "-- bot: no ]] ]==]"))
    assert.are.equal("1 customer, 2 bot", kinds(says .. "--[[\n" .. says .. "--]]\n"))
    assert.are.equal("4 customer, 5 bot", kinds("local a = 'one \\z\n\n  two'\n" .. says))
    assert.are.equal("3 customer, 4 bot", kinds("local a = 'one\\\r\ntwo'\n" .. says))
  end)

  it("says in a script, too, what to write for a line that is nearly one", function()
    local person = "a name is one word that begins with a capital, or a number"
    local customer = "write 'customer Ravi: TEXT' or 'customer to bot 2: TEXT'; " .. person
    local later = "write a number and seconds, minutes, hours, days or weeks, as in '2 hours later'"
    local http = "write 'http GET URL -> 200 BODY'"
    for line, hint in pairs {
      ["customer ravi: hi"] = customer,
      ["Customer Ravi: hi"] = customer,
      ["costumer Ravi: hi"] = customer,
      ["customer Ravi Kumar: hi"] = customer,
      ["customer ravi to bot 2: hi"] = customer,
      ["customer +49 151 12345678 Ravi: hi"] = customer,
      ["customer to bot two: hi"] = customer,
      ["customer Ravi:"] = customer,
      ["bot to ravi: Goodbye"] = "write 'bot to Ravi: TEXT'; " .. person,
      ["bot Ravi: Goodbye"] = "write 'bot to Ravi: TEXT'; " .. person,
      ["staff to ravi: Goodbye"] = "write 'staff to Ravi: TEXT'; " .. person,
      ["1h later"] = later,
      ["1 hour 30 minutes later"] = later,
      ["an hour later"] = later,
      ["Half an hour later."] = later,
      ["2 hours Later"] = later,
      ["after 2 hours"] = later,
      ["2h"] = later,
      ["1h30m"] = later,
      ["+2h"] = later,
      ["5 minutes."] = later,
      ["(2 hours later)"] = later,
      ["[in 2 hours]"] = later,
      ["time: 2 hours"] = later,
      ["2 hours pass"] = later,
      ["2 Stunden später"] = later,
      ["nach 2 Stunden"] = later,
      ["2 horas más tarde"] = later,
      ["/clock +2h"] = later,
      ["2 hours later, Ravi has paid"] = later .. ", in a line of its own",
      ["http get https://a.example/ -> 200"] = http,
      ["http https://a.example/ -> 200"] = http,
      ["http GET https://a.example/ 200"] = http,
      ["bot:"] = "write 'bot: TEXT'",
      ["bot : Hello"] = "write 'bot: TEXT'",
      ["status: Failed"] = "write 'status: failed'; possible: sent, delivered, read, played, failed",
      ["status: gone"] = "write 'status: failed'; possible: sent, delivered, read, played, failed",
      ["customer - hi"] = "write 'customer: TEXT'",
      ["Customer – hi"] = "write 'customer: TEXT'",
      ["customer Ravi > hi"] = "write 'customer: TEXT'",
      ["bot to Ravi -> hi"] = "write 'bot: TEXT'",
      ["transcript - one"] = "write 'transcript: NAME'",
      ["Staff: hi"] = "did you mean 'staff'?",
      ["Bot: hi"] = "did you mean 'bot'?",
    } do
      local problem = ("%s' is no line of a transcript; %s"):format(line, hint)
      assert.are.same({ "3: '" .. problem }, problems_in_script("-- customer: hi\n-- " .. line .. "\n"))
      assert.are.same({ "2: '" .. problem }, problems(head, "customer: hi\n" .. line .. "\n"))
    end
  end)

  -- The lines behind it went on with the transcript before.
  it("says that a transcript's name needs a colon, in a script where a customer's line is the next", function()
    local function problem(line, name)
      return ("%d: '%s' is no line of a transcript; write 'transcript: NAME'"):format(line, name)
    end
    local says = "-- customer: hi\n"
    assert.are.same({ problem(2, "transcript one") }, problems_in_script("-- transcript one\n" .. says))
    assert.are.same({ problem(3, "Transcript two") }, problems_in_script(says .. "-- Transcript two\n-- of them\n" .. says))
    for _, lines in ipairs { "-- Transcript of a talk\n" .. says, "-- transcript one\n-- of them\n" .. says, says .. "-- transcript of one ends here\n", says .. "-- transcripts\n" .. says } do
      assert.are.same({}, problems_in_script(lines), lines)
    end
  end)

  it("says in a chat file, where there is nothing else, that a line needs a colon", function()
    assert.are.same({ "2: 'customer hi' is no line of a transcript; write 'customer: TEXT'", "3: 'transcript' is no line of a transcript; write 'transcript: NAME'" },
      problems(head, "customer: hi\ncustomer hi\ntranscript\n"))
    assert.are.same({}, problems(head, "customer: hi\n-- customer hi\n"))
  end)

  it("says that a script is named once, and only in a chat file", function()
    local one = "customer: hi\n"
    assert.are.same({ "3: 'script: b.lua' is no line of a transcript; line 1 names the script; write those of another one into another file" },
      problems(head, "script: a.lua\n" .. one .. "script: b.lua\n"))
    local in_script = "'script: b.lua' is no line of a transcript; only a *.chat file names a script; these are of the one that they are in"
    assert.are.same({ "3: " .. in_script }, problems_in_script("-- customer: hi\n-- script: b.lua\n"))
    assert.are.same({ "2: " .. in_script }, problems_in_script("-- script: b.lua\n-- customer: hi\n"))
    assert.are.same({}, problems_in_script("-- script: the one of the shop\n-- by me\n-- customer: hi\n"))
  end)

  it("says that the first line is nearly one where the bot answers it", function()
    local found = problems_in_script "-- costumer: hi\n-- bot: Hello\n-- customer: ho\n"
    assert.are.same({ "2: 'costumer: hi' is no line of a transcript; did you mean 'customer'?" }, found)
    assert.are.same({}, problems_in_script "-- customer data: none\n-- customer: hi\n")
  end)

  it("is refused where all of it is written in another way", function()
    local says = "' is no line of a transcript; "
    for lines, found in pairs {
      ["-- Customer: hi\n-- Bot: Hello\n"] = { "2: 'Customer: hi" .. says .. "did you mean 'customer'?", "3: 'Bot: Hello" .. says .. "did you mean 'bot'?" },
      ["-- Customer: hi\n\n-- a note\n-- Customer: ho\n"] = { "2: 'Customer: hi" .. says .. "did you mean 'customer'?", "5: 'Customer: ho" .. says .. "did you mean 'customer'?" },
      ["-- > hi\n-- < Hello\n"] = { "2: '> hi" .. says .. "write 'customer: TEXT'", "3: '< Hello" .. says .. "write 'bot: TEXT'" },
      ["-- costumer: hi\n-- bot: Hello\n"] = { "2: 'costumer: hi" .. says .. "did you mean 'customer'?" },
      ["-- Customer: a shop\n-- Note: closed\n"] = {},
      ["-- log: a file\n-- Statuses: none\n"] = {},
      ["-- > a quotation\n-- by me\n"] = {},
      ["--> printed\n--> too\n-- customer: hi\n--> this\n"] = {},
    } do
      assert.are.same(found, problems_in_script(lines), lines)
    end
  end)

  it("may have comments between its lines, and commented code, in a script", function()
    for _, comment in ipairs {
      "the customer comes back later", "see you later", "2 hours before it closes", "after 2 messages", "2 for each", "in time", "4711 is packed", "customer-facing - as agreed", "he pays two days or perhaps three days later", "https://a.example/page", "bot:on('text', later)",
      'bot:run { listen = "127.0.0.1:1" }', "the bot to ask: it", "customer service opens at nine, not before: it says so", "-@diagnostic disable",
    } do
      assert.are.same({}, problems_in_script("-- customer: hi\n-- " .. comment .. "\n-- customer: ho\n"), comment)
    end
  end)

  it("needs no blank behind the dashes", function()
    assert.are.same({ "3: the bot did not say this" }, problems_in_script "--customer: hi\n--bot: Hello\n")
  end)

  it("is found behind code that does not compile", function()
    for _, code in ipairs { "local a = 'one\n", "local a = [[one\n", "local = 1\n", "local a = (\n" } do
      assert.are.equal(2, #parse.text(code .. "-- customer: hi\n-- bot: hi\n", { path = "a", script = "a" })[1].steps, code)
    end
  end)
end)
