# What an event costs. `make cost` counts the instructions of an event, a step of a dialog, a transcript and a message in valgrind, two
# programs side by side, in a minute or less; `make flow` counts the Lua calls, the files that they are in, and the moves between files, in seconds. Both hold
# the figures to spec/cost/bounds.lua. The way of an event, call by call: make flow FLOW=all.
FLOW ?=
DEPS_COST := valgrind util-linux

$(BUILD)/spec/%.so: spec/cost/%.c | libraries
	@mkdir -p $(@D)
	$(CC) -shared $(OWN_CFLAGS) $(LUA_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

cost: deps-build
	@sh make/deps.sh $(DEPS_COST)
	@$(MAKE) --no-print-directory all $(BUILD)/spec/callgrind.so $(BUILD)/spec/child.so
	@$(TEST_ENV) && { \
	  { $(LUA) spec/cost/transcripts.lua "$$CUNNEKT_HOST" || kind=1; $(LUA) spec/cost/messages.lua "$$CUNNEKT_HOST" && exit $${kind-0}; } >$(BUILD)/others.cost 2>&1 & \
	  $(LUA) spec/cost/cost.lua "$$CUNNEKT_HOST"; status=$$?; \
	  wait $$! || status=1; cat $(BUILD)/others.cost; exit $$status; }

flow: deps-build
	@$(MAKE) --no-print-directory all
	@$(TEST_ENV) && $(HOST) run spec/cost/flow.lua $(FLOW)

.PHONY: cost flow
