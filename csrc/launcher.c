// SPDX-License-Identifier: Apache-2.0
//
// /usr/sbin/audisp-maldito: the plugin's first instructions, until Python's stand.
//
// auditd starts a plugin with an empty environment, its own leaked descriptors, for a restarted one an oom score of
// -1000, and signals that are ignored, blocked or deadly depending on the generation (facts of auditd 2.8 to 4.2). A
// HUP or TERM within the 40 ms that an interpreter needs would be lost or would kill. Blocked signals outlive exec and
// stay pending, so all of them are blocked here, and Python waits for the ones it wants.
//
// The interpreter gets no environment of its own choosing, no site directory and no .pth file: its standard library,
// our private directory, and the distribution's packages, in this order. Nothing of /usr/local.

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MALDITO_PYTHON
#define MALDITO_PYTHON "/usr/bin/python3"
#endif
#ifndef MALDITO_LIBDIR
#define MALDITO_LIBDIR "/usr/lib/audisp-maldito"
#endif
#ifndef MALDITO_SITE // several: separated by colons
#define MALDITO_SITE "/usr/lib/python3/dist-packages"
#endif

static const char bootstrap[] = "import sys\n"
                                "sys.path += ['" MALDITO_LIBDIR "', *'" MALDITO_SITE "'.split(':')]\n"
                                "from audisp_maldito.plugin import main\n"
                                "main(sys.argv[1:])\n";

static const char hint[] = "audisp-maldito is started by auditd, which feeds it on its standard input.\n"
                           "To see what it makes of a log: maldito replay --audit /var/log/audit/audit.log\n";

static void hold_signals(void) {
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int number = 1; number <= SIGRTMAX; number++)
        sigaction(number, &plain, NULL); // refused for KILL, STOP and the C library's own
}

static void close_descriptors(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR); // so that 0, 1 and 2 are something
    while (fd >= 0 && fd < 2);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, 0) == 0)
        return;
#endif
    for (fd = 3; fd < 4096; fd++)
        close(fd);
}

static void be_killable(void) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "0", 1) != 1) {
        // An unprivileged test run may not raise it; nothing depends on it.
    }
    if (fd >= 0)
        close(fd);
}

int main(int argc, char *argv[]) {
    hold_signals();
    if (isatty(0)) {
        fputs(hint, stderr);
        return 2;
    }
    close_descriptors();
    be_killable();
    umask(0027);

    char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL};
    // auditd gives at most two words; ours are at most the configuration's path.
    char *const arguments[] = {
        MALDITO_PYTHON, "-I", "-S", "-B", "-c", (char *)bootstrap, argc > 1 ? argv[1] : NULL, NULL};
    execve(MALDITO_PYTHON, arguments, environment);
    perror("audisp-maldito: " MALDITO_PYTHON);
    return 1;
}
