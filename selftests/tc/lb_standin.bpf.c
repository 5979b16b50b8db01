// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stands for another tool's load balancer in tc, as Cilium's bpf_host is one: packets to a service
 * get a backend for their destination where they come in, and leave masqueraded when that is
 * another host; answers get both undone, where they come in from a host and where they leave to a
 * client. Tests attach it beside our programs, before and behind them. It has nothing of ours and
 * knows nothing of it. Each translation is counted.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include <stddef.h>

struct addr {
	__be32 words[4]; /* IPv4 is mapped */
};

struct place {
	struct addr addr;
	__be16 port;
	__u8 proto;
	__u8 zero;
};

struct backend {
	struct place to;
	struct addr masquerade; /* zero: as it comes */
};

/* Whom a packet is from and to, of one flow and direction. */
struct tuple {
	struct addr src, dst;
	__be16 sport, dport;
	__u8 proto;
	__u8 zero[3];
};

enum count { TO_BACKEND, MASQUERADED, FROM_MASQUERADE, TO_CLIENT, COUNTS };

/* What happens to a packet that was translated: TC_ACT_OK ends the chain, others let it go on. */
struct settings {
	__s32 verdict;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} lb_settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct place);
	__type(value, struct backend);
} lb_services SEC(".maps");

/* An answer as its sender has it -> what it is to become. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tuple);
	__type(value, struct tuple);
} lb_answers SEC(".maps");

/* A packet to a backend -> what it leaves as. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tuple);
	__type(value, struct tuple);
} lb_masquerades SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} lb_counts SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *counter = bpf_map_lookup_elem(&lb_counts, &what);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

static __always_inline bool is_none(const struct addr *addr)
{
	return !(addr->words[0] | addr->words[1] | addr->words[2] | addr->words[3]);
}

struct packet {
	struct tuple tuple;
	__u32 l3, l4;
	bool v6;
};

static __always_inline void set_v4(struct addr *addr, __be32 v4)
{
	addr->words[2] = bpf_htonl(0xffff);
	addr->words[3] = v4;
}

static __always_inline bool read_v4(struct __sk_buff *skb, struct packet *packet)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, packet->l3, &ip, sizeof(ip)) || ip.ihl != 5)
		return false;
	set_v4(&packet->tuple.src, ip.saddr);
	set_v4(&packet->tuple.dst, ip.daddr);
	packet->tuple.proto = ip.protocol;
	packet->l4 = packet->l3 + sizeof(ip);
	return true;
}

static __always_inline bool read_v6(struct __sk_buff *skb, struct packet *packet)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, packet->l3, &ip, sizeof(ip)))
		return false;
	__builtin_memcpy(&packet->tuple.src, &ip.saddr, sizeof(ip.saddr));
	__builtin_memcpy(&packet->tuple.dst, &ip.daddr, sizeof(ip.daddr));
	packet->tuple.proto = ip.nexthdr;
	packet->l4 = packet->l3 + sizeof(ip);
	packet->v6 = true;
	return true;
}

/* Plain UDP and TCP alone. */
static __always_inline bool read_packet(struct __sk_buff *skb, __u32 l3, struct packet *packet)
{
	bool read;

	__builtin_memset(packet, 0, sizeof(*packet));
	packet->l3 = l3;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		read = read_v4(skb, packet);
	else
		read = skb->protocol == bpf_htons(ETH_P_IPV6) && read_v6(skb, packet);
	if (!read || (packet->tuple.proto != IPPROTO_UDP && packet->tuple.proto != IPPROTO_TCP))
		return false;
	return !bpf_skb_load_bytes(skb, packet->l4, &packet->tuple.sport, 4);
}

static __always_inline long write_addrs(struct __sk_buff *skb, const struct packet *packet,
					const struct tuple *to)
{
	__u32 src = packet->l3 +
		    (packet->v6 ? offsetof(struct ipv6hdr, saddr) : offsetof(struct iphdr, saddr));

	if (packet->v6)
		return bpf_skb_store_bytes(skb, src, &to->src, 16, 0) ||
		       bpf_skb_store_bytes(skb, src + 16, &to->dst, 16, 0);
	return bpf_skb_store_bytes(skb, src, &to->src.words[3], 4, 0) ||
	       bpf_skb_store_bytes(skb, src + 4, &to->dst.words[3], 4, 0);
}

/* The packet becomes one of that tuple, all checksums right. */
static __always_inline bool rewrite(struct __sk_buff *skb, const struct packet *packet,
				    struct tuple *to)
{
	struct tuple from = packet->tuple;
	bool udp = from.proto == IPPROTO_UDP;
	__u32 check = packet->l4 +
		      (udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0;
	__s64 change = bpf_csum_diff(from.src.words, 32, to->src.words, 32, 0);

	if (change < 0 || bpf_l4_csum_replace(skb, check, 0, change, flags | BPF_F_PSEUDO_HDR) ||
	    bpf_l4_csum_replace(skb, check, from.sport, to->sport, flags | 2) ||
	    bpf_l4_csum_replace(skb, check, from.dport, to->dport, flags | 2))
		return false;
	if (!packet->v6 &&
	    bpf_l3_csum_replace(skb, packet->l3 + offsetof(struct iphdr, check), 0, change, 0))
		return false;
	return !write_addrs(skb, packet, to) &&
	       !bpf_skb_store_bytes(skb, packet->l4, &to->sport, 4, 0);
}

static __always_inline void reverse(struct tuple *out, const struct tuple *tuple)
{
	out->src = tuple->dst;
	out->dst = tuple->src;
	out->sport = tuple->dport;
	out->dport = tuple->sport;
	out->proto = tuple->proto;
}

static __always_inline int translated(struct __sk_buff *skb, enum count what)
{
	struct settings *settings;
	__u32 zero = 0;

	settings = bpf_map_lookup_elem(&lb_settings, &zero);
	count(what);
	return settings ? settings->verdict : TC_ACT_UNSPEC;
}

/* As Cilium does: what others have left in the control buffer is not for the programs behind. */
static __always_inline void wipe(struct __sk_buff *skb)
{
	skb->cb[0] = skb->cb[1] = skb->cb[2] = skb->cb[3] = skb->cb[4] = 0;
}

/* Notes what an answer to `sent` is to become: one to `asked`. */
static __always_inline void note_answer(const struct tuple *sent, const struct tuple *asked)
{
	struct tuple answer = {}, back = {};

	reverse(&answer, sent);
	reverse(&back, asked);
	bpf_map_update_elem(&lb_answers, &answer, &back, BPF_ANY);
}

static __always_inline int to_backend(struct __sk_buff *skb, const struct packet *packet,
				      const struct backend *backend)
{
	struct tuple to = packet->tuple, leaving;

	to.dst = backend->to.addr;
	to.dport = backend->to.port;
	leaving = to;
	if (!is_none(&backend->masquerade)) {
		leaving.src = backend->masquerade;
		bpf_map_update_elem(&lb_masquerades, &to, &leaving, BPF_ANY);
	}
	note_answer(&leaving, &packet->tuple);
	if (!rewrite(skb, packet, &to))
		return TC_ACT_SHOT;
	return translated(skb, TO_BACKEND);
}

/* An answer, wherever it is met. */
static __always_inline int answer(struct __sk_buff *skb, const struct packet *packet,
				  enum count what)
{
	struct tuple *to = bpf_map_lookup_elem(&lb_answers, &packet->tuple);
	struct tuple copy;

	if (!to)
		return TC_ACT_UNSPEC;
	copy = *to;
	return rewrite(skb, packet, &copy) ? translated(skb, what) : TC_ACT_SHOT;
}

static __always_inline int in(struct __sk_buff *skb, __u32 l3)
{
	struct backend *backend;
	struct place place = {};
	struct packet packet;

	wipe(skb);
	if (!read_packet(skb, l3, &packet))
		return TC_ACT_UNSPEC;
	place.addr = packet.tuple.dst;
	place.port = packet.tuple.dport;
	place.proto = packet.tuple.proto;
	backend = bpf_map_lookup_elem(&lb_services, &place);
	return backend ? to_backend(skb, &packet, backend) : answer(skb, &packet, FROM_MASQUERADE);
}

static __always_inline int out(struct __sk_buff *skb, __u32 l3)
{
	struct packet packet;
	struct tuple *to, copy;

	wipe(skb);
	if (!read_packet(skb, l3, &packet))
		return TC_ACT_UNSPEC;
	to = bpf_map_lookup_elem(&lb_masquerades, &packet.tuple);
	if (!to)
		return answer(skb, &packet, TO_CLIENT);
	copy = *to;
	return rewrite(skb, &packet, &copy) ? translated(skb, MASQUERADED) : TC_ACT_SHOT;
}

SEC("tc")
int lb_in(struct __sk_buff *skb)
{
	return in(skb, ETH_HLEN);
}

SEC("tc")
int lb_out(struct __sk_buff *skb)
{
	return out(skb, ETH_HLEN);
}

/* The same on a device without link header. */
SEC("tc")
int lb_in_l3(struct __sk_buff *skb)
{
	return in(skb, 0);
}

SEC("tc")
int lb_out_l3(struct __sk_buff *skb)
{
	return out(skb, 0);
}

char _license[] SEC("license") = "GPL";
