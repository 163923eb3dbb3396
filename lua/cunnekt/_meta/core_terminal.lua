---@meta cunnekt.core
-- SPDX-License-Identifier: MIT
-- luacheck: ignore 212 241 431
-- What core.lua leaves to this file: the terminal (src/bind/terminal.c).

---@class cunnekt.core
local core = {}

---The columns that a text takes on a terminal: two for wide characters, none for marks and controls.
---@param text string
---@return integer
function core.columns(text) end

---How wide the terminal is that standard output goes to.
---@return integer? columns nil where it goes to none
function core.terminal_columns() end

---A line of the terminal that can be edited, with a history. One at a time; not shown yet.
---@param prompt string
---@return cunnekt.editor? editor nil where standard input and output are no terminal that can be drawn on, or libedit is not found
function core.editor(prompt) end

---@class cunnekt.editor
local editor = {}

---Takes what was typed.
---@param bytes string
function editor:feed(bytes) end

---Uses what was fed, up to the next event.
---@return "line"|"complete"|"end"|nil event "complete": Tab was typed; "end": Ctrl-D on an empty line; nil: nothing is left. After "line" and "end" no line is shown until `show`
---@return string? text the line; or what is before the cursor
function editor:next() end

---Inserts text at the cursor; the next `show` draws it.
---@param text string
function editor:insert(text) end

---Sets the prompt, from the next `show` on.
---@param text string
function editor:set_prompt(text) end

---Takes the line off the terminal, so that something can be written there.
function editor:hide() end

---Draws the line, in the first column; begins one where none is being edited.
function editor:show() end

---Takes the terminal over again, after the process was stopped and goes on.
function editor:resume() end

---Puts the terminal back; closing twice is fine.
function editor:close() end
