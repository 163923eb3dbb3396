# What has to be installed, by what it is for. `make demo` and `make test` install their own part when it is missing.
# pkg-config answers are read when make starts, so whoever needs both installs first and then calls make again.

# libraries, compiler and interpreter: enough for `make` and `make demo`. libedit is looked for by `cunnekt dev` only, as it runs
DEPS_BUILD := gcc libc6-dev pkg-config lua5.4 liblua5.4-dev libuv1-dev libcurl4-openssl-dev libmicrohttpd-dev libssl-dev libsqlite3-dev libutf8proc-dev libpq-dev \
  lua-cjson lua-cjson-dev lua-argparse ca-certificates tzdata libedit2
# what the specs run beside our own programs: `make test` and `make asan`
DEPS_TEST := lua-busted luarocks openssl procps
# `make lint`
DEPS_LINT := lua-check lintian cppcheck clang clang-tidy clang-format hunspell hunspell-en-gb
# `make fuzz`, beside clang
DEPS_FUZZ := libclang-rt-dev

deps deps-build: ; @sh make/deps.sh $(DEPS_BUILD)
deps-dev: ; @sh make/deps.sh $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_LINT) $(DEPS_FUZZ)
deps-test: ; @sh make/deps.sh $(DEPS_BUILD) $(DEPS_TEST)
.PHONY: deps deps-dev deps-build deps-test
