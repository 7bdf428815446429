# SPDX-License-Identifier: GPL-2.0-only
# `make rpm`, `make srpm`; RPMFLAGS are further options of rpmbuild, e.g. --nocheck. If rpm has no database
# of installed packages, as on Debian, it cannot check BuildRequires. rpmbuild keeps the script of a build
# that fails: below build/, not in /var/tmp.

RPM_TOP     := $(BUILD)/rpm
RPM_SPEC    := $(RPM_TOP)/SOURCES/vxlan-pipeline.spec
RPM_ARCHIVE := $(RPM_TOP)/SOURCES/vxlan-pipeline-$(VERSION).tar.gz

# git also has to read sources that belong to another user.
RPM_GIT = git -c safe.directory=$(CURDIR)

# One commit makes one package: times are those of the commit, or today's midnight without a commit.
RPM_EPOCH = $(or $(SOURCE_DATE_EPOCH),\
	$(if $(wildcard .git),$(shell $(RPM_GIT) log -1 --format=%ct)),\
	$(shell date -ud 00:00 +%s))
RPMBUILD  = SOURCE_DATE_EPOCH=$(RPM_EPOCH) rpmbuild --define '_topdir $(abspath $(RPM_TOP))' \
	--define '_tmppath $(abspath $(RPM_TOP))/tmp' \
	--define '_buildhost localhost' --define 'use_source_date_epoch_as_buildtime 1' \
	--define 'clamp_mtime_to_source_date_epoch 1' \
	$(if $(shell rpm -q --quiet glibc && echo yes),,--nodeps) $(RPMFLAGS)

.PHONY: rpm
rpm: rpm-sources ## build the .rpm, for Amazon Linux 2023, RHEL 9 and later, below build/rpm/RPMS
	@rm -rf $(RPM_TOP)/RPMS
	@$(RPMBUILD) -bb --quiet $(RPM_SPEC)
	@ls $(RPM_TOP)/RPMS/*/*.rpm

.PHONY: srpm
srpm: rpm-sources ## build the source package, below build/rpm/SRPMS
	@rm -rf $(RPM_TOP)/SRPMS
	@$(RPMBUILD) -bs --quiet $(RPM_SPEC)
	@ls $(RPM_TOP)/SRPMS/*.rpm

# The sources as they are here, committed or not, without build results.
.PHONY: rpm-sources
rpm-sources:
	@rm -rf $(RPM_TOP)/tmp && mkdir -p $(dir $(RPM_ARCHIVE)) $(RPM_TOP)/tmp
	@$(if $(wildcard .git),$(RPM_GIT) ls-files -z -co --exclude-standard,\
		find . -path ./$(BUILD) -prune -o ! -type d -print0) | LC_ALL=C sort -z | \
		tar -c --null -T - --mtime=@$(RPM_EPOCH) --owner=0 --group=0 --numeric-owner \
		--mode=u+rw,go=rX --transform='flags=r;s|^\(\./\)\?|vxlan-pipeline-$(VERSION)/|' | \
		gzip -n > $(RPM_ARCHIVE)
	@cp rpm/macros.systemd $(dir $(RPM_ARCHIVE))
	@sed -e 's/@VERSION@/$(VERSION)/g' \
		-e "s/@DATE@/$$(LC_ALL=C date -ud @$(RPM_EPOCH) '+%a %b %d %Y')/" \
		rpm/vxlan-pipeline.spec.in > $(RPM_SPEC)

.PHONY: test-rpm
test-rpm: all ## build the .rpm; install, upgrade and erase it on a booted machine (root)
	@tests/run -v system/test_rpm
