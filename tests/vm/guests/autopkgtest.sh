# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The package's own debian/tests on the installed package, as autopkgtest would run them.
# shellcheck source=tests/vm/guests/common.sh
. ./common.sh
install_package ./audisp-maldito_*.deb
./tests/login
