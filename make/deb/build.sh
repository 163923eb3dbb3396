#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh FOLDER VERSION: makes FOLDER/cunnekt_VERSION_ARCHITECTURE.deb of what is installed below FOLDER/root.
set -eu
umask 022
folder=$1 version=$2
root=$folder/root
doc=$root/usr/share/doc/cunnekt
here=$(dirname "$0")
architecture=$(dpkg --print-architecture)
maintainer="${DEBFULLNAME:-Local build} <${DEBEMAIL:-nobody@$(hostname)}>"
# Built from the same commit it is the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")

# ---- as Debian's policy wants the files ----
strip --remove-section=.comment --remove-section=.note --strip-unneeded "$root/usr/bin/cunnekt" "$root"/usr/lib/*/lua/5.4/cunnekt/core.so
gzip -9n "$root"/usr/share/man/man?/*
rm "$doc/LICENSE"
mv "$doc/CHANGELOG.md" "$doc/changelog"
cat > "$doc/changelog.Debian" <<END
cunnekt ($version) unstable; urgency=medium

  * Built from the sources.

 -- $maintainer  $date
END
gzip -9n "$doc/changelog" "$doc/changelog.Debian"
cat > "$doc/copyright" <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: cunnekt

Files: *
Copyright: $(sed -n 's/^Copyright (c) //p' LICENSE)
License: Expat
$(sed -n '/^Permission/,$p' LICENSE | sed 's/^$/./; s/^/ /')
END

# Nobody asked Debian for the package.
mkdir -p "$root/usr/share/lintian/overrides"
echo 'cunnekt: initial-upload-closes-no-bugs' > "$root/usr/share/lintian/overrides/cunnekt"

# ---- what dpkg has to know ----
rm -rf "$root/DEBIAN" "$folder/debian"
mkdir -p "$root/DEBIAN" "$folder/debian"
# dpkg-shlibdeps looks for the source package that this is none of.
printf 'Source: cunnekt\n\nPackage: cunnekt\nArchitecture: any\n' > "$folder/debian/control"
libraries=$(cd "$folder" && dpkg-shlibdeps -O --ignore-missing-info root/usr/bin/cunnekt root/usr/lib/*/lua/5.4/cunnekt/core.so 2>/dev/null |
  sed -n 's/^shlibs:Depends=//p')
cat > "$root/DEBIAN/control" <<END
Package: cunnekt
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -k -s "$root/usr" | cut -f1)
Depends: $libraries, ca-certificates, tzdata
Recommends: lua-cjson, libedit2
Suggests: lua5.4
Section: net
Priority: optional
Homepage: https://www.cunnekt.com
Description: WhatsApp automation in Lua, through Cunnekt
 A bot host and a client library. A script in Lua 5.4 says what to do when a
 customer writes, taps a button or sends a file; the host takes webhooks in,
 stores each before it answers, runs the script's handlers in order for each
 customer, and sends what they say.
 .
 The module for other programs needs lua-cjson.
END
(cd "$root" && find ./* -path ./DEBIAN -prune -o -type f -print | LC_ALL=C sort | sed 's|^\./||' | xargs md5sum) > "$root/DEBIAN/md5sums"
for script in postinst prerm postrm; do
  install -m 755 "$here/$script" "$root/DEBIAN/$script"
done

rm -f "$folder"/*.deb
dpkg-deb --root-owner-group --build "$root" "$folder/cunnekt_${version}_$architecture.deb" >/dev/null
echo "built $folder/cunnekt_${version}_$architecture.deb"
