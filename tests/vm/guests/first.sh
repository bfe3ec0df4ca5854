# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Install, have commands recorded, log in, find the name on what was done; doctor; how long it took.
# shellcheck source=tests/vm/guests/common.sh
. ./common.sh

start=$(date +%s%N)
install_package ./*.deb
running
maldito rules install
as core 'cat /etc/hostname'
until_true 60 alices /usr/bin/cat
echo "MEASURED from apt install to the first attributed command: $((($(date +%s%N) - start) / 1000000)) ms"

as core 'sudo ls /root >/dev/null'
until_true 60 has "who == 'alice@example.org' and extra.get('exe') == '/usr/bin/ls' and extra.get('euid') == 0"
as root 'id -un'
until_true 60 alices /usr/bin/id

# Every event of her sessions is told, exactly once, and with her name.
python3 - <<'PYTHON'
import json, re, sys
documents = [json.loads(line) for line in open("/var/log/audisp-maldito/events.jsonl")]
told = [d for d in documents if d["type"] in ("UserAction", "SystemAction")]
sessions = {d["metadata"]["auditId"] for d in told if d["type"] == "UserAction"}
events = {}
for line in open("/var/log/audit/audit.log", errors="replace"):
    line = line.partition("\x1d")[0]
    stamp = re.search(r"msg=audit\((\S+)\):", line)[1]
    ses = re.search(r" ses=(\d+)", line.partition(" msg='")[0])
    if ses and ses[1] in sessions:
        events[stamp] = ses[1]
ids = [d["metadata"]["extra"]["eventId"] for d in told if d["metadata"]["auditId"] in sessions]
assert len(ids) == len(set(ids)), "an event was told twice"
missing = set(events) - set(ids)
assert not missing, f"not told: {missing}"
wrong = {d["subjects"]["userID"] for d in told if d["type"] == "UserAction"}
assert wrong == {"alice@example.org"}, wrong
print(f"{len(ids)} events of {len(sessions)} sessions, all of them alice's")
PYTHON

maldito doctor || true
maldito rules check
