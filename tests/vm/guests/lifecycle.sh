# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Upgrade and downgrade with a live session, edited conffiles, reboot, remove, purge. *~1_*.deb stands beside *.deb: the
# same with a lower revision.
# shellcheck source=tests/vm/guests/common.sh
. ./common.sh

new=$(ls ./audisp-maldito_*.deb)
old=$(ls ./old/audisp-maldito_*.deb)
config=/etc/audisp-maldito/config.yaml
conf=/etc/audit/plugins.d/audisp-maldito.conf

# Everything that audit.log has of alice's sessions since $1 is told exactly once, and as hers.
whole() {
    python3 - <<'PYTHON'
import glob, json, re, sys
documents = [json.loads(line) for line in open("/var/log/audisp-maldito/events.jsonl")]
told = [d for d in documents if d["type"] in ("UserAction", "SystemAction")]
key = lambda d: (d["metadata"]["extra"].get("bootId"), d["metadata"]["auditId"])
logins = {(d["metadata"]["extra"]["bootId"], d["metadata"]["extra"]["session"]) for d in documents
          if d["type"] == "UserLogin" and "session" in d["metadata"]["extra"]}
boot = open("/proc/sys/kernel/random/boot_id").read().strip().replace("-", "")
started = float(open("/proc/stat").read().split("btime ")[1].split()[0])
wanted = {}
for name in glob.glob("/var/log/audit/audit.log*"):
    for line in open(name, errors="replace"):
        line = line.partition("\x1d")[0]
        stamp = re.search(r"msg=audit\(((\d+)\.\S+)\):", line)
        ses = re.search(r" ses=(\d+)", line.partition(" msg='")[0])
        if ses and (boot, ses[1]) in logins and float(stamp[2]) >= started:
            wanted[stamp[1]] = ses[1]
ids = [d["metadata"]["extra"]["eventId"] for d in told if key(d) in logins and d["metadata"]["extra"]["bootId"] == boot]
missing, doubled = set(wanted) - set(ids), len(ids) - len(set(ids))
strangers = {d["subjects"]["userID"] for d in told if key(d) in logins} - {"alice@example.org"}
print(f"{len(wanted)} events, {len(missing)} not told, {doubled} told twice, names other than alice's: {strangers or 'none'}")
sys.exit(bool(missing or doubled or strangers))
PYTHON
}

# A session that goes on while the package changes: it runs a numbered command each time it is told to.
session() {
    mkfifo /run/orders
    ssh -i /root/keys/id -o CertificateFile=/root/keys/id-cert.pub -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
        -o LogLevel=ERROR core@127.0.0.1 'while read -r order; do /usr/bin/printf "%s\n" "$order"; done' </run/orders >/run/answers &
    exec 7>/run/orders
}
order() {
    echo "order-$1" >&7
    until_true 60 grep -qx "order-$1" /run/answers
    until_true 60 has "who == 'alice@example.org' and 'order-$1' in str(extra.get('process_args'))"
}

if [ ! -e /root/rebooted ]; then
    install_package "$old"
    maldito rules install --quiet
    session
    order 1

    echo "# edited by the administrator" >>"$config"
    echo "# edited by the administrator" >>"$conf"
    before=$(plugin_pid)
    install_package "$new"
    order 2
    [ "$(plugin_pid)" != "$before" ]
    [ "$(dpkg-query -W -f '${Version}' audisp-maldito)" != "$(dpkg-deb -f "$old" Version)" ]
    tail -n 1 "$config" | grep -q '^# edited'
    tail -n 1 "$conf" | grep -q '^# edited'
    whole
    echo "upgraded with a live session"

    install_package "$old"
    order 3
    whole
    echo "downgraded with a live session"
    install_package "$new"
    order 4
    exec 7>&-
    wait

    echo "$(cat /proc/sys/kernel/random/boot_id)" >/root/rebooted
    exit 194
fi

[ "$(cat /root/rebooted)" != "$(cat /proc/sys/kernel/random/boot_id)" ]
until_true 30 running
as core 'cat /etc/hostname'
until_true 60 alices /usr/bin/cat
maldito rules check
whole
echo "after a reboot the plugin runs and the rules are loaded"

# Removed while in use: nothing of it runs, nothing of others has changed.
others=$(auditctl -l | grep -c . || true)
apt-get remove -y -q audisp-maldito >/tmp/apt 2>&1 || { cat /tmp/apt; exit 1; }
until_true 5 gone
[ ! -e /etc/audit/rules.d/90-audisp-maldito.rules ]
! auditctl -l | grep -q maldito-
[ -e "$config" ]
tail -n 1 "$config" | grep -q '^# edited'
echo "removed ($others rules were loaded before)"

apt-get purge -y -q audisp-maldito >/tmp/apt 2>&1 || { cat /tmp/apt; exit 1; }
left=$(find / -xdev \( -path /run/payload -o -path /proc -o -path /var/lib/apt \) -prune -o -name '*maldito*' -print |
    grep -v -e '^/etc/hostname' -e '^/root/' || true)
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
gone
! journalctl -b -q -t audisp-maldito -o cat | grep -i 'ended by'
echo "purged"
