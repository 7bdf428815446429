# SPDX-License-Identifier: GPL-2.0-only
# The tests of ansible/: a fleet of machines that is rolled out to, under traffic.

.PHONY: test-ansible
test-ansible: all $(ENDURANCE_BUILD)/judge.bpf.o ## roll out to a fleet of machines that boot, under traffic (root)
	@tests/run -v ansible/

.PHONY: deps-ansible
deps-ansible: deps-packages ## install what test-ansible needs besides (Debian and relatives; root)
	@.ci/deps ansible
