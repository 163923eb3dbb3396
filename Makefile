# cunnekt: WhatsApp automation in Lua. `make help` lists the targets.
# CFLAGS, LDFLAGS, PREFIX, DESTDIR and friends belong to the caller and are never assigned here beyond a default.
.DEFAULT_GOAL := all

BUILD    ?= build
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LUADIR   ?= $(PREFIX)/share/lua/5.4
LIBDIR   ?= $(PREFIX)/lib/lua/5.4
MANDIR   ?= $(PREFIX)/share/man
LUA      ?= lua5.4
PKG_CONFIG ?= pkg-config
WERROR   ?=

include make/libraries.mk
include make/deps.mk
include make/check.mk
include make/install.mk

# ---- what is built ----------------------------------------------------------------------------------------------
CORE_SRC  := $(wildcard src/core/*.c src/store/*.c src/bind/*.c)
HOST_SRC  := $(wildcard src/host/*.c)
LUA_SRC   := $(shell find lua -name '*.lua' -not -path '*/_meta/*' | sort)
CORE_OBJ  := $(CORE_SRC:%.c=$(BUILD)/obj/%.o)
HOST_OBJ  := $(HOST_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/embedded.o
LUA_TREE  := $(LUA_SRC:lua/%=$(BUILD)/lua/%)
MODULE    := $(BUILD)/lua/cunnekt/core.so
HOST      := $(BUILD)/bin/cunnekt

# ---- how --------------------------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wno-unused-parameter $(WERROR)
OWN_CFLAGS := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARNINGS) $(SANITIZE) -Isrc -MMD -MP
CFLAGS   ?= -O2 -g

all: $(MODULE) $(LUA_TREE) $(HOST)

$(BUILD)/obj/%.o: %.c | libraries
	@mkdir -p $(@D)
	$(CC) $(OWN_CFLAGS) $(LIB_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(MODULE): $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) -shared $(SANITIZE) $(CFLAGS) $(LDFLAGS) -o $@ $(CORE_OBJ) $(LIB_LIBS)

$(BUILD)/lua/%.lua: lua/%.lua
	@mkdir -p $(@D)
	cp $< $@

# The host's Lua files, as C arrays made from the files that the linters read.
$(BUILD)/embedded.c: src/host/embed.lua $(LUA_SRC)
	@mkdir -p $(@D)
	$(LUA) src/host/embed.lua lua $(LUA_SRC) > $@.part
	mv $@.part $@

$(BUILD)/obj/embedded.o: $(BUILD)/embedded.c | libraries
	@mkdir -p $(@D)
	$(CC) $(OWN_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(HOST): $(HOST_OBJ) $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -Wl,-E -o $@ $(HOST_OBJ) $(CORE_OBJ) $(CJSON_STATIC) $(LUA_LIBS) $(LIB_LIBS) -lm -ldl

env:
	@echo 'export LUA_PATH="$(abspath $(BUILD))/lua/?.lua;$(abspath $(BUILD))/lua/?/init.lua;$${LUA_PATH:-;}"'
	@echo 'export LUA_CPATH="$(abspath $(BUILD))/lua/?.so;$${LUA_CPATH:-;}"'
	@echo 'export PATH="$(abspath $(BUILD))/bin:$$PATH"'

clean:
	rm -rf build build-asan build-clang

-include $(CORE_OBJ:.o=.d) $(HOST_OBJ:.o=.d)
.PHONY: all env clean
