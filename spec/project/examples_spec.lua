-- SPDX-License-Identifier: MIT
-- Every example does what its first line says.

local lfs = require "lfs"
local process = require "spec.support.process"
local sandbox = require "cunnekt.sandbox"
local server = require "spec.support.server"

local function absolute(name)
  local pipe = assert(io.popen "pwd")
  local folder = pipe:read "l"
  pipe:close()
  return folder .. "/examples/" .. name
end

describe("the example", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  -- What a bot has saved in a folder: the files' own names, sorted, behind the ids of messages, and their paths.
  local function files_in(its_folder)
    local names, paths = {}, {}
    for name in lfs.dir(folder.path .. "/" .. its_folder) do
      local own = name:match "^%w+ (.+)$"
      names[#names + 1], paths[#paths + 1] = own, own and { own = own, path = ("%s/%s/%s"):format(folder.path, its_folder, name) }
    end
    table.sort(names)
    table.sort(paths, function(a, b)
      return a.own < b.own
    end)
    for i, one in ipairs(paths) do
      paths[i] = one.path
    end
    return { names = names, paths = paths }
  end

  -- What a person sees who types these lines to the script.
  local function talk(name, lines, env)
    env = env or {}
    env.CUNNEKT_LISTEN = "127.0.0.1:0"
    local words = { process.host, "dev", "--sandbox", "127.0.0.1:0", absolute(name) }
    local result = process.run(words, { stdin = lines, cwd = folder.path, env = env })
    assert.equal(0, result.code, result.err)
    return result.out
  end

  it("echo.lua says back what it is told", function()
    local out = talk("echo.lua", "good morning\n")
    local _, count = out:gsub("good morning", "")
    assert.equal(2, count)
  end)

  it("menu.lua answers choices and remembers the last", function()
    local out = talk("menu.lua", "again\n/list place\nagain\n")
    assert.matches("What would you like to know%?", out)
    local _, count = out:gsub("12 Janpath", "")
    assert.equal(2, count)
  end)

  it("media.lua keeps what is sent, in the customer's folder", function()
    process.write(folder.path .. "/list.txt", "tea, milk")
    local out = talk("media.lua", "/document list.txt\n/document\n/document list.txt\n")
    assert.matches("We have it!", out)
    local kept = files_in "files/919999999999"
    assert.same({ "list.txt", "list.txt", "order.pdf" }, kept.names)
    assert.equal("tea, milk", process.read(kept.paths[1]))
    assert.matches("^%%PDF", process.read(kept.paths[3]))
  end)

  it("crm.lua asks a CRM over HTTP", function()
    local crm = server.new(function(request)
      if request.path == "/orders/4711" then
        return 200, '{"state":"on its way"}'
      end
      return 404, ""
    end)
    finally(crm.close)
    local out = talk("crm.lua", "where is order 4711?\norder 1\n", { CRM_URL = crm.url })
    assert.matches("Order 4711 is on its way", out)
    assert.matches("There is no order 1%.", out)
    out = talk("crm.lua", "order 4711\n", { CRM_URL = server.nobody() })
    assert.matches("order book is closed", out)
  end)

  it("notify.lua sends a template to each number and ends", function()
    local box = assert(sandbox.new())
    finally(function()
      box:close()
    end)
    local env = { CUNNEKT_API_KEY = "any", CUNNEKT_BASE_URL = box.url .. "/v1" }
    local words = { process.host, "run", absolute "notify.lua", "sale", "919999999991", "919999999992" }
    local result = process.run(words, { cwd = folder.path, env = env })
    assert.equal(0, result.code, result.err)
    assert.matches("919999999991\twamid.+\n919999999992\twamid", result.out)
    assert.equal(2, box.state.counts.out)
    result = process.run({ process.host, "run", absolute "notify.lua", "sale", "nobody" }, { cwd = folder.path, env = env })
    assert.equal(1, result.code)
  end)

  it("feedback.lua is polite to both", function()
    assert.matches("We are glad", talk("feedback.lua", "Hello\n/button good\n"))
    assert.matches("went wrong", talk("feedback.lua", "hi\n/button bad\n"))
  end)

  it("appointment.lua books, and cancels", function()
    local day = os.date("%Y-%m-%d", os.time() + 7 * 86400)
    local out = talk("appointment.lua", ("hi\nAsha\nsoon\n%s\n11:00\ncancel\n"):format(day))
    assert.matches("Please write a day from", out)
    assert.matches(("Booked: Asha, %s at 11:00"):format(day:gsub("%-", "%%-")), out)
    assert.matches("Your appointment is cancelled", out)
  end)

  it("order_status.lua asks order_api.lua", function()
    local api = process.start { process.host, "run", absolute "order_api.lua", "0" }
    finally(function()
      api:signal "TERM"
      api:wait()
    end)
    local url = api:expect("the order book is at (%S+)", "out")
    local out = talk("order_status.lua", "hi\nsoon\n4711\n/button no\nhi\n12\n", { ORDER_API = url })
    assert.matches("It has digits only", out)
    assert.matches("Order 4711 is packed, and comes", out)
    assert.matches("There is no order 12%.", out)
    assert.matches("order book is closed", talk("order_status.lua", "hi\n4711\n", { ORDER_API = server.nobody() }))
  end)

  it("feedback_handover.lua hands an unhappy customer over", function()
    local out = talk("feedback_handover.lua", "hi\n/button bad\nit was cold\nhello?\n")
    assert.matches("Somebody will write to you", out)
    assert.matches("hello%?\n%-%- nobody; it is kept, since a person has the conversation; /why says more%s*$", out)
    assert.matches("We are glad", talk("feedback_handover.lua", "hi\n/button good\n"))
  end)

  it("intake.lua takes a form and a document", function()
    local out = talk("intake.lua", 'hi\n/form {"name":"Asha"}\nwhich?\n/document\n')
    assert.matches("birth certificate", out)
    assert.matches("All done: %d+ bytes", out)
    assert.matches("^%%PDF", process.read(files_in("intake/919999999999").paths[1]))
  end)

  it("two_languages.lua speaks both, and goes back", function()
    local out = talk("two_languages.lua", "hi\nEnglish\nSamosa\nback\nTea\n3\nlanguage\nहिन्दी\nचाय\n2\n")
    assert.matches("3 × Tea, it is being made", out)
    assert.matches("2 × चाय, बन रहा है", out)
  end)

  it("of any name says in its first line what it shows", function()
    local pipe = assert(io.popen "ls examples/*.lua")
    for path in pipe:lines() do
      assert.matches("^%-%- %u[^\n]+%.\n", process.read(path), 1, nil, path)
    end
    pipe:close()
  end)
end)

-- Customers who show only a user name have no `msg.from`: an example that put it into a key raised for each of them.
describe("scripts that are shown", function()
  it("take the customer of a message from its chat", function()
    local pipe = assert(io.popen "grep -nE 'msg\\.from([^_[:alnum:]]|$)' examples/*.lua docs/*.md docs/howto/*.md docs/reference/*.md README.md")
    for line in pipe:lines() do
      assert.is_nil(line:match "%.%. *msg%.from" or line:match "[=(] *msg%.from[ ,})]", line)
    end
    pipe:close()
  end)
end)
