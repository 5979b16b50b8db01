// SPDX-License-Identifier: GPL-2.0-only
/*
 * While a LAN device is without its programs, answers to masqueraded flows reach this machine's own
 * stack, which would refuse them: TCP with a RST, UDP as port unreachable. Asked for the listener
 * of such a packet, after the connected sockets, this names a socket that drops all it is given.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <towpath/flow.h>
#include <towpath/sink.h>

#define FAMILY_INET6 10

/* These two are the pinned ones, and so of their size. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct tp_flow_key);
	__type(value, struct tp_flow_ref);
} tp_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct tp_flow_state);
} tp_flow_state SEC(".maps");

/* user: the sockets that drop, by enum tp_sink */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, TP_SINKS);
	__type(key, __u32);
	__type(value, __u64);
} tp_sinks SEC(".maps");

static __always_inline void put_ipv4(struct tp_addr *out, __u32 addr)
{
	out->bytes[10] = out->bytes[11] = 0xff;
	__builtin_memcpy(out->bytes + 12, &addr, sizeof(addr));
}

static __always_inline void put_ipv6(struct tp_addr *out, __u32 a, __u32 b, __u32 c, __u32 d)
{
	const __u32 words[] = { a, b, c, d };

	__builtin_memcpy(out->bytes, words, sizeof(words));
}

static __always_inline void key_of(struct tp_flow_key *key, const struct bpf_sk_lookup *ctx)
{
	key->proto = ctx->protocol;
	key->side = TP_SIDE_LAN;
	key->sport = ctx->remote_port;
	key->dport = bpf_htons(ctx->local_port);
	if (ctx->family == FAMILY_INET6) {
		put_ipv6(&key->src, ctx->remote_ip6[0], ctx->remote_ip6[1], ctx->remote_ip6[2],
			 ctx->remote_ip6[3]);
		put_ipv6(&key->dst, ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2],
			 ctx->local_ip6[3]);
	} else {
		put_ipv4(&key->src, ctx->remote_ip4);
		put_ipv4(&key->dst, ctx->local_ip4);
	}
}

static __always_inline bool key_same(const struct tp_flow_key *a, const struct tp_flow_key *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* Of a flow that is alive, and whose packet a program would have sent on to somebody inside. */
static __always_inline bool is_for_inside(const struct tp_flow_key *key)
{
	const struct tp_flow_ref *ref = bpf_map_lookup_elem(&tp_flows, key);
	const struct tp_flow_state *state;
	const struct tp_flow_way *way;
	__u32 end;

	if (!ref)
		return false;
	end = ref->way & 1;
	state = bpf_map_lookup_elem(&tp_flow_state, &ref->slot);
	if (!state || !(state->gen & 1) || !(state->ways & 1 << end))
		return false;
	way = &state->way[end];
	return key_same(&way->key, key) &&
	       (way->to.flags & (TP_FLOW_DST_NAT | TP_FLOW_LOCAL)) == TP_FLOW_DST_NAT;
}

SEC("sk_lookup")
int tp_sink_lookup(struct bpf_sk_lookup *ctx)
{
	__u32 sink = ctx->protocol == IPPROTO_UDP ? TP_SINK_UDP : TP_SINK_TCP;
	struct tp_flow_key key = {};
	struct bpf_sock *sk;

	key_of(&key, ctx);
	if (!is_for_inside(&key))
		return SK_PASS;
	sk = bpf_map_lookup_elem(&tp_sinks, &sink);
	if (!sk)
		return SK_PASS;
	/* where it fails, somebody else's program has chosen: the packet is theirs */
	bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
