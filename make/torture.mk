# The promises under torture: the real host, killed, starved and cut off. `make torture-short` is for every change (minutes),
# `make torture` for a release (hours); docs/reliability.md says what each test shows. Linux only. One test alone, with its
# own numbers: make torture-short TORTURE="kill.lua --cycles 1000".
TORTURE_SHORT = "kill.lua --cycles 200 --control-cycles 10" "power.lua --images 2000" "network.lua --faults 1000" \
  "disk.lua --points 200"
TORTURE_LONG  = "kill.lua --cycles 10000 --control-cycles 60" "power.lua --images 100000" \
  "network.lua --faults 10000 --control-faults 1000" "disk.lua --points 500"
TORTURE_MODULES := $(addprefix $(BUILD)/spec/,child.so preload.so rawclient.so) $(BUILD)/spec/recorder.so

$(BUILD)/spec/%.so: spec/crash/%.c | libraries
	@mkdir -p $(@D)
	$(CC) -shared $(OWN_CFLAGS) $(LUA_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

# Every test is run, whatever becomes of the others.
run_torture = status=0; for test in $(if $(TORTURE),"$(TORTURE)",$(1)); do echo "-- $$test"; $(HOST) run spec/crash/$$test || status=1; done; exit $$status

torture-short torture: deps-build
	@$(MAKE) --no-print-directory all $(TORTURE_MODULES)
	@$(TEST_ENV) && $(call run_torture,$(if $(filter torture,$@),$(TORTURE_LONG),$(TORTURE_SHORT)))

.PHONY: torture torture-short
