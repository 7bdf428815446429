# SPDX-License-Identifier: GPL-2.0-only
# `make install` installs everything that a host needs, from the build and from dist/. Both packages call
# it. It compiles nothing: the program contains the BPF programs.

PREFIX        ?= /usr/local
SYSCONFDIR    ?= /etc
BINDIR        ?= $(PREFIX)/bin
UNITDIR       ?= $(PREFIX)/lib/systemd/system
SYSCTLDIR     ?= $(PREFIX)/lib/sysctl.d
TMPFILESDIR   ?= $(PREFIX)/lib/tmpfiles.d
MANDIR        ?= $(PREFIX)/share/man
DOCDIR        ?= $(PREFIX)/share/doc/vxlan-pipeline
DATADIR       ?= $(PREFIX)/share/vxlan-pipeline
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
INSTALL       ?= install

INSTALL_CONFIG = $(DESTDIR)$(SYSCONFDIR)/vxlan-pipeline/config.yaml

# The unit of the first instance and the template of the others differ only in the instance's name.
unit = sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' -e 's|@INSTANCE@|$(2)|g' \
	-e 's|@DATADIR@|$(DATADIR)|g' \
	dist/systemd/$(1).in > $(BUILD)/$(3) && $(INSTALL) -m 644 $(BUILD)/$(3) $(DESTDIR)$(UNITDIR)

# $(1) is a directory, $(2) a list of files, which may be empty.
files = $(INSTALL) -d $(DESTDIR)$(1) && $(INSTALL) -m 644 $(2) $(DESTDIR)$(1)

MAN_PAGES := $(wildcard docs/man/*.[1-9])

.PHONY: install
install: all ## install below PREFIX (/usr/local) and DESTDIR; keep an edited configuration
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(UNITDIR) $(dir $(INSTALL_CONFIG))
	$(INSTALL) -m 755 $(PROGRAM) $(DESTDIR)$(BINDIR)/vxlan-pipeline
	ln -sf vxlan-pipeline $(DESTDIR)$(BINDIR)/vxlan_loader
	test -e $(INSTALL_CONFIG) || $(INSTALL) -m 644 dist/config.yaml $(INSTALL_CONFIG)
	$(call unit,vxlan-pipeline.service,config,vxlan-pipeline.service)
	$(call unit,vxlan-pipeline.service,%i,vxlan-pipeline@.service)
	$(call unit,vxlan-pipeline-tune.service,config,vxlan-pipeline-tune.service)
	$(call unit,vxlan-pipeline-cloudwatch.service,config,vxlan-pipeline-cloudwatch.service)
	$(call files,$(UNITDIR),dist/systemd/*.timer)
	$(call files,$(DATADIR)/cloudwatch,dist/cloudwatch/*.json dist/cloudwatch/*.yml)
	$(INSTALL) -m 755 dist/cloudwatch/send $(DESTDIR)$(DATADIR)/cloudwatch
	$(call files,$(SYSCTLDIR),dist/sysctl.d/*.conf)
	$(call files,$(TMPFILESDIR),dist/tmpfiles.d/*.conf)
	$(call files,$(DOCDIR)/examples,docs/examples/*.yaml)
	$(call files,$(DOCDIR),README.md docs/*.md)
	$(call files,$(DATADIR)/prometheus,dist/prometheus/*.yml)
	$(call files,$(DATADIR)/grafana,dist/grafana/*.json)
	$(if $(wildcard dist/completion/*),$(call files,$(COMPLETIONDIR),dist/completion/*))
	$(foreach page,$(MAN_PAGES),$(call files,$(MANDIR)/man$(subst .,,$(suffix $(page))),$(page)) &&) true

# Keeps the configuration, which belongs to the operator.
.PHONY: uninstall
uninstall: ## remove what `make install` has installed, except for the configuration
	@rm -rf $(BUILD)/uninstall && $(MAKE) -s install DESTDIR=$(abspath $(BUILD))/uninstall
	@cd $(BUILD)/uninstall && find . -path .$(SYSCONFDIR) -prune -o ! -type d -print | sed 's|^\.||' | \
		while read -r file; do rm -f "$(DESTDIR)$$file"; done
	@rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(DATADIR) $(BUILD)/uninstall
