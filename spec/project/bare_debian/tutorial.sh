#!/bin/sh
# SPDX-License-Identifier: MIT
# tutorial.sh: follows docs/tutorial.md on a bare Debian, as a user with sudo and nothing else: clone, make demo, make install, a bot, its
# mistakes, its test, a service, a public address. What is there is the last commit. Nothing is installed by hand but what a person
# brings: an account, an editor, and a certificate, for which certbot would need the internet. See system.sh, boot.sh and follow.lua.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sources=$(cd "$here/../../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
root=$folder/root home=/home/asha

echo "== the tutorial on a bare Debian"
sh "$here/system.sh" "$root"

# ---- what a person brings ----
chroot "$root" useradd --create-home --shell /bin/bash --groups sudo asha
echo 'asha ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/asha"
echo 'APT::Get::Assume-Yes "true";' > "$root/etc/apt/apt.conf.d/90-yes"
echo '127.0.0.1 localhost debian bot.example.com' > "$root/etc/hosts"
echo debian > "$root/etc/hostname"
cat > "$root/usr/local/bin/editor" <<'END'
#!/bin/sh
case $1 in
*.env) sed -i 's/^CUNNEKT_API_KEY=$/CUNNEKT_API_KEY=key-of-the-api/; s/^CUNNEKT_WEBHOOK_SECRET=$/CUNNEKT_WEBHOOK_SECRET=SECRET/' "$1" ;;
*) cp /tmp/content "$1" ;;
esac
END
cat > "$root/usr/local/bin/certbot" <<'END'
#!/bin/sh
set -e
[ "$1 $2" = "--nginx -d" ]
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$3" -addext "subjectAltName=DNS:$3" \
  -keyout /etc/ssl/private/bot.pem -out /usr/local/share/ca-certificates/bot.crt 2>/dev/null
update-ca-certificates >/dev/null 2>&1
sed -i 's|^  listen 80;|&\n  listen 443 ssl;\n  ssl_certificate /usr/local/share/ca-certificates/bot.crt;\n  ssl_certificate_key /etc/ssl/private/bot.pem;|' \
  /etc/nginx/sites-available/bot
nginx -s reload
END
chmod 755 "$root/usr/local/bin/editor" "$root/usr/local/bin/certbot"
git -C "$sources" bundle create --quiet "$root/cunnekt.bundle" HEAD
cp "$here/follow.lua" "$sources/spec/support/tutorial.lua" "$root/opt/"

# ---- section 1, with the network: build and install. And what section 6 installs ----
cat > "$root/opt/build.sh" <<'END'
set -e
# Line by line the commands of the first blocks, up to `cunnekt new`.
page=$1 passed=0
awk '/^```/{ on = !on && $0 == "```sh"; next } /^\$ cunnekt new/{ exit } on' "$page" > /tmp/commands
echo "   commands: $(tr '\n' ';' < /tmp/commands)"
while read -r line; do
  echo "     \$ $line"
  case $line in
  "cd cunnekt") git clone --quiet /cunnekt.bundle cunnekt; cd cunnekt ;;
  "cd "*) cd "${line#cd }" ;;
  # In a pseudo-terminal, as a person sees it.
  "make demo") script -qec "make demo" /tmp/demo </dev/null >/dev/null || { cat /tmp/demo; exit 1; }
    grep -q 'docs/tutorial.md' /tmp/demo
    if grep -q -e ' -c -o ' -e 'Setting up' /tmp/demo; then echo "FAILED: make demo shows the compiler, or apt"; exit 1; fi
    sed 's/\r$//' /tmp/demo | tr '\r' '\n' | grep -v -e '^building.* of ' -e '^Script ' ;;
  *) sh -c "$line" > /tmp/said 2>&1 </dev/null || { cat /tmp/said; exit 1; } ;;
  esac
  passed=$((passed + 1))
  echo "$passed" > /var/tmp/passed
done < /tmp/commands
sh -c "$(grep '^sudo apt-get install nginx' "$page")" > /tmp/said 2>&1 </dev/null || { cat /tmp/said; exit 1; }
END
cp "$sources/docs/tutorial.md" "$root/opt/"
echo "== as a new user: clone, make demo, make install"
systemd-nspawn --quiet --directory="$root" --hostname=debian --register=no --keep-unit --console=pipe --user=asha --chdir=$home \
  sh /opt/build.sh /opt/tutorial.md || { echo "FAILED: section 1"; echo "0 passed, 1 failed"; exit 1; }

# ---- the rest, booted, without a network ----
echo "== booted: the commands of the tutorial"
sh "$here/boot.sh" "$root" /opt/followed User=asha WorkingDirectory=$home Environment=HOME=$home \
  "ExecStart=/usr/bin/lua5.4 /opt/follow.lua $home/cunnekt/docs/tutorial.md" StandardOutput=file:/opt/followed StandardError=inherit
