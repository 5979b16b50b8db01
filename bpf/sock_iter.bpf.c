// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells of each socket that the load balancer has connected to a backend, in whichever network
 * namespace: attached to tp_sock_rev and read by who asks, never by a packet or a call.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <towpath/service.h>

/*
 * The kernel's struct bpf_iter__bpf_sk_storage_map and the beginning of struct bpf_iter_meta. They
 * are what such a program is called with, four pointers and one, and so need no relocation.
 */
struct seq_file;

struct iter_meta {
	struct seq_file *seq;
};

struct iter_context {
	struct iter_meta *meta;
	void *map;
	void *sk;
	struct tp_sock_rev *value;
};

SEC("iter/bpf_sk_storage_map")
int tp_led_sockets(struct iter_context *ctx)
{
	const struct tp_sock_rev *value = ctx->value;
	struct tp_led led = {};
	void *sk = ctx->sk;

	if (!sk || !value)
		return 0; /* once more behind the last one */
	led.cookie = bpf_get_socket_cookie(sk);
	led.rev = *value;
	bpf_seq_write(ctx->meta->seq, &led, sizeof(led)); /* no room: called again for this one */
	return 0;
}

char _license[] SEC("license") = "GPL";
