/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps an XDP program attached where no packet comes, so that running it by BPF_PROG_RUN is fast.
 *
 * Each BPF_PROG_RUN of several frames enters its program into the kernel's table of direct calls
 * and takes it out again, which twice waits for an RCU grace period, some 10 ms each; unless the
 * program is in the table anyway because it is attached.
 */
#ifndef NET_PARKING_H
#define NET_PARKING_H

struct parking {
	int namespace; /* descriptors; -1: none */
	int link;
};

#define PARKING_NONE ((struct parking){-1, -1})

/*
 * Attaches the program to the loopback interface, which is down, of a network namespace that holds
 * nothing else and goes with parking_close() or this process. The calling thread is back in its own
 * namespace afterwards. 0 or -errno.
 */
int parking_open(struct parking *parking, int program_fd);
void parking_close(struct parking *parking); /* PARKING_NONE is allowed */

#endif
