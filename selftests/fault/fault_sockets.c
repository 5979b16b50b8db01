// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

int socket(int domain, int type, int protocol)
{
	const char *family = getenv("FAULT_NO_FAMILY");

	if (family && domain == atoi(family)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return fault_is_next("socket") ? -1 : REAL(socket)(domain, type, protocol);
}

FAIL_SOMETIMES(int, connect, (int fd, const struct sockaddr *to, socklen_t length),
	       (fd, to, length))
FAIL_SOMETIMES(int, bind, (int fd, const struct sockaddr *to, socklen_t length), (fd, to, length))
FAIL_SOMETIMES(int, setsockopt,
	       (int fd, int level, int option, const void *value, socklen_t length),
	       (fd, level, option, value, length))
FAIL_SOMETIMES(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
	       (fd, message, flags))
FAIL_SOMETIMES(ssize_t, recv, (int fd, void *data, size_t length, int flags),
	       (fd, data, length, flags))
FAIL_SOMETIMES(int, getsockopt, (int fd, int level, int option, void *value, socklen_t *length),
	       (fd, level, option, value, length))
FAIL_SOMETIMES(int, getsockname, (int fd, struct sockaddr *out, socklen_t *length),
	       (fd, out, length))
FAIL_SOMETIMES(int, listen, (int fd, int backlog), (fd, backlog))
FAIL_SOMETIMES(int, accept4, (int fd, struct sockaddr *from, socklen_t *length, int flags),
	       (fd, from, length, flags))
FAIL_SOMETIMES(ssize_t, recvfrom,
	       (int fd, void *data, size_t length, int flags, struct sockaddr *from,
		socklen_t *from_length),
	       (fd, data, length, flags, from, from_length))
FAIL_SOMETIMES(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))

/* ---- names ---- */

FAIL_WITH(0, unsigned int, if_nametoindex, (const char *name), (name))
FAIL_WITH(NULL, char *, if_indextoname, (unsigned int index, char name[IF_NAMESIZE]), (index, name))
FAIL_WITH(NULL, struct if_nameindex *, if_nameindex, (void), ())
FAIL_WITH(EAI_SYSTEM, int, getaddrinfo,
	  (const char *node, const char *service, const struct addrinfo *hints,
	   struct addrinfo **out),
	  (node, service, hints, out))
