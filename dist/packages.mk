# SPDX-License-Identifier: GPL-2.0-only
# Building packages, and publishing them in repositories.

.PHONY: deb
deb: ## build the Debian package; SNAPSHOT=SUFFIX: with the version VERSION+SUFFIX
	@dist/deb $(SNAPSHOT)

.PHONY: deps-packages
deps-packages: ## install what deb, repo and test-system need besides (Debian and relatives; root)
	@.ci/deps packages

.PHONY: repo
repo: ## publish the built packages as signed repositories in build/repo (REPO_KEY, REPO_URL)
	@dist/repo

.PHONY: test-system
test-system: all ## install, upgrade and remove the packages on machines that boot (root)
	@tests/run -v system/
