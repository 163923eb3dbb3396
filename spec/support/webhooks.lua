-- SPDX-License-Identifier: MIT
-- Webhook bodies for specs: the provider's own samples, the envelope that Meta puts around them, bodies of every kind,
-- and mutations of all these.

local json = require "cunnekt.base.json"

local webhooks = {}

---The provider's samples, by the names of their files.
function webhooks.sample(name)
  local file <close> = assert(io.open("spec/fixtures/webhooks/" .. name .. ".json", "rb"))
  return file:read "a"
end

webhooks.sample_names = {
  "text", "button", "list", "list_as_published", "document", "image", "media", "sent", "delivered", "read",
}

---A flattened body with these fields beside its metadata.
function webhooks.value(fields)
  local value = {
    messaging_product = "whatsapp",
    metadata = { display_phone_number = "919873617805", phone_number_id = "123456789" },
  }
  for name, field in pairs(fields) do
    value[name] = field
  end
  return value
end

---The same in Meta's envelope; one entry of one change for each value given.
function webhooks.envelope(...)
  local entries = json.array {}
  for i, value in ipairs { ... } do
    entries[i] = { id = "77" .. i, changes = { { field = "messages", value = value } } }
  end
  return { object = "whatsapp_business_account", entry = entries }
end

---A message of this type; `field` goes under the type's name.
function webhooks.message(kind, field, more)
  local message = { from = "919999999999", id = "wamid.X" .. kind, timestamp = "1704803711", type = kind, [kind] = field }
  for name, value in pairs(more or {}) do
    message[name] = value
  end
  return message
end

---A flattened body that holds this message and the contact that sent it.
function webhooks.body(message)
  return json.encode(webhooks.value { contacts = { { profile = { name = "Vivek" }, wa_id = "919999999999" } }, messages = { message } })
end

-- What a field may be by mistake.
local strange = {
  0, -1, 1.5, 1e300, 9007199254740993, "", "x", "null", "\0", ("y"):rep(300), true, false, json.null, {}, json.array {}, { {} },
  { 1, "a", json.null }, { a = 1 }, { messages = { {} } }, { entry = { { changes = { {} } } } }, { value = { errors = { {} } } },
  { type = "text", text = { body = "b" } }, { id = 5, status = 6 }, "text", "interactive", "nfm_reply", { name = json.null },
}

-- Every table of a tree with the key of each of its values.
local function places(node, found)
  for key, value in pairs(node) do
    found[#found + 1] = { node, key }
    if type(value) == "table" then
      places(value, found)
    end
  end
  return found
end

local function mutate_tree(text)
  local tree = json.decode(text)
  if type(tree) ~= "table" then
    return text
  end
  for _ = 1, math.random(3) do
    local all = places(tree, {})
    local place = all[math.random(#all)]
    local other = all[math.random(#all)]
    if place and math.random(3) == 1 then
      place[1][place[2]] = json.decode(json.encode(other[1][other[2]]))
    elseif place then
      place[1][place[2]] = json.decode(json.encode(strange[math.random(#strange)]))
    end
  end
  return json.encode(tree)
end

local function mutate_bytes(text)
  for _ = 1, math.random(4) do
    local at, kind = math.random(#text + 1), math.random(4)
    local byte = math.random(2) == 1 and string.char(math.random(0, 255)) or ("{}[],:\"\\0"):sub(math.random(9)):sub(1, 1)
    if kind == 1 then
      text = text:sub(1, at - 1) .. byte .. text:sub(at)
    elseif kind == 2 then
      text = text:sub(1, at - 1) .. text:sub(at + 1)
    elseif kind == 3 then
      text = text:sub(1, at - 1) .. byte .. text:sub(at + 1)
    else
      text = text:sub(1, at - 1)
    end
  end
  return text
end

---A body that something went wrong with; the same one for the same state of math.random.
function webhooks.mutate(text)
  if math.random(3) == 1 then
    return mutate_bytes(text)
  end
  return mutate_tree(text)
end

return webhooks
