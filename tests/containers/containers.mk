# SPDX-License-Identifier: GPL-2.0-only
# The tests of dist/container/ and dist/kubernetes/: the image run by podman, and manifests held to the API.

.PHONY: test-containers
test-containers: all $(ENDURANCE_OBJECTS) ## build the image; run it under traffic; hold the manifests to the API (root)
	@tests/run -v containers/

.PHONY: deps-containers
deps-containers: deps-packages ## install what image and test-containers need besides (Debian and relatives; root)
	@.ci/deps containers
