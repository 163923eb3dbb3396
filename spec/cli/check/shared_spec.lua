-- SPDX-License-Identifier: MIT
-- A cart that is made beside the bot is one for all customers, and after ten idle minutes the dialog is replayed and fills it again:
-- "tea, tea, cake". Nothing was said of that before the first complaint.

local rules = require "cunnekt.cli.check.rules"

local HEAD = 'local cunnekt = require "cunnekt" local bot = cunnekt.bot() '

local function check(code)
  local found = {}
  for i, problem in ipairs(rules.check(HEAD .. code, "")) do
    found[i] = ("%d: %s"):format(problem.line, problem.message)
  end
  return found
end

local function of_dialog(before, body)
  return check(("%s\nbot:dialog('d', function(chat)\n%s\nchat:ask 'x'\nend)"):format(before, body))
end

describe("cunnekt check, of what a dialog changes,", function()
  it("names tables of the file that it fills", function()
    for _, body in ipairs {
      "table.insert(cart, 1)", "cart[#cart + 1] = chat:ask('?').text", "if chat then table.insert(cart, 1, 'x') end",
      "for _ = 1, 3 do cart[#cart + 1] = 2 end",
    } do
      local said = of_dialog("local cart = {}", body)
      assert.equal(1, #said, body)
      assert.matches("^3: 'cart' is one for all customers", said[1])
    end
  end)

  it("names globals without local that it sets", function()
    assert.matches("^3: 'total' is a global, one", of_dialog("", "total = 0 total = total + 1")[1])
    assert.matches("^3: 'name' is a global, one", of_dialog("", "name = ''")[1])
  end)

  it("knows functions with a name, and handlers that wait", function()
    local code = "local list = {}\nlocal function order(msg)\n table.insert(list, msg.chat:ask('?').text)\nend %s"
    assert.matches("^3: 'list' is one", check(code:format "bot:on('text', order)")[1])
  end)

  it("leaves alone what is the dialog's own, may be a cache, or is changed where nothing waits", function()
    for before, body in pairs {
      [""] = "local cart = {} table.insert(cart, 1) cart[#cart + 1] = 2 cart = {}",
      ["local rates = {}"] = "rates[chat.to] = 1",
      ["local cart = {}"] = "local cart = {} table.insert(cart, 1)",
      ["local rate"] = "rate = rate or load_rate() function load_rate() end",
      ["local is_loaded"] = "is_loaded = true",
      ["local menu"] = "if not menu then menu = { 'tea' } end",
      ["local t = {} for i = 1, 3 do table.insert(t, i) end"] = "chat:reply_text(t[1])",
    } do
      assert.same({}, of_dialog(before, body), body)
    end
    assert.same({}, check "local seen = {} bot:on('text', function(msg) table.insert(seen, msg.text) count = 0 end)")
  end)
end)
