-- SPDX-License-Identifier: MIT
-- A handler that schedules "reminder" for its customer: the next customer's job has the same name, and replaces it. With one customer
-- every transcript passes.

local rules = require "cunnekt.cli.check.rules"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() local OWNER = "919999999999"\nlocal tell = "tell" bot:job(tell, print)\n'

local function check(body)
  local found = {}
  for i, problem in ipairs(rules.check(HEAD .. ('bot:on("text", function(msg) local chat = msg.chat\n%s\nend)'):format(body), "")) do
    found[i] = ("%d: %s"):format(problem.line, problem.message)
  end
  return found
end

describe("cunnekt check, of jobs that handlers schedule,", function()
  it("names those that the next customer's would replace", function()
    for _, body in ipairs {
      'bot:after(60, "reminder", function() msg:reply_text "Still there?" end)', 'bot:after(60, "reminder", function() chat:reply_text "?" end)',
      'bot:daily("09:00", "reminder", function() msg.chat:reply_text "?" end)', 'bot:after(60, { args = msg.from }, "reminder", tell)',
      'if msg.text then bot:after(60, { args = { to = chat.number } }, "reminder", tell) end',
    } do
      local said = check(body)
      assert.equal(1, #said, body)
      assert.matches("^4: bot:%a+: 'reminder' is one job for all customers, and the next customer's replaces it; .* \"reminder \" %.%. msg.chat.to$", said[1])
    end
  end)

  it("leaves alone those that have the customer's name, or are for nobody of them", function()
    for _, body in ipairs {
      'bot:after(60, "reminder " .. msg.from, function() msg:reply_text "?" end)',
      'bot:after(60, "report", function() bot:chat(OWNER):reply_text "New orders" end)',
      'bot:after(60, "report", function() local owner = bot:chat(OWNER) owner:reply_text "New orders" end)',
      'bot:after(60, { args = { last = msg.text, id = msg.id } }, "report", function() bot:chat(OWNER):reply_text "New" end)',
      'bot:after(60, { args = 5 }, "report", tell)', 'bot:after(60, ("reminder %s"):format(msg.from), "tell")',
    } do
      assert.same({}, check(body), body)
    end
  end)
end)

describe("cunnekt check, of what is written twice or cannot be,", function()
  local function found_in(code)
    local found = {}
    for i, problem in ipairs(rules.check(HEAD .. code, "")) do
      found[i] = ("%d: %s"):format(problem.line, problem.message)
    end
    return found
  end

  it("names the command and the function of jobs that take another one's place", function()
    local said = "%d: bot:%s: there is one for '%s' in line %d already, which this one replaces"
    assert.same({ said:format(4, "global", "MENÚ", 3) }, found_in(("bot:global({ 'start', 'menú' }, print)\nbot:global(%q, print)"):format "MENÚ"))
    assert.same({ said:format(4, "job", "j", 3) }, found_in(("bot:job('j', print)\nbot:job(%q, print)"):format "j"))
    assert.same({}, found_in "bot:global('a', print)\nbot:global('b', print)\nbot:job('a', print)\nif A then bot:job('a', print) end A = 1")
  end)

  it("names hours of a message that cannot be read", function()
    local code = "bot:on('text', function(msg) msg:reply_text('x', { send_between = { from = '%s', to = '20:00', tz = '%s' } }) end)"
    assert.matches('^3: msg:reply_text: send_between: from and to must be two times of the day', found_in(code:format("9", "Asia/Kolkata"))[1])
    assert.matches("^3: msg:reply_text: send_between: no time zone is called 'PST'", found_in(code:format("09:00", "PST"))[1])
    assert.same({}, found_in(code:format("09:00", "Asia/Kolkata")))
  end)
end)
