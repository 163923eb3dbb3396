-- SPDX-License-Identifier: MIT
-- Each message of docs/troubleshooting.md exists: what stands between its `…` is in the sources, so that who searches the page for
-- what was printed finds it. And each warning and error of the log is on the page.

local lfs = require "lfs"
local process = require "spec.support.process"

local PAGE = "docs/troubleshooting.md"
-- So many characters in a row tell a message from others.
local LEAST = 8

local function walk(folder, visit)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name:sub(1, 1) ~= "." then
      if lfs.attributes(path, "mode") == "directory" then
        walk(path, visit)
      elseif name:find "%.lua$" or name:find "%.c$" then
        visit(process.read(path))
      end
    end
  end
end

local DIRECTIVE = "%%[%-+ #0]*%d*%.?%d*[lzjI]*[sdgfiux]"

-- Strings in one piece.
local function joined(text)
  return (text:gsub('\\"', "\1"):gsub('"%s*%.%.%s*"', ""):gsub('"%s*\n%s*"', ""):gsub("\1", '"'))
end

-- The sources as their messages look: `…` for what is filled in.
local function read_sources()
  local texts = {}
  for _, folder in ipairs { "lua", "src" } do
    walk(folder, function(text)
      texts[#texts + 1] = joined(text):gsub(DIRECTIVE, "…")
    end)
  end
  return table.concat(texts, "\n")
end

-- The formats of what the log gets as a warning or an error: a string, or a local variable that holds one.
local function add_logged(text, list)
  text = joined(text):gsub("function log%.[^\n]*", "")
  for level, rest in text:gmatch "%f[%w.]log%.(%l+)[ (]([^\n]*)" do
    if level == "warn" or level == "error" then
      local name = rest:match "^[%a_][%w_]*"
      local format = rest:match '^"(.-)"[,) ]' or rest:match '^"(.-)"$' or name and text:match("local " .. name .. ' = "(.-)"\n')
      list[#list + 1] = (format or rest):gsub(DIRECTIVE, "…")
    end
  end
  for format in text:gmatch '"cunnekt: %l+: (.-)\\n"' do
    list[#list + 1] = format:gsub(DIRECTIVE, "…")
  end
end

local function logged()
  local list = {}
  for _, folder in ipairs { "lua", "src" } do
    walk(folder, function(text)
      add_logged(text, list)
    end)
  end
  return list
end

-- The messages: what is code in the first column of tables that are headed "message".
local function messages()
  local list, is_on, number = {}, false, 0
  for line in io.lines(PAGE) do
    number = number + 1
    local first = line:match "^| (.-) |"
    if not first then
      is_on = false
    elseif first == "message" then
      is_on = true
    elseif is_on then
      for message in first:gmatch "`([^`]* [^`]*)`" do
        list[#list + 1] = { line = number, text = message:gsub("^%l+: ", { ["error: "] = "", ["warning: "] = "" }) }
      end
    end
  end
  return list
end

-- What of a message is in no source; "" when nothing of it is long enough to be told from others.
local function missing(message, sources)
  local longest = 0
  for piece in (message .. "…"):gmatch "(.-)…" do
    if #piece > 2 and not sources:find(piece, 1, true) then
      return piece
    end
    longest = math.max(longest, #piece)
  end
  return longest < LEAST and "" or nil
end

-- Whether a message of the page is one that the log gets in this format: its pieces are there, in their order.
local function fits(message, format)
  local at, longest = 1, 0
  for piece in (message .. "…"):gmatch "(.-)…" do
    local first, last = format:find(piece, at, true)
    if not first then
      return false
    end
    at, longest = last + 1, math.max(longest, #piece)
  end
  return longest >= LEAST
end

local function is_on_page(format, list)
  for _, message in ipairs(list) do
    if fits(message.text, format) then
      return true
    end
  end
  return false
end

-- What is logged in a format that says nothing: the page tells of it in words, or of the messages that are filled in.
local told_in_words = {
  ["…"] = "what cunnekt check finds; limits of WhatsApp; failures of handlers", ["…: …: ……"] = "a refused reply",
  ["refused with ……: …"] = "refused webhooks",
}

describe("the messages of the troubleshooting page", function()
  local sources = read_sources()

  it("are in the sources", function()
    local list, wrong = messages(), {}
    for _, message in ipairs(list) do
      local piece = missing(message.text, sources)
      if piece then
        wrong[#wrong + 1] = ("%s:%d: %s\n  is in no source: '%s'"):format(PAGE, message.line, message.text, piece)
      end
    end
    assert(#wrong == 0, "\n" .. table.concat(wrong, "\n"))
    assert.is_true(#list > 70)
  end)

  it("are all warnings and errors of the log", function()
    local list, formats, wrong = messages(), logged(), {}
    for _, format in ipairs(formats) do
      if not told_in_words[format] and not is_on_page(format, list) then
        wrong[#wrong + 1] = format
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
    assert.is_true(#formats > 35)
  end)

  it("would miss a new one", function()
    local formats = {}
    add_logged('log.warn("the moon is %s: %s", a, b)\nlocal sentence = "it is "\n  .. "late"\nlog.error(sentence)\n', formats)
    assert.same({ "the moon is …: …", "it is late" }, formats)
    assert.is_false(is_on_page(formats[1], messages()))
    assert.is_true(is_on_page("a turn could not be committed: …", messages()))
  end)

  it("would be missed if they were not", function()
    assert.equal("the store is quite full", missing("the store is quite full", sources))
    assert.equal("", missing("… of …", sources))
    assert.is_nil(missing("dialog … is broken: …", sources))
  end)
end)
