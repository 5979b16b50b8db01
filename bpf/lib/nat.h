/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Source NAT with endpoint-independent mapping (RFC 4787 REQ-1, RFC 5382 REQ-1): one inside
 * address and port has one outside port, whoever it talks to. Inserting into tp_nat_in with
 * BPF_NOEXIST allocates the port, so no two mappings ever share one (REQ-3).
 *
 * A row of a hash map may be deleted, and its memory be another row, while a program holds a
 * pointer to it. Therefore a mapping has an id, which comes again only when 2^32 others have been
 * made (no program runs for so long), and it is in the same word as the number of flows: a
 * compare-and-swap of that word succeeds only on the mapping that was meant. What was read of the
 * row before it then belonged to that mapping, too. tp_nat_out is an index only, and what is read
 * there is not believed until the id is found in tp_nat_in.
 */
#ifndef BPF_LIB_NAT_H
#define BPF_LIB_NAT_H

#include "lib/maps.h"
#include "lib/pkt.h"

#define NAT_TRIES 64 /* ports tried for one mapping */
/* until one is not joined or retired: each time another CPU has to be faster, on that mapping */
#define NAT_SWAP_TRIES 8

#define NAT_GONE (TP_NAT_RETIRED | TP_NAT_DEAD)

static __always_inline __u32 nat_id(__u64 users)
{
	return users >> 32;
}

static __always_inline __u64 nat_users(const struct tp_nat_in *mapping)
{
	return *(const volatile __u64 *)&mapping->users;
}

/* One flow more on the mapping with this id. False: it is not there, or nobody may join it. */
static __always_inline bool nat_take(struct tp_nat_in *mapping, __u32 id)
{
	int i;

	for (i = 0; i < NAT_SWAP_TRIES; i++) {
		__u64 users = nat_users(mapping);

		if (nat_id(users) != id || (users & NAT_GONE))
			return false;
		if (__sync_val_compare_and_swap(&mapping->users, users, users + 1) == users)
			return true;
	}
	return false;
}

/*
 * Takes a mapping out of the index. Between the look and the deletion the row may become that of
 * a younger mapping: its flows live on, but the inside port gets one more.
 */
static __always_inline void nat_unlink(const struct tp_nat_out_key *key, __u32 id)
{
	struct tp_nat_out *row = bpf_map_lookup_elem(&tp_nat_out, key);

	if (row && row->id == id)
		bpf_map_delete_elem(&tp_nat_out, key);
}

static __always_inline void nat_out_key_of(struct tp_nat_out_key *out,
					   const struct tp_nat_in_key *key,
					   const struct tp_nat_in *mapping)
{
	out->inside = mapping->inside;
	out->outside = key->outside;
	out->port = mapping->port;
	out->proto = key->proto;
	out->pad = 0;
}

/*
 * A flow that held the mapping is gone; the last one takes it along. Until it is counted down
 * here, it keeps the row in its place, so that this needs no compare-and-swap.
 */
__noinline int nat_release(const struct tp_addr *outside, __be16 port, __u8 proto, __u32 id)
{
	struct tp_nat_in_key key = { .port = port, .proto = proto };
	struct tp_nat_out_key out_key;
	struct tp_nat_in *mapping;
	__u64 users;

	if (!outside)
		return 0;
	key.outside = *outside;
	mapping = bpf_map_lookup_elem(&tp_nat_in, &key);
	if (!mapping || nat_id(nat_users(mapping)) != id)
		return 0;

	nat_out_key_of(&out_key, &key, mapping);
	users = __sync_fetch_and_add(&mapping->users, -1) - 1;
	if (users & TP_NAT_FLOWS)
		return 0;
	/* whoever makes it a dead one deletes it; nobody joins those */
	if (__sync_val_compare_and_swap(&mapping->users, users, users | TP_NAT_DEAD) != users)
		return 0;
	nat_unlink(&out_key, id);
	bpf_map_delete_elem(&tp_nat_in, &key);
	return 0;
}

/*
 * Uses the mapping of an inside port: the row that the index names, if it is what the index
 * says. The inside is compared between two looks at the word: the index may have lied by then.
 */
__noinline int nat_join(struct nat_hold *hold)
{
	struct tp_scratch *scratch = scratch_find();
	const struct tp_nat_out_key *key;
	struct tp_nat_in_key *in_key;
	struct tp_nat_in *mapping;
	struct tp_nat_out *row;

	if (!scratch || !hold)
		return false;
	key = &scratch->nat_out_key;
	in_key = &scratch->nat_in_key;
	row = bpf_map_lookup_elem(&tp_nat_out, key);
	if (!row)
		return false;
	hold->id = row->id;
	hold->port = row->port;
	in_key->outside = key->outside;
	in_key->port = hold->port;
	in_key->proto = key->proto;
	in_key->pad = 0;
	mapping = bpf_map_lookup_elem(&tp_nat_in, in_key);
	if (!mapping || nat_id(nat_users(mapping)) != hold->id)
		return false;
	if (!addr_same(&mapping->inside, &key->inside) || mapping->port != key->port)
		return false;
	return nat_take(mapping, hold->id);
}

static __always_inline bool nat_port_in_range(const struct tp_limits *limits, __u16 port)
{
	return port >= limits->port_min && port <= limits->port_max;
}

/* What an answer to nat_in_key would look like. */
static __always_inline void nat_put_sockets(struct tp_scratch *scratch)
{
	const struct tp_addr *outside = &scratch->nat_in_key.outside;
	struct bpf_sock_tuple *tuple = &scratch->sockets;
	__be16 port = scratch->nat_in_key.port;

	if (addr_is_mapped(outside)) {
		tuple->ipv4.saddr = addr_word(&scratch->forward.dst, 3);
		tuple->ipv4.daddr = addr_word(outside, 3);
		tuple->ipv4.sport = scratch->forward.dport;
		tuple->ipv4.dport = port;
	} else {
		__builtin_memcpy(tuple->ipv6.saddr, &scratch->forward.dst, 16);
		__builtin_memcpy(tuple->ipv6.daddr, outside, 16);
		tuple->ipv6.sport = scratch->forward.dport;
		tuple->ipv6.dport = port;
	}
}

/*
 * Whether a socket of this machine would be given what comes to the outside port, from where
 * this flow's answers come. Seen are listening and unconnected ones, also on wildcard addresses,
 * and one that is connected to that very place. Not seen are sockets connected to elsewhere: they
 * do not mind, as answers are told apart by where they are from, until the mapping is used toward
 * their own peer (nat_retire). Nor those bound to another device than the one the packet is on,
 * and raw ones: an echo identifier of ping(8) cannot be asked for. A function of its own, so that
 * the verifier walks it once and not with each round of the allocator's loop.
 */
__noinline int nat_is_taken(HOOK_CONTEXT *ctx)
{
	struct tp_scratch *scratch = scratch_find();
	struct bpf_sock *sock;
	__u32 size;

	if (!ctx || !scratch)
		return 0;
	nat_put_sockets(scratch);
	size = addr_is_mapped(&scratch->nat_in_key.outside) ? sizeof(scratch->sockets.ipv4)
							    : sizeof(scratch->sockets.ipv6);
	if (scratch->nat_in_key.proto == IPPROTO_TCP)
		sock = bpf_skc_lookup_tcp(ctx, &scratch->sockets, size, BPF_F_CURRENT_NETNS, 0);
	else if (scratch->nat_in_key.proto == IPPROTO_UDP)
		sock = bpf_sk_lookup_udp(ctx, &scratch->sockets, size, BPF_F_CURRENT_NETNS, 0);
	else
		return 0;
	if (!sock)
		return 0;
	bpf_sk_release(sock);
	return 1;
}

/* The i-th candidate: the inside port if it may stay (REQ-3), then a walk from a random start. */
static __always_inline __u16 nat_candidate(const struct tp_limits *limits, __u16 inside,
					   __u32 start, int i)
{
	__u32 size = (__u32)limits->port_max - limits->port_min + 1;

	if (!i && nat_port_in_range(limits, inside))
		return inside;
	return limits->port_min + (start + i) % size;
}

/*
 * Fills the scratch's nat_in_key and nat_in, port aside, with a mapping that one flow holds.
 * Returns its new id, or 0.
 */
static __always_inline __u32 nat_prepare(struct tp_scratch *scratch)
{
	const struct tp_nat_out_key *out_key = &scratch->nat_out_key;
	__u32 zero = 0, id;
	struct tp_slot_cursor *cursor = bpf_map_lookup_elem(&tp_slot_cursor, &zero);

	if (!cursor)
		return 0;
	id = __sync_fetch_and_add(&cursor->mappings, 1) + 1;
	id = id ? id : __sync_fetch_and_add(&cursor->mappings, 1) + 1; /* 0 means none */
	__builtin_memset(&scratch->nat_in_key, 0, sizeof(scratch->nat_in_key));
	__builtin_memset(&scratch->nat_in, 0, sizeof(scratch->nat_in));
	scratch->nat_in_key.outside = out_key->outside;
	scratch->nat_in_key.proto = out_key->proto;
	scratch->nat_in.inside = out_key->inside;
	scratch->nat_in.port = out_key->port;
	scratch->nat_in.users = (__u64)id << 32 | 1;
	return id;
}

/* inside: the port that it would rather keep; 0: none */
static __always_inline bool nat_allocate(HOOK_CONTEXT *ctx, const struct tp_limits *limits,
					 struct tp_scratch *scratch, __u16 inside, __be16 *port)
{
	__u32 start = bpf_get_prandom_u32();
	int i;

	/*
	 * Clang would read it again at the end of each round, falling through to the loop's head,
	 * and a back edge that is no jump is one too many for Linux 6.1.
	 */
	barrier_var(inside);
	for (i = 0; i < NAT_TRIES; i++) {
		*port = bpf_htons(nat_candidate(limits, inside, start, i));
		scratch->nat_in_key.port = *port;
		if (nat_is_taken(ctx))
			continue;
		if (!bpf_map_update_elem(&tp_nat_in, &scratch->nat_in_key, &scratch->nat_in,
					 BPF_NOEXIST))
			return true;
	}
	return false;
}

/*
 * Into the index goes the mapping that has just been made, in nat_in_key: *hold holds it. Or *hold
 * becomes one that another CPU has made for the same inside port in the meantime. Ours is then
 * given back as any mapping is, for a hairpin may have joined it already. False: there is no room.
 */
static __always_inline bool nat_index(struct tp_scratch *scratch, struct nat_hold *hold)
{
	struct tp_nat_in_key ours = scratch->nat_in_key;
	struct tp_nat_out row = { .port = ours.port, .id = hold->id };

	if (!bpf_map_update_elem(&tp_nat_out, &scratch->nat_out_key, &row, BPF_NOEXIST))
		return true;
	if (nat_join(hold)) {
		nat_release(&ours.outside, ours.port, ours.proto, row.id);
		return true;
	}
	/* it names a mapping that nobody may join any more: ours is the one from now on */
	hold->id = row.id;
	hold->port = row.port;
	if (!bpf_map_update_elem(&tp_nat_out, &scratch->nat_out_key, &row, BPF_ANY))
		return true;
	nat_release(&ours.outside, ours.port, ours.proto, row.id);
	return false;
}

/*
 * Finds or makes the mapping of the scratch's nat_out_key for a flow to the destination in its
 * forward entry. GO_ON or why not. It finds the scratch itself: Linux 6.1 takes no argument
 * of a global function for a map's key.
 */
__noinline int nat_bind(HOOK_CONTEXT *ctx, struct tp_limits *limits, struct nat_hold *hold)
{
	struct tp_scratch *scratch = scratch_find();

	if (!ctx || !limits || !scratch || !hold)
		return TP_R_internal;
	if (nat_join(hold))
		return GO_ON;
	hold->id = nat_prepare(scratch);
	if (!hold->id ||
	    !nat_allocate(ctx, limits, scratch, bpf_ntohs(scratch->nat_out_key.port), &hold->port))
		return TP_R_nat_full;
	return nat_index(scratch, hold) ? GO_ON : TP_R_nat_full;
}

/*
 * The same, but a mapping of the flow's own, which the index does not name: nobody joins it. Flows
 * from one inside port to the same place would have the same answers, and need ports that differ.
 */
__noinline int nat_bind_alone(HOOK_CONTEXT *ctx, struct tp_limits *limits, struct nat_hold *hold)
{
	struct tp_scratch *scratch = scratch_find();
	__u16 inside;

	if (!ctx || !limits || !scratch || !hold)
		return TP_R_internal;
	hold->id = nat_prepare(scratch);
	/* from its own address, which has been tried, it is the port that must be another */
	inside = addr_same(&scratch->nat_in_key.outside, &scratch->nat_in.inside)
			 ? 0
			 : bpf_ntohs(scratch->nat_out_key.port);
	return hold->id && nat_allocate(ctx, limits, scratch, inside, &hold->port) ? GO_ON
										   : TP_R_nat_full;
}

/*
 * Something else on this machine sends from the outside port of a mapping: a socket that came
 * later, or another NAT. The port is its own now. Nobody joins the mapping any more, the inside
 * gets another one for its next flow; those that hold it are closed when they are looked at next,
 * and until the last has gone the port is given to nobody. False: there is none, or it is retired.
 */
static __always_inline bool nat_retire(const struct tp_nat_in_key *key)
{
	struct tp_nat_in *mapping = bpf_map_lookup_elem(&tp_nat_in, key);
	struct tp_nat_out_key out_key;
	int i;

	for (i = 0; mapping && i < NAT_SWAP_TRIES; i++) {
		__u64 users = nat_users(mapping);

		if ((users & NAT_GONE) || !(users & TP_NAT_FLOWS))
			return false;
		nat_out_key_of(&out_key, key, mapping);
		if (__sync_val_compare_and_swap(&mapping->users, users, users | TP_NAT_RETIRED) !=
		    users)
			continue;
		nat_unlink(&out_key, nat_id(users));
		return true;
	}
	return false;
}

/* Whether a mapping that a flow holds may still be used. */
static __always_inline bool nat_is_good(const struct tp_nat_in_key *key, __u32 id)
{
	const struct tp_nat_in *mapping = bpf_map_lookup_elem(&tp_nat_in, key);

	return mapping && nat_id(nat_users(mapping)) == id && !(nat_users(mapping) & NAT_GONE);
}

#endif
