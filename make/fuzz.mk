# `make fuzz` fuzzes every parser for FUZZ_SECONDS and then shows that each target finds a fault that was planted for it;
# `make fuzz-short` does so in about three minutes. clang is needed. The first inputs are in
# spec/fuzz/corpus, what is found is kept in the build folder. One target alone: make fuzz FUZZ=webhook.
FUZZ_SECONDS ?= 60
FUZZ_SEED    ?= 0
FUZZ_CC      ?= clang
FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_FLAGS   := -std=c11 -D_GNU_SOURCE -g -O1 -Isrc -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_OBJ     := $(CORE_SRC:%.c=$(FUZZ_BUILD)/obj/%.o) $(FUZZ_BUILD)/obj/sql_texts.o $(FUZZ_BUILD)/obj/spec/support/rawclient.o \
  $(FUZZ_BUILD)/obj/spec/fuzz/c/reader.o
FUZZ_COMPILE  = $(FUZZ_CC) $(FUZZ_FLAGS) -MMD -MP $(LIB_CFLAGS)
FUZZ_LINK     = $(FUZZ_CC) -fsanitize=fuzzer,address,undefined
FUZZ_LIBS     = $(CJSON_STATIC) $(LUA_LIBS) $(LIB_LIBS) -lm -ldl

# The functions in whose places spec/fuzz/c/planted.c has faulty ones.
FUZZ_PLANTED := cnk_identity_is_number cnk_jsonscan_run cnk_base64_decode cnk_framing_is_value cnk_reply_may_end

$(FUZZ_BUILD)/obj/%.o: %.c | libraries
	@mkdir -p $(@D)
	@$(FUZZ_COMPILE) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
$(FUZZ_BUILD)/obj/sql_texts.o: $(BUILD)/sql_texts.c
	@mkdir -p $(@D)
	@$(FUZZ_COMPILE) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
# Not measured: what is new in these is not new in the program.
$(FUZZ_BUILD)/obj/driver.o: spec/fuzz/c/fuzz.c | libraries
	@mkdir -p $(@D)
	@$(FUZZ_COMPILE) -fsanitize=address,undefined -c -o $@ $<
$(FUZZ_BUILD)/obj/planted_driver.o: spec/fuzz/c/fuzz.c | libraries
	@mkdir -p $(@D)
	@$(FUZZ_COMPILE) -DCNK_FUZZ_PLANTED -fsanitize=address,undefined -c -o $@ $<
$(FUZZ_BUILD)/obj/planted.o: spec/fuzz/c/planted.c | libraries
	@mkdir -p $(@D)
	@$(FUZZ_COMPILE) -fsanitize=address,undefined -c -o $@ $<

$(FUZZ_BUILD)/fuzz: $(FUZZ_OBJ) $(FUZZ_BUILD)/obj/driver.o
	$(FUZZ_LINK) -o $@ $(FUZZ_OBJ) $(FUZZ_BUILD)/obj/driver.o $(FUZZ_LIBS)
$(FUZZ_BUILD)/planted: $(FUZZ_OBJ) $(FUZZ_BUILD)/obj/planted_driver.o $(FUZZ_BUILD)/obj/planted.o
	$(FUZZ_LINK) -o $@ $(FUZZ_OBJ) $(FUZZ_BUILD)/obj/planted_driver.o $(FUZZ_BUILD)/obj/planted.o \
	  $(FUZZ_PLANTED:%=-Wl,--wrap=%) $(FUZZ_LIBS)

fuzz-programs: $(FUZZ_BUILD)/fuzz $(FUZZ_BUILD)/planted

fuzz-short: FUZZ_SECONDS := 20
fuzz-short: FUZZ_SEED := 1
fuzz fuzz-short: deps-build
	@command -v $(FUZZ_CC) >/dev/null || { echo "cunnekt: $(FUZZ_CC) is missing; on Debian: apt-get install clang" >&2; exit 2; }
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) all fuzz-programs
	@LSAN_OPTIONS="suppressions=$(CURDIR)/spec/support/lsan.supp:print_suppressions=0" \
	  $(HOST) run spec/fuzz/run.lua --build $(FUZZ_BUILD) --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) $(FUZZ)

-include $(wildcard $(FUZZ_BUILD)/obj/*.d $(FUZZ_BUILD)/obj/*/*.d $(FUZZ_BUILD)/obj/*/*/*.d $(FUZZ_BUILD)/obj/*/*/*/*.d $(FUZZ_BUILD)/obj/*/*/*/*/*.d)
.PHONY: fuzz fuzz-short fuzz-programs
