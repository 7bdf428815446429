# SPDX-License-Identifier: GPL-2.0-only
# The tests of cloudformation/: mirror sessions, and a twin of the stack on this machine.

.PHONY: test-aws
test-aws: all ## launch the CloudFormation stacks in a twin of AWS on this machine (root)
	@tests/run -v aws/
