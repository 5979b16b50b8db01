// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_netns.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/bpf_links.h"
#include "kernel/bpf_rows.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* linux 5.14 */
#endif

uint64_t bpf_netns_cookie(void)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	/* ENOPROTOOPT before 5.14: then whoever runs us must know where */
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length))
		return 0;
	return cookie;
}

int bpf_find_home(const struct bpf *bpf, enum bpf_home *out, struct err *err)
{
	uint64_t here = bpf_netns_cookie();
	struct tp_state state;
	int r = bpf_read_state(bpf, &state, err);

	if (r && r != -ENOENT)
		return r;
	if (r || !here || !state.netns_cookie || state.netns_cookie == here)
		*out = BPF_HOME_HERE;
	else
		*out = bpf_is_attached(bpf) ? BPF_HOME_ELSEWHERE : BPF_HOME_GONE;
	return 0;
}
