// SPDX-License-Identifier: Apache-2.0
// All deeds, one after the other: see deeds.h.

#include "deeds.h"

int main(void) {
    alarm(30); // nothing here may wait for ever
    signal(SIGPIPE, SIG_IGN);
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET) != 0)
        return 1;
    int fd = open("script", O_CREAT | O_WRONLY, 0755);
    if (write(fd, "#!/bin/sh\n", 10) != 10)
        return 1;
    close(fd);
    struct ifreq loopback = {.ifr_name = "lo"};
    loopback.ifr_flags = IFF_UP;
    ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8914, &loopback); // SIOCSIFFLAGS
    files();
    processes();
    sockets();
    machine();
    rings();
    unasked();
    firewall();
    terminal();
    of_old();
    IN_CHILD(landlocked());
    while (wait(NULL) > 0)
        ;
    return 0;
}
