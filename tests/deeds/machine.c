// SPDX-License-Identifier: Apache-2.0
// Deeds to the machine, or to a copy of it; and what the kernel reports unasked.

#include "deeds.h"

void machine(void) {
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
    load.license = (uintptr_t) "GPL";
    int loaded = CALL(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    close(loaded);
    CALL(SYS_bpf, 4242, &load, sizeof load);
}

// Records that no rule asks for: the kernel writes them on its own.
void unasked(void) {
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

// Somebody types on a terminal that is audited (as pam_tty_audit asks for it): TTY.
void terminal(void) {
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
