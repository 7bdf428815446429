/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps an XDP program attached where no packet arrives, so that running it by BPF_PROG_RUN is
 * fast.
 *
 * Each BPF_PROG_RUN of several frames adds its program to the kernel's table of direct calls and
 * removes it again, and waits twice for an RCU grace period, some 10 ms each. An attached program
 * is in the table already.
 */
#ifndef NET_PARKING_H
#define NET_PARKING_H

struct parking {
	int namespace; /* descriptors; -1: none */
	int link;
};

#define PARKING_NONE ((struct parking){-1, -1})

/*
 * Attaches the program to the loopback interface, which is down, of an otherwise empty network
 * namespace. The namespace lasts until parking_close() or the end of this process. The calling
 * thread returns in its own namespace. 0 or -errno.
 */
int parking_open(struct parking *parking, int program_fd);
void parking_close(struct parking *parking); /* PARKING_NONE is allowed */

#endif
