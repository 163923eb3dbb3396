-- What luacheck is to know of the project: plain Lua 5.4, no globals of our own.
std = "lua54"
max_line_length = false -- prose and samples; code is kept short by the reviewer
self = false -- methods keep their form even where they do not need the object
files["spec"] = { std = "+busted" }
files["lua/cunnekt/cli/run.lua"] = { globals = { "arg" } } -- it sets `arg` as the plain interpreter does
files["spec/bench/others"] = { globals = { "request", "response", "done", "setup", "init", "wrk", "ngx" } } -- scripts of wrk and nginx
