# Everything that checks the project. Each target sets up what it needs, so that it also runs on a fresh machine.

# How many spec files, compilers and linters work side by side. Of a `make -j` the number is make's own.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SIDE_BY_SIDE = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

# What the specs see. The host under test may be the sanitized one; modules for plain interpreters never are.
SPEC ?= spec
TEST_ENV = eval "$$($(MAKE) -s env)" && export LUA_CPATH="$(abspath $(BUILD))/spec/?.so;$$LUA_CPATH" && export CUNNEKT_HOST="$(abspath $(HOST))" CUNNEKT_LUA="$(LUA)"

# What the specs need in C. Never sanitized: a sanitized host takes plain modules, a plain interpreter no other.
TEST_MODULES := $(BUILD)/spec/rawclient.so $(BUILD)/spec/recorder.so $(BUILD)/spec/late_waker.so $(BUILD)/spec/sqltool.so $(BUILD)/spec/terminal.so

$(BUILD)/spec/%.so: spec/support/%.c | libraries
	@mkdir -p $(@D)
	$(CC) -shared $(OWN_CFLAGS) $(LIB_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIB_LIBS)

# The recording file system of the power-loss tests.
RECORDER_SRC := spec/crash/c/recorder.c spec/crash/c/recording_vfs.c spec/crash/c/crash_image.c
$(BUILD)/spec/recorder.so: $(RECORDER_SRC) spec/crash/c/recorder.h | libraries
	@mkdir -p $(@D)
	$(CC) -shared $(OWN_CFLAGS) $(LIB_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(RECORDER_SRC) $(LIB_LIBS)

test-modules: $(TEST_MODULES)

# The store's threads under the thread sanitizer, which takes neither Lua nor our host.
tsan: deps-build
	@$(MAKE) --no-print-directory $(BUILD)/sql_texts.c
	@mkdir -p $(BUILD)/tsan
	$(CC) $(OWN_CFLAGS) -fsanitize=thread -O1 -g $(LIB_CFLAGS) -o $(BUILD)/tsan/store_threads spec/crash/c/store_threads.c \
	  src/store/*.c src/store/sql/*.c src/store/verbs/*.c src/store/worker/*.c src/store/sqlite/*.c \
	  $(if $(POSTGRES),src/store/postgres/*.c) $(BUILD)/sql_texts.c src/base/*.c src/json/*.c \
	  $(LIB_LIBS) -lm
	rm -f $(BUILD)/tsan/*.db*
	$(BUILD)/tsan/store_threads sqlite:$(BUILD)/tsan/threads.db $(BUILD)/tsan/copy.db
	@test -z "$(POSTGRES)" || ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  spec/support/postgres.sh sh -c '$(BUILD)/tsan/store_threads "$$CUNNEKT_TEST_POSTGRES" $(BUILD)/tsan/copy.db 4000'

# Followed by the command that runs one spec file, busted's options, and the files and folders.
RUN_SPECS = $(LUA) spec/support/side_by_side.lua $(JOBS)

test: deps-test
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) all test-modules
	@$(TEST_ENV) && $(RUN_SPECS) "$(LUA) spec/support/busted.lua" $(SPEC)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || echo "cunnekt: there is no PostgreSQL here, so the store was not tested on one: make test-postgres"

# The store's suite, and specs that restart the database, each on a PostgreSQL that is started for them and ends with them; or SPEC=….
DEPS_POSTGRES := libpq-dev postgresql
POSTGRES_SECONDS := 600
POSTGRES_SPEC = $(filter-out spec,$(SPEC))
ON_POSTGRES   := timeout $(POSTGRES_SECONDS) spec/support/postgres.sh

FORWARD := $(BUILD)/spec/forward
$(FORWARD): spec/support/forward.c
	@mkdir -p $(@D)
	$(CC) $(OWN_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

test-postgres: deps-test
	@sh make/deps.sh $(DEPS_POSTGRES)
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) all test-modules $(BREAKING_HOST) $(FORWARD)
	@$(if $(POSTGRES_SPEC),true,$(TEST_ENV) && $(ON_POSTGRES) $(RUN_SPECS) "$(LUA) spec/support/busted.lua" spec/store/conformance)
	@$(TEST_ENV) && export CUNNEKT_BREAKING_HOST="$(abspath $(BREAKING_HOST))" CUNNEKT_FORWARD="$(abspath $(FORWARD))" && $(ON_POSTGRES) $(LUA) spec/support/side_by_side.lua 1 "$(LUA) spec/support/busted.lua" $(or $(POSTGRES_SPEC),spec/store/postgres)

# A plain interpreter refuses a sanitized module, so busted runs inside the sanitized host. Twice: the second time with a
# collector that never rests.
ASAN_BUILD := build-asan
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ASAN_HOST  := $(abspath $(ASAN_BUILD))/bin/cunnekt
ASAN_ENV    = export CUNNEKT_HOST="$(ASAN_HOST)" \
  ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1" \
  LSAN_OPTIONS="suppressions=$(CURDIR)/spec/support/lsan.supp:print_suppressions=0" UBSAN_OPTIONS="print_stacktrace=1"
ASAN_SPECS  = $(RUN_SPECS) "$(ASAN_HOST) run spec/support/busted.lua" --exclude-tags=packaging,long $(SPEC)

asan: deps-test
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) all test-modules
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) BUILD=$(ASAN_BUILD) SANITIZE="$(SANITIZERS)" CFLAGS="-O1 -g" host
	@$(TEST_ENV) && $(ASAN_ENV) && $(ASAN_SPECS)
	@echo "once more, with a collector that never rests"
	@$(TEST_ENV) && $(ASAN_ENV) && export CUNNEKT_TEST_GC=1 && $(ASAN_SPECS)

demo:
	@sh make/demo.sh "$(MAKE) --no-print-directory $(SIDE_BY_SIDE)" "$(abspath $(HOST))" $(DEPS_BUILD)

# Three hosts on a database that is started for them and ends with them; one of them is killed.
demo-cluster: deps-build
	@sh make/deps.sh $(DEPS_POSTGRES)
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) all
	@CUNNEKT_HOST="$(abspath $(HOST))" timeout 120 spec/support/postgres.sh sh -c 'CUNNEKT_STORE=$$CUNNEKT_TEST_POSTGRES exec sh "$$0"' "$(abspath examples/cluster/demo.sh)" </dev/null

# The picture of `cunnekt dev` in the README, from a run in a pseudo-terminal.
picture: deps-build
	@$(MAKE) --no-print-directory all
	@$(HOST) run make/picture/main.lua $(abspath $(HOST)) docs/dev.svg

# ---- lint ---------------------------------------------------------------------------------------------------------
C_FILES := $(shell find src spec -name '*.c' -o -name '*.h' | LC_ALL=C sort)

# Every linter runs, whatever the others found.
lint: deps-dev
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) --keep-going lint-lua lint-house lint-pages lint-format lint-warnings lint-cycles lint-cppcheck lint-tidy

lint-lua:
	luacheck -q lua spec examples src make

# Directions between folders, private names, the map of the folders; length of files, annotations.
lint-house:
	$(LUA) spec/lint/house.lua
	$(LUA) spec/lint/sources.lua

# Spelling and links of the pages, spelling of comments and messages.
lint-pages:
	$(LUA) spec/lint/pages/words.lua
	$(LUA) spec/lint/pages/links.lua

lint-format:
	clang-format --dry-run -Werror $(C_FILES)

format:
	clang-format -i $(C_FILES)

# Both compilers, with warnings that stop. What clang warns of does not depend on how it optimizes.
lint-warnings: lint-gcc lint-clang
lint-clang: LINT_CFLAGS = CFLAGS="-O0 -g"
lint-gcc lint-clang:
	@$(MAKE) --no-print-directory BUILD=build-lint/$(@:lint-%=%) CC=$(@:lint-%=%) WERROR=-Werror $(LINT_CFLAGS) all

# C files that use each other in a circle.
lint-cycles:
	@$(MAKE) --no-print-directory all
	@nm -A -P $(CORE_OBJ) $(HOST_OBJ) | $(LUA) spec/lint/cycles.lua

lint-cppcheck:
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppress=missingIncludeSystem -Isrc src

# A file is checked again when it, a header or the settings have changed.
lint-tidy: $(patsubst %,build-lint/tidy/%.checked,$(filter src/%.c,$(C_FILES)))
build-lint/tidy/%.checked: % .clang-tidy $(filter src/%.h,$(C_FILES))
	@mkdir -p $(@D)
	@clang-tidy --quiet --warnings-as-errors="*" $< -- -std=c11 -D_GNU_SOURCE -Isrc $(LIB_CFLAGS) >$@.part 2>/dev/null || { cat $@.part; exit 1; }
	@mv $@.part $@

help:
	@echo "make            the host at $(HOST) and the module tree at $(BUILD)/lua"
	@echo "make demo       plays a conversation between a script and a local Cunnekt"
	@echo "make demo-cluster  runs three hosts on a database of PostgreSQL, and kills one"
	@echo "make picture    draws docs/dev.svg anew, the picture of the README, from a real run"
	@echo "make deps       installs what a build needs and is missing (Debian, Ubuntu), or says what that is"
	@echo "make deps-dev   the same for test, lint and fuzz"
	@echo "make test       the specs, JOBS files at a time (all processors); SPEC=spec/base/json_spec.lua runs one"
	@echo "make test-postgres  the store's specs on a PostgreSQL of their own, which is installed when it is missing (Debian)"
	@echo "make asan       the specs inside a host with address and undefined-behaviour sanitizers"
	@echo "make fuzz       feeds the parsers what nobody would send; FUZZ_SECONDS=60 for each; make fuzz-short: 20 s"
	@echo "make tsan       the store's threads under the thread sanitizer"
	@echo "make lint       luacheck, folders, spelling, links, formatting, warnings of two compilers, circles of C files, cppcheck, clang-tidy"
	@echo "make format     formats the C files"
	@echo "make bench      measures against nginx, Bun, Node and libcurl in a quarter of an hour; make bench-deps installs those"
	@echo "make bench-dialogs  measures what open dialogs cost, ten thousand in memory and a million in the store"
	@echo "make bench-store  measures the calls a second of the store's verbs"
	@echo "make bench-postgres  measures the store on PostgreSQL beside SQLite in eight minutes, with one host and with several"
	@echo "make cost       counts the instructions of an event, a step of a dialog, a transcript and a message, and holds them to bounds (valgrind)"
	@echo "make flow       counts the Lua calls, files and moves of the same; FLOW=all lists them in order"
	@echo "make install    to PREFIX ($(PREFIX)), below DESTDIR; make uninstall takes it away again"
	@echo "make deb        a Debian package in $(DEB_BUILD); make deb-lint has lintian check it"
	@echo "make deb-try    installs it on a bare Debian, which boots in a folder, and runs a bot there as a service (root)"
	@echo "make tutorial-try  follows docs/tutorial.md there from git clone to the service, word for word (root)"
	@echo "make bare-try   both of these, side by side"
	@echo "make pages      the man pages, the completions and the unit, in $(PAGES)"
	@echo "make env        prints LUA_PATH, LUA_CPATH and PATH for a shell: eval \"\$$(make -s env)\""
	@echo "make clean"

.PHONY: demo-cluster test test-postgres test-modules asan tsan demo picture lint lint-lua lint-house lint-pages lint-format format lint-warnings lint-gcc lint-clang lint-cycles lint-cppcheck lint-tidy help
