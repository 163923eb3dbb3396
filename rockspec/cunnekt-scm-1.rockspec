-- The module for any Lua 5.4, and the host beside it. Build here: luarocks --lua-version=5.4 make rockspec/cunnekt-scm-1.rockspec
rockspec_format = "3.0"
package = "cunnekt"
version = "scm-1"
source = {
  url = "git+file://.",
}
description = {
  summary = "WhatsApp automation in Lua, through Cunnekt",
  detailed = [[
    A client for Cunnekt's WhatsApp API, and a host that takes its webhooks in and runs a script's handlers as
    coroutines. Needs libuv, libcurl, libmicrohttpd, OpenSSL, SQLite and utf8proc, which pkg-config
    finds.
  ]],
  license = "MIT",
}
dependencies = {
  "lua ~> 5.4",
  "lua-cjson >= 2.1.0",
  "argparse >= 0.7",
}
build = {
  type = "make",
  build_target = "all",
  -- CFLAGS comes from LuaRocks and is passed on make's command line; the project's own flags are other variables. The
  -- build folder is another one than a developer's, whose flags differ.
  build_variables = {
    BUILD = "build-rock",
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    LUA_LIBDIR = "$(LUA_LIBDIR)",
  },
  install_variables = {
    BUILD = "build-rock",
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    LUA_LIBDIR = "$(LUA_LIBDIR)",
    PREFIX = "$(PREFIX)",
    BINDIR = "$(BINDIR)",
    LIBDIR = "$(LIBDIR)",
    LUADIR = "$(LUADIR)",
    -- Man pages, completions and the unit lie in the rock's own folder; luarocks doc shows the pages.
    DOCDIR = "$(PREFIX)/doc",
    UNITDIR = "$(PREFIX)/systemd",
  },
}
