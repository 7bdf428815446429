// SPDX-License-Identifier: GPL-2.0-only
#include "web/assets.h"

/* made by the Makefile: NAME_plain and NAME_gzip */
#include "page.css.inc"
#include "page.html.inc"
#include "page.js.inc"

#define FILE_OF(path, type, name)                                                                \
	{                                                                                        \
		path, type, name##_plain, name##_gzip, sizeof(name##_plain), sizeof(name##_gzip) \
	}

const struct http_file web_assets[] = {
	FILE_OF("/", "text/html; charset=utf-8", page_html),
	FILE_OF("/page.css", "text/css; charset=utf-8", page_css),
	FILE_OF("/page.js", "text/javascript; charset=utf-8", page_js),
	{0},
};
