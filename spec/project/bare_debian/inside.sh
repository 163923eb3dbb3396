#!/bin/sh
# SPDX-License-Identifier: MIT
# What a new user does on the machine, and what must be so after each step; run.sh starts it when the system is up.
exec >/root/log 2>&1
passed=0
ok() { passed=$((passed + 1)); }
failed() {
  echo "FAILED: $*"
  journalctl -u cunnekt-shop --no-pager
  echo "$passed passed, 1 failed"
  exit 1
}
# says TEXT COMMAND …: the text must be in what the command prints, which goes on to the log.
says() {
  text=$1
  shift
  "$@" >/tmp/said 2>&1
  cat /tmp/said
  grep -q -- "$text" /tmp/said || failed "'$*' does not say: $text"
  ok
}
does() { "$@" || failed "$*"; ok; }
wait_for() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do "$@" && ok && return; sleep 1; done
  failed "$*"
}
export HOME=/root
cd /root || exit 1

# A person has an editor, which fills in what the comments ask for.
cat > /usr/local/bin/editor <<'END'
#!/bin/sh
sed -i 's/^CUNNEKT_API_KEY=$/CUNNEKT_API_KEY=key/; s/^CUNNEKT_WEBHOOK_SECRET=$/CUNNEKT_WEBHOOK_SECRET=secret/' "$1"
END
chmod +x /usr/local/bin/editor

echo "== begin"
says 'shop/README.md' cunnekt new shop
cd shop || exit 1
# The commands of README.md under a heading.
commands() { awk -v wanted="## $1" '/^## /{ on = $0 == wanted } /^ *```/{ code = on && /```sh/; next } on && code' README.md; }

echo "== a mistake"
echo 'bot:on("txt", function() end)' > wrong.lua
cat bot.lua wrong.lua > broken.lua
says 'txt' cunnekt check broken.lua

echo "== try it"
commands "Try it" > /tmp/try
printf 'hi\n/button hours\n' > /tmp/typed
says 'We are open from 9 to 18' sh -e /tmp/try < /tmp/typed

echo "== put it into service"
commands "Put it into service" > /tmp/service
does sh -ex /tmp/service
wait_for cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/secret
says 'answered 404' cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/wrong

echo "== look after it"
commands "Look after it" > /tmp/care
says 'a host runs on the store' sh -ex /tmp/care
does grep -q listening /tmp/said # the log is shown
does test -s /var/lib/cunnekt-shop/copy.db
says 'integrity was checked and is sound' cunnekt doctor --store sqlite:/var/lib/cunnekt-shop/copy.db
systemctl restart cunnekt-shop
wait_for cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/secret

echo "== the package's own unit"
systemctl stop cunnekt-shop
install -D -m 644 bot.lua /srv/bot/bot.lua
install -m 600 /etc/cunnekt-shop.env /etc/cunnekt.env
does systemctl enable --now cunnekt
wait_for cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/secret
says 'a host runs on the store' cunnekt doctor --store sqlite:/var/lib/cunnekt/bot.db

echo "== take it away"
does apt-get purge -q -y cunnekt >/dev/null
systemctl is-active --quiet cunnekt && failed "the service goes on without its program"
left=$(find /usr /lib/systemd /etc -xdev -name '*cunnekt*' -not -name '*cunnekt-shop*' -not -name cunnekt.env)
[ -z "$left" ] || failed "these are left: $left"
ok
does test -s /var/lib/cunnekt/bot.db # the customers' messages are there
echo "$passed passed, 0 failed"
