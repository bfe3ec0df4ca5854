// SPDX-License-Identifier: Apache-2.0
//
// Does, once and harmlessly, everything that a rule of data/actions.yaml speaks of: record.py audits it, and the events
// are the real samples that the rules are tested on. Run as root in a fresh directory. What could change the machine is
// done to a copy of it (own mount, UTS and network namespace), on a child, or with arguments that cannot succeed.
//
// numbers.h is made by record.py from data/syscalls.csv: SYS_x for every call, those newer than the C library included.

#ifndef DEEDS_H
#define DEEDS_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numbers.h"

#define CALL(...) syscall(__VA_ARGS__, 0L, 0L, 0L, 0L, 0L, 0L)
#define IN_CHILD(statement)                                                                                            \
    do {                                                                                                               \
        pid_t child_ = fork();                                                                                         \
        if (child_ == 0) {                                                                                             \
            statement;                                                                                                 \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        waitpid(child_, NULL, 0);                                                                                      \
    } while (0)

static char buffer[4096];

void files(void);      // files.c
void processes(void);  // processes.c
void landlocked(void); // processes.c
void sockets(void);    // sockets.c
void firewall(void);   // sockets.c
void machine(void);    // machine.c
void terminal(void);   // machine.c
void unasked(void);    // machine.c
void rings(void);      // rings.c
void of_old(void);     // old.c

#endif
