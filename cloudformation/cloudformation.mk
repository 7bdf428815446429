# SPDX-License-Identifier: GPL-2.0-only
# `make cloudformation` puts the programs of cloudformation/ into the templates, and the templates below
# build/cloudformation.

.PHONY: cloudformation
cloudformation: ## write the CloudFormation templates that are launched to build/cloudformation
	@for template in cloudformation/*.yaml; do \
		cloudformation/assemble "$$template" "$(BUILD)/cloudformation/$${template##*/}" || exit 1; \
	done
	@ls $(BUILD)/cloudformation/*.yaml
