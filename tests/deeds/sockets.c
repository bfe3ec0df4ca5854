// SPDX-License-Identifier: Apache-2.0
// Deeds on the network, in a namespace of our own.

#include "deeds.h"

void sockets(void) {
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

// A firewall table in our own network namespace, by netfilter's netlink: NETFILTER_CFG.
void firewall(void) {
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
