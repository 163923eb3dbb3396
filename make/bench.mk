# `make bench` measures against others in one interleaved run, and writes a table and a chart into the build folder.
# The others come from Debian and the npm registry and stay outside the repository.
BENCH_DIR    := $(BUILD)/bench
BENCH_ROUNDS ?= 5
BENCH_ONLY   ?=
DEPS_BENCH   := nginx-light libnginx-mod-http-lua lua-cjson wrk util-linux

$(BENCH_DIR)/drive: $(wildcard spec/bench/drive/*.c spec/bench/drive/*.h)
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^)

$(BENCH_DIR)/bare_multi: spec/bench/bare_multi.c | libraries
	@mkdir -p $(@D)
	$(CC) -O2 -std=c11 -D_GNU_SOURCE $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -lcurl

# Node is taken as it is found; Debian's otherwise.
bench-deps: deps-build
	@command -v node >/dev/null && command -v npm >/dev/null || sh make/deps.sh nodejs npm
	@sh make/deps.sh $(DEPS_BENCH)
	@mkdir -p $(BENCH_DIR)
	@sh make/bench_deps.sh $(BENCH_DIR)

# What fills a store looks for the specs' tools from another folder.
BENCH_ENV = $(TEST_ENV) && export LUA_PATH="$(CURDIR)/?.lua;$$LUA_PATH"

bench: all test-modules $(BENCH_DIR)/drive $(BENCH_DIR)/bare_multi
	@$(BENCH_ENV) && $(LUA) spec/bench/run.lua $(abspath $(BUILD)) $(BENCH_ROUNDS) $(BENCH_ONLY)

# What open dialogs cost, in memory and in the store; needs none of the others.
bench-dialogs: deps-build
	@$(MAKE) --no-print-directory all test-modules
	@$(BENCH_ENV) && $(LUA) spec/bench/dialogs.lua $(HOST)

# How many calls a second the store's verbs take; STORE=sqlite:FILE or memory:, all by default.
bench-store: deps-build
	@$(MAKE) --no-print-directory all test-modules
	@$(BENCH_ENV) && $(LUA) spec/store/conformance/bench.lua $(STORE)

# The store on a PostgreSQL of its own, which syncs, beside SQLite; needs none of the others. BENCH_ONLY="closed seen" takes parts.
bench-postgres: deps-build
	@sh make/deps.sh $(DEPS_POSTGRES) util-linux
	@$(MAKE) --no-print-directory all test-modules $(BENCH_DIR)/drive
	@$(BENCH_ENV) && exec spec/support/postgres.sh --durable $(LUA) spec/bench/postgres/run.lua $(abspath $(BUILD)) $(if $(filter file,$(origin BENCH_ROUNDS)),3,$(BENCH_ROUNDS)) $(BENCH_ONLY)

.PHONY: bench bench-postgres bench-dialogs bench-store bench-deps
