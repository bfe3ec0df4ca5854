# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# `maldito doctor` on a real machine: all well after an installation, then one fault after the other, each found and gone
# again when it is mended. What cannot be brought about here is in tests/faults.py.
# shellcheck source=tests/vm/guests/common.sh
. ./common.sh

conf=/etc/audit/plugins.d/audisp-maldito.conf
config=/etc/audisp-maldito/config.yaml
ssh_config=/etc/ssh/sshd_config.d/00-fault.conf

# finds CHECK LEVEL: does doctor say so now
finds() {
    maldito doctor --json >/tmp/found || true
    python3 - "$1" "$2" <<'PYTHON'
import json, sys
check, level = sys.argv[1:]
found = json.load(open("/tmp/found"))["findings"]
sys.exit(not any(f["check"] == check and f["level"] == level for f in found))
PYTHON
}
# fault CHECK LEVEL BREAK MEND
fault() {
    bash -c "$3" >/dev/null
    until_true 20 finds "$1" "$2" || { maldito doctor; return 1; }
    bash -c "$4" >/dev/null
    # Mended, it is found no longer.
    finds "$1" "$2" && { maldito doctor; return 1; }
    echo "$1 $2: found and mended"
}

install_package ./audisp-maldito_*.deb
maldito rules install >/dev/null
finds journal-rate-limit amber
systemctl daemon-reload
systemctl reload ssh
until_true 20 finds journal-rate-limit green
as core true
until_true 60 alices bash
maldito doctor >/tmp/page && code=0 || code=$?
cat /tmp/page
[ "$code" = 1 ]
grep -E '^(RED|\?)' /tmp/page && exit 1

fault audit-enabled red 'auditctl -e 0' 'auditctl -e 1'
fault audit-backlog red 'auditctl -b 64' 'auditctl -b 8192'
fault rules red 'auditctl -D' 'maldito rules install'
fault rules amber 'auditctl -D -k maldito-sshd' 'maldito rules install'
fault rules-shadowed red 'auditctl -A never,task' 'auditctl -d never,task'
fault rules amber 'mkdir /home/late; echo late:x:1009:1009::/home/late:/bin/bash >>/etc/passwd' \
    'sed -i /^late/d /etc/passwd; maldito rules install'
fault plugin-program red 'chmod 775 /usr/sbin/audisp-maldito' 'chmod 755 /usr/sbin/audisp-maldito'
fault plugin-file red "sed -i 's/active = yes/active=yes/' $conf" "sed -i 's/active=yes/active = yes/' $conf"
fault plugin-file red "sed -i 's/active = yes/active = no/' $conf" "sed -i 's/active = no/active = yes/' $conf"
fault plugin-file red "chown core $conf" "chown root $conf"
fault plugin-twice amber "cp $conf /etc/audit/plugins.d/copy.conf" 'rm /etc/audit/plugins.d/copy.conf'
fault config red "echo outptu: /x >>$config" "sed -i /outptu/d $config"
fault sshd-loglevel red "echo LogLevel QUIET >$ssh_config" "rm $ssh_config"
fault sshd-usepam red "echo UsePAM no >$ssh_config" "rm $ssh_config"
fault sshd-factors amber "echo AuthenticationMethods publickey,password >$ssh_config" "rm $ssh_config"
fault sshd-cas amber 'chmod 666 /etc/ssh/user_ca.pub' 'chmod 644 /etc/ssh/user_ca.pub'
fault pam-loginuid red "sed -i s/pam_loginuid/pam_permit/ /etc/pam.d/sshd" "sed -i '/session *required *pam_permit/s/permit/loginuid/' /etc/pam.d/sshd"
fault engine-groups red 'groupadd docker; usermod -aG docker core' 'groupdel docker'
fault journal-readable red 'gpasswd -d audisp-maldito systemd-journal; gpasswd -d audisp-maldito adm' \
    'usermod -aG systemd-journal,adm audisp-maldito'
fault output-directory red 'chmod 770 /var/log/audisp-maldito' 'chmod 750 /var/log/audisp-maldito'
fault output-space red 'mount -t tmpfs -o size=1M t /var/log/audisp-maldito' 'umount /var/log/audisp-maldito'
fault state-directory amber 'chmod 755 /var/lib/audisp-maldito' 'chmod 700 /var/lib/audisp-maldito'

# A second sshd with a CA of its own.
ssh-keygen -q -t ed25519 -N '' -f /root/other
cp /root/other.pub /etc/ssh/other_ca.pub
printf 'Port 2222\nTrustedUserCAKeys /etc/ssh/other_ca.pub\nPidFile /run/second.pid\n' >/etc/ssh/second_config
# shellcheck disable=SC2016  # for the shell that mends
fault sshd-cas red '/usr/sbin/sshd -f /etc/ssh/second_config' 'kill $(cat /run/second.pid)'

# A session without an audit user id, and one whose account has a Match block of its own.
sed -i s/pam_loginuid/pam_permit/ /etc/pam.d/sshd
as core 'exec tail -f /dev/null' &
until_true 20 finds session-loginuid red
kill %1
sed -i '/session *required *pam_permit/s/permit/loginuid/' /etc/pam.d/sshd
echo "session-loginuid red: found"
printf 'Match User core\nLogLevel ERROR\n' >"$ssh_config"
as core 'exec tail -f /dev/null' &
until_true 20 finds sshd-loglevel red
kill %1
rm "$ssh_config"
echo "sshd-loglevel red for one account: found"

fault plugin red 'systemctl stop auditd' 'systemctl start auditd'
until_true 20 running
until_true 20 finds plugin green
fault auditd red 'systemctl stop auditd' 'systemctl start auditd'
echo "done"
