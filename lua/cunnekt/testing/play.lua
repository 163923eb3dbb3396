-- SPDX-License-Identifier: MIT
-- Plays one transcript on a stage and compares what the bot says with its lines. Time passes where a line says so, and up to a
-- minute where the bot is to say something that has not come; it does not otherwise.

local align = require "cunnekt.testing.align"
local choices = require "cunnekt.sandbox.choices"
local core = require "cunnekt.core"
local coverage = require "cunnekt.testing.coverage"
local cunnekt = require "cunnekt"
local http_answers = require "cunnekt.testing.http_answers"
local options = require "cunnekt.base.options"
local people = require "cunnekt.testing.people"
local script = require "cunnekt.service.script"
local stage = require "cunnekt.testing.stage"
local task = require "cunnekt.base.task"
local typed = require "cunnekt.transcript.typed"
local wildcard = require "cunnekt.testing.wildcard"

local play = {}

-- Seconds of virtual time in which an answer must come.
local patience = 60

---@class cunnekt.testing.problem
---@field line integer
---@field message string
---@field expected? string with a line that says something else
---@field got? string
---@field is_updated? boolean whether `--update` mends it

---@class cunnekt.testing.result
---@field transcript cunnekt.testing.transcript
---@field problems cunnekt.testing.problem[] empty when all came as it says
---@field changes table[] what `--update` writes, see update.lua: up to the first line for which time passed in vain
---@field printed string[]
---@field seconds number of real time

-- ---- blocks ------------------------------------------------------------------------------------------------------------

local is_action = { customer = true, staff = true, status = true, later = true }
local is_expected = { bot = true, log = true }

-- What is done, what is expected of it, and the HTTP answers for it. Answers behind the last expected line are for what is done
-- next; they do for this one, too, if it asks.
local function blocks_of(steps)
  local list = { { line = steps[1] and steps[1].line or 0, bot = {}, log = {}, http = {}, trailing = {} } }
  for _, step in ipairs(steps) do
    local block = list[#list]
    if is_action[step.kind] then
      local carried = block.trailing
      list[#list + 1] = { action = step, line = step.line, bot = {}, log = {}, http = carried, trailing = {}, before = block }
    elseif is_expected[step.kind] then
      table.move(block.trailing, 1, #block.trailing, #block.http + 1, block.http)
      block.trailing = {}
      step.matches = wildcard.matcher((step.text:gsub("%s+", " ")))
      table.insert(block[step.kind], step)
    elseif step.kind == "http" then
      table.insert(block.trailing, step)
    end
  end
  local last = list[#list]
  table.move(last.trailing, 1, #last.trailing, #last.http + 1, last.http)
  return list
end

-- ---- actions -----------------------------------------------------------------------------------------------------------

local run_action = {}

-- What to write in place of a command that is none of a customer's.
local function no_message(name, text)
  if name == "clock" then
    return "time passes in a line of its own, as in: 2 hours later"
  end
  local near = options.suggest(name, typed.names)
  local advice = near and near ~= name and ("did you mean '/%s'?"):format(near) or ("as a text it is '/text %s'"):format(text)
  return ("/%s is nothing that a customer can send; %s"):format(name, advice)
end

-- The message of a customer's line.
local function message_of(text)
  local fields, problem = typed.read(text)
  if type(fields) ~= "table" then
    local is_unknown = not problem or problem:find "^there is no /"
    return nil, is_unknown and no_message(text:match "^/(%a+)", text) or problem
  end
  fields.is_literal = nil
  return fields
end

function run_action.customer(self, step)
  local person = self.people:find(step.who)
  local fields, problem = message_of(step.text)
  if not fields then
    return problem
  end
  self.stage.target = step.bot or 1
  if self.stage.target > #self.stage.services then
    local count = #self.stage.services
    return count == 0 and "the script makes no bot" or ("there is no bot %d: the script makes %d"):format(self.stage.target, count)
  end
  self.customer = person
  problem = choices.check(self.stage.sandbox.state, person.number, fields)
  if problem then
    return problem
  end
  fields.from, fields.name = person.number, person.name
  local said, err = self.stage.sandbox:say(fields)
  return not said and tostring(err) or nil
end

local function control(self, path, body)
  local t, problem = self.stage:run(function()
    local answer, err = cunnekt.http.request { method = "POST", url = self.stage.sandbox.url .. path, json = body }
    return answer and answer.status ~= 200 and answer.body or err and tostring(err) or nil
  end)
  return problem or t.failure and tostring(t.failure) or t.results and t.results[1]
end

function run_action.staff(self, step)
  local person = step.who and self.people:find(step.who) or self.customer
  return control(self, "/control/events", { type = "echo", text = step.text, from = person.number, wait = true })
end

function run_action.status(self, step)
  local last = self.stage.messages[#self.stage.messages]
  if not last then
    return "the bot has sent no message that could have a status"
  end
  return control(self, "/control/statuses", { id = last.id, status = step.text, wait = true })
end

function run_action.later(self, step)
  return self.stage:pass(step.seconds)
end

-- ---- what is expected ----------------------------------------------------------------------------------------------------

local function add(self, line, message, more)
  local problem = more or {}
  problem.line, problem.message = line, message
  table.insert(self.problems, problem)
end

-- Takes the first line of the log with these words.
local function take_log(self, text)
  for i, line in ipairs(self.stage.logged) do
    if line:find(text, 1, true) then
      return table.remove(self.stage.logged, i)
    end
  end
  return nil
end

-- Whether a line may be meant for a message to this number.
local function is_to(self, step, message)
  if step.who then
    return self.people:find(step.who).number == message.to
  end
  return message.to == self.customer.number or not self.people:is_known(message.to)
end

-- A message without what its traceback has of cunnekt and of C.
local function without_own_frames(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    local is_own = line:find "^%s+[^%s:]*cunnekt/%l[%w_/]*%.lua:%d" or line:find "^%s+%[C%]:" or line:find "^%s+%(%.%.%.tail calls"
    lines[#lines + 1] = not is_own and line or nil
  end
  return table.concat(lines, "\n")
end

-- A line of the log about an attempt, without its number and what comes next; and whether it is about one.
local function without_attempt(found)
  local first, rest = found:match "^([^\n]*)(.*)$"
  local same, count = first:gsub("^(.* %([^;()]*), attempt %d+ of %d+; [^()]*%)$", "%1)")
  return same .. rest, count > 0
end

-- An error or a warning that no line expects. What is the same for each attempt is a single problem.
local function add_logged(self, line, found)
  local same, is_attempt = without_attempt(found)
  local known = is_attempt and self.failing[same]
  if known then
    known.attempts = known.attempts + 1
    local first, rest = known.same:match "^([^\n]*)(.*)$"
    known.problem.message = ("%s (%d attempts)%s"):format(first, known.attempts, rest)
  elseif #self.problems < 20 then
    add(self, line, without_own_frames(found))
    if is_attempt then
      self.failing[same] = { problem = self.problems[#self.problems], same = without_own_frames(same), attempts = 1 }
    end
  end
end

-- Errors and warnings that no line expects. Their number is bounded: a bot that fails fails for each event.
local function check_log(self, line)
  local others = {}
  for _, found in ipairs(self.stage.logged) do
    if not (found:find "^cunnekt: error: " or found:find "^cunnekt: warning: ") then
      others[#others + 1] = found
    else
      add_logged(self, line, (found:gsub("^cunnekt: ", "")))
    end
  end
  self.stage.logged = others
end

-- To whom a message goes, where that has to be said.
local function recipient(self, message)
  if message.to == self.customer.number or not self.people:is_known(message.to) then
    return nil
  end
  return self.people:name_of(message.to) or message.to
end

local function describe(self, message)
  local who = recipient(self, message)
  return who and ("(to %s) %s"):format(who, message.text) or message.text
end

local function add_difference(self, line, step, message)
  local expected, got = step and step.text, message and describe(self, message)
  local what = not message and "the bot did not say this" or not step and "the bot said more" or "the bot said something else"
  add(self, line, what, { expected = expected or nil, got = got or nil, is_updated = true })
  if self.is_late then
    return
  end
  table.insert(self.changes, {
    line = step and step.line or nil,
    after = not step and line or nil,
    text = message and message.text or nil,
    who = message and recipient(self, message) or nil,
  })
end

local function compare(self, block, said)
  local last = block.line
  local function is_equal(step, message)
    return is_to(self, step, message) and step.matches(message.text)
  end
  for _, pair in ipairs(align(block.bot, said, is_equal)) do
    local step, message = pair[1], pair[2]
    last = step and step.line or last
    if not pair.is_equal then
      add_difference(self, last, step, message)
    end
  end
end

local function check_logs(self, block)
  for _, step in ipairs(block.log) do
    if not take_log(self, step.text) then
      add(self, step.line, "the log does not say this", { expected = step.text })
    end
  end
end

local function has_all(self, block, before)
  if #self.stage.messages - before < #block.bot then
    return false
  end
  for _, step in ipairs(block.log) do
    local is_there
    for _, line in ipairs(self.stage.logged) do
      is_there = is_there or line:find(step.text, 1, true) ~= nil
    end
    if not is_there then
      return false
    end
  end
  return true
end

-- Plays a block. False when the rest makes no sense.
local function run_block(self, block)
  local before = block.action and #self.stage.messages or 0 -- what it says as it starts counts
  for _, step in ipairs(block.http) do
    self.answers:add(step)
  end
  self.block = block
  local action = block.action
  local problem = action and run_action[action.kind](self, action)
  problem = problem or self.stage:settle()
  if not problem and not has_all(self, block, before) then
    problem = self.stage:pass(patience, function()
      return has_all(self, block, before)
    end)
  end
  if problem then
    add(self, block.line, problem)
    return false
  end
  local is_in_vain, known = not has_all(self, block, before), #self.changes
  compare(self, block, table.move(self.stage.messages, before + 1, #self.stage.messages, 1, {}))
  -- With other lines no time would have passed: what comes now may be due to that.
  self.is_late = self.is_late or (is_in_vain and #self.changes > known)
  check_logs(self, block)
  check_log(self, block.line)
  if self.stage.failure then
    add(self, block.line, self.stage.failure)
    return false
  end
  return true
end

-- ---- the script ----------------------------------------------------------------------------------------------------------

-- Runs the script until it has ended or serves.
local function start_script(self, chunk)
  local on = self.stage
  local failure
  on.main = task.spawn(function()
    local ok, why = xpcall(chunk, script.traceback)
    failure = not ok and why or nil
  end)
  local function is_ready()
    return failure ~= nil or on.main.is_done or (on.services[1] ~= nil and on.services[1]:address() ~= nil)
  end
  local problem = on:settle()
  if not problem and not is_ready() then
    problem = on:pass(patience, is_ready)
  end
  problem = problem or failure or on:start_bots()
  return problem
end

local function foreign(self)
  return function(request)
    local answer = self.answers:answer(request)
    if not answer and self.block then -- an answer behind the block does as well
      for _, step in ipairs(self.block.trailing) do
        if not step.is_added then
          step.is_added = true
          self.answers:add(step)
        end
      end
      answer = self.answers:answer(request)
    end
    answer = answer or (self.opts.http and self.opts.http(request))
    if answer then
      return answer
    end
    local missing = http_answers.missing(request)
    if not self.missing[missing] then
      self.missing[missing] = true
      add(self, self.block and self.block.line or self.transcript.line, missing)
    end
    return { kind = "network", message = missing }
  end
end

-- Steps that cannot be read, and a transcript without any.
local function check_steps(self)
  if #self.transcript.steps == 0 and not self.opts.may_be_empty then
    add(self, self.transcript.line, "the transcript is empty; write what the customer says: -- customer: hi")
  end
  for _, step in ipairs(self.transcript.steps) do
    local problem = step.kind == "unknown" and step.text or step.answer and step.answer.problem
    if problem then
      add(self, step.line, problem)
    end
  end
  return #self.problems == 0
end

local function run_all(self, chunk)
  local problem = start_script(self, chunk)
  if problem then
    return add(self, self.transcript.line, problem)
  end
  local watched = coverage.watch(self.stage.services, self.opts.coverage)
  local blocks = #self.transcript.steps > 0 and blocks_of(self.transcript.steps) or {}
  for _, block in ipairs(blocks) do
    if not run_block(self, block) then
      break
    end
  end
  watched()
  for _, finish in ipairs(self.watched_jobs) do
    finish()
  end
  if #self.problems == 0 and self.opts.until_done then
    local is_done = self.opts.until_done
    problem = not is_done(self.stage) and self.stage:pass(patience, function()
      return is_done(self.stage)
    end)
    if problem then
      add(self, self.transcript.line, problem)
    end
  end
  if #self.problems == 0 then
    for _, step in ipairs(self.answers:unused()) do
      add(self, step.line, ("the script did not ask for this: %s"):format(step.text))
    end
  end
end

-- Scripts are compiled once; each transcript runs them anew.
local compiled = {}

---Plays a transcript.
---@param transcript cunnekt.testing.transcript
---@param opts? {http: (fun(request: table): table?)?, coverage: table?, load: (fun(): function?, string?, fun()?)?, environment: table<string, string>?, until_done: (fun(stage: cunnekt.testing.stage): boolean)?} `until_done`: time passes for it at the end; `http`: answers for requests that the transcript has none for; `coverage`: of coverage.new; `load`: gives the script's chunk, in place of its file
---@return cunnekt.testing.result
function play.run(transcript, opts)
  opts = opts or {}
  local began = core.real_monotonic()
  local self = {
    transcript = transcript, opts = opts, problems = {}, changes = {}, missing = {}, failing = {}, answers = http_answers.new(),
    people = people.new(transcript.steps), watched_jobs = {},
  }
  self.customer = self.people:find()
  if check_steps(self) then
    local on = stage.new {
      on_foreign = foreign(self),
      script = transcript.script,
      folder = script.folder_of(transcript.script),
      environment = opts.environment,
      on_service = function(new)
        table.insert(self.watched_jobs, coverage.watch_jobs(new, opts.coverage))
      end,
    }
    self.stage = on
    local ok, failure = xpcall(function()
      local chunk, problem, forget = (opts.load or script.load)(transcript.script, nil, compiled)
      on.forget = forget
      if chunk then
        run_all(self, chunk)
      else
        add(self, transcript.line, tostring(problem))
      end
    end, debug.traceback)
    on:close()
    if not ok then
      error(failure, 0)
    end
  end
  return {
    transcript = transcript, problems = self.problems, changes = self.changes, printed = self.stage and self.stage.printed or {},
    seconds = core.real_monotonic() - began,
  }
end

return play
