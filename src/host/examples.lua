-- SPDX-License-Identifier: MIT
-- Writes the examples as one Lua module on standard output, for `cunnekt new --from`: examples.lua FILE …

io.write "return {\n"
for _, path in ipairs(arg) do
  local file = assert(io.open(path, "rb"))
  io.write(("  [%q] = %q,\n"):format(path:match "([^/]*)%.lua$", file:read "a"))
  file:close()
end
io.write "}\n"
