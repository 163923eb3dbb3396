-- SPDX-License-Identifier: MIT
-- Broken dialogs that are mended: with the script that they have, or with the current one, as far as their journal fits it. Each
-- script is a file, loaded as the host loads it, with a bot that is killed in between.

local inside = require("cunnekt.service").of
local formats = require "cunnekt.store.formats"
local lists = require "cunnekt.store.lists"
local lives = require "spec.support.dialogs.lives"
local operations = require "cunnekt.operate.operations"
local process = require "spec.support.process"
local samples = require "cunnekt.sandbox.samples"
local sql = require "spec.support.sql"
local stored_dialogs = require "cunnekt.store.dialogs"

local customer = "919999999999"
local line = samples.PHONE_NUMBER_ID
local contact = line .. ":" .. customer

local head = [[
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()
bot:on("text", "^go$", function(msg) msg:start("it", { size = "XL" }) end)
bot:on("text", "^count$", function(msg) msg.chat.state.count = (msg.chat.state.count or 0) + 1 end)
]]

describe("a broken dialog", function()
  local all, path

  after_each(function()
    all:close()
  end)

  local function write(body)
    process.write(path, head .. body)
  end

  -- Begins with a script.
  local function begin(body, opts)
    local folder = process.folder()
    path = folder.path .. "/script.lua"
    write(body)
    all = lives.new(lives.script(path), opts or { attempts = 1 })
    all.script_folder = folder -- it lasts as long as they do
    all:start()
  end

  -- Goes on with another script.
  local function change(body)
    write(body)
    all:kill()
    all:settle()
  end

  local function say(text)
    all:act(customer, { type = "text", text = text })
    all:settle()
  end

  local function said()
    return all.seen[customer] or {}
  end

  local function store()
    return inside(all.bot).store
  end

  local function the_dialog()
    return stored_dialogs.of(store(), contact)[1]
  end

  -- Breaks the dialog, as if it had met something that is gone by now.
  local function break_it()
    local dialog = the_dialog()
    inside(all.bot).dialogs:evict(dialog.id)
    stored_dialogs.break_it(store(), dialog.id, { message = "no luck", step = dialog.steps })
    all:settle()
  end

  local function run(name, args)
    return operations.run({ store = store(), service = inside(all.bot) }, name, args)
  end

  local function retry(args)
    args = args or {}
    args.ids = { the_dialog().id }
    local result = assert(run("dialogs.retry", args))
    assert.are.same(args.ids, result.retried)
    all:settle()
  end

  local function new_script()
    retry { new_script = true }
  end

  local function logged()
    return table.concat(all.lines, "\n")
  end

  local function kinds()
    local list = {}
    for i, step in ipairs(lists.dialog(store(), the_dialog().id).journal) do
      list[i] = step.mark:match "^%a+"
    end
    return table.concat(list, " ")
  end

  -- ---- with its own script -------------------------------------------------------------------------------------------

  local two_questions = [[
bot:dialog("it", function(chat, args)
  chat:reply_text("size " .. args.size)
  local first = chat:ask("one?").text
  chat:reply_text("heard " .. first)
  local second, err = chat:ask("two?", { timeout = 100 })
  chat:reply_text(first .. " " .. (second and second.text or err.kind))
end)]]

  it("waits again for what it waited for, and nothing is said twice", function()
    begin(two_questions)
    say "go"
    say "a"
    break_it()
    say "lost"
    assert.is_table(the_dialog().error)
    retry()
    assert.is_nil(the_dialog().error)
    all:kill()
    say "b"
    assert.are.same({ "size XL", "one?", "heard a", "two?", "a b" }, said())
  end)

  it("has its time limit again", function()
    begin(two_questions)
    say "go"
    say "a"
    break_it()
    all:pass(99)
    retry()
    assert.equal("two?", said()[#said()])
    all:pass(1)
    assert.equal("a timeout", said()[#said()])
  end)

  it("goes on in the next life, where this one ends before it has", function()
    begin(two_questions)
    say "go"
    say "a"
    break_it()
    local dialog = the_dialog()
    assert(operations.run({ store = store() }, "dialogs.retry", { ids = { dialog.id } })) -- as without a host
    assert.equal("retrying", run("dialogs.show", { id = dialog.id }).state)
    all:kill()
    all:settle()
    assert.equal("waiting", run("dialogs.show", { id = dialog.id }).state)
    say "b"
    assert.equal("a b", said()[#said()])
  end)

  it("takes nothing from the customer before the retry", function()
    begin(two_questions)
    say "go"
    break_it()
    assert(store():repair("mend_dialog", { ids = { the_dialog().id }, script = "own", now = 1 }))
    say "a"
    assert.are.same({ "size XL", "one?" }, said())
  end)

  it("that is none is left alone", function()
    begin(two_questions)
    say "go"
    local id = the_dialog().id
    local result = assert(run("dialogs.retry", { ids = { id, 4711 } }))
    assert.are.same({ {}, { id }, { 4711 } }, { result.retried, result.not_broken, result.missing })
  end)

  it("is one of all that a filter finds", function()
    begin(two_questions)
    say "go"
    break_it()
    assert.are.same({}, run("dialogs.retry", { all = true, contact = "918888888888" }).retried)
    assert.are.same({ the_dialog().id }, run("dialogs.retry", { all = true, contact = customer }).retried)
    all:settle()
    assert.is_nil(the_dialog().error)
  end)

  -- ---- with a new script, whose journal fits --------------------------------------------------------------------------

  local buggy = [[
bot:dialog("it", function(chat)
  local name = chat:ask("name?").text
  error "bug"
end)]]
  local fixed = [[
bot:dialog("it", function(chat)
  local name = chat:ask("name?").text
  chat:reply_text("hello " .. name)
  chat:reply_text("bye " .. chat:ask("more?").text)
end)]]

  it("gets its answer in the new script, and belongs to it from then on", function()
    begin(buggy)
    say "go"
    say "Asha"
    assert.matches("bug", the_dialog().error.message)
    change(fixed)
    retry() -- the control: with the script that it has it breaks again
    assert.matches("bug", the_dialog().error.message)
    assert.are.same({ "name?" }, said())
    new_script()
    assert.are.same({ "name?", "hello Asha", "more?" }, said())
    assert.are.same({}, lists.events(store(), "dead", {}))
    all:kill()
    say "x"
    assert.are.same({ "name?", "hello Asha", "more?", "bye x" }, said())
    assert.is_nil(logged():find("discarded", 1, true))
  end)

  it("is mended by a retry of its event, too", function()
    begin(buggy)
    say "go"
    say "Asha"
    change(fixed)
    local dead = lists.events(store(), "dead", {})[1]
    local result = assert(run("events.retry", { seqs = { dead.id }, new_script = true }))
    assert.are.same({ { dead.id }, { dead.id } }, { result.retried, result.mended })
    all:settle()
    assert.are.same({ "name?", "hello Asha", "more?" }, said())
  end)

  it("may be a handler that waited", function()
    begin [[
bot:on("text", "^hi$", function(msg)
  local answer = msg.chat:ask("well?")
  error "bug"
end)]]
    say "hi"
    say "good"
    change [[
bot:on("text", "^hi$", function(msg)
  local answer = msg.chat:ask("well?")
  msg:reply_text(answer.text .. " to hear")
end)]]
    assert.matches(formats.handler_pattern, the_dialog().name)
    new_script()
    assert.are.same({ "well?", "good to hear" }, said())
    assert.is_nil(the_dialog())
  end)

  it("goes on with the new script after its wait, where nothing had come", function()
    begin(buggy)
    say "go"
    break_it()
    change(fixed)
    new_script()
    say "Asha"
    assert.are.same({ "name?", "hello Asha", "more?" }, said())
  end)

  -- ---- with a new script that differs ----------------------------------------------------------------------------------

  it("keeps what fits: the journal is cut at the first step that differs", function()
    begin(two_questions)
    say "go"
    say "a"
    break_it()
    change [[
bot:dialog("it", function(chat, args)
  chat:reply_text("size " .. args.size)
  local first = chat:ask("one?").text
  chat:reply_text("you said " .. first)
  local third = chat:ask("three?").text
  chat:reply_text(first .. third .. chat:ask("four?").text)
end)]]
    new_script()
    assert.are.same({ "size XL", "one?", "heard a", "two?", "you said a", "three?" }, said())
    assert.matches("goes on with the current script at step 4: the journal does not fit it from there, and 3 steps are discarded\n", logged() .. "\n")
    assert.equal("send send wait mended send send", kinds())
    for _, text in ipairs { "c", "d" } do
      all:kill()
      say(text)
    end
    assert.equal("acd", said()[#said()])
    assert.is_nil(the_dialog())
  end)

  it("can be mended again", function()
    begin(two_questions)
    say "go"
    say "a"
    for i = 1, 2 do
      break_it()
      change(([[
bot:dialog("it", function(chat, args)
  chat:reply_text("size " .. args.size)
  local first = chat:ask("one?").text
  chat:reply_text("again")
  local third = chat:ask("question %d?").text
  chat:reply_text(first .. third)
end)]]):format(i))
      new_script()
    end
    all:kill()
    say "c"
    assert.are.same({ "size XL", "one?", "heard a", "two?", "again", "question 1?", "question 2?", "ac" }, said())
  end)

  it("begins anew with its args where nothing fits", function()
    begin(two_questions)
    say "go"
    say "a"
    break_it()
    change [[
bot:dialog("it", function(chat, args)
  chat:reply_text("new " .. args.size)
  chat:reply_text(chat:ask("one?").text)
end)]]
    new_script()
    all:kill()
    say "b"
    assert.are.same({ "size XL", "one?", "heard a", "two?", "new XL", "one?", "b" }, said())
  end)

  it("ends where the new script does", function()
    begin(two_questions)
    say "go"
    say "a"
    break_it()
    change [[
bot:dialog("it", function(chat, args)
  chat:reply_text("size " .. args.size)
end)]]
    new_script()
    assert.is_nil(the_dialog())
    assert.equal(0, store():read("counts")[1].steps)
  end)

  it("asks again where the answer that came is to another question", function()
    begin(buggy)
    say "go"
    say "Asha"
    change [[
bot:dialog("it", function(chat)
  chat:reply_text("hello " .. chat:ask("what is your name?").text)
end)]]
    new_script()
    assert.are.same({ "name?", "what is your name?" }, said())
    assert.matches("2 steps are discarded, with the answer that came", logged())
    say "Asha"
    assert.are.same({ "name?", "what is your name?", "hello Asha" }, said())
  end)

  it("has the state of now, with what the new script changed in it", function()
    begin [[
bot:dialog("it", function(chat)
  chat.state.a = 1
  chat:ask "one?"
  chat.state.b = (chat.state.count or 0) .. " seen"
  chat:reply_text "old"
  chat:ask "two?"
end)]]
    say "go"
    say "a"
    break_it()
    say "count"
    say "count"
    change [[
bot:dialog("it", function(chat)
  chat.state.a = 1
  chat:ask "one?"
  chat.state.mine = "new"
  chat:reply_text "new"
  chat.state.after = chat.state.count
  chat:ask "three?"
  chat.state.over = chat.state.mine
end)]]
    new_script()
    assert.are.same({ a = 1, b = "0 seen", count = 2, mine = "new", after = 2 }, all.bot:chat(customer, line).state)
    say "count"
    all:kill()
    say "c"
    assert.equal("new", all.bot:chat(customer, line).state.over)
  end)

  it("that broke in the middle of a turn goes on with the new script", function()
    begin [[
bot:dialog("it", function(chat)
  chat:ask "one?"
  chat:reply_text("to be delivered"):wait "accepted"
  error "bug"
end)]]
    say "go"
    say "a"
    assert.matches("bug", the_dialog().error.message)
    change [[
bot:dialog("it", function(chat)
  chat:ask "one?"
  chat:reply_text("to be delivered"):wait "accepted"
  chat:reply_text "end"
end)]]
    new_script()
    assert.are.same({ "one?", "to be delivered", "end" }, said())
    assert.is_nil(the_dialog())
  end)

  for what, damage in pairs {
    ["lacks"] = "DELETE FROM step WHERE n = 3",
    ["cannot be read at"] = "UPDATE step SET result = 'x' WHERE n = 3",
  } do
    it("whose journal " .. what .. " a step goes on from there", function()
      begin(two_questions)
      say "go"
      say "a"
      all.folder.db = all.folder.path .. "/dialogs.db"
      break_it()
      all:finish(function()
        all.bot:stop(0)
      end)
      sql.run(all.folder.db, damage)
      all.bot = nil
      all:start()
      retry()
      assert.matches("cannot continue", the_dialog().error.message)
      new_script()
      say "c"
      say "d"
      assert.are.same({ "size XL", "one?", "heard a", "two?" }, { table.unpack(said(), 1, 4) })
      assert.equal("c d", said()[#said()])
      assert.is_nil(the_dialog())
    end)
  end

  it("stays broken where the current script has none of its name, or fails as well", function()
    begin(buggy)
    say "go"
    say "Asha"
    change [[bot:dialog("another", function() end)]]
    new_script()
    assert.matches("it is not in the current script", the_dialog().error.message)
    assert.is_nil(the_dialog().error.mend)
    change [[
bot:dialog("it", function(chat)
  chat:ask "name?"
  error "another bug"
end)]]
    new_script()
    assert.is_nil(the_dialog().error)
    say "x"
    assert.matches("another bug", the_dialog().error.message)
    assert.are.same({ "name?" }, said())
  end)

  it("does not repeat an answer in the log", function()
    begin(buggy)
    say "go"
    say "my secret"
    change(two_questions)
    new_script()
    assert.is_nil(logged():find("my secret", 1, true))
  end)
end)
