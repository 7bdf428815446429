/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What network drivers can do with XDP, where the kernel does not tell. Only this file makes
 * decisions by a driver's name; driver_counters.h has the meaning of its statistics.
 */
#ifndef NET_DRIVER_H
#define NET_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/answer.h"

/*
 * The largest MTU that every driver takes with an XDP program in one buffer; ENA's limit, while
 * veth and virtio_net take a little more.
 */
#define DRIVER_SAFE_MTU 3498

/* The command that installs an ENA driver without the faults and limits below. */
#define DRIVER_ENA_INSTALL "dkms install amzn-drivers/2.17.0"

/* The parameter of ENA's module that lifts its limit on fragments: 1, or Y where it is a switch. */
#define DRIVER_ENA_BYPASS      "enable_frag_bypass"
#define DRIVER_ENA_BYPASS_FILE "/sys/module/ena/parameters/" DRIVER_ENA_BYPASS

/* What is known of an interface. Zero or NULL: not known. */
struct driver_facts {
	const char *name;
	const char *version; /* of in-tree drivers the kernel's release; ENA without one: in-tree */
	const char *kernel;  /* its release, as uname(2) gives it */
	enum answer native;  /* the driver says that it has native XDP */
	enum answer multi_buffer; /* the driver says that it takes frames in several buffers */
	enum answer frags;        /* the kernel's XDP programs take them */
	int64_t channels_max;     /* combined ones; negative: not known, either */
};

struct driver {
	const char *title;     /* for messages: "ENA", else the name, which stays the caller's */
	enum answer native;    /* has native XDP */
	int64_t xdp_mtu;       /* the largest with an XDP program; 0: any */
	bool xdp_mtu_sure;     /* false: some drivers take a little more */
	int64_t xdp_channels;  /* the most with an XDP program; 0: any number */
	bool channel_each_cpu; /* each CPU sends from XDP by its own channel, if there are enough */
	enum answer needs_program; /* sends redirected frames only while it carries a program */
	bool has_peer;   /* one end of a pair; the other takes such frames only with GRO on */
	bool rings_each; /* rings its doorbell for each XDP_TX, once for many redirects */
	bool attach_interrupts; /* the first program and the last take the interface down and up */
	bool panics;            /* under XDP_TX and XDP_REDIRECT */
	bool fails_xdp;         /* attaching does not work at all */
	int64_t fragments;      /* the most IP fragments that it sends a second; 0: any number */
	bool has_bypass;        /* by its version it has DRIVER_ENA_BYPASS */
};

/* Pure. */
struct driver driver_of(const struct driver_facts *facts);
/* The same if only the name is known. */
struct driver driver_named(const char *name);

#endif
