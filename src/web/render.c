// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <math.h>
#include <string.h>

#include "web/render.h"

int render_json(json_t *document, struct http_page *page)
{
	page->type = "application/json";
	page->body = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	page->length = page->body ? strlen(page->body) : 0;
	json_decref(document);
	return page->body ? 0 : -ENOMEM;
}

json_t *render_rate(double rate)
{
	if (!isfinite(rate))
		return json_null();
	if (rate >= 100)
		return json_integer((json_int_t)(rate + 0.5));
	return json_real((double)(long)(rate * 10 + 0.5) / 10);
}
