// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/privilege.h"

static const cap_value_t kept[] = {CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON};

#define KEPT (sizeof(kept) / sizeof(kept[0]))

static bool is_kept(cap_value_t capability)
{
	for (size_t i = 0; i < KEPT; i++) {
		if (kept[i] == capability)
			return true;
	}
	return false;
}

/* Programs that this process executes cannot regain more. Does nothing without CAP_SETPCAP. */
static void shrink_bounding_set(void)
{
	for (cap_value_t capability = 0; capability < cap_max_bits(); capability++) {
		if (!is_kept(capability) && cap_get_bound(capability) > 0)
			cap_drop_bound(capability);
	}
}

/* Sets in `to` those of the kept capabilities that are permitted in `from`. */
static int reduce(cap_t to, cap_t from)
{
	for (size_t i = 0; i < KEPT; i++) {
		cap_flag_value_t permitted;

		if (cap_get_flag(from, kept[i], CAP_PERMITTED, &permitted) < 0)
			return -errno;
		if (permitted == CAP_SET &&
		    (cap_set_flag(to, CAP_PERMITTED, 1, &kept[i], CAP_SET) < 0 ||
		     cap_set_flag(to, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) < 0))
			return -errno;
	}
	return 0;
}

int privilege_drop(struct error *error)
{
	cap_t from = cap_get_proc(), to = cap_init();
	int err = from && to ? reduce(to, from) : -errno;

	if (!err) {
		shrink_bounding_set();
		cap_reset_ambient();
		err = cap_set_proc(to) < 0 ? -errno : 0;
	}
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = -errno;
	cap_free(from);
	cap_free(to);
	return err ? error_set(error, err, "cannot give up capabilities: %s", strerror(-err)) : 0;
}

bool privilege_is_enough(void)
{
	cap_t now = cap_get_proc();
	bool enough = now != NULL;

	for (size_t i = 0; enough && i < KEPT; i++) {
		cap_flag_value_t effective;

		enough = cap_get_flag(now, kept[i], CAP_EFFECTIVE, &effective) == 0 &&
			 effective == CAP_SET;
	}
	cap_free(now);
	return enough;
}

int privilege_explain_refusal(const char *capabilities, struct error *error)
{
	return error_set(error, -EPERM,
			 "not permitted to load BPF programs; run as root, or with %s",
			 capabilities);
}
