/* SPDX-License-Identifier: GPL-2.0-only */
/* The files of the page, src/web/page/, which the build puts into the program. */
#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H

#include "web/http.h"

extern const struct http_file web_assets[];

#endif
