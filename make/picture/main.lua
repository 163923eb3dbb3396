-- SPDX-License-Identifier: MIT
-- Draws docs/dev.svg, the picture of `cunnekt dev` in the README: cunnekt run make/picture/main.lua HOST FILE. The script that
-- is played is the first one of the README; what is shown is what the program writes to a pseudo-terminal.

local cunnekt = require "cunnekt"
local svg = dofile "make/picture/svg.lua"
local terminal = dofile "make/picture/terminal.lua"

local COLUMNS = 80
-- Seconds for an answer, on a machine that is busy.
local LONGEST = 20

-- What is typed, and what the bot says then. Ends before the last line.
local session = {
  { wait = "listening" },
  { type = "hello", wait = "[2 Black]" },
  { type = "1", wait = "How many cups?" },
  { type = "two", wait = "A number, please." },
  { type = "2", wait = "five minutes" },
}

local host, target = arg[1], arg[2]

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

-- Waits for a text behind a place in what was written; gives all that was written by then.
local function wait_for(path, text, from)
  for _ = 1, LONGEST * 50 do
    local written = read(path)
    local _, last = written:find(text, from, true)
    if last and written:find("\n", last, true) then
      return written
    end
    cunnekt.sleep(0.02)
  end
  error(("'%s' was not written; written was:\n%s"):format(text, read(path)), 0)
end

-- Plays the session; gives what was written after each of its steps.
local function play(folder)
  local output = folder .. "/output"
  write(output, "")
  local run = ("cd '%s' && stty cols %d rows 50 && exec env -u NO_COLOR TERM=xterm-256color CUNNEKT_LISTEN=127.0.0.1:0 HOME='%s' '%s' dev bot.lua"):format(
    folder, COLUMNS, folder, host)
  local pipe = assert(io.popen(("script -qec \"%s\" /dev/null >'%s'"):format(run, output), "w"))
  pipe:setvbuf "no"
  local from, written = 1, {}
  for i, step in ipairs(session) do
    if step.type then
      pipe:write(step.type, "\n")
    end
    written[i] = wait_for(output, step.wait, from)
    from = #written[i] + 1
  end
  pipe:write "/quit\n"
  pipe:close()
  return written
end

-- The ports are those that are free at the time; shown are the usual ones.
local function with_usual_ports(text)
  return (text:gsub("sandbox on http://127%.0%.0%.1:%d+", "sandbox on http://127.0.0.1:8025"):gsub("127%.0%.0%.1:%d+/webhook", "127.0.0.1:8080/webhook")
    :gsub("listening on 127%.0%.0%.1:%d+", "listening on 127.0.0.1:8080"))
end

local folder = os.tmpname()
os.remove(folder)
assert(os.execute(("mkdir -p '%s'"):format(folder)))
write(folder .. "/bot.lua", read("README.md"):match "```lua\n(.-)```")
local written = play(folder)
os.execute(("rm -r '%s'"):format(folder))

local screen, step_of, shown = terminal.new(COLUMNS), {}, 1

-- Rows that are complete are shown at the next step; up to one that holds a text, or all.
local function show_rows(text)
  for number = #step_of + 1, screen.row - 1 do
    step_of[number] = shown
    if text and screen:text_of(number):find(text, 1, true) then
      break
    end
  end
  shown = shown + 1
end

screen:write "$ cunnekt dev bot.lua\r\n"
local done = 0
for i, step in ipairs(session) do
  screen:write(with_usual_ports(written[i]:sub(done + 1)))
  done = #written[i]
  if step.type then
    show_rows(step.type)
  end
  show_rows()
end
for number = #screen.rows, #step_of + 1, -1 do
  screen.rows[number] = nil
end
write(target, svg.draw(screen.rows, step_of, COLUMNS, "cunnekt dev bot.lua",
  "A terminal: a customer orders tea from a bot, which asks which tea and how many cups, and refuses an answer that is no number."))
