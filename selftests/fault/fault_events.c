// SPDX-License-Identifier: GPL-2.0-only
#include "fault.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

FAIL_SOMETIMES(int, epoll_create1, (int flags), (flags))
FAIL_SOMETIMES(int, epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event),
	       (epoll, what, fd, event))
FAIL_SOMETIMES(int, epoll_wait, (int epoll, struct epoll_event *out, int max, int timeout),
	       (epoll, out, max, timeout))
FAIL_SOMETIMES(int, timerfd_create, (int clock, int flags), (clock, flags))
FAIL_SOMETIMES(int, timerfd_settime,
	       (int fd, int flags, const struct itimerspec *new, struct itimerspec *old),
	       (fd, flags, new, old))
FAIL_SOMETIMES(int, signalfd, (int fd, const sigset_t *signals, int flags), (fd, signals, flags))
FAIL_SOMETIMES(int, eventfd, (unsigned int value, int flags), (value, flags))
FAIL_SOMETIMES(int, inotify_init1, (int flags), (flags))
FAIL_SOMETIMES(int, inotify_add_watch, (int fd, const char *path, uint32_t what), (fd, path, what))
FAIL_SOMETIMES(int, inotify_rm_watch, (int fd, int watch), (fd, watch))
