-- SPDX-License-Identifier: MIT
-- Spells the English of the project: the pages, the comments and messages in Lua, from which man pages are made, and the
-- examples. Words beyond the dictionary of hunspell are in words.txt, sorted, one a line; those that nothing uses are reported.

local prose = dofile "spec/lint/pages/prose.lua"
local tree = dofile "spec/lint/tree.lua"

local LIST = "spec/lint/pages/words.txt"
local DICTIONARY = "en_GB"

-- ---- reading ---------------------------------------------------------------------------------------------------------

-- Adds the words of a text: word → where it is first.
local function gather(path, text, words)
  local of = path:find "%.md$" and prose.of_page or prose.of_lua
  prose.each_word(of(text), function(word, line)
    words[word] = words[word] or { path = path, line = line }
  end)
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function keys_of(set)
  local list = {}
  for key in pairs(set) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

-- ---- spelling ---------------------------------------------------------------------------------------------------------

-- The words that the dictionary does not have.
local function unknown(words)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(table.concat(keys_of(words), "\n"), "\n")
  file:close()
  local pipe = assert(io.popen(("hunspell -l -i utf-8 -d %s %s"):format(DICTIONARY, path)))
  local list = {}
  for word in pipe:lines() do
    list[#list + 1] = word
  end
  local is_done = pipe:close()
  os.remove(path)
  if not is_done then
    tree.report(LIST, 1, ("hunspell failed; `make deps-dev` installs it and its dictionary %s"):format(DICTIONARY))
  end
  return list
end

local function read_list()
  local lines, known, last = tree.lines_of(LIST), {}, ""
  for number, word in ipairs(lines) do
    known[word] = { number = number }
    if word <= last then
      tree.report(LIST, number, ("'%s' is not sorted: LC_ALL=C sort -u"):format(word))
    end
    last = word
  end
  return known
end

-- The entry of a word: as it is, or with a small letter.
local function entry_of(word, known)
  return known[word] or known[word:sub(1, 1):lower() .. word:sub(2)]
end

-- Calls a function with each word that neither dictionary nor list has.
local function check(words, known, report)
  for _, word in ipairs(unknown(words)) do
    local entry = entry_of(word, known)
    if entry then
      entry.is_used = true
    else
      report(word, words[word])
    end
  end
end

-- ---- all files -----------------------------------------------------------------------------------------------------

local known, words = read_list(), {}
for _, path in ipairs(tree.files "'*.md' 'lua/*.lua' 'examples/*.lua'") do
  gather(path, read(path), words)
end
check(words, known, function(word, at)
  tree.report(at.path, at.line, ("'%s' is not in the dictionary; if it is right, add it to %s"):format(word, LIST))
end)
for word, entry in pairs(known) do
  if not entry.is_used then
    tree.report(LIST, entry.number, ("'%s' is used nowhere"):format(word))
  end
end

-- ---- the control: a wrong word of each kind is found, and code is left alone ------------------------------------------

local samples = {
  ["page.md"] = "A `recieve` here,\nwrod and [a linck](recieve.md)\n\n```lua\nrecieve()\n```\n\n| tabel | x |\n",
  ["source.lua"] = "---Retruns `recieve`.\n---@param recieve string a numbr\nlocal recieve = 'it is not avaible now'\n",
}
local found = {}
for path, text in pairs(samples) do
  local its_words = {}
  gather(path, text, its_words)
  check(its_words, {}, function(word, at)
    found[#found + 1] = ("%s:%d:%s"):format(path, at.line, word)
  end)
end
table.sort(found)
local wanted = "page.md:2:linck page.md:2:wrod page.md:8:tabel source.lua:1:Retruns source.lua:2:numbr source.lua:3:avaible"
if table.concat(found, " ") ~= wanted then
  tree.report("spec/lint/pages/words.lua", 1, "the control finds " .. table.concat(found, " "))
end

tree.finish()
