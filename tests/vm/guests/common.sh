# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What guest scripts have in common. A step that fails ends the script with its line.
set -eu
trap 'echo "FAILED at line $LINENO: $BASH_COMMAND"' ERR

EVENTS=/var/log/audisp-maldito/events.jsonl

# as ACCOUNT COMMAND: over SSH, with alice's certificate
as() {
    ssh -n -i /root/keys/id -o CertificateFile=/root/keys/id-cert.pub -o IdentitiesOnly=yes \
        -o StrictHostKeyChecking=no -o LogLevel=ERROR "$1@127.0.0.1" "$2"
}

# until_true SECONDS COMMAND...: as soon as it succeeds
until_true() {
    local give_up=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$give_up" ] || { echo "waited in vain for: $*"; return 1; }
        sleep 0.2
    done
}

# documents EXPRESSION: how many documents are so, e.g. 'd["type"] == "UserLogin"'
documents() {
    python3 - "$EVENTS" "$1" <<'PYTHON'
import json, os, sys
path, expression = sys.argv[1:]
found = 0
for line in open(path, "rb") if os.path.exists(path) else ():
    if line.endswith(b"\n"):
        d = json.loads(line)
        extra, data, who = d["metadata"]["extra"], d.get("data", {}), d["subjects"]["userID"] if "subjects" in d else ""
        found += bool(eval(expression))
print(found)
PYTHON
}

# has EXPRESSION: is there such a document
has() {
    [ "$(documents "$1")" -gt 0 ]
}

# alices PATH: has alice run this program
alices() {
    has "who == 'alice@example.org' and d['type'] == 'UserAction' and '$1' in str(extra.get('exe'))"
}

plugin_pid() {
    local auditd
    auditd=$(cat /run/auditd.pid /run/audit/auditd.pid 2>/dev/null | head -n 1)
    sed -n "s/^\([0-9]*\) (audisp-maldito) [A-Z] $auditd .*/\1/p" /proc/[0-9]*/stat 2>/dev/null | head -n 1
}

running() {
    [ -n "$(plugin_pid)" ]
}

gone() {
    ! running
}

# install FILE...: as a user would, without a network
install_package() {
    apt-get install -y --allow-downgrades -o Dpkg::Use-Pty=0 -q "$@" >/tmp/apt 2>&1 || { cat /tmp/apt; return 1; }
    grep '^audisp-maldito: ' /tmp/apt || true
}

# Everything that audit.log has of alice's sessions of this boot is told exactly once, and as hers.
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
