# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The AppArmor profile in force: the plugin starts, reads the journal, names, writes, rotates, and nothing is denied.
# shellcheck source=tests/vm/guests/common.sh
. ./common.sh

install_package ./audisp-maldito_*.deb
[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ]
cp /usr/share/audisp-maldito/apparmor/usr.sbin.audisp-maldito /etc/apparmor.d/
apparmor_parser -r /etc/apparmor.d/usr.sbin.audisp-maldito
systemctl restart auditd
until_true 20 running
grep -q '^audisp-maldito (enforce)' "/proc/$(plugin_pid)/attr/current"
maldito rules install >/dev/null
as core 'cat /etc/hostname'
until_true 60 alices /usr/bin/cat
kill -HUP "$(cat /run/auditd.pid)"
as core 'ls /'
until_true 60 alices /usr/bin/ls
if grep -a 'apparmor="DENIED".*audisp-maldito' /var/log/audit/audit.log; then
    exit 1
fi
echo "named under an enforced profile, nothing denied"
