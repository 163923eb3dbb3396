-- SPDX-License-Identifier: MIT
-- `cunnekt dev` on a terminal: editing, history, completion, colours, widths, and a terminal that is as it was afterwards.

local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local process = require "spec.support.process"
local screen = require "spec.support.screen"

local script = [[
local bot = require("cunnekt").bot()
bot:on("text", "^menu", function(msg)
  msg:reply_buttons{ body = "How?", buttons = { {id="good", title="Good"}, {id="great", title="Great"}, {id="bad", title="Bad"} } }
end)
bot:on("text", "^long", function(msg) msg:reply_text(("中文 word "):rep(20)) end)
bot:on("text", "^print", function() print "printed by the script" io.write "written by it\n" end)
bot:on("text", function(msg) msg:reply_text("said " .. msg.text) end)
bot:on("button", function(msg) msg:reply_text("tapped " .. msg.reply.id) end)
]]

local up, down, left, right, home, delete = "\27[A", "\27[B", "\27[D", "\27[C", "\27[H", "\27[3~"
local ctrl_a, ctrl_c, ctrl_d, ctrl_e, ctrl_u = "\1", "\3", "\4", "\5", "\21"

describe("cunnekt dev on a terminal", function()
  local folder, it_runs

  local function start(opts)
    opts = opts or {}
    opts.cwd, opts.env = folder.path, opts.env or {}
    opts.env.CUNNEKT_LISTEN = "127.0.0.1:0"
    it_runs = screen.cunnekt({ "dev", "--sandbox", "127.0.0.1:0", table.unpack(opts.args or { "bot.lua" }) }, opts)
    if not opts.is_plain then
      it_runs:expect "Asha>"
    end
    it_runs:expect "listening on"
    return it_runs:text():match "sandbox on (http://[%d.:]+)"
  end

  local function from_afar(url, text)
    assert(http.request { method = "POST", url = url .. "/control/messages", json = { text = text, from = "918888888888", name = "Ravi", wait = true } })
  end

  before_each(function()
    folder = process.folder()
    process.write(folder.path .. "/bot.lua", script)
  end)

  after_each(function()
    it_runs:close()
  end)

  it("edits a line", function()
    start()
    it_runs:type("ello wrld" .. home .. "h" .. ctrl_e .. left .. left .. left .. "o")
    it_runs:expect_current "Asha> hello world"
    it_runs:type(ctrl_a .. delete .. delete .. right .. "\127\127")
    it_runs:expect_current "Asha> lo world"
    it_runs:type "\27[1;5C\27[1;5C!\r"
    it_runs:expect "said lo world!"
  end)

  it("edits wide characters, marks and emoji", function()
    start()
    it_runs:type "中文é x"
    it_runs:expect_current "Asha> 中文é x"
    it_runs:type(left .. left .. left .. left .. "字\127\127")
    it_runs:expect_current "Asha> 文é x"
    it_runs:type "\r"
    it_runs:expect "said 文é x"
  end)

  it("takes a character and a key whose bytes come one by one", function()
    start()
    for byte in ("a中" .. left .. "b"):gmatch "." do
      it_runs:type(byte)
      screen.pause()
    end
    it_runs:expect_current "Asha> ab中"
  end)

  it("ignores keys that mean nothing, and never waits for the rest of one", function()
    local url = start()
    it_runs:type "a\27[15~\27[1;2P\18\22b\27"
    from_afar(url, "while a key is open")
    it_runs:expect "said while a key is open"
    it_runs:expect_current "Asha> ab"
  end)

  it("brings lines back", function()
    start()
    it_runs:type "one\rtwo\r"
    it_runs:expect "said two"
    it_runs:type(up)
    it_runs:expect_current "Asha> two"
    it_runs:type(up)
    it_runs:expect_current "Asha> one"
    it_runs:type(down .. "!\r")
    it_runs:expect "said two!"
  end)

  it("completes commands, ids and files", function()
    start()
    it_runs:type "menu\r"
    it_runs:expect "3 Bad"
    it_runs:type "/bu\t"
    it_runs:expect_current "Asha> /button"
    it_runs:type "g\t"
    it_runs:expect "/button good /button great"
    it_runs:type "r\t\r"
    it_runs:expect "tapped great"
    it_runs:type "/document bo\t"
    it_runs:expect_current "Asha> /document bot.lua"
    it_runs:type(ctrl_u .. "nothing\t\t")
    it_runs:expect_current "Asha> nothing"
  end)

  it("keeps the line that is being typed, whatever is printed meanwhile", function()
    local url = start()
    it_runs:type "half a li"
    it_runs:expect_current "Asha> half a li"
    from_afar(url, "hello")
    it_runs:expect "said hello"
    it_runs:expect_current "Asha> half a li"
    from_afar(url, "print")
    it_runs:expect "printed by the script\nwritten by it\n"
    it_runs:expect_current "Asha> half a li"
    it_runs:type "ne\r"
    it_runs:expect "said half a line"
    local _, count = it_runs:text():gsub("Asha> half", "")
    assert.equal(1, count)
  end)

  it("keeps a line that takes several rows", function()
    local url = start { columns = 40 }
    local text = ("0123456789"):rep(9)
    it_runs:type(text)
    it_runs:expect("Asha> " .. text:sub(1, 34) .. "\n" .. text:sub(35, 74) .. "\n" .. text:sub(75))
    from_afar(url, "hello")
    it_runs:expect("said hello\nAsha> " .. text:sub(1, 34) .. "\n" .. text:sub(35, 74) .. "\n" .. text:sub(75))
    local _, count = it_runs:text():gsub("Asha> 0", "")
    assert.equal(1, count)
  end)

  it("wraps at the width of the terminal, also when that changes", function()
    start { columns = 50 }
    local function widest()
      local most = 0
      for _, line in ipairs(it_runs:lines()) do
        most = math.max(most, line:find "┃" and core.columns(line) or 0)
      end
      return most
    end
    it_runs:type "long\r"
    it_runs:expect "word$?"
    it_runs:expect "Asha> $?"
    process.wait_until("the message", function()
      return widest() > 0
    end)
    assert.is_true(widest() <= 50, widest())
    it_runs:resize(100)
    it_runs:type "long\r"
    process.wait_until("wider lines", function()
      return widest() > 60
    end)
    assert.is_true(widest() <= 100)
  end)

  it("has colours, and none where they are refused", function()
    start()
    it_runs:type "hi\r"
    it_runs:expect "said hi"
    assert.is_true(it_runs.colours > 0)
    it_runs:close()
    start { env = { NO_COLOR = "1" } }
    it_runs:type "hi\r"
    it_runs:expect "said hi"
    assert.equal(0, it_runs.colours)
  end)

  it("takes plain lines on a terminal that cannot be drawn on", function()
    start { env = { TERM = "dumb" }, is_plain = true }
    it_runs:type "hi\n"
    it_runs:expect "said hi"
    assert.equal(0, it_runs.colours)
    assert.not_matches("Asha>", it_runs:text())
    it_runs:type(ctrl_d)
    assert.equal(0, it_runs:wait())
  end)

  local ends = { { "Ctrl-C", ctrl_c }, { "Ctrl-D", ctrl_d }, { "/quit", "/quit\r" }, { "Ctrl-C within a line", "half" .. ctrl_c } }
  for _, case in ipairs(ends) do
    it("ends on " .. case[1] .. ", with the terminal as it was", function()
      start()
      process.wait_until("a line that can be edited", function()
        return not it_runs:is_cooked()
      end)
      it_runs:type(case[2])
      assert.equal(0, it_runs:wait())
      assert.is_true(it_runs:is_cooked())
    end)
  end

  for _, case in ipairs { { "/quit", "/quit\r" }, { "Ctrl-D", ctrl_d } } do
    it(("ends on %s while a message waits for its next try, and says so"):format(case[1]), function()
      process.write(folder.path .. "/bot.lua", (script:gsub('msg:reply_text%("said', 'error("no price for')))
      start()
      it_runs:type "tea\r"
      it_runs:expect "next try in"
      it_runs:type(case[2])
      it_runs:expect "the session ends before the next try of 'tea'"
      assert.equal(0, it_runs:wait())
    end)
  end

  it("leaves the terminal as it was when a second Ctrl-C ends a script that never ends", function()
    local mark = folder.path .. "/is_busy"
    process.write(folder.path .. "/busy.lua", ([[
      local bot = require("cunnekt").bot{ budget = false }
      bot:on("text", function()
        io.open(%q, "w"):close()
        while true do end
      end)]]):format(mark))
    start { args = { "busy.lua" } }
    it_runs:type "hi\r"
    it_runs:expect "Asha> hi"
    process.wait_until("the loop", function() -- before it a Ctrl-C would end the session in order
      it_runs:look()
      return process.read(mark)
    end)
    process.wait_until("the end", function()
      it_runs:type(ctrl_c)
      screen.pause()
      it_runs:look()
      return it_runs:has_ended()
    end)
    assert.equal(1, it_runs:wait())
    assert.is_true(it_runs:is_cooked())
  end)

  it("goes on with the line after it was stopped", function()
    start()
    it_runs:type "half"
    it_runs:expect_current "Asha> half"
    it_runs:stop()
    it_runs:set_cooked() -- as a shell does
    it_runs:go_on()
    process.wait_until("a line that can be edited", function()
      return not it_runs:is_cooked()
    end)
    it_runs:type " a line\r"
    it_runs:expect "said half a line"
  end)

  it("does not end on Ctrl-D within a line", function()
    start()
    it_runs:type("abc" .. ctrl_a .. ctrl_d .. ctrl_e .. ctrl_d)
    it_runs:expect_current "Asha> bc"
    it_runs:type(ctrl_u .. ctrl_d)
    assert.equal(0, it_runs:wait())
  end)

  it("leaves the terminal as it was when the script fails, or ends the process", function()
    process.write(folder.path .. "/fails.lua", "error 'out of tea'")
    it_runs = screen.cunnekt({ "dev", "--sandbox", "127.0.0.1:0", "fails.lua" }, { cwd = folder.path })
    assert.equal(1, it_runs:wait())
    assert.matches("fails.lua:1: out of tea", it_runs:text())
    assert.is_true(it_runs:is_cooked())
    it_runs:close()
    process.write(folder.path .. "/exits.lua", "require('cunnekt').sleep(0.2) os.exit(7)")
    it_runs = screen.cunnekt({ "dev", "--sandbox", "127.0.0.1:0", "exits.lua" }, { cwd = folder.path })
    assert.equal(7, it_runs:wait())
    assert.is_true(it_runs:is_cooked())
  end)

  it("shows the prompt of who is typed for", function()
    start { args = { "--name", "Mira", "bot.lua" }, is_plain = true }
    it_runs:expect "Mira>"
    it_runs:type "/from 918888888888 Ravi\r"
    it_runs:expect_current "Ravi>"
  end)
end)
