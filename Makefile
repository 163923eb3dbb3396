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
include make/bench.mk
include make/cost.mk

# ---- what is built ----------------------------------------------------------------------------------------------
CORE_SRC  := $(sort $(foreach d,base terminal json webhook http http/in http/out whatsapp engine store store/sql store/verbs store/worker store/sqlite $(if $(POSTGRES),store/postgres) bind bind/engine bind/json bind/lanes bind/store bind/webhook,$(wildcard src/$(d)/*.c)))
HOST_SRC  := $(wildcard src/host/*.c)
LUA_SRC   := $(shell find lua -name '*.lua' -not -path '*/_meta/*' | LC_ALL=C sort)
META_SRC  := $(sort $(wildcard lua/cunnekt/_meta/*.lua))
# Examples that are bots; the others play a part in them.
EXAMPLES  := $(sort $(filter-out examples/demo_player.lua examples/notify.lua examples/order_api.lua,$(wildcard examples/*.lua)))
SQL_SRC   := $(sort $(wildcard src/store/sql/*.sql))
CORE_OBJ  := $(CORE_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/sql_texts.o
HOST_OBJ  := $(HOST_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/embedded.o
# What scripts can call, made from the annotations.
PUBLIC    := $(BUILD)/lua/cunnekt/cli/check/public.lua
LUA_TREE  := $(LUA_SRC:lua/%=$(BUILD)/lua/%) $(PUBLIC)
MODULE    := $(BUILD)/lua/cunnekt/core.so
HOST      := $(BUILD)/bin/cunnekt

# ---- how --------------------------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wno-unused-parameter $(WERROR)
OWN_CFLAGS = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARNINGS) $(SANITIZE) -Isrc -MMD -MP
CFLAGS   ?= -O2 -g

COMPILE     = $(CC) $(OWN_CFLAGS) $(LIB_CFLAGS) $(CPPFLAGS) $(CFLAGS)
# A module takes Lua's symbols from the program that loads it, so the host exports them.
ifeq ($(shell uname -s),Darwin)
LINK_MODULE = $(CC) -bundle -undefined dynamic_lookup $(SANITIZE) $(CFLAGS) $(LDFLAGS)
LINK_HOST   = $(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS)
else
LINK_MODULE = $(CC) -shared $(SANITIZE) $(CFLAGS) $(LDFLAGS)
LINK_HOST   = $(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -Wl,-E
endif
HOST_LIBS   = $(CJSON_STATIC) $(LUA_LIBS) $(LIB_LIBS) -lm -ldl

all: $(MODULE) $(LUA_TREE) $(HOST)
host: $(HOST)

# Two stamps, which change only when what they hold does: the commands, so that other flags build anew, and the list of
# the Lua files, so that a removed one leaves the host and the module tree.
define stamp
	@mkdir -p $(@D)
	@printf '%s\n' $(1) | cmp -s - $@ || { $(2) printf '%s\n' $(1) > $@; }
endef
$(BUILD)/commands: libraries FORCE
	$(call stamp,'$(COMPILE) $(HOST_CFLAGS) $(LINK_MODULE) $(LINK_HOST) $(HOST_LIBS) $(EMBED_AS)')
$(BUILD)/sources: FORCE
	$(call stamp,$(LUA_SRC),$(drop_stale))
drop_stale = for f in $$(cd $(BUILD)/lua 2>/dev/null && find . -name '*.lua'); do test -e lua/$$f || test $$f = ./cunnekt/cli/check/public.lua || rm $(BUILD)/lua/$$f; done;

$(BUILD)/obj/src/host/main.o: private OWN_CFLAGS += $(HOST_CFLAGS)
$(BUILD)/obj/%.o: %.c $(BUILD)/commands
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(MODULE): $(CORE_OBJ) $(BUILD)/commands
	@mkdir -p $(@D)
	$(LINK_MODULE) -o $@ $(CORE_OBJ) $(LIB_LIBS)

$(BUILD)/lua/%.lua: lua/%.lua
	@mkdir -p $(@D)
	cp $< $@

$(PUBLIC): src/host/embed_annotations.lua $(LUA_SRC) $(META_SRC) $(BUILD)/sources
	@mkdir -p $(@D)
	$(LUA) src/host/embed_annotations.lua $(LUA_SRC) $(META_SRC) > $@.part
	mv $@.part $@

# Bytecode is for the release of Lua that wrote it: where the interpreter and the library differ, the host compiles its Lua
# files when it starts. So it must be when the host is for another machine: EMBED_AS=text.
library_release = printf '\#include <lua.h>\nLUA_RELEASE\n' | $(CC) $(CPPFLAGS) $(LIB_CFLAGS) -E -P - 2>/dev/null | tail -n 1 | tr -d '" '
EMBED_AS ?= $(if $(filter $(shell $(LUA) -v 2>/dev/null | awk '{ print $$1 $$2 }'),$(shell $(library_release))),bytecode,text)

# The store's statements.
$(BUILD)/sql_texts.c: src/store/sql/embed.lua $(SQL_SRC) $(BUILD)/commands
	@mkdir -p $(@D)
	$(LUA) src/store/sql/embed.lua $(SQL_SRC) > $@.part
	mv $@.part $@

$(BUILD)/obj/sql_texts.o: $(BUILD)/sql_texts.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

# What `cunnekt new --from` begins with.
$(BUILD)/examples.lua: src/host/examples.lua $(EXAMPLES) $(BUILD)/commands
	@mkdir -p $(@D)
	$(LUA) src/host/examples.lua $(EXAMPLES) > $@.part
	mv $@.part $@

# The host's Lua files, as C arrays made from the files that the linters read. argparse comes from where it is installed.
$(BUILD)/embedded.c: src/host/embed.lua $(LUA_SRC) $(PUBLIC) $(BUILD)/examples.lua $(BUILD)/sources $(BUILD)/commands
	@mkdir -p $(@D)
	$(LUA) src/host/embed.lua $(EMBED_AS) $(foreach f,$(LUA_SRC),$(f:lua/%=%)=$(f)) $(PUBLIC:$(BUILD)/lua/%=%)=$(PUBLIC) \
	  cunnekt/cli/new/examples.lua=$(BUILD)/examples.lua argparse.lua=argparse? > $@.part
	mv $@.part $@

$(BUILD)/obj/embedded.o: $(BUILD)/embedded.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

$(HOST): $(HOST_OBJ) $(CORE_OBJ) $(BUILD)/commands
	@mkdir -p $(@D)
	$(LINK_HOST) -o $@ $(HOST_OBJ) $(CORE_OBJ) $(HOST_LIBS)

include make/install.mk
include make/deb.mk
include make/torture.mk
include make/fuzz.mk

env:
	@echo 'export LUA_PATH="$(abspath $(BUILD))/lua/?.lua;$(abspath $(BUILD))/lua/?/init.lua;$${LUA_PATH:-;}"'
	@echo 'export LUA_CPATH="$(abspath $(BUILD))/lua/?.so;$${LUA_CPATH:-;}"'
	@echo 'export PATH="$(abspath $(BUILD))/bin:$$PATH"'

clean:
	rm -rf build build-asan build-lint build-rock build-deb

-include $(CORE_OBJ:.o=.d) $(HOST_OBJ:.o=.d)
FORCE:
.PHONY: all host env clean FORCE
