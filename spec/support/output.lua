-- SPDX-License-Identifier: MIT
-- Busted's own plain output, with the counts once more as the last line: `N passed, N failed`.

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)
  local subscribe = handler.subscribe

  function handler:subscribe(...)
    subscribe(self, ...)
    busted.subscribe({ "exit" }, function()
      local failed = self.failuresCount + self.errorsCount
      io.write(("%d passed, %d failed\n"):format(self.successesCount, failed))
      io.flush()
      return nil, true
    end)
  end

  return handler
end
