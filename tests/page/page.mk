# SPDX-License-Identifier: GPL-2.0-only
# The tests of the page, in a browser.

.PHONY: test-page
test-page: all ## test the page in a browser; pictures of it go to build/page (root)
	@tests/run -v page/
