# Where the libraries are. Everything through pkg-config, for Debian keeps headers and libraries in a folder per architecture.
# LUA_INCDIR comes from LuaRocks; otherwise the name of Lua's package differs by system.
LUA_PC := $(shell for name in lua5.4 lua-5.4 lua54; do $(PKG_CONFIG) --exists $$name 2>/dev/null && echo $$name && break; done)
LUA_CFLAGS := $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(if $(LUA_PC),$(shell $(PKG_CONFIG) --cflags $(LUA_PC))))
LUA_LIBS ?= $(if $(LUA_PC),$(shell $(PKG_CONFIG) --libs $(LUA_PC)),-llua5.4)

# library, pkg-config name, Debian package
PACKAGES := libuv=libuv1-dev libcurl=libcurl4-openssl-dev libmicrohttpd=libmicrohttpd-dev libcrypto=libssl-dev
PC_NAMES := $(foreach p,$(PACKAGES),$(firstword $(subst =, ,$(p))))
LIB_CFLAGS = $(LUA_CFLAGS) $(shell $(PKG_CONFIG) --cflags $(PC_NAMES) 2>/dev/null)
LIB_LIBS   = $(shell $(PKG_CONFIG) --libs $(PC_NAMES) 2>/dev/null) -lpthread

# A static lua-cjson (Debian's lua-cjson-dev) goes into the host; elsewhere the host finds the one beside it.
CJSON_STATIC := $(wildcard $(shell $(PKG_CONFIG) --variable=libdir lua5.4-cjson 2>/dev/null)/liblua5.4-cjson.a)
ifneq ($(CJSON_STATIC),)
OWN_DEFINES += -DCNK_STATIC_CJSON
endif

libraries:
	@for p in $(PACKAGES); do \
	  $(PKG_CONFIG) --exists $${p%%=*} || { echo "cunnekt: the library $${p%%=*} is missing; on Debian: apt-get install $${p##*=} (or: make deps)" >&2; exit 2; }; done
	@test -n "$(LUA_CFLAGS)" || { echo "cunnekt: the headers of Lua 5.4 are missing; on Debian: apt-get install liblua5.4-dev (or: make deps)" >&2; exit 2; }
.PHONY: libraries
