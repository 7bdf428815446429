# SPDX-License-Identifier: GPL-2.0-only
# The image: the package's program and the libraries that it is linked with. Without a registry.

.PHONY: image
image: image-root ## build the container image, with the list of its materials, in build/container
	@dist/container/make-image

.PHONY: image-root
image-root: ## make the directory that the Containerfile copies; DEB=FILE: of that package
	@$(if $(DEB),,DEB_BUILD_OPTIONS=nocheck $(MAKE) -s --no-print-directory deb > /dev/null)
	@dist/container/make-root $(DEB)
