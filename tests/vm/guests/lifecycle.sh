# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Edited conffiles over an upgrade, a reboot, remove, purge. In old/ is the same package with a lower revision.
# shellcheck source=tests/vm/guests/common.sh
. ./common.sh

config=/etc/audisp-maldito/config.yaml
conf=/etc/audit/plugins.d/audisp-maldito.conf

if [ ! -e /root/rebooted ]; then
    install_package ./old/audisp-maldito_*.deb
    maldito rules install network >/dev/null
    echo "# edited by the administrator" >>"$config"
    echo "# edited by the administrator" >>"$conf"
    install_package ./audisp-maldito_*.deb
    tail -n 1 "$config" | grep -q '^# edited'
    tail -n 1 "$conf" | grep -q '^# edited'
    running
    cp /proc/sys/kernel/random/boot_id /root/rebooted
    echo "edited files are kept; rebooting"
    exit 194
fi

cmp -s /root/rebooted /proc/sys/kernel/random/boot_id && exit 1
until_true 30 running
as core 'cat /etc/hostname'
until_true 60 alices /usr/bin/cat
maldito rules check
whole
echo "after a reboot the plugin runs and the rules are loaded"

# Removed while in use: nothing of it runs, nothing of others has changed.
auditctl -a always,exit -F path=/etc/hosts -F perm=wa -F key=theirs
apt-get remove -y -q audisp-maldito >/tmp/apt 2>&1 || { cat /tmp/apt; exit 1; }
until_true 5 gone
[ ! -e /etc/audit/rules.d/90-audisp-maldito.rules ]
[ "$(auditctl -l | grep -c maldito- || true)" = 0 ]
[ "$(auditctl -l | grep -c theirs)" = 1 ]
tail -n 1 "$config" | grep -q '^# edited'
echo "removed"

apt-get purge -y -q audisp-maldito >/tmp/apt 2>&1 || { cat /tmp/apt; exit 1; }
left=$(find / -xdev \( -path /run/payload -o -path /proc -o -path /var/lib/apt -o -path /tmp \) -prune -o \
    -name '*maldito*' -print | grep -v '^/root/' || true)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
[ "$(journalctl -q -t audisp-maldito -o cat | grep -c 'ended by' || true)" = 0 ]
echo "purged"
