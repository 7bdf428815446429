# SPDX-License-Identifier: GPL-2.0-only
# Packages and the repositories they are published in.

.PHONY: deb
deb: ## build the Debian package; SNAPSHOT=SUFFIX: numbered VERSION+SUFFIX
	@dist/deb $(SNAPSHOT)

.PHONY: deps-packages
deps-packages: ## install what deb, repo and test-system need besides (Debian and its kin; root)
	@.ci/deps packages

.PHONY: repo
repo: ## publish the packages that were built as signed repositories in build/repo (REPO_KEY, REPO_URL)
	@dist/repo

.PHONY: test-system
test-system: all ## install, upgrade and remove the packages on machines that boot (root)
	@tests/run -v system/
