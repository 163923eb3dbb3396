# `make fuzz` runs each libFuzzer target for FUZZ_SECONDS (clang needed; the inputs found are kept in the build folder).
FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang
FUZZ_FLAGS   := -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Isrc

# What a target needs of src/, beside spec/fuzz/<target>_fuzz.c; its first inputs are the files of <target>_SEEDS.
FUZZ_TARGETS  := webhook
webhook_FUZZ  := $(wildcard src/bind/json.c src/bind/webhook/*.c src/json/scan.c src/base/utf8.c src/whatsapp/filename.c)
webhook_SEEDS := spec/fixtures/webhooks

$(BUILD)/fuzz/%: spec/fuzz/%_fuzz.c FORCE | libraries
	@mkdir -p $(@D) $@.corpus
	$(FUZZ_CC) $(FUZZ_FLAGS) $(LIB_CFLAGS) -o $@ $< $($*_FUZZ) $(CJSON_STATIC) $(LUA_LIBS) -lm -ldl

fuzz: $(FUZZ_TARGETS:%=fuzz-%)

fuzz-%: $(BUILD)/fuzz/%
	$< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/ \
	  -dict=spec/fuzz/$*.dict $<.corpus $($*_SEEDS)

FORCE:
.PHONY: fuzz FORCE
.PRECIOUS: $(BUILD)/fuzz/%
