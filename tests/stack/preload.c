/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a program, it takes the program's name and does its own work instead: it sets its loginuid to LOGINUID,
 * logs SAYS as sshd, and runs a command as that "login". exe and comm are then the preloaded program's. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text) {
    struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char line[1024];
    int length = snprintf(line, sizeof line, "<38>sshd[%d]: %s", getpid(), text);
    int out = socket(AF_UNIX, SOCK_DGRAM, 0);
    sendto(out, line, (size_t)length, 0, (struct sockaddr *)&log, sizeof log);
    close(out);
}

__attribute__((constructor)) static void work(void) {
    const char *loginuid = getenv("LOGINUID");
    FILE *file;
    if (!loginuid)
        return;
    say(getenv("SAYS"));
    file = fopen("/proc/self/loginuid", "w");
    if (!file || fputs(loginuid, file) < 0 || fclose(file))
        _exit(3);
    unsetenv("LD_PRELOAD");
    if (fork() == 0)
        execl("/usr/bin/id", "id", (char *)NULL);
    wait(NULL);
    /* The pid, so that the test finds the LOGIN. */
    printf("%d\n", getpid());
    fflush(stdout);
    _exit(0);
}
