#!/bin/sh
# SPDX-License-Identifier: MIT
# What a new user does on the machine, and what must be so after each step; run.sh starts it when the system is up.
exec >/root/log 2>&1
failed() {
  echo "FAILED: $*"
  journalctl -u cunnekt-shop --no-pager
  echo "0 passed, 1 failed"
  exit 1
}
# The line of standard input must be there; the text goes on to the log.
says() { tee /tmp/said; grep -q -- "$1" /tmp/said || failed "it does not say: $1"; }
wait_for() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do "$@" && return; sleep 1; done
  failed "$*"
}
export HOME=/root
cd /root || exit 1

# A person has these: sudo asks for nothing, and the editor fills in what the comments ask for.
cat > /usr/local/bin/sudo <<'END'
#!/bin/sh
exec "$@"
END
cat > /usr/local/bin/editor <<'END'
#!/bin/sh
sed -i 's/^CUNNEKT_API_KEY=$/CUNNEKT_API_KEY=key/; s/^CUNNEKT_WEBHOOK_SECRET=$/CUNNEKT_WEBHOOK_SECRET=secret/' "$1"
END
chmod +x /usr/local/bin/sudo /usr/local/bin/editor

echo "== begin"
cunnekt new shop | says 'shop/README.md'
cd shop || exit 1
# The commands of README.md under a heading.
commands() { awk -v wanted="## $1" '/^## /{ on = $0 == wanted } /^ *```/{ code = on && /```sh/; next } on && code' README.md; }

echo "== a mistake"
echo 'bot:on("txt", function() end)' > wrong.lua
cat bot.lua wrong.lua > broken.lua
cunnekt check broken.lua | says 'txt'

echo "== try it"
commands "Try it" > /tmp/try
printf 'hi\n/button hours\n' | sh -e /tmp/try | says 'We are open from 9 to 18'

echo "== put it into service"
commands "Put it into service" > /tmp/service
sh -ex /tmp/service || failed "a command of README.md"
wait_for cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/secret
cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/wrong 2>&1 | says 'answered 404'

echo "== look after it"
commands "Look after it" > /tmp/care
sh -ex /tmp/care 2>&1 | says 'a host runs on the store'
grep -q listening /tmp/said || failed "the log is not shown"
[ -s /var/lib/cunnekt-shop/copy.db ] || failed "there is no copy"
cunnekt doctor --store sqlite:/var/lib/cunnekt-shop/copy.db | says 'integrity was checked and is sound'
systemctl restart cunnekt-shop
wait_for cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/secret

echo "== the package's own unit"
systemctl stop cunnekt-shop
install -D -m 644 bot.lua /srv/bot/bot.lua
install -m 600 /etc/cunnekt-shop.env /etc/cunnekt.env
systemctl enable --now cunnekt
wait_for cunnekt trigger text --text hi --webhook http://127.0.0.1:8080/webhook/secret
cunnekt doctor --store sqlite:/var/lib/cunnekt/bot.db | says 'a host runs on the store'

echo "== take it away"
apt-get purge -q -y cunnekt >/dev/null || failed "apt-get purge"
systemctl is-active --quiet cunnekt && failed "the service goes on without its program"
left=$(find /usr /lib/systemd /etc -xdev -name '*cunnekt*' -not -name '*cunnekt-shop*' -not -name cunnekt.env)
[ -z "$left" ] || failed "these are left: $left"
[ -s /var/lib/cunnekt/bot.db ] || failed "the customers' messages are gone"
echo "1 passed, 0 failed"
