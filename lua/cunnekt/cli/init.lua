-- SPDX-License-Identifier: MIT
local cli = {}
function cli.main(argv)
  print(table.concat(argv, " "))
  print(require "cunnekt.core", require "cjson", require "argparse")
  return 0
end
return cli
