# Where the libraries are. Everything through pkg-config, for Debian keeps headers and libraries in a folder per architecture.
# LUA_INCDIR comes from LuaRocks; otherwise the name of Lua's package differs by system.
LUA_PC := $(shell for name in lua5.4 lua-5.4 lua54; do $(PKG_CONFIG) --exists $$name 2>/dev/null && echo $$name && break; done)
LUA_CFLAGS := $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(if $(LUA_PC),$(shell $(PKG_CONFIG) --cflags $(LUA_PC))))
LUA_LIBS ?= $(if $(LUA_PC),$(shell $(PKG_CONFIG) --libs $(LUA_PC)),$(LUA_LIBDIR:%=-L%) -llua5.4)

# library, as pkg-config names it = Debian's package
PACKAGES := libuv=libuv1-dev libcurl=libcurl4-openssl-dev libmicrohttpd=libmicrohttpd-dev libcrypto=libssl-dev sqlite3=libsqlite3-dev \
  libutf8proc=libutf8proc-dev
PC_NAMES := $(foreach p,$(PACKAGES),$(firstword $(subst =, ,$(p))))
LIB_CFLAGS := $(LUA_CFLAGS) $(shell $(PKG_CONFIG) --cflags $(PC_NAMES) 2>/dev/null)
LIB_LIBS   := $(shell $(PKG_CONFIG) --libs $(PC_NAMES) 2>/dev/null) -lpthread

# PostgreSQL's library is no must: without it a store postgres://… is refused with a sentence. POSTGRES= builds without.
POSTGRES ?= $(shell if $(PKG_CONFIG) --exists 'libpq >= 14' 2>/dev/null; then echo pkg-config; elif command -v pg_config >/dev/null; then echo pg_config; fi)
ifneq ($(POSTGRES),)
LIB_CFLAGS += -DCNK_POSTGRES $(if $(filter pg_config,$(POSTGRES)),-I$(shell pg_config --includedir),$(shell $(PKG_CONFIG) --cflags libpq))
LIB_LIBS   += $(if $(filter pg_config,$(POSTGRES)),-L$(shell pg_config --libdir) -lpq,$(shell $(PKG_CONFIG) --libs libpq))
endif

# A static lua-cjson (Debian's lua-cjson-dev) goes into the host; elsewhere the host finds the one beside it. The compiler is
# asked, for Debian's lua5.4-cjson.pc names a folder where the library is not.
CJSON_STATIC := $(wildcard $(filter /%,$(shell $(CC) -print-file-name=liblua5.4-cjson.a 2>/dev/null)))
HOST_CFLAGS  := $(if $(CJSON_STATIC),-DCNK_STATIC_CJSON)

# Those that were installed while make ran are found when it begins anew.
HOW := $(if $(filter deps deps-%,$(MAKECMDGOALS)),(if it has just been installed: run make again),(or: make deps))

# One message for the first library that is missing, with the name of its package.
libraries:
	@command -v $(firstword $(CC)) >/dev/null || { echo "cunnekt: the compiler $(firstword $(CC)) is missing; on Debian: apt-get install gcc libc6-dev $(HOW)" >&2; exit 2; }
	@command -v $(firstword $(LUA)) >/dev/null || { echo "cunnekt: $(LUA) is missing; on Debian: apt-get install lua5.4 $(HOW)" >&2; exit 2; }
	@command -v $(firstword $(PKG_CONFIG)) >/dev/null || { echo "cunnekt: $(PKG_CONFIG) is missing; on Debian: apt-get install pkg-config $(HOW)" >&2; exit 2; }
	@test -n "$(LUA_INCDIR)$(LUA_PC)" || { echo "cunnekt: the headers of Lua 5.4 are missing; on Debian: apt-get install liblua5.4-dev $(HOW)" >&2; exit 2; }
	@for p in $(PACKAGES); do \
	  $(PKG_CONFIG) --exists $${p%%=*} || { echo "cunnekt: the library $${p%%=*} is missing; on Debian: apt-get install $${p##*=} $(HOW)" >&2; exit 2; }; done
.PHONY: libraries
