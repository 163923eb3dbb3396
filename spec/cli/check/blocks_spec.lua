-- SPDX-License-Identifier: MIT
-- Sources that do not compile: the message names the line that is to be mended.

local blocks = require "cunnekt.cli.check.blocks"

local function explain(source)
  local _, problem = load(source, "@bot.lua")
  return blocks.explain(assert(problem), source) or problem
end

describe("cunnekt check explains", function()
  local cases = {
    "a missing end by the block that it belongs to", [[
bot:on("text", function(msg)
  if msg.text == "hi" then
    msg:reply_text "hello"
end)

bot:on("image", function(msg)
  msg:reply_text "nice"
end)
]], "^bot.lua:2: this 'if' has no 'end': the 'end' in line 4 stands further left\n",
    "a missing end of a loop", [[
local function greet(names)
  for _, name in ipairs(names) do
    print(name)
end
return greet
]], "^bot.lua:2: this 'for' has no 'end': the 'end' in line 4",
    "a missing end at the end of the file", "local function f()\n  print(1)\n", "^bot.lua:1: this 'function' has no 'end'\n",
    "a missing end of the last handler", 'bot:on("text", function(msg)\n  msg:reply_text "x"\n', "^bot.lua:1: this 'function' has no 'end'\n",
    "an else if", "if a then\n  b()\nelse if c then\n  d()\nend\n", "^bot.lua:3: 'else if' needs an 'end' of its own: write elseif",
    "an end too many", "local x = 1\nend\n", "^bot.lua:2: this 'end' closes nothing",
    "a missing until", "repeat\n  x()\n", "^bot.lua:1: this 'repeat' has no 'until'",
    "another language's operators", "if a != b then end", "Lua writes ~= for not equal",
    "an assignment in a condition", "if a = b then end", "== compares, = assigns",
    "another language's comment", "// one\nlocal a = 1\n", "a comment begins with %-%-",
    "a no-break space", "local a\u{a0}= 1", "that may be a no%-break space",
    "a file that is UTF-16", "\xff\xfel\0o\0", "the file is UTF%-16: save it as UTF%-8",
    "typographic quotation marks", "print(“hi”)", "typographic quotation mark",
    "a missing parenthesis", 'f("x", function() \n end\nf()', "a closing parenthesis is missing",
    "a missing end of a function in a table", 'local t = {\n  hi = function(msg) msg:reply_text "x",\n  bye = function(msg) msg:reply_text "y" end,\n}\n',
    "^bot.lua:2: this 'function' has no 'end' before the '}' in line 4\n",
    "a missing end in a table, by the indentation", 'local t = {\n  hi = function()\n    if a then\n      b()\n  end,\n}\n',
    "^bot.lua:3: this 'if' has no 'end': the 'end' in line 5",
    "a missing end where nothing is indented", 'bot:on("text", function(msg)\nif msg.text == "hi" then\nmsg:reply_text "x"\nend)\nbot:run()\n',
    "^bot.lua:1: this 'function' has no 'end' before the '%)' in line 4: the 'end' there closes the 'if' in line 2\n",
    "an end too many in a handler", 'bot:on("text", function()\n  if a then\n    b()\n  end\n  end\nend)\n',
    "^bot.lua:5: this 'end' is one too many: it closes the 'function' in line 1, before the 'end' in line 6\n",
    "an end too many that the indentation does not tell", 'bot:on("text", function()\n  b()\nend\nend)\n',
    "^bot.lua:4: this 'end' is one too many: the 'function' in line 1 ends in line 3 already\n",
    "an end too many in a table", "local t = {\n  hi = function() b() end end,\n}\n", "^bot.lua:2: this 'end' is one too many",
    "a plain call without its parenthesis", 'local a = chat:ask("Q1?"\nmsg:reply_text(a.text)\n', "^bot.lua:1: this call's '%(' has no '%)'",
    "arguments without parentheses", 'f "x", { a = 1 }', "a call with several arguments needs parentheses",
    "a missing comma between arguments", "f(a b)", "a comma or a closing parenthesis is missing",
    "a missing comma", 'x { a = 1\n b = 2 }', "a comma or a closing brace is missing",
  }
  for i = 1, #cases, 3 do
    it(cases[i], function()
      assert.matches(cases[i + 2], explain(cases[i + 1]))
    end)
  end

  it("whatever is cut off, without an error of its own", function()
    local source = 'local a = [[x]] -- c\nbot:on("t\\z\n ext", function(m) if m then for i = 1, 2 do repeat until 1 end end end)\n--[==[ x ]==]'
    for length = 1, #source do
      local part = source:sub(1, length)
      local chunk, problem = load(part, "@bot.lua")
      if not chunk then
        assert.has_no.errors(function()
          blocks.explain(problem, part)
        end)
      end
    end
  end)
end)
