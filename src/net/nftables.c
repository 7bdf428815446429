// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "base/cleanup.h"
#include "net/nftables.h"

static struct nft_ctx *nftables_open(void)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);

	if (nft && (nft_ctx_buffer_output(nft) || nft_ctx_buffer_error(nft))) {
		nft_ctx_free(nft);
		return NULL;
	}
	return nft;
}

int nftables_run(const char *commands, struct error *error)
{
	struct nft_ctx *nft = nftables_open();
	const char *said;
	int err = 0;

	if (!nft)
		return error_set(error, -ENOMEM, "nftables: no memory");
	errno = 0;
	if (nft_run_cmd_from_buffer(nft, commands)) {
		err = errno == EOPNOTSUPP || errno == EPROTONOSUPPORT ? -EOPNOTSUPP : -EIO;
		said = nft_ctx_get_error_buffer(nft);
		if (strstr(said, "Operation not permitted"))
			err = -EPERM;
		else if (strstr(said, "not supported"))
			err = -EOPNOTSUPP;
		error_set(error, err, "nftables: %.*s", (int)strcspn(said, "\n"), said);
	}
	nft_ctx_free(nft);
	return err;
}

json_t *nftables_list(const char *command)
{
	struct nft_ctx *nft = nftables_open();
	json_t *document = NULL, *list = NULL;

	if (!nft)
		return NULL;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON);
	if (nft_run_cmd_from_buffer(nft, command) == 0)
		document = json_loads(nft_ctx_get_output_buffer(nft), 0, NULL);
	list = json_incref(json_object_get(document, "nftables"));
	json_decref(document);
	nft_ctx_free(nft);
	return list;
}
