// SPDX-License-Identifier: Apache-2.0
// Deeds through io_uring.

#include "deeds.h"

// One operation through a ring: the kernel's URINGOP knows no SYSCALL.
static void ring(struct io_uring_sqe operation) {
    struct io_uring_params p = {0};
    int fd = CALL(SYS_io_uring_setup, 4, &p);
    char *queue = mmap(0, p.sq_off.array + 4 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries =
        mmap(0, 4 * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
    if (queue == MAP_FAILED || entries == (void *)MAP_FAILED)
        return;
    entries[0] = operation;
    *(uint32_t *)(queue + p.sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(queue + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    syscall(426, fd, 1, 1, IORING_ENTER_GETEVENTS, 0, 0); // io_uring_enter
    close(fd);
}

void rings(void) {
    struct io_uring_sqe open = {
        .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t) "by a ring", .len = 0600};
    open.open_flags = O_CREAT | O_WRONLY;
    ring(open);
    ring((struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t) "by a ring"});
    struct sockaddr_in v4 = {AF_INET, htons(1), {htonl(INADDR_LOOPBACK)}, {0}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ring((struct io_uring_sqe){.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&v4, .off = sizeof v4});
}
