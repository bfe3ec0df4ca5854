// SPDX-License-Identifier: Apache-2.0
//
// Does, once and harmlessly, everything that a rule of data/actions.yaml speaks of: record.py audits it, and the events
// are the real samples that the rules are tested on. Run as root in a fresh directory. What could change the machine is
// done to a copy of it (own mount, UTS and network namespace), on a child, or with arguments that cannot succeed.
//
// numbers.h is made by record.py from data/syscalls.csv: SYS_x for every call, those newer than the C library included.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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
#define IN_CHILD(statement)                                                                                              \
    do {                                                                                                                 \
        pid_t child_ = fork();                                                                                           \
        if (child_ == 0) {                                                                                               \
            statement;                                                                                                   \
            _exit(0);                                                                                                    \
        }                                                                                                                \
        waitpid(child_, NULL, 0);                                                                                        \
    } while (0)

static char buffer[4096];

static void files(void)
{
    int fd = CALL(SYS_open, "made by open", O_CREAT | O_RDWR | O_TRUNC, 0644);
    CALL(SYS_write, fd, "text", 4);
    struct iovec piece = {buffer, 4};
    CALL(SYS_writev, fd, &piece, 1);
    CALL(SYS_pwrite64, fd, "text", 4, 0);
    CALL(SYS_pwritev, fd, &piece, 1, 0);
    CALL(SYS_pwritev2, fd, &piece, 1, 0, 0, 0);
    CALL(SYS_read, fd, buffer, 4);
    CALL(SYS_readv, fd, &piece, 1);
    CALL(SYS_pread64, fd, buffer, 4, 0);
    CALL(SYS_preadv, fd, &piece, 1, 0);
    CALL(SYS_preadv2, fd, &piece, 1, 0, 0, 0);
    CALL(SYS_ftruncate, fd, 100);
    CALL(SYS_fallocate, fd, 0, 0, 200);
    CALL(SYS_fstat, fd, buffer);
    CALL(SYS_fstatfs, fd, buffer);
    CALL(SYS_fchmod, fd, 0640);
    CALL(SYS_fchown, fd, 1, 2);
    CALL(SYS_fsetxattr, fd, "user.x", "v", 1, 0);
    CALL(SYS_fgetxattr, fd, "user.x", buffer, 10);
    CALL(SYS_flistxattr, fd, buffer, 10);
    CALL(SYS_fremovexattr, fd, "user.x");
    CALL(SYS_ioctl, fd, 0x5401, buffer);
    CALL(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    int other = CALL(SYS_creat, "created", 0600);
    CALL(SYS_copy_file_range, fd, 0, other, 0, 10, 0);
    CALL(SYS_sendfile, other, fd, 0, 10);
    CALL(SYS_splice, fd, 0, other, 0, 10, 0);
    CALL(SYS_openat, AT_FDCWD, "created", O_RDONLY);
    int here = open(".", O_RDONLY | O_DIRECTORY);
    CALL(SYS_openat, here, "created", O_WRONLY | O_APPEND);
    CALL(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY);
    CALL(SYS_openat, AT_FDCWD, "/proc/version", O_RDONLY);
    CALL(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY);
    struct open_how how = {.flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = RESOLVE_BENEATH};
    CALL(SYS_openat2, AT_FDCWD, "by openat2", &how, sizeof how);
    CALL(SYS_truncate, "created", 5);
    CALL(SYS_mkdir, "made", 0755);
    CALL(SYS_mkdirat, here, "made at", 0700);
    CALL(SYS_mkdirat, AT_FDCWD, "made/below", 0700);
    CALL(SYS_mkdir, "made", 0755);
    CALL(SYS_mknod, "fifo", S_IFIFO | 0600, 0);
    CALL(SYS_mknodat, AT_FDCWD, "device", S_IFCHR | 0600, 0x103);
    CALL(SYS_openat, AT_FDCWD, "fifo", O_RDWR | O_NONBLOCK);
    CALL(SYS_link, "created", "linked");
    CALL(SYS_linkat, AT_FDCWD, "created", here, "linked at", 0);
    CALL(SYS_symlink, "../created", "made/symlink");
    CALL(SYS_symlinkat, "/etc/passwd", AT_FDCWD, "symlink at");
    CALL(SYS_readlink, "symlink at", buffer, 100);
    CALL(SYS_readlinkat, AT_FDCWD, "symlink at", buffer, 100);
    CALL(SYS_rename, "linked", "renamed");
    CALL(SYS_renameat, AT_FDCWD, "renamed", here, "renamed at");
    CALL(SYS_renameat2, AT_FDCWD, "renamed at", AT_FDCWD, "made/renamed", 1);
    CALL(SYS_rename, "missing", "anything");
    CALL(SYS_rename, "linked at", "created");
    CALL(SYS_chmod, "created", 04755);
    CALL(SYS_fchmodat, AT_FDCWD, "created", 0600);
    CALL(SYS_fchmodat2, AT_FDCWD, "created", 0640, 0);
    CALL(SYS_chown, "created", 1000, -1);
    CALL(SYS_lchown, "symlink at", -1, 1000);
    CALL(SYS_fchownat, AT_FDCWD, "created", 0, 0, 0);
    CALL(SYS_setxattr, "created", "user.a", "v", 1, 0);
    CALL(SYS_lsetxattr, "created", "user.b", "v", 1, 0);
    CALL(SYS_getxattr, "created", "user.a", buffer, 10);
    CALL(SYS_lgetxattr, "created", "user.a", buffer, 10);
    CALL(SYS_listxattr, "created", buffer, 10);
    CALL(SYS_llistxattr, "created", buffer, 10);
    CALL(SYS_removexattr, "created", "user.a");
    CALL(SYS_lremovexattr, "created", "user.b");
    CALL(SYS_setxattrat, AT_FDCWD, "created", 0, "user.c", buffer, 0);
    CALL(SYS_getxattrat, AT_FDCWD, "created", 0, "user.c", buffer, 0);
    CALL(SYS_listxattrat, AT_FDCWD, "created", 0, buffer, 10);
    CALL(SYS_removexattrat, AT_FDCWD, "created", 0, "user.c");
    CALL(SYS_file_getattr, AT_FDCWD, "created", buffer, 24, 0);
    CALL(SYS_file_setattr, AT_FDCWD, "created", buffer, 0, 0);
    CALL(SYS_utime, "created", 0);
    CALL(SYS_utimes, "created", 0);
    CALL(SYS_futimesat, AT_FDCWD, "created", 0);
    CALL(SYS_utimensat, AT_FDCWD, "created", 0, 0);
    CALL(SYS_access, "created", R_OK);
    CALL(SYS_faccessat, AT_FDCWD, "created", W_OK);
    CALL(SYS_faccessat2, AT_FDCWD, "created", X_OK, 0);
    CALL(SYS_stat, "created", buffer);
    CALL(SYS_lstat, "symlink at", buffer);
    CALL(SYS_newfstatat, AT_FDCWD, "created", buffer, 0);
    CALL(SYS_statx, AT_FDCWD, "created", 0, 0xfff, buffer);
    CALL(SYS_statfs, "created", buffer);
    CALL(SYS_statmount, buffer, buffer, 100, 0);
    int mount_id = 0;
    char handle[160] = {128};
    CALL(SYS_name_to_handle_at, AT_FDCWD, "created", handle, &mount_id, 0);
    CALL(SYS_open_by_handle_at, here, handle, O_RDONLY);
    CALL(SYS_memfd_create, "memory", 0);
    CALL(SYS_memfd_secret, 0);
    CALL(SYS_inotify_add_watch, inotify_init1(0), "created", 2);
    CALL(SYS_fanotify_mark, CALL(SYS_fanotify_init, 0, 0), 1, 2L, AT_FDCWD, "created", 0);
    CALL(SYS_unlink, "created");
    CALL(SYS_unlinkat, AT_FDCWD, "symlink at", 0);
    CALL(SYS_unlinkat, here, "device", 0);
    CALL(SYS_rmdir, "made at");
    CALL(SYS_unlink, "gone already");
    CALL(SYS_chdir, "made");
    CALL(SYS_fchdir, here);
    CALL(SYS_acct, "/no/such/file");
    CALL(SYS_swapon, "/no/such/swap", 0);
    CALL(SYS_swapoff, "/no/such/swap");
    CALL(SYS_quotactl, 0, "/no/such/device", 0, buffer);
    CALL(SYS_quotactl_fd, here, 0, 0, buffer);
    CALL(SYS_unlink, "umlaut \xc3\xa4");
    CALL(SYS_unlink, "no utf-8 \xff\nnew line");
}

static void processes(void)
{
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
    IN_CHILD(*(volatile int *)16 = 1);                                         // ANOM_ABEND
    IN_CHILD(CALL(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0); CALL(SYS_getpid)); // SECCOMP
    IN_CHILD(CALL(SYS_exit_group, 3));
}

static void landlocked(void)
{
    struct landlock_ruleset_attr forbidden = {.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE};
    int rules = CALL(SYS_landlock_create_ruleset, &forbidden, sizeof forbidden, 0);
    CALL(SYS_landlock_add_rule, rules, 1, 0, 0);
    CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
    CALL(SYS_landlock_restrict_self, rules, 2); // log after exec too
    CALL(SYS_openat, AT_FDCWD, "made by open", O_WRONLY);
}

static void sockets(void)
{
    struct sockaddr_in v4 = {AF_INET, htons(0), {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t size = sizeof v4;
    int listening = CALL(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CALL(SYS_bind, listening, &v4, size);
    CALL(SYS_listen, listening, 5);
    CALL(SYS_getsockname, listening, &v4, &size);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CALL(SYS_connect, client, &v4, size);
    struct sockaddr_in peer;
    int served = CALL(SYS_accept, listening, &peer, &size);
    CALL(SYS_getpeername, client, &peer, &size);
    CALL(SYS_sendto, client, "x", 1, 0, &v4, size);
    CALL(SYS_recvfrom, served, buffer, 1, 0, &peer, &size);
    CALL(SYS_shutdown, client, SHUT_RDWR);
    client = socket(AF_INET, SOCK_STREAM, 0);
    size = sizeof v4;
    connect(client, (struct sockaddr *)&v4, size);
    CALL(SYS_accept4, listening, &peer, &size, 0);
    v4.sin_port = htons(1);
    CALL(SYS_connect, socket(AF_INET, SOCK_STREAM, 0), &v4, size);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(1), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    CALL(SYS_connect, socket(AF_INET6, SOCK_STREAM, 0), &v6, sizeof v6);
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr);
    CALL(SYS_connect, socket(AF_INET6, SOCK_STREAM, 0), &v6, sizeof v6);
    struct sockaddr_un path = {AF_UNIX, "a socket"}, abstract = {AF_UNIX, "\0abstract"};
    CALL(SYS_bind, socket(AF_UNIX, SOCK_STREAM, 0), &path, sizeof path);
    CALL(SYS_bind, socket(AF_UNIX, SOCK_STREAM, 0), &abstract, offsetof(struct sockaddr_un, sun_path) + 9);
    CALL(SYS_bind, socket(AF_UNIX, SOCK_STREAM, 0), &abstract, sizeof(sa_family_t));
    struct sockaddr_nl netlink = {.nl_family = AF_NETLINK};
    CALL(SYS_bind, socket(AF_NETLINK, SOCK_RAW, 0), &netlink, sizeof netlink);
    struct sockaddr_ll packet = {.sll_family = AF_PACKET, .sll_protocol = htons(3)};
    CALL(SYS_bind, socket(AF_PACKET, SOCK_RAW, 0), &packet, sizeof packet);
    struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 1234};
    CALL(SYS_bind, socket(AF_VSOCK, SOCK_STREAM, 0), &vm, sizeof vm);
    CALL(SYS_connect, socket(AF_INET, SOCK_STREAM, 0), &v4, 4L); // too short
    struct sockaddr any = {AF_UNSPEC, {0}};
    CALL(SYS_connect, socket(AF_INET, SOCK_DGRAM, 0), &any, sizeof any);
    int pair[2];
    CALL(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair);
    struct iovec piece = {buffer, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    CALL(SYS_sendmsg, pair[0], &message.msg_hdr, 0);
    CALL(SYS_sendmmsg, pair[0], &message, 1, 0);
    CALL(SYS_recvmsg, pair[1], &message.msg_hdr, 0);
    CALL(SYS_recvmmsg, pair[1], &message, 1, 0, 0);
}

static void machine(void)
{
    CALL(SYS_mount, "none", "/", 0, MS_REC | MS_PRIVATE, 0);
    CALL(SYS_mount, "tmpfs", "made", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k");
    CALL(SYS_mount, "/proc", "made", 0, MS_BIND, 0);
    CALL(SYS_umount2, "made", MNT_DETACH);
    CALL(SYS_mount_setattr, AT_FDCWD, "made", 0, buffer, 0);
    int opened = CALL(SYS_fsopen, "tmpfs", 0);
    CALL(SYS_fsconfig, opened, 6, 0, 0, 0);
    int mounted = CALL(SYS_fsmount, opened, 0, 0);
    CALL(SYS_move_mount, mounted, "", AT_FDCWD, "made", 4);
    CALL(SYS_fspick, AT_FDCWD, "made", 0);
    CALL(SYS_open_tree, AT_FDCWD, "made", 0);
    CALL(SYS_open_tree_attr, AT_FDCWD, "made", 0, 0, 0);
    CALL(SYS_pivot_root, "/no/such/root", "/no/such/old");
    IN_CHILD(CALL(SYS_chroot, "made"));
    CALL(SYS_sethostname, "deeds", 5);
    CALL(SYS_setdomainname, "deeds", 5);
    struct timex query = {0};
    CALL(SYS_adjtimex, &query);
    CALL(SYS_clock_adjtime, 0, &query);
    CALL(SYS_clock_settime, 77, 0);
    struct timeval never = {-1, -1};
    CALL(SYS_settimeofday, &never, 0);
    CALL(SYS_reboot, 0, 0, 0, 0);
    CALL(SYS_kexec_load, 0, 0, 0, 0xffff);
    CALL(SYS_kexec_file_load, -1, -1, 0, 0, 0);
    CALL(SYS_init_module, 0, 0, "");
    CALL(SYS_finit_module, -1, "", 0);
    CALL(SYS_delete_module, "no_such_module", 0);
    CALL(SYS_add_key, "user", "deeds", "secret", 6, -1); // KEY_SPEC_THREAD_KEYRING
    CALL(SYS_request_key, "user", "no such key", 0, 0);
    CALL(SYS_keyctl, 0, -1, 0);
    struct bpf_insn program[2] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (uintptr_t)program};
    load.license = (uintptr_t)"GPL";
    int loaded = CALL(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    close(loaded);
    CALL(SYS_bpf, 4242, &load, sizeof load);
}

// One operation through a ring: the kernel's URINGOP knows no SYSCALL.
static void ring(struct io_uring_sqe operation)
{
    struct io_uring_params p = {0};
    int fd = CALL(SYS_io_uring_setup, 4, &p);
    char *queue = mmap(0, p.sq_off.array + 4 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(0, 4 * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
    if (queue == MAP_FAILED || entries == (void *)MAP_FAILED)
        return;
    entries[0] = operation;
    *(uint32_t *)(queue + p.sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(queue + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    syscall(426, fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0); // io_uring_enter
    close(fd);
}

static void rings(void)
{
    struct io_uring_sqe open = {.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t) "by a ring", .len = 0600};
    open.open_flags = O_CREAT | O_WRONLY;
    ring(open);
    ring((struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t) "by a ring"});
    struct sockaddr_in v4 = {AF_INET, htons(1), {htonl(INADDR_LOOPBACK)}, {0}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ring((struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&v4, .off = sizeof v4});
}

// Records that no rule asks for: the kernel writes them on its own.
static void unasked(void)
{
    int listener = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); // EVENT_LISTENER, twice
    struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = 1};
    bind(listener, (struct sockaddr *)&group, sizeof group);
    close(listener);

    struct ifreq loopback = {.ifr_name = "lo"}; // ANOM_PROMISCUOUS
    loopback.ifr_flags = IFF_UP | IFF_PROMISC;
    ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8914, &loopback); // SIOCSIFFLAGS

    IN_CHILD(setresuid(1000, 1000, 1000); link("/etc/shadow", "mine")); // ANOM_LINK

    struct timex clock = {0}; // TIME_ADJNTPVAL, twice
    adjtimex(&clock);
    clock.modes = ADJ_FREQUENCY;
    clock.freq += 1;
    CALL(SYS_adjtimex, &clock);
    clock.freq -= 1;
    CALL(SYS_adjtimex, &clock);

    int asked = CALL(SYS_fanotify_init, FAN_CLASS_CONTENT | FAN_ENABLE_AUDIT, O_RDONLY); // FANOTIFY
    CALL(SYS_fanotify_mark, asked, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "made by open");
    pid_t child = fork();
    if (child == 0) {
        open("made by open", O_RDONLY);
        _exit(0);
    }
    struct fanotify_event_metadata event;
    if (read(asked, &event, sizeof event) == sizeof event) {
        struct fanotify_response no = {event.fd, FAN_DENY | FAN_AUDIT};
        if (write(asked, &no, sizeof no) < 0)
            return;
    }
    waitpid(child, NULL, 0);
    close(asked);
}

// A firewall table in our own network namespace, by netfilter's netlink: NETFILTER_CFG.
static void firewall(void)
{
    struct {
        struct nlmsghdr head;
        uint8_t family, version;
        uint16_t resource;
        struct nlattr name;
        char text[8];
    } add = {{sizeof add, 10 << 8 | 0, NLM_F_REQUEST | NLM_F_CREATE, 2, 0}, 2, 0, 0, {4 + 6, 1}, "deeds"};
    struct {
        struct nlmsghdr head;
        uint8_t family, version;
        uint16_t resource;
    } begin = {{sizeof begin, 16, NLM_F_REQUEST, 1, 0}, 0, 0, htons(10)},
      end = {{sizeof end, 17, NLM_F_REQUEST, 3, 0}, 0, 0, htons(10)};
    char batch[256];
    size_t size = 0;
    memcpy(batch, &begin, sizeof begin), size += sizeof begin;
    memcpy(batch + size, &add, sizeof add), size += sizeof add;
    memcpy(batch + size, &end, sizeof end), size += sizeof end;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    sendto(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), batch, size, 0, (struct sockaddr *)&kernel, sizeof kernel);
}

// Somebody types on a terminal that is audited (as pam_tty_audit asks for it): TTY.
static void terminal(void)
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    char name[32];
    unsigned number = 0, unlocked = 0;
    ioctl(master, TIOCSPTLCK, &unlocked);
    ioctl(master, TIOCGPTN, &number);
    snprintf(name, sizeof name, "/dev/pts/%u", number);
    pid_t child = fork();
    if (child == 0) {
        struct {
            struct nlmsghdr head;
            uint32_t enabled, passwords;
        } watch = {{sizeof watch, 1017, NLM_F_REQUEST, 1, 0}, 1, 0}; // AUDIT_TTY_SET
        struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
        int audit = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
        sendto(audit, &watch, sizeof watch, 0, (struct sockaddr *)&kernel, sizeof kernel);
        setsid();
        int slave = open(name, O_RDWR);
        if (write(master, "ls -l\x7f\x1b[Aa \xc3\xa4\n", 14) != 14 || read(slave, buffer, 100) < 0)
            _exit(1);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

#ifdef __x86_64__
static long old_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

// The same kernel through i386's numbers: another architecture for audit. Pointers must lie below 4 GiB.
static void of_old(void)
{
    char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    strcpy(low, "made by open");
    uint32_t *arguments = (uint32_t *)(low + 64);
    arguments[0] = AF_INET, arguments[1] = SOCK_STREAM, arguments[2] = 0;
    long fd = old_call(102, 1, (long)arguments, 0);
    struct sockaddr_in v4 = {AF_INET, htons(1), {htonl(INADDR_LOOPBACK)}, {0}};
    memcpy(low + 128, &v4, sizeof v4);
    arguments[0] = fd, arguments[1] = (uint32_t)(uintptr_t)(low + 128), arguments[2] = sizeof v4;
    old_call(102, 3, (long)arguments, 0);
    arguments[2] = 0, arguments[3] = 0;
    old_call(102, 9, (long)arguments, 0);  // send
    old_call(102, 10, (long)arguments, 0); // recv
    old_call(OLD_open, (long)low, O_RDONLY, 0);
    old_call(OLD_stat64, (long)low, (long)(low + 512), 0);
    old_call(OLD_lstat64, (long)low, (long)(low + 512), 0);
    old_call(OLD_oldstat, (long)low, (long)(low + 512), 0);
    old_call(OLD_oldlstat, (long)low, (long)(low + 512), 0);
    old_call(OLD_chown32, (long)low, 1000, -1);
    old_call(OLD_lchown32, (long)low, 0, 0);
    old_call(OLD_truncate64, (long)low, 10, 0);
    old_call(OLD_umount, (long)low, 0, 0);
    old_call(OLD_stime, 0, 0, 0);
    old_call(OLD_unlink, (long)low, 0, 0);
    old_call(OLD_clock_settime64, 77, 0, 0);
    old_call(OLD_clock_adjtime64, 77, 0, 0);
    old_call(OLD_utimensat_time64, AT_FDCWD, (long)low, 0);
    old_call(OLD_mmap2, 0, 4096, 0);
    old_call(OLD_statfs64, (long)low, 84, (long)(low + 512));
    old_call(OLD_fstatat64, AT_FDCWD, (long)low, (long)(low + 512));
    long old = old_call(OLD_open, (long)low, O_RDWR | O_CREAT, 0600);
    old_call(OLD_fstat64, old, (long)(low + 512), 0);
    old_call(OLD_oldfstat, old, (long)(low + 512), 0);
    old_call(OLD_fstatfs64, old, 84, (long)(low + 512));
    old_call(OLD_fchown32, old, 0, 0);
    old_call(OLD_ftruncate64, old, 3, 0);
    old_call(OLD_sendfile64, old, old, 0);
    old_call(OLD_recvmmsg_time64, -1, 0, 0);
}
#endif

int main(void)
{
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
#ifdef __x86_64__
    of_old();
#endif
    IN_CHILD(landlocked());
    while (wait(NULL) > 0)
        ;
    return 0;
}
