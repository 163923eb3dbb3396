-- SPDX-License-Identifier: MIT
local process = require "spec.support.process"
local typed = require "cunnekt.transcript.typed"

describe("a line that is typed in `cunnekt dev`", function()
  it("is a text", function()
    assert.same({ type = "text", text = "hello / there" }, typed.read "hello / there")
    assert.same({ type = "text", text = "/ 1" }, typed.read "/ 1")
  end)

  it("is nothing when it is blank", function()
    assert.same({}, { typed.read "" })
    assert.same({}, { typed.read " \t" })
  end)

  it("is a choice, the first without an id", function()
    assert.same({ type = "button", id = "yes" }, typed.read "/button yes")
    assert.same({ type = "list" }, typed.read "/list")
    assert.same({ type = "quick_reply", id = "STOP it" }, typed.read "/reply STOP it ")
  end)

  it("is a form, with its answers as JSON", function()
    assert.same({ type = "form", form = { rating = "5" } }, typed.read '/form {"rating":"5"}')
    assert.same({ type = "form" }, typed.read "/form")
    local message, problem = typed.read "/form 5"
    assert.is_nil(message)
    assert.matches("JSON object", problem)
  end)

  it("is a file, a sample without a name", function()
    assert.same({ type = "image" }, typed.read "/image")
    local folder = process.folder()
    process.write(folder.path .. "/a.pdf", "bytes")
    assert.same({ type = "document", data = "bytes", filename = "a.pdf" }, typed.read("/document " .. folder.path .. "/a.pdf"))
    local message, problem = typed.read "/video /no/such.mp4"
    assert.is_nil(message)
    assert.matches("/no/such.mp4", problem)
  end)

  it("is a place, a reaction, or a word to the program", function()
    assert.same({ type = "location" }, typed.read "/location")
    assert.same({ type = "reaction", text = "👍" }, typed.read "/react 👍")
    assert.equal("quit", typed.read "/quit")
    assert.equal("help", typed.read "/help")
  end)

  it("is an edit or a deletion of what was said last", function()
    assert.same({ type = "edit", text = "two of them" }, typed.read "/edit two of them ")
    assert.same({ type = "revoke" }, typed.read "/delete")
    local message, problem = typed.read "/edit"
    assert.is_nil(message)
    assert.matches("/edit TEXT", problem)
  end)

  it("is a text whatever it looks like, behind /text", function()
    assert.same({ type = "text", text = "/button 2 ", is_literal = true }, typed.read "/text  /button 2 ")
    for _, line in ipairs { "/text", "/text  " } do
      local message, problem = typed.read(line)
      assert.is_nil(message)
      assert.equal("say what the text is: /text TEXT", problem)
    end
  end)

  it("is refused when there is no such command", function()
    local message, problem = typed.read "/dance"
    assert.is_nil(message)
    assert.equal("there is no /dance; /help lists what there is", problem)
  end)
end)

describe("typed input", function()
  it("is split into lines, however it arrives", function()
    local text, lines = "one\r\ntwo\n\nlast", {}
    local split = typed.splitter(function(line)
      lines[#lines + 1] = line
    end)
    for i = 1, #text do
      split(text:sub(i, i))
    end
    split(nil)
    split(nil)
    assert.same({ "one", "two", "", "last" }, lines)
  end)
end)
