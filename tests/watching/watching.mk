# SPDX-License-Identifier: GPL-2.0-only
# The tests of what watches an appliance from outside: Prometheus, Alertmanager, Grafana's dashboards.

.PHONY: test-watching
test-watching: all ## have Prometheus, Alertmanager and the dashboards watch a real appliance (root)
	@tests/run -v watching/

.PHONY: deps-watching
deps-watching: ## install what test-watching needs besides (Debian and relatives; root)
	@.ci/deps watching
