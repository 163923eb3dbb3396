-- SPDX-License-Identifier: MIT
-- Reloads a script while its bots run, when its file or one of its modules has changed: `cunnekt dev`. The new generation is loaded
-- beside the running one, into a shadow bot for each bot (shadow.lua), and takes its place between two turns. One that does not compile
-- or fails is refused, and the running one goes on.

local clock = require "cunnekt.time.clock"
local core = require "cunnekt.core"
local generation = require "cunnekt.service.reload.generation"
local operations = require "cunnekt.operate.operations"
local service = require "cunnekt.service"
local shadow = require "cunnekt.service.reload.shadow"
local task = require "cunnekt.base.task"
local watch = require "cunnekt.service.reload.watch"
local words = require "cunnekt.base.words"

local reload = {}

-- Seconds between two looks whether no turn is running; and until it is said that one holds the change up.
local pace, patience = 0.02, 3
-- Failed events that are tried again after a change.
local max_failed = 1000

local reload_methods = {}
local reload_mt = { __index = reload_methods, __name = "cunnekt.reload" }

---@class cunnekt.reload
---@field on_swap fun() called when another generation has taken over
---@field on_failure fun(err: cunnekt.error, about: table?, service: cunnekt.service) hears every failure

---@class cunnekt.reload.options
---@field path string the script's
---@field args string[] its arguments
---@field check fun(path: string): string[]?, string? what may be wrong with the script, and why it cannot be loaded
---@field say fun(text: string) for the person who changes the script; may have several lines

-- ---- bots ----------------------------------------------------------------------------------------------------------

local function is_equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not is_equal(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- The names of options that differ.
local function changed_options(a, b)
  local names, seen = {}, {}
  a, b = a or {}, b or {}
  for _, list in ipairs { a, b } do
    for name in pairs(list) do
      if not seen[name] and not is_equal(a[name], b[name]) then
        seen[name] = true
        names[#names + 1] = tostring(name)
      end
    end
  end
  table.sort(names)
  return names
end

-- What the first generation calls as cunnekt.bot.
local function new_bot(self)
  return function(opts)
    table.insert(self._options, opts or false)
    return service.new(opts)
  end
end

-- The same for a later one.
local function new_shadow(self, state)
  return function(opts)
    local n = #state.shadows + 1
    local live = self._services[n]
    if not live then
      local message = "cunnekt.bot: the running script has made %s; for one more end cunnekt dev, and start it again"
      error(message:format(words.count(#self._services, "bot")), 2)
    end
    local names = changed_options(self._options[n] or nil, opts)
    if #names > 0 then
      state.notes[#state.notes + 1] = ("these options of cunnekt.bot change with the next start: %s"):format(table.concat(names, ", "))
    end
    state.shadows[n] = shadow.new(live, opts, function()
      state.on_ready()
    end)
    return state.shadows[n].bot
  end
end

-- ---- after a swap ----------------------------------------------------------------------------------------------------

local how_it_goes_on = {
  anew = "dialog %d, '%s', of %s begins anew with the next answer",
  old = "dialog %d, '%s', of %s goes on with the code that it began with: %s. /end %d ends it, so that it can begin anew",
  gone = "dialog %d, '%s', of %s cannot go on: %s. /end %d ends it, so that it can begin anew",
}

-- Says which open dialogs do not go on with the new code; gives the number of those that do.
local function tell_of_dialogs(self, moved)
  local count = 0
  for _, one in ipairs(moved) do
    local sentence = how_it_goes_on[one.how]
    if sentence then
      self._say(sentence:format(one.id, one.name, one.contact:match "[^:]*$", one.how == "anew" and "" or one.why, one.id))
    elseif one.how == "moved" then
      count = count + 1
    end
  end
  return count
end

-- Tries failed events again, at once: perhaps the new code handles them.
local function retry(self)
  for one, failed in pairs(self._failed) do
    self._failed[one] = { seqs = {}, is_known = {} }
    if #failed.seqs > 0 then
      operations.run({ store = one.store, service = one }, "events.retry", { seqs = failed.seqs, new_script = true })
    end
  end
end

local function settle(self, state)
  local count, handlers, dialogs = 0, 0, 0
  for _, one in ipairs(state.shadows) do
    local moved, err = one:settle()
    if err then
      self._say(("%s: %s"):format(self._path, err.message))
    end
    count = count + tell_of_dialogs(self, moved or {})
    local its_handlers, its_dialogs = one:counts()
    handlers, dialogs = handlers + its_handlers, dialogs + its_dialogs
  end
  local open = count > 0 and ("; %s on with it"):format(count == 1 and "1 open dialog goes" or count .. " open dialogs go") or ""
  self._say(("%s reloaded: %s, %s%s"):format(self._path, words.count(handlers, "handler"), words.count(dialogs, "dialog"), open))
  for _, note in ipairs(state.notes) do
    self._say(note)
  end
  retry(self)
end

-- ---- a change --------------------------------------------------------------------------------------------------------

local function refuse(self, state, why)
  self._loading = nil
  state.generation:close()
  self._refused = state.generation
  self._say(("%s\n%s is not reloaded; what runs goes on"):format(why, self._path))
end

-- Whether a turn is running.
local function is_busy(self)
  for _, one in ipairs(self._services) do
    if one.engine.turns:count() + one.inbox:active() + one.schedule:active() > 0 then
      return true
    end
  end
  return false
end

local function swap(self, state)
  self._loading, self._refused = nil, nil
  local before = self._generation
  before.main = before.main or self._host.main
  self._generation, self._host.main = state.generation, state.generation.main
  for _, one in ipairs(state.shadows) do
    one:swap()
  end
  before:close()
  self.on_swap()
  task.spawn(settle, self, state)
end

-- Swaps as soon as no turn is running.
local function swap_when_quiet(self, state, waited)
  if self._loading ~= state or self._is_stopped then
    return
  elseif not is_busy(self) then
    return swap(self, state)
  elseif waited < patience and waited + pace >= patience then
    self._say(("%s waits for a handler that is running"):format(self._path))
  end
  self._timer = clock.after(pace, function()
    swap_when_quiet(self, state, waited + pace)
  end)
end

-- The new generation has come to bot:run, or to its end.
local function on_loaded(self, state)
  if self._generation == state.generation and state.generation.failure then
    return self._say(state.generation.failure) -- raised after bot:run
  elseif self._loading ~= state or state.is_loaded then
    return
  end
  state.is_loaded = true
  state.generation:end_load()
  local made, had = #state.shadows, #self._services
  if state.generation.failure then
    return refuse(self, state, state.generation.failure)
  elseif made < had then
    local made_now = made == 0 and "no bot" or words.count(made, "bot")
    return refuse(self, state, ("it makes %s now, and %s run"):format(made_now, words.count(had, "bot")))
  end
  swap_when_quiet(self, state, 0)
end

-- How long the script may take to load while its bots wait: as long as a handler of its first bot.
local function bound_of(self)
  if not self._bound then
    local seconds = self._services[1].engine.budget.seconds
    self._bound = { seconds = seconds, meter = seconds > 0 and core.budget { seconds = seconds } or nil }
  end
  return self._bound
end

-- Loads the script as it is now.
local function load(self)
  local state = { shadows = {}, notes = {} }
  state.generation = generation.new(self._path, new_shadow(self, state))
  function state.on_ready()
    -- Not within the script's own code: where it is the one that is refused or waits, it has to be suspended.
    self._timer = clock.after(0, function()
      on_loaded(self, state)
    end)
  end
  self._loading = state
  local chunk, problem = state.generation:load_beside()
  if not chunk then
    return refuse(self, state, problem)
  end
  state.generation:start(chunk, self._args, bound_of(self), state.on_ready)
end

local function on_change(self, texts)
  if self._loading then -- the one before has not come to its end
    local state = self._loading
    self._loading = nil
    state.generation:close()
  end
  if not texts[self._path] then
    return self._say(("%s is not there any more; what runs goes on"):format(self._path))
  end
  local warnings, problem = self._check(self._path)
  if problem then
    return self._say(("%s\n%s is not reloaded; what runs goes on"):format(problem, self._path))
  end
  for _, warning in ipairs(warnings or {}) do
    self._say(warning)
  end
  load(self)
end

-- ---- the owner -------------------------------------------------------------------------------------------------------

-- The files that are watched: those of the running generation, and of one that was refused, with those that they have looked for.
local function files_of(self)
  local files = { [self._path] = true }
  for _, one in ipairs { self._generation, self._refused } do
    for path in pairs(one.missing) do
      files[path] = false
    end
    for path, text in pairs(one:files()) do
      files[path] = text
    end
  end
  return files
end

---@param opts cunnekt.reload.options
---@return cunnekt.reload
function reload.new(opts)
  local self = setmetatable({
    _path = opts.path,
    _args = opts.args,
    _check = opts.check,
    _say = opts.say,
    _services = {},
    _options = {},
    _failed = {},
    on_swap = function() end,
    on_failure = function() end,
  }, reload_mt)
  self._generation = generation.new(opts.path, new_bot(self))
  self._watch = watch.new(function()
    return files_of(self)
  end, function(texts)
    on_change(self, texts)
  end)
  return self
end

---Notes a bot of the first generation.
---@param one cunnekt.service
function reload_methods:note(one)
  table.insert(self._services, one)
  self._failed[one] = { seqs = {}, is_known = {} }
  function one.hooks.observer(err, about)
    self.on_failure(err, about, one)
    local failed, id = self._failed[one], err.event and err.event.id
    if id and not failed.is_known[id] and #failed.seqs < max_failed then
      failed.seqs[#failed.seqs + 1], failed.is_known[id] = id, true
    end
  end
end

---The services of the script's bots.
---@return cunnekt.service[]
function reload_methods:services()
  return self._services
end

---Loads the first generation.
---@return function? chunk
---@return string? problem
function reload_methods:load()
  return self._generation:load()
end

---Begins to watch the files.
---@param host {main: cunnekt.task?} the task that runs the script's own code; another generation's from a swap on
function reload_methods:start(host)
  self._host = host
  self._watch:start()
end

---Looks at the files only after `resume`.
function reload_methods:pause()
  self._watch:stop()
end

---Looks at the files again.
function reload_methods:resume()
  if not self._is_stopped then
    self._watch:start()
  end
end

---Ends it; the running generation goes on.
function reload_methods:stop()
  self._is_stopped = true
  self._watch:stop()
  if self._timer then
    self._timer:close()
  end
end

return reload
