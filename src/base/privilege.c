// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/privilege.h"

static const struct {
	cap_value_t capability;
	const char *name;
	bool implied; /* by CAP_SYS_ADMIN */
} needed[] = {
	{CAP_BPF, "CAP_BPF", true},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN", false},
	{CAP_PERFMON, "CAP_PERFMON", true},
};

#define NEEDED (sizeof(needed) / sizeof(needed[0]))

static bool privilege_has(cap_t set, cap_value_t capability, cap_flag_t flag)
{
	cap_flag_value_t value;

	return set && cap_get_flag(set, capability, flag, &value) == 0 && value == CAP_SET;
}

static bool privilege_has_needed(cap_t set, size_t i, cap_flag_t flag)
{
	return privilege_has(set, needed[i].capability, flag) ||
	       (needed[i].implied && privilege_has(set, CAP_SYS_ADMIN, flag));
}

const char *privilege_missing(char *text)
{
	cap_t now = cap_get_proc();

	*text = '\0';
	for (size_t i = 0; i < NEEDED; i++) {
		size_t used = strlen(text);

		if (!privilege_has_needed(now, i, CAP_EFFECTIVE))
			snprintf(text + used, PRIVILEGE_TEXT_SIZE - used, "%s%s", used ? ", " : "",
				 needed[i].name);
	}
	cap_free(now);
	return text;
}

int privilege_check(struct error *error)
{
	char missing[PRIVILEGE_TEXT_SIZE];

	if (!*privilege_missing(missing))
		return 0;
	return error_set(
		error, -EPERM,
		"not permitted: this process lacks %s; run as root, or with " PRIVILEGE_NEEDED,
		missing);
}

/* Puts the needed capabilities that `from` permits into `to`. */
static int reduce(cap_t to, cap_t from)
{
	const cap_value_t all = CAP_SYS_ADMIN;
	bool stands_for_others = false;

	for (size_t i = 0; i < NEEDED; i++) {
		if (!privilege_has(from, needed[i].capability, CAP_PERMITTED))
			stands_for_others |= needed[i].implied;
		else if (cap_set_flag(to, CAP_PERMITTED, 1, &needed[i].capability, CAP_SET) < 0 ||
			 cap_set_flag(to, CAP_EFFECTIVE, 1, &needed[i].capability, CAP_SET) < 0)
			return -errno;
	}
	if (stands_for_others && privilege_has(from, all, CAP_PERMITTED) &&
	    (cap_set_flag(to, CAP_PERMITTED, 1, &all, CAP_SET) < 0 ||
	     cap_set_flag(to, CAP_EFFECTIVE, 1, &all, CAP_SET) < 0))
		return -errno;
	return 0;
}

/* Limits what an executed program could get. Takes CAP_SETPCAP; without it the set stays. */
static void shrink_bounding_set(cap_t kept)
{
	for (cap_value_t capability = 0; capability < cap_max_bits(); capability++) {
		if (!privilege_has(kept, capability, CAP_PERMITTED) &&
		    cap_get_bound(capability) > 0)
			cap_drop_bound(capability);
	}
}

int privilege_drop(struct error *error)
{
	cap_t from = cap_get_proc(), to = cap_init();
	int err = from && to ? reduce(to, from) : -errno;

	if (!err) {
		shrink_bounding_set(to);
		cap_reset_ambient();
		err = cap_set_proc(to) < 0 ? -errno : 0;
	}
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = -errno;
	cap_free(from);
	cap_free(to);
	return err ? error_set(error, err, "cannot give up capabilities: %s", strerror(-err)) : 0;
}
