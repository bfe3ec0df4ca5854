// SPDX-License-Identifier: Apache-2.0
// Deeds to processes, and to what they may do.

#include "deeds.h"

void processes(void) {
    pid_t target = fork();
    if (target == 0)
        for (;;)
            pause();
    int handle = syscall(SYS_pidfd_open, target, 0);
    CALL(SYS_process_vm_readv, target, 0, 0, 0, 0, 0);
    CALL(SYS_process_vm_writev, target, 0, 0, 0, 0, 0);
    CALL(SYS_pidfd_getfd, handle, 0, 0);
    CALL(SYS_sched_setparam, target, buffer);
    CALL(SYS_sched_setscheduler, target, 0, buffer);
    CALL(SYS_sched_setattr, target, 0, 0);
    CALL(SYS_ptrace, 0x4206L, target, 0, 0); // PTRACE_SEIZE
    CALL(SYS_tkill, target, 0);
    CALL(SYS_tgkill, target, target, SIGWINCH);
    siginfo_t info = {.si_code = -1};
    CALL(SYS_rt_sigqueueinfo, target, SIGWINCH, &info);
    CALL(SYS_rt_tgsigqueueinfo, target, target, SIGWINCH, &info);
    CALL(SYS_pidfd_send_signal, handle, SIGWINCH, 0, 0);
    CALL(SYS_kill, target, SIGKILL);
    waitpid(target, NULL, 0);
    CALL(SYS_kill, 0x3fffff, SIGTERM);
    IN_CHILD(CALL(SYS_execve, "/bin/true", ((char *[]){"true", "", "a b", "\xff\"", NULL}), 0));
    IN_CHILD(CALL(SYS_execve, "./script", ((char *[]){"script", "argument", NULL}), 0));
    IN_CHILD(CALL(SYS_execve, "/no/such/program", ((char *[]){"x", NULL}), 0));
    IN_CHILD(CALL(SYS_execveat, AT_FDCWD, "/bin/true", ((char *[]){"by execveat", NULL}), 0, 0));
    char *many[400];
    char *large = malloc(20001);
    memset(large, ' ', 20000);
    large[20000] = 0;
    for (int i = 0; i < 398; i++)
        many[i] = i % 3 ? "another argument" : "";
    many[398] = large;
    many[399] = NULL;
    IN_CHILD(CALL(SYS_execve, "/bin/true", many, 0));
    if (CALL(SYS_fork) == 0)
        _exit(0);
    if (vfork() == 0)
        _exit(0);
    struct clone_args clone = {.exit_signal = SIGCHLD};
    if (CALL(SYS_clone3, &clone, sizeof clone) == 0)
        _exit(0);
    IN_CHILD(CALL(SYS_setuid, 1000));
    IN_CHILD(CALL(SYS_setgid, 1000));
    IN_CHILD(CALL(SYS_setreuid, 1000, -1));
    IN_CHILD(CALL(SYS_setregid, -1, 1000));
    IN_CHILD(CALL(SYS_setresuid, 1000, 1000, 0));
    IN_CHILD(CALL(SYS_setresgid, 1000, 1000, 0));
    IN_CHILD(CALL(SYS_setfsuid, 1000));
    IN_CHILD(CALL(SYS_setfsgid, 1000));
    IN_CHILD(CALL(SYS_setgroups, 0, 0));
    uint32_t header[2] = {0x20080522, 0}, data[6] = {0x200000, 0x200000, 0};
    IN_CHILD(CALL(SYS_capset, header, data));
    CALL(SYS_prctl, PR_SET_NAME, "deeds of mine");
    CALL(SYS_prctl, PR_SET_NAME, "deeds");
    CALL(SYS_arch_prctl, 0x1003, buffer);
    CALL(SYS_personality, 0xffffffff);
    CALL(SYS_brk, 0);
    CALL(SYS_mprotect, 0, 0, PROT_READ | PROT_EXEC);
    CALL(SYS_pkey_mprotect, 0, 0, PROT_READ, -1);
    CALL(SYS_mlock, buffer, 10);
    CALL(SYS_mlock2, buffer, 10, 0);
    IN_CHILD(CALL(SYS_mlockall, 1));
    CALL(SYS_setns, open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET);
    IN_CHILD(CALL(SYS_unshare, CLONE_NEWNS | CLONE_NEWIPC));
    CALL(SYS_userfaultfd, 0);
    CALL(SYS_perf_event_open, buffer, 0, -1, -1, 0);
    CALL(SYS_lsm_get_self_attr, 100, buffer, buffer, 0);
    CALL(SYS_lsm_set_self_attr, 100, buffer, 0, 0);
    CALL(SYS_lsm_list_modules, buffer, buffer, 0);
    CALL(SYS_mseal, 0, 0, 0);
    IN_CHILD(*(volatile int *)16 = 1);                                            // ANOM_ABEND
    IN_CHILD(CALL(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0); CALL(SYS_getpid)); // SECCOMP
    IN_CHILD(CALL(SYS_exit_group, 3));
}

void landlocked(void) {
    struct landlock_ruleset_attr forbidden = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE};
    int rules = CALL(SYS_landlock_create_ruleset, &forbidden, sizeof forbidden, 0);
    CALL(SYS_landlock_add_rule, rules, 1, 0, 0);
    CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
    CALL(SYS_landlock_restrict_self, rules, 2); // log after exec too
    CALL(SYS_openat, AT_FDCWD, "made by open", O_WRONLY);
}
