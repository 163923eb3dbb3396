-- SPDX-License-Identifier: MIT
-- The picture in the README is what `cunnekt dev` shows today for the README's first script.

local process = require "spec.support.process"

describe("the picture in the README", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  it("is what the program shows", function()
    local made = process.cunnekt { "run", "make/picture/main.lua", process.host, folder.path .. "/dev.svg" }
    assert.equal("", made.err)
    local is_same = process.read(folder.path .. "/dev.svg") == process.read "docs/dev.svg"
    assert.is_true(is_same, "docs/dev.svg is not what cunnekt dev shows; draw it anew: make picture")
  end)

  it("says in words what it shows, and has no script in it", function()
    local picture = process.read "docs/dev.svg"
    assert.matches('role="img" aria%-label="A terminal: ', picture)
    assert.is_nil(picture:find "<script")
    assert.truthy(process.read("README.md"):find("](docs/dev.svg)", 1, true))
  end)
end)

describe("the terminal of the picture", function()
  local terminal = dofile "make/picture/terminal.lua"

  local function rows_of(text)
    local screen = terminal.new(10)
    screen:write(text)
    local rows = {}
    for number in ipairs(screen.rows) do
      rows[number] = screen:text_of(number)
    end
    return rows, screen
  end

  it("shows what line editing leaves", function()
    assert.same({ "> two", "ok" }, (rows_of "> to\b\27[Kwo\r\n\27[?2004hok\27[K"))
    assert.same({ "> hello" }, (rows_of "> hallo\r> hello"))
    assert.same({ "> abd" }, (rows_of "> abcd\b\b\27[P"))
    assert.same({ "one" }, (rows_of "one\r\ntwo\27[A\r\27[Cne\27[J"))
  end)

  it("goes on in the next row, and knows wide signs", function()
    assert.same({ "0123456789", "ab" }, (rows_of "0123456789ab"))
    assert.same({ "123456789", "🍵" }, (rows_of "123456789🍵"))
  end)

  it("keeps colours, and skips what is none", function()
    local rows, screen = rows_of "\27]0;title\7\27(B\27[1;32mgo\27[0m \27[38;5;3mon\27[48;2;1;2;3m!"
    assert.same({ "go on!" }, rows)
    assert.same({ color = 2, bold = true }, screen.rows[1][1].style)
    assert.same({}, screen.rows[1][3].style)
    assert.same({ color = 3 }, screen.rows[1][4].style)
  end)
end)
