# `make deb` builds a Debian package in the build folder, with dpkg's own tools: dpkg-buildflags, dpkg-shlibdeps, dpkg-deb.
# Whose package it is say DEBFULLNAME and DEBEMAIL, as for other tools of Debian.
DEB_BUILD    := build-deb
DEB_REVISION ?= 1
DEB_VERSION   = $(shell sed -n 's/.*[{ ]version = "\([^"]*\)".*/\1/p' lua/cunnekt/init.lua)-$(DEB_REVISION)
DEPS_DEB     := dpkg-dev binutils

# Where Debian has these. The multiarch name is the compiler's.
deb_arch      = $(shell dpkg-architecture -qDEB_HOST_MULTIARCH)
DEB_FOLDERS   = PREFIX=/usr LIBDIR=/usr/lib/$(deb_arch)/lua/5.4 UNITDIR=/lib/systemd/system ZSHDIR=/usr/share/zsh/vendor-completions
deb_flags     = $(shell DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get $(1))
DEB_FLAGS     = CPPFLAGS="$(call deb_flags,CPPFLAGS)" CFLAGS="$(call deb_flags,CFLAGS)" LDFLAGS="$(call deb_flags,LDFLAGS)"

deb: deps-deb
	@rm -rf $(DEB_BUILD)/root
	@$(MAKE) --no-print-directory --silent $(SIDE_BY_SIDE) BUILD=$(DEB_BUILD) $(DEB_FLAGS) all
	@$(MAKE) --no-print-directory --silent BUILD=$(DEB_BUILD) $(DEB_FLAGS) DESTDIR=$(abspath $(DEB_BUILD))/root $(DEB_FOLDERS) install >/dev/null
	@sh make/deb/build.sh $(DEB_BUILD) $(DEB_VERSION)

# What Debian's own checker says of it. A warning is a failure, as in `make lint`. A local build has nobody's address.
DEB_NO_ADDRESS = $(if $(DEBEMAIL),,--suppress-tags bogus-mail-host$(comma)bogus-mail-host-in-debian-changelog)
comma := ,
deb-lint: deb
	@sh make/deps.sh lintian
	@$(MAKE) --no-print-directory lint-deb
lint-deb:
	@lintian --allow-root --fail-on error,warning $(DEB_NO_ADDRESS) $(DEB_BUILD)/*.deb

# The package on a bare Debian that boots in a folder: from `cunnekt new` to the service, and away again. For root, with a
# mirror of Debian.
deb-try: deb
	@sh make/deps.sh mmdebstrap systemd-container
	@sh spec/project/bare_debian/run.sh $(DEB_BUILD)/*.deb

# The tutorial on a bare Debian, from `git clone` of the last commit to a bot behind a proxy: its commands, word for word. For root, too.
tutorial-try:
	@sh make/deps.sh mmdebstrap systemd-container git
	@sh spec/project/bare_debian/tutorial.sh

# Both, on copies of one system: a part of what continuous integration runs.
bare-try:
	@sh spec/project/bare_debian/both.sh "$(MAKE) --no-print-directory"

deps-deb: ; @sh make/deps.sh $(DEPS_BUILD) $(DEPS_DEB)
.PHONY: deb deb-try tutorial-try bare-try deb-lint lint-deb deps-deb
