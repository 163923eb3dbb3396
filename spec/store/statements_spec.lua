-- SPDX-License-Identifier: MIT
-- The named statements of the backends on SQL: each is used, and each that is used is there.

local process = require "spec.support.process"

local folder = "src/store/sql/"

-- The names in one of the files.
local function names(file)
  local list = {}
  for name in ("\n" .. assert(process.read(folder .. file))):gmatch "\n%-%- name: ([%w_]+)" do
    list[#list + 1] = name
  end
  return list
end

-- The texts of all files that match, one behind the other.
local function read_all(find)
  local texts = {}
  local pipe <close> = assert(io.popen("find " .. find))
  for path in pipe:lines() do
    texts[#texts + 1] = process.read(path)
  end
  return table.concat(texts, "\n")
end

describe("the statements of the store", function()
  local lua, c

  setup(function()
    lua = read_all "lua/cunnekt -name '*.lua'"
    c = read_all "src/store -name '*.c'"
  end)

  -- What only specs ask.
  local unused = { counts = true }

  for _, file in ipairs { "reads.sql", "lists.sql", "repairs.sql" } do
    it(("in %s are all asked for by the program"):format(file), function()
      for _, name in ipairs(names(file)) do
        assert(unused[name] or lua:find(('"%s"'):format(name), 1, true), name .. " is used nowhere")
      end
    end)
  end

  it("that the program asks for are all there", function()
    local known = {}
    for _, file in ipairs { "reads.sql", "lists.sql", "repairs.sql" } do
      for _, name in ipairs(names(file)) do
        known[name] = true
      end
    end
    for _, method in ipairs { "query", "read", "repair" } do
      for name in lua:gmatch("store:" .. method .. '[ (]*"([%w_]+)"') do
        assert(known[name], name .. " is no statement")
      end
    end
  end)

  it("that verbs run are all run", function()
    for _, name in ipairs(names "writes.sql") do
      assert(c:find("CNK_SQL_" .. name .. "%f[^%w_]") or c:find(('"%s"'):format(name), 1, true), name .. " is run nowhere")
    end
  end)

  it("are in the folders of the backends alone", function()
    local pipe <close> = assert(io.popen "find lua src -name '*.lua' -o -name '*.[ch]'")
    for path in pipe:lines() do
      local text = not path:find "^src/store/[sp]%a+/" and process.read(path) or ""
      for _, words in ipairs { "SELECT%s+.-%sFROM%s", "INSERT%s+INTO%s", "DELETE%s+FROM%s", "UPDATE%s+%l+%s+SET%s", "PRAGMA%s+%l" } do
        assert.is_nil(text:match(words), path)
      end
    end
  end)
end)
