-- SPDX-License-Identifier: MIT
-- What to write in place of a message that was refused before the network: one sentence for a script's author. Errors stay as
-- they are, since scripts compare them.

local advice = {}

-- By the field, without the places in lists; the first pattern of the message that fits counts.
local by_field = {
  text = {
    { "is missing", "it is nil: give a string" },
    { "is empty", "leave the reply out, or write something" },
    { "must be a string, got number", "write tostring(value), or (\"%d\"):format(value)" },
    { "must be a string, got a message", "write its text, as in answer.text" },
    { "must be a string, got table", "a table is for reply_buttons, reply_list, …" },
    { "characters long", "split it into several replies" },
  },
  ["buttons[]"] = {
    { "must be a table", "write { id = \"yes\", title = \"Yes\" } for each button" },
  },
  buttons = {
    { "has %d+ items", "with more choices use reply_list" },
    { "must be a list", "write buttons = { { id = \"yes\", title = \"Yes\" }, … }" },
    { "is missing", "write buttons = { { id = \"yes\", title = \"Yes\" }, … }" },
  },
  ["buttons[].id"] = { { "is missing", "the id comes back as msg.reply.id" }, { "is the same", "each button needs an id of its own" } },
  ["buttons[].title"] = { { "is missing", "the title is what the customer sees" }, { "is the same", "each button needs a title of its own" } },
  ["list[]"] = { { "must be a table", "write { id = \"tea\", title = \"Tea\" } for each row" } },
  list = {
    { "has %d+ items", "offer the others in a second list, with a row \"More\"" },
    { "is missing", "write list = { { id = \"tea\", title = \"Tea\" }, … }" },
  },
  ["list[].id"] = { { "is the same", "each row needs an id of its own" } },
  list_title = { { "is missing", "write list_title = \"Menu\": the label that opens the list" } },
  body = {
    { "is missing", "write body = \"…\": the text above" },
    { "must be a table, got string", "write body = { \"value\", … }: the values of the template's variables" },
  },
  message = { { "must be a table", "write the fields in braces: { body = \"…\", … }" }, { "is missing", "write { body = \"…\", … }" } },
}

-- Of a template: its buttons have values, and no titles.
local of_template = {
  ["buttons[]"] = { { "must be a table", "write { type = \"quick_reply\", payload = \"yes\" } for each button" } },
  buttons = { { "must be a", "write buttons = { { type = \"quick_reply\", payload = \"yes\" }, … }" } },
}

---The advice for an error of a builder, if there is any.
---@param err cunnekt.error
---@param called? string what the script has called, such as "reply_template"
---@return string?
function advice.of(err, called)
  local field = err.field and err.field:gsub("%[%d+%]", "[]")
  local is_template = called and called:find("template", 1, true)
  for _, one in ipairs(field and (is_template and of_template[field] or by_field[field]) or {}) do
    if err.message:find(one[1]) then
      return one[2]
    end
  end
  if err.kind == "invalid" and err.message:find "line break" then
    return "write it in one line"
  elseif err.kind == "invalid" and err.message:find "path of this machine" then
    return "it must be on a web server: write its https:// address"
  elseif err.kind == "window_closed" then
    return "give fallback = { template_id = … }"
  end
  return nil
end

---An error of a builder as a sentence, with what to write.
---@param err cunnekt.error
---@param called? string as in advice.of
---@return string
function advice.sentence(err, called)
  local its_advice = advice.of(err, called)
  return its_advice and ("%s; %s"):format(err.message, its_advice) or err.message
end

---The same with all that is wrong with the message.
---@param err cunnekt.error
---@param called? string as in advice.of
---@return string
function advice.sentences(err, called)
  local list = { advice.sentence(err, called) }
  for i, one in ipairs(err.more or {}) do
    list[i + 1] = advice.sentence(one, called)
  end
  return table.concat(list, ". ")
end

return advice
