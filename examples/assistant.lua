-- Answers with a language model behind an HTTP API: several quick messages are one question, and a person can be asked for.
-- SPDX-License-Identifier: MIT
local cunnekt = require "cunnekt"
local bot = cunnekt.bot()

-- Any server with OpenAI's chat interface.
local URL = (os.getenv "CHAT_URL" or "http://127.0.0.1:11434/v1") .. "/chat/completions"
local MODEL, KEY = os.getenv "CHAT_MODEL" or "llama3", os.getenv "CHAT_KEY"
local REMEMBERED = 12 -- messages of a conversation that the model sees
local rules = "You answer customers of a tea house in at most three sentences. You promise nothing and take no orders."

local function ask_model(history)
  local messages = { { role = "system", content = rules }, table.unpack(history) }
  local answer, err = cunnekt.http.request {
    method = "POST", url = URL, json = { model = MODEL, messages = messages },
    headers = KEY and { Authorization = "Bearer " .. KEY } or nil,
    timeout = 60,
  }
  if not answer or answer.status ~= 200 then
    return nil, err or ("status %d"):format(answer.status)
  end
  local body = cunnekt.json.decode(answer.body)
  local choice = type(body) == "table" and type(body.choices) == "table" and body.choices[1]
  return choice and choice.message and choice.message.content
end

local function remember(chat, role, content)
  local history = chat.state.history or {}
  table.insert(history, { role = role, content = content })
  while #history > REMEMBERED do
    table.remove(history, 1)
  end
  chat.state.history = history
  return history
end

bot:dialog("answer", function(chat, args)
  local history = remember(chat, "user", args.text)
  chat:reply_text "One moment …"
  chat:flush() -- it is sent while the model thinks
  local text, problem = ask_model(history)
  if not text then
    chat:step("note the failure", function()
      print("no answer from the model:", problem)
    end)
    return chat:reply_text "I cannot think right now. Write human, and a person answers you."
  end
  remember(chat, "assistant", text)
  chat:reply_text(text)
end)

bot:global({ "human", "person" }, function(msg)
  msg:reply_text "A person reads this from now on."
  msg.chat:pause() -- cunnekt dialogs list shows what they write; cunnekt dialogs resume gives them back
end)

-- Lines that a customer writes within three seconds are one question.
bot:on("text", function(msg)
  msg:start("answer", { text = msg.text })
end, { debounce = 3 })

bot:on("message", function(msg)
  msg:reply_text "I can only read texts. Please write to me."
end)

-- customer: hi
-- customer: what teas do you have?
-- bot: One moment …
-- http POST http://127.0.0.1:11434/v1/chat/completions -> 200 {"choices":[{"message":{"content":"We have 12 sorts of tea."}}]}
-- bot: We have 12 sorts of tea.
-- customer: /image
-- bot: I can only read texts. …
-- customer: Human
-- bot: A person reads this from now on.
-- customer: are you there?
