-- SPDX-License-Identifier: MIT
-- Reads what the user types as the customer in `cunnekt dev`: a line is a text, or a command that begins with a slash. It
-- sends nothing itself.

local json = require "cunnekt.base.json"
local whole_file = require "cunnekt.base.whole_file"

local typed = {}

typed.help = [[
A line is a text to the bot. Else:
  /button ID    click a button         /list ID      choose a row
  /reply ID     click a template's     /form JSON    send a form
  /image FILE   send a file; also /document, /audio, /video, /sticker
  /location     send a place           /react EMOJI  react to the last message
  /edit TEXT    change your last one   /delete       delete your last one
  /help         this                   /quit         end
Without ID it is the first choice; without FILE a sample is sent.
]]

---The commands, without their slash.
typed.names = {
  "button", "list", "reply", "form", "image", "document", "audio", "video", "sticker", "location", "react", "edit", "delete", "text", "help",
  "quit",
}

---The commands that tap something → the type of the message.
---@type table<string, string>
typed.choices = { button = "button", list = "list", reply = "quick_reply" }

local FILES = { image = true, document = true, audio = true, video = true, sticker = true }

local function file_message(kind, path)
  if path == "" then
    return { type = kind }
  end
  local data, problem = whole_file.read(path)
  if not data then
    return nil, problem
  end
  return { type = kind, data = data, filename = path:match "[^/]+$" }
end

local function form_message(text)
  if text == "" then
    return { type = "form" }
  end
  local answers = json.decode(text)
  if type(answers) ~= "table" then
    return nil, "a form's answers are a JSON object such as {\"rating\":\"5\"}"
  end
  return { type = "form", form = answers }
end

-- A text that is one whatever it looks like.
local function literal_text(line)
  local text = line:match "^/text%s(.*%S.*)$"
  if not text then
    return nil, "say what the text is: /text TEXT"
  end
  return { type = "text", text = text:match "^%s*(.*)$", is_literal = true }
end

---Reads a line.
---@param line string
---@return table|"help"|"quit"|nil message fields for sandbox:say, and `is_literal` for a text that is no choice; nil for an empty line or a mistake
---@return string|nil problem
function typed.read(line)
  local name, rest = line:match "^/(%a+)%s*(.-)%s*$"
  if not name then
    return line:find "%S" and { type = "text", text = line } or nil
  elseif name == "help" or name == "quit" then
    return name
  elseif typed.choices[name] then
    return { type = typed.choices[name], id = rest ~= "" and rest or nil }
  elseif FILES[name] then
    return file_message(name, rest)
  elseif name == "text" then
    return literal_text(line)
  elseif name == "form" then
    return form_message(rest)
  elseif name == "location" then
    return { type = "location" }
  elseif name == "react" then
    return { type = "reaction", text = rest ~= "" and rest or nil }
  elseif name == "edit" and rest ~= "" then
    return { type = "edit", text = rest }
  elseif name == "edit" then
    return nil, "say what the message is now: /edit TEXT"
  elseif name == "delete" then
    return { type = "revoke" }
  end
  return nil, ("there is no /%s; /help lists what there is"):format(name)
end

---Splits chunks of input into lines: returns a function that takes each chunk, and nil at the end.
---@param on_line fun(line: string)
---@return fun(chunk: string|nil)
function typed.splitter(on_line)
  local rest = ""
  return function(chunk)
    rest = rest .. (chunk or (rest ~= "" and "\n" or ""))
    for line in rest:gmatch "([^\n]*)\n" do
      on_line((line:gsub("\r$", "")))
    end
    rest = rest:match "[^\n]*$"
  end
end

return typed
