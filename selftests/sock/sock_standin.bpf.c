// SPDX-License-Identifier: GPL-2.0-only
/*
 * Somebody else's socket load balancer, as Cilium has one: connect() and sendto() to an address in
 * its table go to a backend, without one they fail; what comes from a backend is shown as the
 * service's. It keeps count of what it did.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct place {
	__u32 addr[4]; /* IPv4: mapped */
	__u32 port;    /* as the context has it */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct place);
	__type(value, struct place); /* all zero: no backend */
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct place);
	__type(value, struct place);
} reverse SEC(".maps");

/* rewritten, refused, shown as another */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *counter = bpf_map_lookup_elem(&counts, &what);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

static __always_inline struct place read4(struct bpf_sock_addr *ctx)
{
	return (struct place){ { 0, 0, bpf_htonl(0xffff), ctx->user_ip4 }, ctx->user_port };
}

static __always_inline struct place read6(struct bpf_sock_addr *ctx)
{
	return (struct place){ { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
				 ctx->user_ip6[3] },
			       ctx->user_port };
}

static __always_inline void write4(struct bpf_sock_addr *ctx, const struct place *to)
{
	ctx->user_ip4 = to->addr[3];
	ctx->user_port = to->port;
}

static __always_inline void write6(struct bpf_sock_addr *ctx, const struct place *to)
{
	ctx->user_ip6[0] = to->addr[0];
	ctx->user_ip6[1] = to->addr[1];
	ctx->user_ip6[2] = to->addr[2];
	ctx->user_ip6[3] = to->addr[3];
	ctx->user_port = to->port;
}

#define OUT(name, hook, get, put)                                             \
	SEC("cgroup/" hook)                                                   \
	int name(struct bpf_sock_addr *ctx)                                   \
	{                                                                     \
		struct place at = get(ctx);                                   \
		const struct place *to = bpf_map_lookup_elem(&services, &at); \
                                                                              \
		if (!to)                                                      \
			return 1;                                             \
		if (!to->port) {                                              \
			count(1);                                             \
			bpf_set_retval(-EHOSTUNREACH);                        \
			return 0;                                             \
		}                                                             \
		count(0);                                                     \
		put(ctx, to);                                                 \
		return 1;                                                     \
	}

#define BACK(name, hook, get, put)                                           \
	SEC("cgroup/" hook)                                                  \
	int name(struct bpf_sock_addr *ctx)                                  \
	{                                                                    \
		struct place at = get(ctx);                                  \
		const struct place *to = bpf_map_lookup_elem(&reverse, &at); \
                                                                             \
		if (to) {                                                    \
			count(2);                                            \
			put(ctx, to);                                        \
		}                                                            \
		return 1;                                                    \
	}

OUT(other_connect4, "connect4", read4, write4)
OUT(other_connect6, "connect6", read6, write6)
OUT(other_sendmsg4, "sendmsg4", read4, write4)
OUT(other_sendmsg6, "sendmsg6", read6, write6)
BACK(other_recvmsg4, "recvmsg4", read4, write4)
BACK(other_recvmsg6, "recvmsg6", read6, write6)

char _license[] SEC("license") = "GPL";
