-- SPDX-License-Identifier: MIT
-- The bot of ../dialogs.lua: the generated programs, with chance that is the same in each history of a conversation.

local cunnekt = require "cunnekt"
local programs = require "spec.support.dialogs.programs"
local run = require "cunnekt.dialog.engine.run"

local run_methods = getmetatable(run.new { at = 0, id = 0 }).__index
function run_methods.find_seed(self)
  self.seed = self.seed or ("%s %s"):format(self.contact, self.name)
  return self.seed
end

programs.is_timeless = true
local bot = cunnekt.bot { attempts = 1000000 }
bot:on_error(function(err)
  if err.kind ~= "unknown_outcome" then
    io.stderr:write("failed: ", tostring(err.traceback or err), "\n")
  end
end)
programs.define(bot)
bot:run()
