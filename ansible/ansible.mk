# SPDX-License-Identifier: GPL-2.0-only
# `make ansible` builds the collection below build/ansible and prints the archive's name.

.PHONY: ansible
ansible: ## build the Ansible collection; playbooks also work from the checkout
	@grep -qx 'version: $(VERSION)' ansible/galaxy.yml || \
		{ echo "ansible: ansible/galaxy.yml has another version than the Makefile, $(VERSION)" >&2; false; }
	@command -v ansible-galaxy > /dev/null || { echo "ansible: needs ansible-galaxy: ansible-core 2.14 or later" >&2; false; }
	@rm -rf $(BUILD)/ansible && mkdir -p $(BUILD)/ansible
	@ansible-galaxy collection build ansible --output-path $(BUILD)/ansible > $(BUILD)/ansible/log || \
		{ cat $(BUILD)/ansible/log >&2; false; }
	@ls $(BUILD)/ansible/*.tar.gz
