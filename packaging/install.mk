# SPDX-License-Identifier: Apache-2.0
# What an installed audisp-maldito consists of, and where it lies: the one list that the DEB, the RPM and an installation
# by hand share. From the top of the source tree:
#
#   make -f packaging/install.mk            build into build/install
#   make -f packaging/install.mk install    copy it below DESTDIR
#
# Owners other than root, accounts and directories for data are left to sysusers.d and tmpfiles.d.

PYTHON ?= /usr/bin/python3
LIBDIR ?= /usr/lib/audisp-maldito
# Where the distribution keeps yaml and systemd for PYTHON; several: separated by colons.
SITE ?= /usr/lib/python3/dist-packages
SBINDIR ?= /usr/sbin
DOCDIR ?= /usr/share/doc/audisp-maldito
# Who may read the documents beside the plugin's user.
LOG_GROUP ?= adm
ACTIVE ?= yes

BUILT := build/install
MODULES = $(BUILT)/lib/audisp_maldito
PAGES := audisp-maldito.8 maldito.1 audisp-maldito.conf.5
RULES := $(wildcard packaging/rules/*.rules)
UNITS := ssh.service sshd.service ssh@.service sshd@.service

.PHONY: all modules pages install
all: modules $(BUILT)/audisp-maldito $(BUILT)/maldito pages

modules:
	$(PYTHON) -m audisp_maldito.tables
	$(PYTHON) setup.py -q build --build-base $(BUILT)/base --build-lib $(BUILT)/lib
# The tables' sources are compiled into policy.json; stubs are for type checkers.
	rm -f $(MODULES)/data/*.yaml $(MODULES)/data/*.csv $(MODULES)/*.pyi $(MODULES)/py.typed

$(BUILT)/audisp-maldito: csrc/launcher.c
	mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=c11 -Wall -Wextra -O2 -fPIE -fstack-protector-strong $(CFLAGS) \
		-DMALDITO_PYTHON='"$(PYTHON)"' -DMALDITO_LIBDIR='"$(LIBDIR)"' -DMALDITO_SITE='"$(SITE)"' $< \
		-pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@

$(BUILT)/maldito: packaging/maldito.in
	mkdir -p $(@D)
	sed -e 's|@PYTHON@|$(PYTHON)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@SITE@|$(SITE)|' $< >$@

pages: $(addprefix $(BUILT)/,$(PAGES))
$(BUILT)/%: docs/man/%.md
	mkdir -p $(@D)
	go-md2man -in $< -out $@

install:
	install -d -m 755 $(DESTDIR)$(SBINDIR) $(DESTDIR)/usr/bin $(DESTDIR)$(LIBDIR)
	install -m 755 $(BUILT)/audisp-maldito $(DESTDIR)$(SBINDIR)/audisp-maldito
	install -m 755 $(BUILT)/maldito $(DESTDIR)/usr/bin/maldito
	install -m 755 packaging/reload.sh $(DESTDIR)$(LIBDIR)/reload
	cp -r $(MODULES) $(DESTDIR)$(LIBDIR)/
	find $(DESTDIR)$(LIBDIR) -name __pycache__ -prune -exec rm -rf {} +
	chmod -R u=rwX,go=rX $(DESTDIR)$(LIBDIR)
	install -d -m 750 $(DESTDIR)/etc/audit $(DESTDIR)/etc/audit/plugins.d
	sed 's|^active = .*|active = $(ACTIVE)|' plugins.d/audisp-maldito.conf >$(DESTDIR)/etc/audit/plugins.d/audisp-maldito.conf
	chmod 640 $(DESTDIR)/etc/audit/plugins.d/audisp-maldito.conf
	install -d -m 755 $(DESTDIR)/etc/audisp-maldito $(DESTDIR)/etc/audisp-maldito/conf.d
	install -m 644 config/config.yaml $(DESTDIR)/etc/audisp-maldito/config.yaml
	for kind in sysusers tmpfiles; do \
		install -d -m 755 $(DESTDIR)/usr/lib/$$kind.d && \
		sed 's|@LOG_GROUP@|$(LOG_GROUP)|' packaging/systemd/$$kind.conf.in >$(DESTDIR)/usr/lib/$$kind.d/audisp-maldito.conf && \
		chmod 644 $(DESTDIR)/usr/lib/$$kind.d/audisp-maldito.conf || exit; done
	for unit in $(UNITS); do \
		install -D -m 644 packaging/systemd/no-rate-limit.conf \
			$(DESTDIR)/usr/lib/systemd/system/$$unit.d/audisp-maldito.conf || exit; done
	install -d -m 755 $(DESTDIR)/usr/share/audisp-maldito/rules
	install -m 644 $(RULES) $(DESTDIR)/usr/share/audisp-maldito/rules/
	install -m 644 audisp_maldito/data/event.schema.json $(DESTDIR)/usr/share/audisp-maldito/
	install -D -m 644 packaging/apparmor/usr.sbin.audisp-maldito \
		$(DESTDIR)/usr/share/audisp-maldito/apparmor/usr.sbin.audisp-maldito
	for page in $(PAGES); do install -D -m 644 $(BUILT)/$$page $(DESTDIR)/usr/share/man/man$${page##*.}/$$page || exit; done
	install -d -m 755 $(DESTDIR)$(DOCDIR)
	install -m 644 README.md docs/*.md $(DESTDIR)$(DOCDIR)/
