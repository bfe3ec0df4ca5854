#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks auditd to look at its plugins anew, and says whether ours runs then. Run by the package when it has been installed
# or upgraded; may be run at any time. Never fails, and takes 3 seconds at most.
#
# HUP goes to the process in auditd's own pid file: `systemctl reload` does not work (auditd.service has no ExecReload),
# and `auditctl --signal` asks the kernel, which would name the host's auditd from within a chroot or container.
set -u

conf=/etc/audit/plugins.d/audisp-maldito.conf

auditd_pid() {
    for file in /run/auditd.pid /run/audit/auditd.pid; do
        pid=$(cat "$file" 2>/dev/null)
        if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = auditd ]; then
            echo "$pid"
            return
        fi
    done
}

plugin_pid() {
    sed -n "s/^\([0-9]*\) (audisp-maldito) [A-Z] $1 .*/\1/p" /proc/[0-9]*/stat 2>/dev/null | head -n 1
}

allowed() {
    [ -x /usr/sbin/policy-rc.d ] || return 0
    /usr/sbin/policy-rc.d auditd reload >/dev/null 2>&1
    [ $? -ne 101 ]
}

say() {
    echo "audisp-maldito: $*"
}

auditd=$(auditd_pid)
if [ -z "$auditd" ]; then
    say "auditd does not run here; when it does it starts the plugin."
    exit 0
fi
if ! allowed; then
    say "policy-rc.d forbids a reload; auditd starts the plugin when it is next reloaded (kill -HUP $auditd)."
    exit 0
fi

before=$(plugin_pid "$auditd")
kill -HUP "$auditd" 2>/dev/null || exit 0
if ! grep -qis '^ *active  *=  *yes *$' "$conf"; then
    say "not active in $conf. To start it, write \"active = yes\" there and: kill -HUP $auditd"
    exit 0
fi
tries=0
while [ "$tries" -lt 28 ]; do
    now=$(plugin_pid "$auditd")
    if [ -n "$now" ] && [ "$now" != "$before" ]; then
        say "the plugin runs as process $now. \"maldito rules install\" has commands recorded; \"maldito doctor\" checks all."
        exit 0
    fi
    tries=$((tries + 1))
    sleep 0.1
done
if [ -n "$before" ] && [ "$now" = "$before" ]; then
    say "process $before goes on running; if files were replaced, only \"systemctl restart auditd\" brings the new ones."
else
    say "auditd has not started the plugin within 3 seconds. \"maldito doctor\" says what is wrong;"
    say "if it finds nothing: systemctl restart auditd"
fi
exit 0
