# Installing: below DESTDIR, into the folders that packagers and LuaRocks name. The module tree serves any Lua 5.4; the host
# carries its own copy. Beside it lie the stubs for editors, which nothing loads.
INSTALL ?= install
DOCDIR  ?= $(PREFIX)/share/doc/cunnekt
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

# Man pages, completions and the unit are made from the program's own help, by the program. Where it is built for another
# machine, BUILD_HOST names one for this machine.
PAGES      := $(BUILD)/pages
BUILD_HOST ?= $(HOST)
DOC_SRC    := $(sort $(wildcard docs/*.md docs/*.svg))
HOWTO_SRC  := $(sort $(wildcard docs/howto/*.md))
REFERENCE_SRC := $(sort $(wildcard docs/reference/*.md))

$(PAGES)/made: $(sort $(wildcard make/pages/*.lua make/pages/*/*.lua)) $(HOST)
	@mkdir -p $(@D)
	@rm -f $(@D)/*
	@LUA_PATH=";;$(CURDIR)/make/pages/stand_in/?.lua" $(BUILD_HOST) run make/pages/main.lua $(@D)
	@touch $@

pages: $(PAGES)/made

# $(call install_files,MODE,FOLDER,FILES)
install_files = $(INSTALL) -d $(DESTDIR)$(2) && $(INSTALL) -m $(1) $(3) $(DESTDIR)$(2)

install: all pages
	@$(call install_files,755,$(BINDIR),$(HOST))
	@$(call install_files,755,$(LIBDIR)/cunnekt,$(MODULE))
	@for f in $(LUA_SRC:lua/%=%) $(META_SRC:lua/%=%); do \
	  $(INSTALL) -d $(DESTDIR)$(LUADIR)/$$(dirname $$f) && $(INSTALL) -m 644 lua/$$f $(DESTDIR)$(LUADIR)/$$f || exit 1; done
	@$(INSTALL) -m 644 $(PUBLIC) $(DESTDIR)$(LUADIR)/$(PUBLIC:$(BUILD)/lua/%=%)
	@$(call install_files,644,$(MANDIR)/man1,$(PAGES)/*.1)
	@$(call install_files,644,$(MANDIR)/man5,$(PAGES)/*.5)
	@$(call install_files,644,$(UNITDIR),$(PAGES)/cunnekt.service)
	@$(call install_files,644,$(BASHDIR),$(PAGES)/cunnekt.bash) && mv $(DESTDIR)$(BASHDIR)/cunnekt.bash $(DESTDIR)$(BASHDIR)/cunnekt
	@$(call install_files,644,$(ZSHDIR),$(PAGES)/cunnekt.zsh) && mv $(DESTDIR)$(ZSHDIR)/cunnekt.zsh $(DESTDIR)$(ZSHDIR)/_cunnekt
	@$(call install_files,644,$(FISHDIR),$(PAGES)/cunnekt.fish)
	@$(call install_files,644,$(DOCDIR),README.md CHANGELOG.md LICENSE)
	@$(call install_files,644,$(DOCDIR)/docs,$(DOC_SRC))
	@$(call install_files,644,$(DOCDIR)/docs/howto,$(HOWTO_SRC))
	@$(call install_files,644,$(DOCDIR)/docs/reference,$(REFERENCE_SRC))
	@$(call install_files,644,$(DOCDIR)/examples,examples/*.lua)
	@echo "installed below $(DESTDIR)$(PREFIX)"

uninstall:
	rm -f $(addprefix $(DESTDIR),$(BINDIR)/cunnekt $(UNITDIR)/cunnekt.service $(BASHDIR)/cunnekt $(ZSHDIR)/_cunnekt $(FISHDIR)/cunnekt.fish)
	rm -f $(DESTDIR)$(MANDIR)/man1/cunnekt.1 $(DESTDIR)$(MANDIR)/man1/cunnekt-*.1 $(DESTDIR)$(MANDIR)/man5/cunnekt.conf.5
	rm -rf $(addprefix $(DESTDIR),$(LIBDIR)/cunnekt $(LUADIR)/cunnekt $(DOCDIR))

.PHONY: install uninstall pages
