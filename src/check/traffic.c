// SPDX-License-Identifier: GPL-2.0-only
/* The checks of what becomes of packets: sizes, fragments, losses. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "host/traffic.h"

#define IP_HEADER 20

/*
 * What the tunnel adds to an inner IP packet: Ethernet 14, VXLAN 8, UDP 8, IP 20 or 40. AWS's guide says four
 * more, as an Ethernet frame has on the wire, where no MTU counts them.
 */
#define OVERHEAD4 50
#define OVERHEAD6 70

#define USUAL_MTU 1500

static int64_t overhead(const struct config *config)
{
	for (size_t i = 0; i < config->listen.source_count; i++) {
		if (config->listen.sources[i].address.version == 6)
			return OVERHEAD6;
	}
	return OVERHEAD4;
}

static int64_t smallest_overhead(const struct config *config)
{
	for (size_t i = 0; i < config->listen.source_count; i++) {
		if (config->listen.sources[i].address.version == 4)
			return OVERHEAD4;
	}
	return config->listen.source_count ? OVERHEAD6 : OVERHEAD4;
}

/* What is to be expected: packets as large as forward.mtu says, else as is usual. */
static int64_t expected_size(const struct check *check)
{
	int64_t mtu = traffic_forward_mtu(check->config, check->host);

	if (check->config->forward.mtu)
		return mtu;
	return mtu < USUAL_MTU ? mtu : USUAL_MTU;
}

void check_tunnel_mtu(const struct check *check)
{
	const struct host_link *link = &check->host->listen;
	int64_t needed = expected_size(check) + overhead(check->config);
	bool fits = !check->listen.xdp_mtu || needed <= check->listen.xdp_mtu;
	struct finding *finding;

	if (link->mtu >= needed) {
		check_find(check, FINDING_OK,
			   "%s takes mirrored packets of up to %" PRId64
			   " bytes; larger ones are truncated by the mirror",
			   link->name, link->mtu - overhead(check->config));
		return;
	}
	finding =
		check_find(check, FINDING_WARN,
			   "%s has an MTU of %" PRId64 ", so mirrored packets of more than %" PRId64
			   " bytes arrive truncated, while up to %" PRId64
			   " could be sent: it takes %" PRId64 "%s",
			   link->name, link->mtu, link->mtu - overhead(check->config),
			   expected_size(check), needed,
			   fits ? "" : ", more than the driver takes with an XDP program");
	if (fits)
		check_fix(finding, "ip link set dev %s mtu %" PRId64, check_word(check, link),
			  needed);
}

void check_forward_mtu(const struct check *check)
{
	const struct host_link *link = &check->host->forward;
	int64_t wanted = check->config->forward.mtu;
	struct finding *finding;

	if (wanted <= link->mtu)
		return;
	finding = check_find(check, FINDING_FAIL,
			     "forward.mtu is %" PRId64 ", more than the MTU of %s, %" PRId64,
			     wanted, link->name, link->mtu);
	if (!check->forward.xdp_mtu || wanted <= check->forward.xdp_mtu)
		check_fix(finding, "ip link set dev %s mtu %" PRId64, check_word(check, link),
			  wanted);
}

/*
 * A larger MTU lets forward.interface take frames before they are fragmented. While forward.mtu is not
 * set, it would grow with the MTU, and nothing would be fragmented.
 */
static void fix_device_mtu(const struct check *check, struct finding *finding, int64_t mtu)
{
	const struct host_link *link = &check->host->forward;
	size_t used = strlen(finding->why);

	if (check->config->forward.mtu)
		check_fix(finding, "ip link set dev %s mtu %" PRId64, check_word(check, link), mtu);
	else
		snprintf(finding->why + used, sizeof(finding->why) - used,
			 "; say `mtu: %" PRId64 "` under `forward`, then give %s an MTU of %" PRId64
			 ", and its routes one of %" PRId64,
			 link->mtu, link->name, mtu, link->mtu);
}

/* The largest inner packet that the mode lets in. */
static int64_t largest_whole(const struct check *check)
{
	int64_t arriving = check->host->listen.mtu;

	if (check->listen.xdp_mtu && arriving > check->listen.xdp_mtu)
		arriving = check->listen.xdp_mtu;
	return arriving - FRAGMENTING_TUNNEL;
}

/* Adds what becomes of packets that XDP cannot fragment. */
static void tell_of_kernel(const struct check *check, struct finding *finding)
{
	size_t used = strlen(finding->why);

	if (traffic_kernel_fragments(check->config, check->host))
		snprintf(finding->why + used, sizeof(finding->why) - used,
			 "; the kernel fragments them, several times slower");
	else
		snprintf(finding->why + used, sizeof(finding->why) - used,
			 "; they end as oversize, unless routes out of %s have an MTU of %" PRId64
			 " (ip route ... mtu), to which the kernel fragments them, several times "
			 "slower",
			 check->host->forward.name,
			 traffic_forward_mtu(check->config, check->host));
}

static void judge_fragmenting_room(const struct check *check)
{
	const struct host_link *link = &check->host->forward;
	int64_t needed = fragmenting_device_mtu(largest_whole(check)),
		largest = fragmenting_largest(traffic_forward_mtu(check->config, check->host));
	struct finding *finding;

	if (link->mtu < needed && link->mtu - FRAGMENTING_ROOM < largest) {
		finding =
			check_find(check, FINDING_WARN,
				   "%s has an MTU of %" PRId64 ", so packets of more than %" PRId64
				   " bytes cannot be fragmented in XDP",
				   link->name, link->mtu, link->mtu - FRAGMENTING_ROOM);
		tell_of_kernel(check, finding);
		if (!check->forward.xdp_mtu || needed <= check->forward.xdp_mtu)
			fix_device_mtu(check, finding, needed);
	} else if (largest_whole(check) > largest) {
		finding = check_find(check, FINDING_WARN,
				     "packets of more than %" PRId64
				     " bytes cannot be fragmented in XDP: they come in several "
				     "buffers, or would make more than %d fragments",
				     largest, MAX_FRAGMENTS);
		tell_of_kernel(check, finding);
	}
}

static void judge_small_device(const struct check *check)
{
	const struct host_link *link = &check->host->forward;
	int64_t needed = fragmenting_device_mtu(largest_whole(check));
	struct finding *finding =
		check_find(check, FINDING_WARN,
			   "%s's MTU, %" PRId64 ", lets no packet pass that has to be fragmented",
			   link->name, link->mtu);

	tell_of_kernel(check, finding);
	if (needed > link->mtu && (!check->forward.xdp_mtu || needed <= check->forward.xdp_mtu))
		fix_device_mtu(check, finding, needed);
}

/* Mirrors leave less room in the tunnel than there might be: nothing larger than that comes. */
static bool needs_no_fragmenting(const struct check *check)
{
	return check->host->listen.mtu - smallest_overhead(check->config) <=
	       traffic_forward_mtu(check->config, check->host);
}

void check_fragmenting(const struct check *check)
{
	const struct host_link *link = &check->host->forward;
	bool generic = check->config->listen.xdp_mode == XDP_MODE_GENERIC ||
		       check->listen.native == ANSWER_NO || check->forward.native == ANSWER_NO;

	/* what check_forward_mtu() finds comes first */
	if (needs_no_fragmenting(check) || check->config->forward.mtu > link->mtu)
		return;
	switch (traffic_fragmenting(check->config, check->host, generic)) {
	case FRAGMENTING_IN_XDP:
		judge_fragmenting_room(check);
		break;
	case FRAGMENTING_GENERIC_MODE:
		tell_of_kernel(check, check_find(check, FINDING_WARN,
						 "what is larger than forward.mtu cannot be "
						 "fragmented in XDP in generic mode"));
		break;
	case FRAGMENTING_DEVICE_TOO_SMALL:
		judge_small_device(check);
		break;
	case FRAGMENTING_KERNEL_TOO_OLD:
		tell_of_kernel(check,
			       check_find(check, FINDING_WARN,
					  "Linux %s copies no frames in XDP, so packets "
					  "larger than forward.mtu cannot be fragmented there",
					  check->host->kernel));
		break;
	case FRAGMENTING_NONE:
		if (check->config->forward.oversize == OVERSIZE_PASS &&
		    !traffic_kernel_fragments(check->config, check->host))
			tell_of_kernel(check, check_find(check, FINDING_WARN,
							 "forward.oversize is pass, so packets "
							 "larger than forward.mtu are handed to "
							 "the kernel"));
		break;
	}
}

void check_silence(const struct check *check)
{
	if (check->host->nftables == ANSWER_NO) {
		struct finding *finding = check_find(
			check, FINDING_WARN,
			"this kernel has no nftables, by which it is kept from answering captured "
			"packets: none is passed to it, and what only it could fragment or deliver "
			"is dropped");

		check_fix(finding, "modprobe nf_tables");
	}
	if (check->host->nftables == ANSWER_UNKNOWN)
		check_find(check, FINDING_OK,
			   "not known: the instance or the rules of nftables could not be read, "
			   "which takes root");
	if (check->host->silenced == ANSWER_NO)
		check_fix(check_find(check, FINDING_WARN,
				     "the rules of nftables that keep the kernel from answering "
				     "captured packets, tables vxlan-pipeline-%s, are not as `run` "
				     "made them, or settings that go with them are 0",
				     check->instance),
			  "systemctl restart %s", check->unit);
}

/* How to switch the limit off; false: this driver cannot. */
static bool can_bypass(const struct check *check)
{
	return check->host->frag_bypass != HOST_UNKNOWN || check->forward.has_bypass;
}

void check_fragment_limit(const struct check *check)
{
	const struct host_link *link = &check->host->forward;
	int64_t pieces = traffic_fragments(check->config, check->host);
	int64_t limit = check->forward.fragments;
	int64_t target = check->config->monitor.target_pps, left;
	struct finding *finding;

	if (!limit || !pieces || needs_no_fragmenting(check))
		return;
	if (check->host->frag_bypass == 1) {
		check_find(check, FINDING_OK,
			   "%s: %s runs with " DRIVER_ENA_BYPASS
			   "=1, which lifts its limit of %" PRId64 " IP fragments a second",
			   link->name, check->forward.title, limit);
		return;
	}
	left = limit / 2;
	finding = check_find(check, FINDING_WARN,
			     "%s: %s sends at most %" PRId64
			     " IP fragments a second, which is %" PRId64
			     " packets fragmented in two%s; of monitor.target_pps, %" PRId64
			     ", it would lose %" PRId64
			     " if all had to be fragmented, and count them in %s%s",
			     link->name, check->forward.title, limit, left,
			     pieces > 2 ? ", fewer where they are larger" : "", target,
			     target > left ? target - left : 0,
			     driver_allowance_statistic(DRIVER_ALLOWANCE_PPS),
			     can_bypass(check) ? "" : "; ENA 2.13.3 and later can do without");
	if (can_bypass(check))
		check_fix(finding, "echo options ena " DRIVER_ENA_BYPASS "=1 > "
				   "/etc/modprobe.d/vxlan-pipeline-ena.conf # then reboot");
	else
		check_fix(finding, DRIVER_ENA_INSTALL);
}

void check_rx_ring(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	if (link->rx_ring_max <= 0)
		check_find(check, FINDING_OK, "%s has no receive ring that could be set",
			   link->name);
	else if (link->rx_ring < link->rx_ring_max)
		check_fix(check_find(check, FINDING_WARN,
				     "%s has a receive ring of %" PRId64 ", and could have %" PRId64
				     ", which bridges longer pauses of a CPU",
				     link->name, link->rx_ring, link->rx_ring_max),
			  "ethtool -G %s rx %" PRId64, check->listen_word, link->rx_ring_max);
}

static void judge_losses(const struct check *check, const struct host_link *link,
			 const struct driver *driver)
{
	(void)driver;
	for (enum driver_allowance i = 0; i < DRIVER_ALLOWANCES; i++) {
		if (link->exceeded[i] > 0)
			check_find(check, FINDING_WARN,
				   "%s: %s is %" PRId64 ": so many packets were lost: %s",
				   link->name, driver_allowance_statistic(i), link->exceeded[i],
				   driver_allowance_meaning(i));
	}
	/* that it could be longer is a finding of its own */
	if (link->rx_overruns > 0)
		check_find(check, FINDING_WARN, "%s: %" PRId64 " packets were lost: %s", link->name,
			   link->rx_overruns, DRIVER_OVERRUN);
}

static bool losses_known(const struct host_link *link)
{
	return link->rx_overruns != HOST_UNKNOWN ||
	       link->exceeded[DRIVER_ALLOWANCE_PPS] != HOST_UNKNOWN;
}

void check_losses(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	check_each_link(check, judge_losses);
	if (!losses_known(link) && !losses_known(&check->host->forward))
		check_find(check, FINDING_OK,
			   "not known: %s's driver counts no losses that are known "
			   "here",
			   link->name);
}
