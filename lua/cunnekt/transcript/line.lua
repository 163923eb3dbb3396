-- SPDX-License-Identifier: MIT
-- Formats a message of the sandbox's transcript for a terminal: the customer on the left, the business on the right, with
-- the ticks of WhatsApp. It takes entries as the control API returns them, and prints nothing itself.
local core = require "cunnekt.core"
local json = require "cunnekt.base.json"
local status = require "cunnekt.provider.status"
local words = require "cunnekt.base.words"

local transcript = {}

-- Of a terminal with so many columns: where the business begins, and what is left free at the right. Narrower and wider ones are
-- divided alike; lines that are longer than this are hard to read.
local COLUMNS, RIGHT, MARGIN = 80, 30, 2
local FEWEST, MOST = 24, 120

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

function OUT.button(p, lines, _, first)
  out_body(p, lines)
  local titles = {}
  for i, button in ipairs(p.buttons) do
    titles[i] = first and ("[%d %s]"):format(first + i - 1, button.reply.title) or ("[%s]"):format(button.reply.title)
  end
  add(lines, table.concat(titles, " "))
end

function OUT.list(p, lines, _, first)
  out_body(p, lines)
  add(lines, ("[%s]"):format(p.list_title))
  for i, row in ipairs(p.list) do
    local mark = first and ("%d"):format(first + i - 1) or "-"
    add(lines, ("  %s %s%s"):format(mark, row.title, row.description and ": " .. row.description or ""))
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
---@param first? integer the number of its first button or row; nil: they have none
---@return string[] lines
function transcript.describe(entry, first)
  local lines = {}
  local describe = (entry.direction == "in" and IN or OUT)[entry.type]
  -- A message that was changed on purpose may lack the fields of its type.
  local ok = describe and pcall(describe, entry.message or entry.payload, lines, entry, first)
  if not ok or #lines == 0 then
    lines = { ("<%s>"):format(entry.type) }
  end
  return lines
end

---How a message is laid out.
---@class cunnekt.transcript.look
---@field columns? integer of the terminal; 80 by default
---@field first? integer the number of its first button or row; nil: they have none
---@field paint? fun(what: "name"|"bar"|"ticks", text: string): string adds colours

-- Where each side begins, and how wide its text may be.
local function sides(columns)
  columns = math.max(FEWEST, math.min(columns or COLUMNS, MOST))
  local right = columns * RIGHT // COLUMNS
  return right, columns - right - 2 * MARGIN
end

local function plain(_, text)
  return text
end

---The column in which the business's side begins.
---@param columns? integer of the terminal
---@return integer
function transcript.right(columns)
  return (sides(columns))
end

---A message laid out for a terminal.
---@param entry table as GET /control/messages gives it
---@param business string the bot's name
---@param look? cunnekt.transcript.look
---@return string text several lines, without a line end
function transcript.format(entry, business, look)
  look = look or {}
  local is_in, paint = entry.direction == "in", look.paint or plain
  local right, width = sides(look.columns)
  local indent = is_in and "  " or (" "):rep(right)
  local bar = paint("bar", is_in and "\u{2502}" or "\u{2503}") .. " "
  local out = { indent .. paint("name", words.plain(is_in and (entry.name or entry.contact) or business)) }
  local last = ""
  for _, line in ipairs(transcript.describe(entry, look.first)) do
    for _, piece in ipairs(words.wrap(words.plain(line), width)) do
      last = piece
      out[#out + 1] = indent .. bar .. piece
    end
  end
  local ticks = not is_in and transcript.ticks(entry.statuses) or ""
  if ticks ~= "" and core.columns(last) + 2 + core.columns(ticks) <= width then
    out[#out] = out[#out] .. "  " .. paint("ticks", ticks)
  elseif ticks ~= "" then
    out[#out + 1] = indent .. bar .. paint("ticks", ticks)
  end
  return table.concat(out, "\n")
end

return transcript
