-- SPDX-License-Identifier: MIT
-- Each message of docs/troubleshooting.md exists: what stands between its `…` is in the sources, so that who searches the page for
-- what was printed finds it.

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

-- The sources as their messages look: strings in one piece, and `…` for what is filled in.
local function read_sources()
  local texts = {}
  for _, folder in ipairs { "lua", "src" } do
    walk(folder, function(text)
      text = text:gsub('\\"', "\1"):gsub('"%s*%.%.%s*"', ""):gsub('"%s*\n%s*"', ""):gsub("\1", '"')
      texts[#texts + 1] = text:gsub("%%[%-+ #0]*%d*%.?%d*[lzjI]*[sdgfiux]", "…")
    end)
  end
  return table.concat(texts, "\n")
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

  it("would be missed if they were not", function()
    assert.equal("the store is quite full", missing("the store is quite full", sources))
    assert.equal("", missing("… of …", sources))
    assert.is_nil(missing("dialog … is broken: …", sources))
  end)
end)
