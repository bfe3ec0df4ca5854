# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Upgrade and downgrade while somebody works: nothing is lost, doubled or without its name. In old/ is the same package with
# a lower revision.
# shellcheck source=tests/vm/guests/common.sh
. ./common.sh

new=$(ls ./audisp-maldito_*.deb)
old=$(ls ./old/audisp-maldito_*.deb)

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

install_package "$old"
maldito rules install >/dev/null
session
order 1
for step in upgrade:"$new" downgrade:"$old"; do
    before=$(plugin_pid)
    install_package "${step#*:}"
    [ "$(dpkg-query -W -f '${Version}' audisp-maldito)" = "$(dpkg-deb -f "${step#*:}" Version)" ]
    [ "$(plugin_pid)" != "$before" ]
    order "${step%%:*}"
    whole
    echo "${step%%:*} with a live session"
done
exec 7>&-
wait
whole
