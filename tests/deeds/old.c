// SPDX-License-Identifier: Apache-2.0
// Deeds through the numbers of i386, on a kernel of x86_64.

#include "deeds.h"

static long old_call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

// The same kernel through i386's numbers: another architecture for audit. Pointers must lie below 4 GiB.
void of_old(void) {
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
