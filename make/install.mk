# Installing: below DESTDIR, into the folders that packagers and LuaRocks name. The module tree serves any Lua 5.4; the host
# carries its own copy.
INSTALL ?= install

install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/cunnekt
	$(INSTALL) -m 755 $(HOST) $(DESTDIR)$(BINDIR)/cunnekt
	$(INSTALL) -m 755 $(MODULE) $(DESTDIR)$(LIBDIR)/cunnekt/core.so
	@for f in $(LUA_SRC:lua/%=%); do \
	  $(INSTALL) -d $(DESTDIR)$(LUADIR)/$$(dirname $$f) && $(INSTALL) -m 644 lua/$$f $(DESTDIR)$(LUADIR)/$$f || exit 1; done
	$(INSTALL) -m 644 $(PUBLIC) $(DESTDIR)$(LUADIR)/$(PUBLIC:$(BUILD)/lua/%=%)
	@echo "installed below $(DESTDIR)$(PREFIX)"

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/cunnekt
	rm -rf $(DESTDIR)$(LIBDIR)/cunnekt $(DESTDIR)$(LUADIR)/cunnekt

.PHONY: install uninstall
