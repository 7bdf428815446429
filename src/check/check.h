/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a host ready for a configuration? Pure functions from what is known of a host (host.h) to
 * findings, each with its cause and the command that mends it.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "config/config.h"
#include "host/host.h"

/* Every check in the order in which it is made: its name, and what it finds when all is well. */
#define CHECKS(X)                                                                                \
	X(permission, "this process may look at everything")                                     \
	X(kernel, "the kernel has every feature that this program uses")                         \
	X(libbpf, "libbpf is new enough")                                                        \
	X(bpffs, "a BPF file system is mounted at /sys/fs/bpf")                                  \
	X(jit, "BPF programs are compiled to machine code")                                      \
	X(rules, "what arrives is matched by rules, or forward.unmatched has it go on")          \
	X(sources, "listen.sources says who may send")                                           \
	X(vnis, "packets come with VNIs that listen.vnis lists")                                 \
	X(http, "http.listen can be had")                                                        \
	X(interface, "the interfaces exist and are up")                                          \
	X(ethernet, "the interfaces carry Ethernet frames, and can be asked for next hops")      \
	X(driver, "no driver is of a version that is known to break")                            \
	X(xdp_mode, "the interfaces take XDP programs in the mode that is asked for")            \
	X(vlan_tags, "VLAN tags stay in the frames, or native mode takes them off")              \
	X(xdp_program, "no foreign XDP program is in the way")                                   \
	X(xdp_refused, "the kernel's log has no refusal of an XDP program")                      \
	X(xdp_mtu, "the MTUs are within what the drivers take with an XDP program")              \
	X(channels,                                                                              \
	  "the numbers of channels are within what the drivers take with an XDP program")        \
	X(egress, "forward.interface takes redirected frames")                                   \
	X(single_arm, "packets leave by an interface of their own, or one that can do both")     \
	X(tunnel_mtu, "mirrored packets as large as may be sent get through listen.interface")   \
	X(forward_mtu, "forward.interface takes packets of forward.mtu")                         \
	X(fragmenting, "what is larger than forward.mtu is fragmented in XDP, or cannot arrive") \
	X(fragment_limit, "nothing limits the rate of fragments")                                \
	X(source_dest_check, "not on EC2, where foreign source addresses have to be allowed")    \
	X(forwarding, "the kernel forwards what is left to it, and tells next hops")             \
	X(silence, "the kernel is kept from answering captured packets, or can be")              \
	X(targets, "routes lead to the rules' targets out of forward.interface")                 \
	X(ipsec, "no IPsec policy demands what XDP does not do")                                 \
	X(rp_filter, "reverse path filtering takes nothing from what is left to the kernel")     \
	X(send_redirects, "the kernel sends no ICMP redirects to captured senders")              \
	X(rx_ring, "the receive ring is as large as it can be")                                  \
	X(moderation, "interrupts are held back no longer than the receive ring bears")          \
	X(idle_states, "CPUs sleep no deeper than they wake up from at once")                    \
	X(losses, "the network card has counted no loss")                                        \
	X(management, "attaching cannot cut off who is logged in")

/*
 * FAIL keeps the unit from starting: nothing that `run` gets over, or mends itself, may be one; what
 * would leave although it must not, may.
 */
enum finding_status { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct finding {
	const char *check;
	enum finding_status status;
	char why[640]; /* one sentence, without an end */
	char fix[320]; /* a command; empty: there is none */
};

#define CHECK_MAX_FINDINGS 64

struct findings {
	struct finding list[CHECK_MAX_FINDINGS];
	size_t count;
};

/*
 * Makes every check; each leaves one finding at least. Where an interface does not exist, that is the
 * last one. `options` name configuration and instance to further commands: "", or " -c FILE".
 */
void check_host(const struct host *host, const struct config *config, const char *instance,
		const char *options, struct findings *findings);

/* Turns failures that `run --wait` waits for the end of into warnings. */
void check_forgive_waiting(struct findings *findings);

/* How many findings have the status. */
size_t check_count(const struct findings *findings, enum finding_status status);

#endif
