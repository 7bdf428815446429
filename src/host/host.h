/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that `check` and `tune` know of a host, gathered once. It can be written to a JSON
 * document and read back, so that a host can be judged on another one.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <jansson.h>

#include "config/config.h"
#include "datapath/bypass.h"
#include "datapath/probe.h"
#include "base/error.h"
#include "instance/instance.h"
#include "net/driver.h"
#include "net/driver_counters.h"

#define HOST_UNKNOWN (-1) /* a number that is not known; such a text is empty */

/* One of the two interfaces. */
struct host_link {
	char name[CONFIG_INTERFACE_SIZE];
	enum answer exists;
	enum answer up; /* administratively */
	enum answer carrier;
	int64_t type;  /* ARPHRD_x */
	char kind[16]; /* "bond", "vlan", ...; empty: hardware's, or unknown */
	char master
		[CONFIG_INTERFACE_SIZE]; /* what it is a port of; empty: of nothing, or unknown */
	char master_kind[16];            /* "bridge", "bond", ... */
	enum answer arp;                 /* it resolves neighbours */
	int64_t mtu;                     /* bytes */
	char mac[18];
	char driver[32];
	char driver_version[32]; /* of in-tree drivers: the kernel's release */
	char firmware[32];
	char bus[32]; /* "0000:00:06.0" */

	/* ethtool -l, -g, -c; a driver says 0 where it has none */
	int64_t channels; /* combined */
	int64_t channels_max;
	int64_t rx_channels; /* beside the combined ones */
	int64_t rx_channels_max;
	int64_t tx_channels;
	int64_t tx_channels_max;
	int64_t rx_ring; /* descriptors */
	int64_t rx_ring_max;
	int64_t tx_ring;
	int64_t tx_ring_max;
	int64_t adaptive_rx; /* 0 or 1 */
	int64_t rx_usecs;
	int64_t tx_usecs;

	/*
	 * the device moves VLAN tags of received frames to the packet's metadata: 802.1Q, 802.1ad
	 */
	enum answer rx_vlan;
	enum answer rx_stag;
	enum answer rx_vlan_fixed; /* this cannot be switched off */

	/* the XDP program it carries */
	int64_t xdp_id;    /* 0: none */
	char xdp_name[16]; /* empty: none, or this process may not ask for it */
	char xdp_mode[8];  /* "native" or "generic" */
	/*
	 * "instance", "ours" (another instance's), "foreign"; "passing": an instance sends by this
	 * interface, and its program there does nothing
	 */
	char xdp_owner[12];
	char xdp_instance[INSTANCE_NAME_MAX + 1]; /* the instance that it belongs to */
	int64_t xdp_link; /* the id of the BPF link that holds it; 0: none */

	/* what the driver says it can do (Linux 6.3) */
	enum answer native;
	enum answer redirect;
	enum answer transmit; /* takes redirected frames now */
	enum answer multi_buffer;

	enum answer default_route; /* this host's own traffic leaves here */
	int64_t forwarding4;
	int64_t forwarding6;
	int64_t force_forwarding6; /* forwards packets from here, whatever `all` says (6.17) */
	int64_t rp_filter;
	int64_t send_redirects;
	int64_t accept_ra;

	/* counted since the driver was loaded */
	int64_t exceeded[DRIVER_ALLOWANCES]; /* packets lost to each allowance */
	int64_t rx_overruns;

	char refusal[256];     /* why it last refused an XDP program, as the kernel logged it */
	char interface_id[32]; /* EC2: "eni-0123456789abcdef0" */
};

/* Rules whose targets have something in common. */
struct host_targets {
	int64_t rules;
	int64_t rule;                /* the first of them */
	char target[ADDR_TEXT_SIZE]; /* its target's address */
};

struct host {
	char kernel[65];
	char machine[65];
	int64_t cpus; /* possible ones: the kernel's nr_cpu_ids, not those online */
	struct datapath_features features;
	enum answer btf;
	enum answer nftables; /* the kernel has it */
	enum answer silenced; /* the attached instance's silence is in place; unknown: none is */
	enum answer bpffs;
	enum answer
		pins_at_risk; /* the running instance's, as their file system is the daemon's own */
	char bpf_refused[256]; /* why this process may not use bpf(2); empty: it may */
	enum answer cap_bpf;   /* this process's; CAP_SYS_ADMIN stands for it and for CAP_PERFMON */
	enum answer cap_net_admin;
	enum answer cap_perfmon;
	enum answer cap_sys_admin; /* which mounting takes */
	enum answer kernel_log;    /* this process may read it */
	int64_t ip_forward;
	int64_t forwarding6;    /* of `all` */
	int64_t rp_filter;      /* of `all` */
	int64_t send_redirects; /* of `all` */
	int64_t frag_bypass;    /* module parameter DRIVER_ENA_BYPASS; 0 or 1 */
	int64_t idle_state;     /* the deepest idle state that a CPU may enter */
	enum answer irqbalance; /* runs */
	char http_listen
		[80]; /* the configuration's, and whether it can be had or is ours already */
	enum answer http_free;
	char http_taken[256]; /* who holds the address, and what helps */
	/* no route leads to them out of forward.interface; only with next_hop: route */
	struct host_targets unrouted;
	/* they are addresses of this host itself */
	struct host_targets local;
	/*
	 * rules with an IPsec policy about packets to their targets; unknown if this process may
	 * not ask
	 */
	int64_t ipsec_rules;
	int64_t ipsec_rule; /* the first such rule; 0: packets that no rule matches */
	char ipsec_target[ADDR_TEXT_SIZE]; /* and its target's address */
	char ipsec_policy[XFRM_POLICY_SIZE];
	char ipsec_demand[8];    /* "esp", ...; "block" */
	char ipsec_direction[4]; /* "out", "fwd" */
	int64_t ipsec_priority;
	/* packets since the instance was attached, by whether listen.vnis has their VNI */
	int64_t listed_vni;
	int64_t unlisted_vni;
	enum answer ec2;
	enum answer metadata; /* the service answers */
	char instance_id[32]; /* EC2 */
	struct host_link listen;
	struct host_link forward; /* the same as listen in single-arm mode */
};

/* Names another place for EC2's instance metadata, as for AWS's own tools: http://ADDRESS:PORT. */
#define HOST_METADATA_VARIABLE "AWS_EC2_METADATA_SERVICE_ENDPOINT"

/*
 * Gathers what matters of this host for one configuration of one instance. Changes nothing, needs
 * no root, and never fails: facts that cannot be found out are unknown. Uses the network on EC2
 * only, to ask the instance metadata, for at most a few seconds.
 */
void host_read(struct host *host, const struct config *config, const char *instance);

/*
 * Fills in `link`, whose name is given. `instance`: to tell whether the XDP program belongs to it.
 */
void host_read_link(struct host_link *link, const char *instance);

/* What is known of the driver of one of the host's interfaces. Pure. */
struct driver host_link_driver(const struct host *host, const struct host_link *link);

/* Makes everything unknown. */
void host_init(struct host *host);

json_t *host_json(const struct host *host);
/* 0; -EINVAL: not a document of host_json(). Facts that the document leaves out are unknown. */
int host_from_json(struct host *host, const json_t *document, struct error *error);

/* The same through files; `path` "-" is standard output or input. */
int host_save(const struct host *host, const char *path, struct error *error);
/* Also -EINVAL: the facts are about other interfaces than the configuration's. */
int host_load_for(struct host *host, const char *path, const struct config *config,
		  struct error *error);

#endif
