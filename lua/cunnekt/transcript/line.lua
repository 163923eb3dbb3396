-- SPDX-License-Identifier: MIT
-- Formats a message of the sandbox's transcript for a terminal: the customer on the left, the business on the right, with
-- the ticks of WhatsApp. It takes entries as the control API returns them, and prints nothing itself.
local json = require "cunnekt.base.json"
local status = require "cunnekt.provider.status"
local words = require "cunnekt.base.words"

local transcript = {}

local RIGHT = 30 -- where the business begins
local WIDTH = 46 -- of either side

-- ---- content -------------------------------------------------------------------------------------------------------

local function add(lines, text)
  if type(text) == "string" and text ~= "" then
    for line in (text .. "\n"):gmatch "(.-)\r?\n" do
      lines[#lines + 1] = line
    end
  end
end

local function header_text(header)
  return type(header) == "table" and header.text or header
end

local IN = {}

function IN.text(m, lines)
  add(lines, m.text and m.text.body)
end

function IN.button(m, lines)
  add(lines, ("(%s)"):format(m.interactive.button_reply.title))
end

function IN.list(m, lines)
  add(lines, ("(%s)"):format(m.interactive.list_reply.title))
end

function IN.quick_reply(m, lines)
  add(lines, ("(%s)"):format(m.button.text))
end

function IN.form(m, lines)
  local answers = json.decode(m.interactive.nfm_reply.response_json)
  local fields = {}
  for name, value in pairs(type(answers) == "table" and answers or {}) do
    if name ~= "flow_token" then
      fields[#fields + 1] = ("%s: %s"):format(name, tostring(value))
    end
  end
  table.sort(fields)
  add(lines, "form sent")
  for _, field in ipairs(fields) do
    add(lines, "  " .. field)
  end
end

local function file_in(m, lines, entry)
  local content = m[entry.type]
  local size = entry.media and (", %d bytes"):format(entry.media.size) or ""
  add(lines, ("%s <%s%s>"):format(content.filename or entry.type, content.mime_type, size))
  add(lines, content.caption)
end

for _, kind in ipairs { "image", "video", "audio", "document", "sticker" } do
  IN[kind] = file_in
end

function IN.location(m, lines)
  add(lines, ("location %s, %s"):format(m.location.latitude, m.location.longitude))
  add(lines, m.location.name)
end

function IN.reaction(m, lines)
  add(lines, m.reaction.emoji or "reaction removed")
end

function IN.edit(m, lines)
  local message = m.edit.message or {}
  add(lines, "edited: " .. tostring((message.text or {}).body or (message[message.type] or {}).caption or message.type))
end

function IN.revoke(_, lines)
  add(lines, "message deleted")
end

function IN.system(m, lines)
  add(lines, m.system.body)
end

local OUT = {}

local function out_body(p, lines)
  add(lines, header_text(p.header))
  add(lines, p.body)
end

function OUT.text(p, lines)
  add(lines, p.text)
end

function OUT.button(p, lines)
  out_body(p, lines)
  local titles = {}
  for i, button in ipairs(p.buttons) do
    titles[i] = ("[%s]"):format(button.reply.title)
  end
  add(lines, table.concat(titles, " "))
end

function OUT.list(p, lines)
  out_body(p, lines)
  add(lines, ("[%s]"):format(p.list_title))
  for _, row in ipairs(p.list) do
    add(lines, ("  - %s%s"):format(row.title, row.description and ": " .. row.description or ""))
  end
end

function OUT.flow(p, lines)
  out_body(p, lines)
  add(lines, ("[%s] form %s"):format(p.form_cta, p.form_id))
end

function OUT.cta_url(p, lines)
  out_body(p, lines)
  add(lines, ("[%s] %s"):format(p.button_text, p.button_url))
end

local function file_out(p, lines)
  add(lines, ("%s <%s>"):format(p.type, p[p.type]))
  add(lines, p.caption)
end

for _, kind in ipairs { "image", "video", "audio", "document" } do
  OUT[kind] = file_out
end

function OUT.template(p, lines)
  add(lines, ("template %s"):format(p.templateid))
  for _, component in ipairs(p.template and p.template.components or {}) do
    for _, parameter in ipairs(component.parameters or {}) do
      add(lines, "  " .. tostring(parameter.text or parameter.payload or parameter.type))
    end
    if component.cards then
      add(lines, ("  %d cards"):format(#component.cards))
    end
  end
end

-- ---- layout ------------------------------------------------------------------------------------------------------

-- Breaks lines at spaces where possible; counts characters, not bytes.
local function wrap(line, width)
  local pieces, current = {}, ""
  for word in line:gmatch "%S+" do
    local joined = current == "" and word or current .. " " .. word
    if (utf8.len(joined) or #joined) > width and current ~= "" then
      pieces[#pieces + 1], current = current, word
    else
      current = joined
    end
  end
  pieces[#pieces + 1] = current
  pieces[1] = (line:match "^%s*") .. pieces[1]
  return pieces
end

local TICKS = {
  sent = "\u{2713}", delivered = "\u{2713}\u{2713}", read = "\u{2713}\u{2713} read", played = "\u{2713}\u{2713} played",
  failed = "\u{2717} failed",
}

---The progress of a message: one tick for sent, two for delivered, and in words.
---@param statuses { status: string }[]
---@return string ticks empty before the first status
function transcript.ticks(statuses)
  return TICKS[status.furthest(statuses)] or ""
end

---The content of a message.
---@param entry table as GET /control/messages gives it
---@return string[] lines
function transcript.describe(entry)
  local lines = {}
  local describe = (entry.direction == "in" and IN or OUT)[entry.type]
  -- A message that was changed on purpose may lack the fields of its type.
  local ok = describe and pcall(describe, entry.message or entry.payload, lines, entry)
  if not ok or #lines == 0 then
    lines = { ("<%s>"):format(entry.type) }
  end
  return lines
end

---A message laid out for a terminal of 80 columns.
---@param entry table as GET /control/messages gives it
---@param business string the bot's name
---@return string text several lines, without a line end
function transcript.format(entry, business)
  local is_in = entry.direction == "in"
  local indent = is_in and "  " or (" "):rep(RIGHT)
  local out = { indent .. words.plain(is_in and (entry.name or entry.contact) or business) }
  for _, line in ipairs(transcript.describe(entry)) do
    for _, piece in ipairs(wrap(words.plain(line), WIDTH)) do
      out[#out + 1] = indent .. (is_in and "\u{2502} " or "\u{2503} ") .. piece
    end
  end
  local ticks = not is_in and transcript.ticks(entry.statuses) or ""
  if ticks ~= "" then
    out[#out] = out[#out] .. "  " .. ticks
  end
  return table.concat(out, "\n")
end

return transcript
