// SPDX-License-Identifier: GPL-2.0-only
/* The checks of the host as a whole. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/internal.h"

#define LIBBPF_MINIMUM 1 /* major version */

void check_permission(const struct check *check)
{
	const struct host *host = check->host;
	const struct {
		const char *name;
		enum answer held;
	} needed[] = {
		{"CAP_BPF", host->cap_bpf},
		{"CAP_NET_ADMIN", host->cap_net_admin},
		{"CAP_PERFMON", host->cap_perfmon},
	};
	char missing[64] = "";

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		size_t used = strlen(missing);

		if (needed[i].held == ANSWER_NO)
			snprintf(missing + used, sizeof(missing) - used, "%s%s", used ? ", " : "",
				 needed[i].name);
	}
	if (*missing)
		check_fix(check_find(check, FINDING_WARN,
				     "this process lacks %s, which `run` needs, and without which "
				     "kernel features and other XDP programs cannot be looked at",
				     missing),
			  "sudo vxlan-pipeline check%s", check->options);
}

static void judge_feature(const struct check *check, enum answer answer, const char *lacks,
			  enum finding_status status)
{
	if (answer == ANSWER_NO)
		check_find(check, status, "Linux %s %s", check->host->kernel, lacks);
}

/* For another reason than want of capabilities, of which check_permission() tells. */
static bool is_refused(const struct check *check)
{
	const struct host *host = check->host;

	return host->cap_bpf == ANSWER_YES && host->cap_net_admin == ANSWER_YES &&
	       (host->features.xdp == ANSWER_UNKNOWN || *host->bpf_refused);
}

/* check_fragmenting() tells of features that only packets to be fragmented need. */
void check_kernel(const struct check *check)
{
	const struct datapath_features *features = &check->host->features;
	bool large = check->host->listen.mtu > DRIVER_SAFE_MTU ||
		     check->host->forward.mtu > DRIVER_SAFE_MTU;

	if (is_refused(check)) {
		check_find(
			check, FINDING_FAIL, "%s",
			*check->host->bpf_refused
				? check->host->bpf_refused
				: "the kernel loads no programs for this process, although it has "
				  "the capabilities: a filter of system calls or a security "
				  "module forbids it");
		return;
	}
	judge_feature(check, check->host->btf,
		      "has no BTF (CONFIG_DEBUG_INFO_BTF), so packets that drivers refuse to send "
		      "cannot be counted",
		      FINDING_WARN);
	if (features->xdp == ANSWER_UNKNOWN) {
		check_find(
			check, FINDING_OK,
			"not known: Linux %s was not asked what it can do, for want of permission",
			check->host->kernel);
		return;
	}
	judge_feature(check, features->xdp,
		      "loads no XDP program: it is built without BPF, or too old", FINDING_FAIL);
	judge_feature(check, features->link,
		      "has no links for XDP (5.9 has), by which programs are attached",
		      FINDING_FAIL);
	judge_feature(check, features->broadcast,
		      "copies no frames in XDP (5.14 does), and fragments large packets itself",
		      FINDING_OK);
	judge_feature(check, features->frags,
		      "takes no frames in several buffers (5.18 does), so an MTU above a page "
		      "cannot be had in native mode",
		      large ? FINDING_WARN : FINDING_OK);
}

void check_libbpf(const struct check *check)
{
	const char *version = check->host->features.libbpf;
	unsigned int major;

	if (sscanf(version, "%u", &major) == 1 && major < LIBBPF_MINIMUM)
		check_find(check, FINDING_FAIL,
			   "libbpf %s is too old, %d.0 has what this program uses: install the "
			   "package that brings its own",
			   version, LIBBPF_MINIMUM);
	else if (*version)
		check_find(check, FINDING_OK, "libbpf is %s", version);
}

/* Who checks as anybody may still run as root; who has what `run` needs, and cannot mount, is to run so. */
static bool is_unable_to_mount(const struct host *host)
{
	return host->cap_bpf == ANSWER_YES && host->cap_sys_admin == ANSWER_NO;
}

void check_bpffs(const struct check *check)
{
	if (check->host->pins_at_risk == ANSWER_YES)
		check_fix(check_find(check, FINDING_WARN,
				     "this instance is pinned in a BPF file system that only its "
				     "daemon's mount namespace has: if the daemon is killed, "
				     "forwarding ends; start it with the host's instead"),
			  "nsenter --net=/run/netns/NAME vxlan-pipeline run");
	else if (check->host->bpffs == ANSWER_NO && is_unable_to_mount(check->host))
		check_fix(check_find(check, FINDING_FAIL,
				     "no BPF file system is mounted at /sys/fs/bpf, and this "
				     "process, as in a container, may not mount one"),
			  "mount -t bpf bpf /sys/fs/bpf");
	else if (check->host->bpffs == ANSWER_NO)
		check_fix(check_find(check, FINDING_WARN,
				     "no BPF file system is mounted at /sys/fs/bpf; `run` mounts "
				     "one, which takes root"),
			  "mount -t bpf bpf /sys/fs/bpf");
}

void check_jit(const struct check *check)
{
	if (check->host->features.jit == ANSWER_NO)
		check_fix(check_find(check, FINDING_WARN,
				     "BPF programs are interpreted, which is several times slower"),
			  "sysctl -w net.core.bpf_jit_enable=1");
	else if (check->host->features.jit == ANSWER_UNKNOWN)
		check_find(check, FINDING_OK,
			   "not known: the kernel was not asked whether it compiles BPF programs");
}

void check_rules(const struct check *check)
{
	if (!check->config->rule_count && check->config->forward.unmatched == FALLBACK_DROP)
		check_find(
			check, FINDING_WARN,
			"there is no rule, and forward.unmatched is drop: every packet of the "
			"tunnel is dropped; add rules under `nat`, or say where unmatched packets "
			"go");
}

void check_sources(const struct check *check)
{
	if (!check->config->listen.source_count)
		check_find(
			check, FINDING_WARN,
			"listen.sources is not set: whoever reaches UDP port %u of this host has "
			"packets of their making delivered to the rules' targets; list the mirror "
			"sources there, as `sources: [10.0.0.0/8]`",
			check->config->listen.port);
}

/* The default; AWS gives it to no session by itself. */
static bool only_vni_1(const struct config *config)
{
	return config->listen.vni_count == 1 && config->listen.vnis[0] == 1;
}

void check_vnis(const struct check *check)
{
	const struct host *host = check->host;
	struct finding *finding;

	if (check->config->listen.any_vni) {
		check_find(check, FINDING_OK, "listen.vnis is any");
	} else if (host->unlisted_vni > 0 && host->listed_vni == 0) {
		finding = check_find(
			check, FINDING_WARN,
			"all of the %" PRId64 " packets that came through the tunnel so "
			"far had VNIs that are not listed, and were dropped: put those of "
			"the mirror sessions into listen.vnis, or say `any`",
			host->unlisted_vni);
		if (host->ec2 == ANSWER_YES)
			check_fix(finding, "aws ec2 describe-traffic-mirror-sessions --query "
					   "'TrafficMirrorSessions[].VirtualNetworkId'");
	} else if (host->listed_vni <= 0) {
		check_find(check, FINDING_OK, "not known: %s%s",
			   host->listed_vni == HOST_UNKNOWN
				   ? "the instance does not run, or could not be "
				     "asked, which takes root"
				   : "nothing came through the tunnel yet",
			   only_vni_1(check->config)
				   ? "; listen.vnis is [1], while AWS gives a mirror session a VNI "
				     "at random unless it is told one"
				   : "");
	}
}

static bool is_loopback(const struct ip_address *address)
{
	struct ip_address loopback6;

	ip_address_parse("::1", &loopback6);
	return (address->version == 4 && address->bytes[0] == 127) ||
	       memcmp(address, &loopback6, sizeof(loopback6)) == 0;
}

/* A Network Load Balancer sends nothing to hosts whose health it cannot ask for. */
static void judge_reach(const struct check *check)
{
	struct ip_endpoint listen;

	if (check->host->ec2 != ANSWER_YES ||
	    ip_endpoint_parse(check->config->http.listen, &listen) || !is_loopback(&listen.address))
		return;
	check_find(
		check, FINDING_WARN,
		"http.listen: %s is for this host alone, so that a Network Load Balancer's health "
		"check fails; where mirrored packets come through one, say `listen: 0.0.0.0:%d` "
		"under `http`, and have the security group let its subnets in",
		check->config->http.listen, listen.port);
}

void check_http(const struct check *check)
{
	const char *listen = check->config->http.listen;

	if (!*listen)
		check_find(check, FINDING_OK, "http is off: nothing is served");
	else if (check->host->http_free == ANSWER_UNKNOWN ||
		 strcmp(check->host->http_listen, listen) != 0)
		check_find(check, FINDING_OK, "not known: whether %s can be had was not found out",
			   listen);
	else if (check->host->http_free == ANSWER_NO)
		check_fix(check_find(check, FINDING_WARN,
				     "HTTP cannot be served now, and `run` tries again every "
				     "second: http.listen: %s",
				     *check->host->http_taken ? check->host->http_taken : listen),
			  "ss -ltnp 'sport = %s'", strrchr(listen, ':'));
	judge_reach(check);
}

static void judge_interface(const struct check *check, const struct host_link *link,
			    const char *key)
{
	if (link->exists == ANSWER_NO)
		check_fix(check_find(check, FINDING_FAIL,
				     "%s: there is no interface %s on this host", key, link->name),
			  "ip -br link");
	else if (link->up == ANSWER_NO)
		check_fix(check_find(check, FINDING_WARN,
				     "%s is down, and nothing gets through until it is up",
				     link->name),
			  "ip link set dev %s up", check_word(check, link));
	else if (link->carrier == ANSWER_NO)
		check_find(check, FINDING_WARN, "%s is up, but has no carrier", link->name);
}

void check_interface(const struct check *check)
{
	judge_interface(check, &check->host->listen, "listen.interface");
	if (!check->single_arm)
		judge_interface(check, &check->host->forward, "forward.interface");
}

/* The network interface's id is known, or found by its MAC address. */
static void fix_source_dest_check(struct finding *finding, const struct host_link *link)
{
	if (*link->interface_id)
		check_fix(finding,
			  "aws ec2 modify-network-interface-attribute --network-interface-id %s "
			  "--no-source-dest-check",
			  link->interface_id);
	else
		check_fix(finding,
			  "aws ec2 modify-network-interface-attribute --no-source-dest-check "
			  "--network-interface-id $(aws ec2 describe-network-interfaces --filters "
			  "Name=mac-address,Values=%s --query "
			  "'NetworkInterfaces[0].NetworkInterfaceId' --output text)",
			  link->mac);
}

void check_source_dest_check(const struct check *check)
{
	const struct host_link *link = &check->host->forward;
	struct finding *finding;

	if (check->host->ec2 == ANSWER_UNKNOWN)
		check_find(
			check, FINDING_OK,
			"not known to be EC2, where foreign source addresses have to be allowed");
	if (check->host->ec2 != ANSWER_YES)
		return;
	if (*link->interface_id)
		finding =
			check_find(check, FINDING_WARN,
				   "%s (%s) sends packets with foreign source addresses, which "
				   "EC2 drops while its source/destination check is on; that "
				   "cannot be seen from within, but: aws ec2 "
				   "describe-network-interface-attribute --network-interface-id %s "
				   "--attribute sourceDestCheck",
				   link->name, link->interface_id, link->interface_id);
	else
		finding = check_find(
			check, FINDING_WARN,
			"%s sends packets with foreign source addresses, which EC2 drops "
			"while its source/destination check is on; the instance "
			"metadata %s",
			link->name,
			check->host->metadata == ANSWER_YES
				? "do not know this interface"
				: "do not answer, so the interface is found by its MAC");
	fix_source_dest_check(finding, link);
}
