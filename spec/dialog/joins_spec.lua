-- SPDX-License-Identifier: MIT
-- Two conversations that turn out to be one person's, at every step of both: with messages queued and being sent, dialogs in memory
-- and evicted, timers that are set, and conversations that are paused; killed around the join. Then the person changes their
-- number. Each text must have its answer once, in the order of its stream, with the stream's number, wherever the join was.

local inside = require("cunnekt.service").of
local fake_client = require "spec.support.fake_client"
local json = require "cunnekt.base.json"
local lists = require "cunnekt.store.lists"
local lives = require "spec.support.dialogs.lives"
local recovery = require "cunnekt.store.recovery"
local task = require "cunnekt.base.task"

local NUMBER, USER_ID = "919999999999", "IN.1349120865530274"
local NEW_NUMBER, NEW_USER_ID = "918888888888", "IN.2"

-- ---- the bot ---------------------------------------------------------------------------------------------------------

-- Counts the texts of each stream in the conversation's state.
local function answer(chat, text)
  local stream, word = text:match "^(%a)%-(.*)$"
  local counts = chat.state[stream] or 0
  chat.state[stream] = counts + 1
  assert(chat:reply_text(("%s #%d"):format(text, counts + 1)))
  return stream, word
end

local function define(bot)
  bot:dialog("talk", function(chat)
    while true do
      answer(chat, chat:wait({ reply = true }).text)
    end
  end)
  for _, stream in ipairs { "a", "b" } do
    bot:dialog("later " .. stream, function(chat)
      chat:sleep(600)
      chat:reply_text(stream .. "-woke")
    end)
  end
  bot:on("location", function(msg) -- no answer to a dialog that waits for texts
    msg:start("later " .. answer(msg.chat, msg.location.name))
  end)
  bot:on("text", function(msg)
    local _, word = answer(msg.chat, msg.text)
    if word == "talk" then
      msg:start "talk"
    end
  end)
end

-- ---- one history -----------------------------------------------------------------------------------------------------

local history_methods = {}
local history_mt = { __index = history_methods }

-- The provider hangs while `is_held`; what has arrived is noted in order.
local function slow_down(self, bot)
  fake_client.wrap(bot.client, function(ask, payload)
    local is_after_change = self.has_changed
    while self.is_held do
      task.await(function(done)
        self.waiting[#self.waiting + 1] = done
      end)
    end
    local sent = ask()
    table.insert(self.arrived, { text = payload.text, to = payload.mobile, is_after_change = is_after_change })
    return sent
  end)
end

local function begin(break_bot)
  local self = setmetatable({ arrived = {}, waiting = {}, expected = { a = {}, b = {} }, count = { a = 0, b = 0 }, serial = 0 }, history_mt)
  self.all = lives.new(function(bot)
    slow_down(self, bot)
    define(bot)
    if break_bot then
      break_bot(bot)
    end
  end)
  self.all:start()
  return self
end

function history_methods:post(message, from, user_id)
  self.serial = self.serial + 1
  message.id, message.timestamp, message.from, message.from_user_id = "wamid." .. self.serial, "1700000000", from, user_id
  self.all:post(json.encode {
    metadata = { phone_number_id = "1", display_phone_number = "15550000000" }, messages = { message },
    contacts = message.type ~= "system" and { { wa_id = from, user_id = user_id, profile = { name = "Asha" } } } or nil,
  })
end

function history_methods:say(stream, word, from, user_id)
  local text = stream .. "-" .. word
  self.count[stream] = self.count[stream] + 1
  table.insert(self.expected[stream], ("%s #%d"):format(text, self.count[stream]))
  local is_place = word == "later"
  self:post({
    type = is_place and "location" or "text", text = not is_place and { body = text } or nil,
    location = is_place and { latitude = 28.6, longitude = 77.2, name = text } or nil,
  }, from, user_id)
end

function history_methods:release()
  local waiting = self.waiting
  self.is_held, self.waiting = false, {}
  for _, done in ipairs(waiting) do
    done()
  end
  self.all:settle()
end

-- What is under way may be held for ever: then nothing is quiet, and some rounds are enough.
function history_methods:settle()
  if not self.is_held then
    return self.all:settle()
  end
  self.all:go_round(40)
end

function history_methods:kill()
  self.waiting = {}
  self.all:kill()
  self:settle()
end

-- The life of a conversation, step by step.
local steps = {
  function(_, say)
    say "talk"
  end,
  function(_, say)
    say "2"
  end,
  function(_, say)
    say "later"
  end,
  function(self)
    inside(self.all.bot).dialogs:evict_all()
  end,
  function(self, say)
    self.is_held = true
    for i = 3, 5 do
      say(tostring(i))
    end
  end,
  function(self, _, contact)
    local chat = self.all.bot:chat(contact, "1")
    self.all:finish(function()
      assert(chat:pause())
    end)
  end,
}
local HELD, PAUSES = #steps - 1, #steps

local function live(self, stream, step, from, user_id)
  steps[step](self, function(word)
    self:say(stream, word, from, user_id)
  end, from or user_id)
  self:settle()
end

local function paused(self)
  local row = inside(self.all.bot).store:read("conversation", { contact = "1:" .. NUMBER })[1]
  return row ~= nil and row.paused == 1
end

-- What has arrived of a stream.
local function arrived(self, stream)
  local list = {}
  for _, one in ipairs(self.arrived) do
    if one.text:sub(1, 1) == stream and not one.text:find "woke" then
      list[#list + 1] = one.text
    end
  end
  return list
end

local function count(self, text)
  local found = 0
  for _, one in ipairs(self.arrived) do
    found = found + (one.text == text and 1 or 0)
  end
  return found
end

local kills = {
  function() end,
  function(self) -- before
    self:kill()
  end,
  function(self) -- as soon as it is accepted
    repeat
      self.all:turn_wheel()
    until self.all.posts.first > self.all.posts.last
    self:kill()
  end,
  function(self) -- when all that it caused has been done
    self:settle()
    self:kill()
  end,
}

-- The first conversation has lived `i` steps, the second one `j`; then they are one.
local function play(i, j, kill, break_bot)
  local self <close> = setmetatable(begin(break_bot), { __index = history_methods, __close = function(self)
    self:release()
    self.all:close()
  end })
  for step = 1, math.max(i, j) do
    if step <= i then
      live(self, "a", step, NUMBER)
    end
    if step <= j then
      live(self, "b", step, nil, USER_ID)
    end
  end
  local was_paused = i == PAUSES or j == PAUSES
  for text = 7, was_paused and 0 or 9 do -- wait for their turns when the join comes
    self:say("b", tostring(text), nil, USER_ID)
  end
  self:say("a", was_paused and "lost" or "both", NUMBER, USER_ID)
  if was_paused then -- a person has the conversation, and reads it
    table.remove(self.expected.a)
    self.count.a = self.count.a - 1
  else
    self:say("b", "10", NUMBER)
  end
  kills[kill](self)
  self:settle()
  local result = { paused = paused(self), was_paused = was_paused }
  if was_paused then
    self.all:finish(function()
      assert(self.all.bot:chat(USER_ID, "1"):resume())
    end)
  end
  for step = 1, PAUSES - 1 do
    if step > i then
      live(self, "a", step, nil, USER_ID)
    end
    if step > j then
      live(self, "b", step, NUMBER)
    end
  end
  local change = { type = "user_changed_number", wa_id = NEW_NUMBER, user_id = NEW_USER_ID, previous_user_id = USER_ID }
  self:post({ type = "system", system = change }, NUMBER)
  self:settle()
  self.has_changed = true
  self:release()
  self.all:pass(601)
  self.all:kill()
  self:say("a", "9", NEW_NUMBER)
  self:say("b", "9", nil, NEW_USER_ID)
  self.all:settle()
  local store = inside(self.all.bot).store
  result.streams = { a = arrived(self, "a"), b = arrived(self, "b") }
  result.expected = self.expected
  result.woke = { count(self, "a-woke"), count(self, "b-woke") }
  result.left = { #recovery.events(store), #recovery.messages(store), #assert(lists.dialogs(store, "broken", {})) }
  result.strays, result.readdressed = 0, 0
  for _, one in ipairs(self.arrived) do
    local is_new = one.to == NEW_NUMBER
    result.strays = result.strays + (one.is_after_change and not is_new and 1 or 0)
    result.readdressed = result.readdressed + (one.is_after_change and is_new and 1 or 0)
  end
  result.log = table.concat(self.all.lines, "\n")
  return result
end

local function check(result)
  assert.are.same(result.expected, result.streams, result.log)
  assert.are.same({ 1, 1 }, result.woke)
  assert.are.same({ 0, 0, 0 }, result.left, result.log)
  assert.are.equal(result.was_paused, result.paused)
  assert.are.equal(0, result.strays)
  assert.is_true(result.readdressed >= 5)
end

describe("conversations that are joined", function()
  for i = 0, PAUSES do
    for j = 0, PAUSES do
      it(("after %d steps of one and %d of the other are one person's"):format(i, j), function()
        check(play(i, j, (i + j) % #kills + 1))
      end)
    end
  end

  -- What the histories above would notice: a bot that is broken in one way.
  for name, break_bot in pairs {
    ["whose waiting messages stay apart"] = function(bot)
      inside(bot).outbox.join_contacts = function() end
    end,
    ["whose waiting events stay apart"] = function(bot)
      inside(bot).inbox.join_contacts = function() end
    end,
    ["whose messages keep the number that was left"] = function(bot)
      inside(bot).store.persons.has_id = function()
        return true
      end
    end,
  } do
    it("are missed by a bot " .. name, function()
      local is_noticed = false
      for i = 0, HELD do
        is_noticed = is_noticed or not pcall(check, play(i, HELD - i, 1, break_bot)) or not pcall(check, play(HELD, i, 1, break_bot))
      end
      assert.is_true(is_noticed)
    end)
  end
end)
