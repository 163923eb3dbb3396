# What an event costs. `make cost` counts the instructions of an event and of a step of a dialog in valgrind, in a minute or
# so, and holds the figures to spec/cost/bounds.lua.
DEPS_COST := valgrind util-linux

$(BUILD)/spec/%.so: spec/cost/%.c | libraries
	@mkdir -p $(@D)
	$(CC) -shared $(OWN_CFLAGS) $(LUA_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

cost: deps-build
	@sh make/deps.sh $(DEPS_COST)
	@$(MAKE) --no-print-directory all $(BUILD)/spec/callgrind.so $(BUILD)/spec/child.so
	@$(TEST_ENV) && $(LUA) spec/cost/cost.lua "$$CUNNEKT_HOST"

.PHONY: cost
