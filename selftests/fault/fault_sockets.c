// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <errno.h>
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
