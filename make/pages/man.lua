-- SPDX-License-Identifier: MIT
-- Man pages, as roff: a command's from its help page, cunnekt.conf(5) from the table of the settings.

local help = require "help"

local man = {}

-- Roff's own signs as text. Hyphens are what a user types, so they are copied as such.
local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("'", "\\(aq"):gsub("^%.", "\\&."))
end

-- Options and variables in bold.
local function marked(text)
  local found = (" " .. escape(text)):gsub("([%s(])(\\%-\\%-%a[%a\\-]*)", "%1\\fB%2\\fR"):gsub("(CUNNEKT_[%u_]*%u)", "\\fB%1\\fR")
  return (found:sub(2):gsub("^%.", "\\&."))
end

-- A tag is bold but for its arguments.
local function tag(text)
  return marked(text):gsub("^(\\%-%a)", "\\fB%1\\fR"):gsub("^(%d+)$", "\\fB%1\\fR")
end

local function add(out, text)
  out[#out + 1] = text
end

local write = {}

local function new_paragraph(out)
  if not out[#out]:find "^%.SH" then
    add(out, ".PP")
  end
end

function write.text(out, paragraph)
  new_paragraph(out)
  add(out, marked(paragraph.text))
end

function write.tag(out, paragraph)
  add(out, ".TP")
  add(out, tag(paragraph.tag))
  add(out, marked(paragraph.text))
end

function write.bullet(out, paragraph)
  add(out, ".IP \\(bu 3")
  add(out, marked(paragraph.text))
end

function write.lines(out, paragraph)
  new_paragraph(out)
  add(out, ".nf")
  for _, line in ipairs(paragraph.lines) do
    add(out, marked(line))
  end
  add(out, ".fi")
end

local function heading(title, section, version)
  return ('.TH "%s" %d "" "cunnekt %s" "%s"\n.ad l\n.nh'):format(title:upper():gsub("%-", "\\-"), section, version,
    section == 1 and "User Commands" or "File Formats")
end

local function see_also(out, pages)
  add(out, ".SH SEE ALSO")
  for i, page in ipairs(pages) do
    add(out, (".BR %s (%d)%s"):format(escape(page[1]), page[2], i < #pages and "," or ""))
  end
end

---A command's page.
---@param name string? nil: the main page
---@param page string as `-h` prints it
---@param version string
---@param others {[1]: string, [2]: integer}[] for SEE ALSO
---@return string roff
function man.command(name, page, version, others)
  local title = name and "cunnekt-" .. name or "cunnekt"
  local sections = help.read(page)
  local out = { heading(title, 1, version), ".SH NAME", ("%s \\- %s"):format(escape(title), escape(help.summary(sections))) }
  for i = 2, #sections do
    add(out, ".SH " .. sections[i].title)
    for _, paragraph in ipairs(sections[i].paragraphs) do
      write[paragraph.kind](out, paragraph)
    end
  end
  see_also(out, others)
  return table.concat(out, "\n") .. "\n"
end

-- ---- settings ------------------------------------------------------------------------------------------------------------

local CONF = [[
.SH NAME
cunnekt.conf \- settings of cunnekt
.SH SYNOPSIS
.I cunnekt.conf.lua
beside the script
.SH DESCRIPTION
A file in Lua that returns a table. It is data: it sees no functions and no environment.
.PP
A setting is taken from the first of these that has it: the options of the command line, the options that the script gives to
cunnekt.bot and cunnekt.client, the environment, this file, the default. A wrong name or value stops the start with a sentence that
names it. With \fB\-\-config\fR the commands read another file.
.PP
Secrets may stand here, when nobody else may read the file; better are the environment variables, which systemd reads from a file of
mode 600. They are never options of the command line. A secret that is set and empty stops the start.
.SH SETTINGS
]]

local CONF_END = [[
.SH EXAMPLES
.nf
return {
  listen = "127.0.0.1:8080",
  store = "sqlite:/var/lib/cunnekt/bot.db",
  default_country = "91",
}
.fi
]]

local function type_of(setting)
  local kind = setting.type
  if type(kind) == "table" then
    return '"' .. table.concat(kind, '" or "') .. '"'
  end
  return (kind:gsub("|", " or "))
end

local function facts(setting)
  local list = { setting.is_secret and "A secret: a string" or (type_of(setting):gsub("^%l", string.upper)) }
  if setting.default ~= nil then
    local default = setting.default
    local is_fraction = type(default) == "number" and default % 1 ~= 0
    list[#list + 1] = "by default " .. (is_fraction and ("%.4g"):format(default) or tostring(default))
  end
  if setting.env then
    list[#list + 1] = "in the environment " .. setting.env
  end
  return table.concat(list, "; ")
end

---The page of cunnekt.conf.lua.
---@param known table<string, cunnekt.setting>
---@param version string
---@return string roff
function man.conf(known, version)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name
  end
  table.sort(names)
  local out = { heading("cunnekt.conf", 5, version), (CONF:gsub("\n$", "")) }
  for _, name in ipairs(names) do
    local setting = known[name]
    add(out, ".TP")
    add(out, "\\fB" .. name .. "\\fR")
    add(out, marked((setting.about:gsub("^%l", string.upper)) .. "."))
    add(out, ".br")
    add(out, marked(facts(setting) .. "."))
  end
  add(out, (CONF_END:gsub("\n$", "")))
  see_also(out, { { "cunnekt", 1 }, { "cunnekt-run", 1 }, { "cunnekt-doctor", 1 } })
  return table.concat(out, "\n") .. "\n"
end

return man
