# SPDX-License-Identifier: Apache-2.0
# Every target installs what it needs by itself, works twice, and works offline once it has worked.

.PHONY: deb rpm vm packages-test
.PHONY: build run test check sanitize bench clean format
MAKEFLAGS += --no-print-directory

# Debian's python3, whatever else comes first on PATH: the distribution's yaml and systemd modules belong to it.
export PATH := /usr/sbin:/usr/bin:/sbin:/bin
PYTHON := /usr/bin/python3
VENV := build/venv
# The two linters that Debian 12 does not have.
PINS := ruff==0.12.12 cython-lint==0.16.7

FOR_BUILD := gcc libc6-dev cython3 python3-dev python3-setuptools python3-systemd python3-yaml
FOR_TEST := $(FOR_BUILD) python3-pytest python3-hypothesis python3-jsonschema \
	auditd openssh-server openssh-client sudo systemd passwd util-linux curl \
	python3-audit systemd-journal-remote
FOR_CHECK := $(FOR_BUILD) mypy clang-format shellcheck python3-venv python3-pytest python3-hypothesis

LAUNCHER := build/audisp-maldito
C_FILES := $(wildcard csrc/*.c csrc/*.h)
CYTHON := $(wildcard audisp_maldito/*.pyx audisp_maldito/*.pxd)
FOR_DEB := $(FOR_BUILD) debhelper dh-python go-md2man fakeroot lintian git
FOR_RPM := $(FOR_BUILD) rpm rpmlint python3-pip python3-wheel go-md2man checkpolicy selinux-policy-dev git
SCRIPTS := .ci/run .ci/packages packaging/reload.sh packaging/deb/build packaging/deb/chroot packaging/rpm/build \
	tests/vm/image tests/vm/guest tests/vm/all tests/vm/methods $(wildcard tests/vm/guests/*.sh)

build:
	@.ci/packages $(FOR_BUILD)
	@mkdir -p build
	@$(PYTHON) -m audisp_maldito.tables
	@$(PYTHON) setup.py -q build_ext --inplace
	@$(MAKE) -s $(LAUNCHER)

# The launcher for this checkout: the installed one differs in nothing but this directory.
$(LAUNCHER): csrc/launcher.c Makefile
	@mkdir -p $(@D)
	@$(CC) -std=c11 -O2 -Wall -Wextra -Werror -DMALDITO_LIBDIR='"$(CURDIR)"' -o $@ $<

EXAMPLE := examples/two-people
run: build
	@$(PYTHON) -m audisp_maldito replay --audit $(EXAMPLE)/audit.log --journal $(EXAMPLE)/journal.json \
		--trusted-ca "$$(cat $(EXAMPLE)/company-ca.fingerprint)" --output build/two-people.jsonl
	@$(PYTHON) $(EXAMPLE)/show.py <build/two-people.jsonl
	@echo "The documents lie in build/two-people.jsonl, one JSON object to a line."

test: build
	@.ci/packages $(FOR_TEST)
	@$(PYTHON) -m pytest -q

$(VENV)/pins: Makefile
	@mkdir -p build
	$(PYTHON) -m venv --system-site-packages $(VENV)
	$(VENV)/bin/python -m pip install -q --disable-pip-version-check $(PINS)
	@echo $(PINS) >$@

check: build
	@.ci/packages $(FOR_CHECK)
	@$(MAKE) -s $(VENV)/pins
	$(VENV)/bin/ruff format --check -q .
	$(VENV)/bin/ruff check -q .
	/usr/bin/mypy --cache-dir build/mypy
	PATH=$(VENV)/bin:$(PATH) cython-lint $(CYTHON)
	clang-format --dry-run -Werror $(C_FILES)
	shellcheck $(SCRIPTS)
	$(PYTHON) -m tests.samples

# The tests on a copy whose extension is built with the address and undefined-behaviour sanitizers; Python must allocate by
# malloc for them to see it. Left out is what looks at the checkout (house), starts interpreters of its own (launcher,
# plugin, stack) or measures time (sshd_properties). Leaks are looked for apart: CPython has some at exit, ours are those
# with one of our frames in their stack.
SANITIZED := build/sanitize
WITHOUT := house launcher plugin sshd_properties
PRELOAD = LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" PYTHONMALLOC=malloc \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
sanitize: build
	@.ci/packages $(FOR_TEST)
	@mkdir -p $(SANITIZED)
	@rm -rf $(SANITIZED)/tests
	@tar -c --exclude='*.so' --exclude=__pycache__ $(filter-out build Makefile,$(wildcard *)) | tar -x -C $(SANITIZED)
	@cd $(SANITIZED) && MALDITO_SANITIZE=1 $(PYTHON) setup.py -q build_ext --inplace
	cd $(SANITIZED) && $(PRELOAD) ASAN_OPTIONS=detect_leaks=0 $(PYTHON) -m pytest -q -m 'not stack' \
		$(foreach name,$(WITHOUT),--ignore tests/test_$(name).py)
	cd $(SANITIZED) && $(PRELOAD) ASAN_OPTIONS=detect_leaks=1:exitcode=0 $(PYTHON) -m tests.leaks >leaks.txt 2>&1
	! grep -E 'Error|csrc/|_native' $(SANITIZED)/leaks.txt

format: $(VENV)/pins
	$(VENV)/bin/ruff format -q .
	$(VENV)/bin/ruff check -q --fix .
	clang-format -i $(C_FILES)

BENCHES := latency
bench: build
	@.ci/packages $(FOR_TEST)
	@for name in $(BENCHES); do echo "== $$name"; $(PYTHON) -m tests.bench.$$name || exit 1; done

# SUITE=trixie builds for another release than the running one, in a chroot that is made on first use.
deb:
	@.ci/packages $(FOR_DEB) $(if $(SUITE),debootstrap)
	@packaging/deb/build $(SUITE)

rpm:
	@.ci/packages $(FOR_RPM)
	@packaging/rpm/build

# The packages on machines of their own, with a kernel, an auditd and a systemd of their own (qemu; long).
SUITES := bookworm trixie
vm:
	@for suite in $(SUITES); do $(MAKE) -s deb SUITE=$$suite && tests/vm/all $$suite || exit 1; done

# Every way into the sshd of another release, in a guest: the second table of docs/methods.md.
.PHONY: methods
methods: build
	@tests/vm/methods $(or $(SUITE),trixie)

clean:
	rm -rf build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f audisp_maldito/*.so audisp_maldito/data/policy.json
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
