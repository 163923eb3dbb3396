# The promises under torture: the real host, killed, starved and cut off. `make torture-short` is for every change (minutes),
# `make torture` for a release (hours); docs/reliability.md says what each test shows. Linux only. One test alone, with its
# own numbers: make torture-short TORTURE="kill.lua --cycles 1000".
TORTURE_SHORT = "kill.lua --cycles 200 --control-cycles 8" "power.lua --images 2000" "disk.lua --points 200 --start-points 30" \
  "heap.lua --lua-step 3" "network.lua --faults 1000 --control-faults 60" "overload.lua --seconds 4" \
  "slow.lua --connections 2000 --seconds 3" "backlog.lua --events 100000" "soak.lua --seconds 8 --warm-up 4" \
  "dialogs.lua --dialogs 500 --rounds 12 --kills 60" "schedules.lua --count 10000" \
  "stops.lua --rounds 100 --control-rounds 20" "joins.lua --cycles 40 --control-cycles 30" "runaway.lua --seconds 0.5"
TORTURE_LONG = "kill.lua --cycles 10000 --control-cycles 60" "power.lua --images 100000" "disk.lua --points 500 --start-points 200" \
  "heap.lua" "network.lua --faults 10000 --control-faults 200" "overload.lua --seconds 60" \
  "slow.lua --connections 9500 --seconds 60" "backlog.lua --events 1000000" "soak.lua --seconds 3600 --warm-up 300 --rounds 12" \
  "dialogs.lua --dialogs 10000 --rounds 30 --kills 2000 --talkers 200" "schedules.lua --count 1000000" \
  "stops.lua --rounds 10000 --control-rounds 100" "joins.lua --cycles 2000 --control-cycles 60" "runaway.lua --seconds 5 --rounds 10"

# Four hosts on a PostgreSQL of their own; in the short run they are `make test-postgres`'s.
CLUSTER_LONG = $(MAKE) --no-print-directory test-postgres SPEC=spec/store/postgres/cluster_spec.lua CUNNEKT_TEST_FAULTS=10000 POSTGRES_SECONDS=20000

TORTURE_MODULES := $(addprefix $(BUILD)/spec/,child.so preload.so rawclient.so recorder.so sqltool.so)

$(BUILD)/spec/%.so: spec/crash/c/%.c | libraries
	@mkdir -p $(@D)
	$(CC) -shared $(OWN_CFLAGS) $(LUA_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

# The same host, which breaks the promises that CRASH_BREAK names: for the negative controls.
BREAKING_HOST := $(BUILD)/breaking/bin/cunnekt
BREAKING_OBJ  := $(filter-out $(BUILD)/obj/src/store/store.o,$(CORE_OBJ)) $(filter-out $(BUILD)/obj/src/host/stop.o,$(HOST_OBJ)) \
  $(BUILD)/breaking/store.o $(BUILD)/breaking/breaking.o $(BUILD)/breaking/stop.o

$(BUILD)/breaking/store.o: src/store/store.c $(BUILD)/commands
	@mkdir -p $(@D)
	$(COMPILE) -DCNK_BREAKING -c -o $@ $<
$(BUILD)/breaking/breaking.o: src/store/breaking/breaking.c $(BUILD)/commands
	@mkdir -p $(@D)
	$(COMPILE) -DCNK_BREAKING -c -o $@ $<
$(BUILD)/breaking/stop.o: src/host/stop.c $(BUILD)/commands
	@mkdir -p $(@D)
	$(COMPILE) -DCNK_BREAKING -c -o $@ $<
$(BREAKING_HOST): $(BREAKING_OBJ)
	@mkdir -p $(@D)
	$(LINK_HOST) -o $@ $(BREAKING_OBJ) $(HOST_LIBS)
-include $(BUILD)/breaking/store.d $(BUILD)/breaking/breaking.d $(BUILD)/breaking/stop.d

# Every test is run, whatever becomes of the others. Each ends with its counts.
run_torture = status=0; for test in $(if $(TORTURE),"$(TORTURE)",$(1)); do echo "-- $$test"; $(HOST) run spec/crash/$$test || status=1; done; $(2) || status=1; exit $$status

torture-short torture: deps-test
	@$(MAKE) --no-print-directory all $(TORTURE_MODULES) $(BREAKING_HOST)
	@$(TEST_ENV) && export CUNNEKT_BREAKING_HOST="$(abspath $(BREAKING_HOST))" && $(call run_torture,$(if $(filter torture,$@),$(TORTURE_LONG),$(TORTURE_SHORT)),$(if $(TORTURE)$(filter torture-short,$@),true,$(CLUSTER_LONG)))

.PHONY: torture torture-short
