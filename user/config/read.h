/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all readers of the policy file share: where they stand in it, how an object is read by a
 * table of its keys, and the kinds of values. Used inside user/config alone.
 *
 * A reader function takes one JSON value and writes one member of the config. It reports what is
 * wrong and goes on; nothing that was read is used once there was an error, so it may leave the
 * member half done, but always fit for config_free.
 */
#ifndef TP_CONFIG_READ_H
#define TP_CONFIG_READ_H

#include "config/config.h"
#include "config/json.h"
#include "config/seen.h"

#define READ_ERRORS_MAX   1000
#define READ_PREFIXES_MAX 100000 /* addresses and prefixes in the whole file */
#define READ_MEMBERS_MAX  10000  /* nodes, peers and gateways, of each */
#define READ_LIST_MAX     100000 /* entries of a list or map that has no limit of its own */
#define READ_MTU_MIN      1280
#define READ_MTU_MAX      65455

struct reader {
	struct problems *problems;
	int r;               /* -ENOMEM once memory ran out; what is read after that is void */
	size_t errors;       /* found so far */
	size_t prefixes;     /* read so far */
	struct seen names;   /* of selectors: nodes, peers, users, hosts, services */
	struct seen entries; /* of nodes and gateways: what a peer may connect to */
	struct seen keys;
	struct seen addresses;
	struct seen routes;
	struct seen approvers;
	struct seen members;  /* nodes in gateways; owner is the gateway */
	struct seen virtuals; /* addresses, protocols and ports of services */
	/*
	 * The sections that others build on, read beforehand, since they may stand below their
	 * users; NULL while these are read.
	 */
	const struct config *bases;
	const struct seen *base_members;
};

/* A value and how it was reached; lives on the stack of whoever descends. */
struct value {
	const struct json *json; /* NULL behind the last member */
	const struct value *up;  /* NULL at the top */
	const char *key;         /* in an object, else NULL */
	size_t index;
};

/* for (struct value item = value_first(up); item.json; value_next(&item)) */
struct value value_first(const struct value *up);
void value_next(struct value *value);
/* The member `key` of an object; json is NULL when there is none. */
struct value value_find(const struct value *up, const char *key);
/* "$.peers.phone.addresses[0]", the caller's; NULL when memory is out, which the reader notes. */
char *value_place(struct reader *reader, const struct value *value);

/* The place of a member that the file may not have. */
char *value_place_below(struct reader *reader, const struct value *up, const char *key);

/* ---- errors ---------------------------------------------------------------------------------- */

void read_error(struct reader *reader, const struct value *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with "; did you mean "MEANT"?" behind it, unless meant is NULL. */
void read_error_meant(struct reader *reader, const struct value *value, const char *meant,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Notes -ENOMEM. */
void read_no_memory(struct reader *reader);
/* Whether the value has this type; an error when not. */
bool read_is(struct reader *reader, const struct value *value, enum json_type type);

/*
 * Text from the file as an error may show it: in quotes, shortened, control characters escaped;
 * of what looks like a key nothing is shown.
 */
#define QUOTE_SHOWN_MAX 96
#define QUOTE_SIZE      (QUOTE_SHOWN_MAX + 16)
const char *quote_put(char buf[QUOTE_SIZE], const char *text);
/* In the arguments of read_error: the buffer lives as long as the block around the call. */
#define QUOTE(text) quote_put((char[QUOTE_SIZE]){ 0 }, (text))

/* ---- objects, maps and lists ----------------------------------------------------------------- */

struct field;

/* Whether the text will do; reports what is wrong with it. */
#define CHECK_FUNCTION(name) \
	bool name(struct reader *reader, const struct value *value, const char *text)
#define READ_FUNCTION(name)                                                                    \
	void name(struct reader *reader, const struct value *value, const struct field *field, \
		  void *out)

struct field {
	const char *key; /* NULL ends a table */
	READ_FUNCTION((*read));
	size_t offset; /* of the member within its struct */
	bool required;
	const char *mend; /* put behind the error that it is missing; may be NULL */
	bool nullable;    /* null says: not set */
	bool not_empty;   /* of lists */
	uint32_t min, max;
	const char *const *words; /* NULL at the end; the index is the enum's value */
	CHECK_FUNCTION((*check));
};

/* A line of a table: FIELD("mtu", read_u16, .offset = …, .min = …). Last: { .key = NULL }. */
#define FIELD(key_text, function, ...)                             \
	{                                                          \
		.key = (key_text), .read = (function), __VA_ARGS__ \
	}

/* A table as the schema test sees it. */
struct field_table {
	const char *name;
	const struct field *fields;
};
extern const struct field_table read_tables[]; /* fields NULL at the end */

/* Reads an object by its table into the struct at out. */
void read_object(struct reader *reader, const struct value *value, const struct field *fields,
		 void *out);
/* An object of named things: read for each member, after check had its say about the key. */
struct map {
	size_t max;
	const char *what; /* "peers" */
	CHECK_FUNCTION((*check));
	void (*read)(struct reader *reader, const struct value *value, void *out);
};
void read_map(struct reader *reader, const struct value *value, const struct map *map, void *out);
/* Whether it is a list within its limit; the caller walks it. */
bool read_is_list(struct reader *reader, const struct value *value, size_t max, const char *what);

/* ---- values, by the type of the member ------------------------------------------------------- */

READ_FUNCTION(read_u16);           /* uint16_t, field min..max */
READ_FUNCTION(read_u32);           /* uint32_t, field min..max */
READ_FUNCTION(read_word);          /* an enum, field words */
READ_FUNCTION(read_string);        /* char *, field check */
READ_FUNCTION(read_text);          /* struct config_text, field check */
READ_FUNCTION(read_texts);         /* struct config_texts, field check on each */
READ_FUNCTION(read_public_key);    /* struct key */
READ_FUNCTION(read_addr);          /* struct addr */
READ_FUNCTION(read_addrs);         /* struct config_addrs */
READ_FUNCTION(read_prefixes);      /* struct config_prefixes */
READ_FUNCTION(read_endpoint);      /* struct config_endpoint */
READ_FUNCTION(read_time);          /* int64_t, RFC 3339 */
READ_FUNCTION(read_mesh_addrs);    /* struct config_addrs, each claimed */
READ_FUNCTION(read_tunnel);        /* struct config_tunnel */
READ_FUNCTION(read_client);        /* struct config_client */
READ_FUNCTION(read_route_probe);   /* struct config_probe with an address */
READ_FUNCTION(read_service_probe); /* struct config_probe without one */

/* The number if it is a whole one within min..max; an error when not. */
bool read_number(struct reader *reader, const struct value *value, uint32_t min, uint32_t max,
		 uint32_t *out);
/* The string, never empty; NULL after an error. */
const char *read_nonempty(struct reader *reader, const struct value *value);
/* A copy in place of what *out held. */
void read_copy(struct reader *reader, char **out, const char *text);
/* One entry of a list, appended; NULL after an error. */
const char *read_text_item(struct reader *reader, const struct value *value,
			   const struct field *field, struct config_texts *texts);
struct addr *read_addr_item(struct reader *reader, const struct value *value,
			    struct config_addrs *addrs);
/* The index of text in words; -1 after an error that suggests one. */
int read_choice(struct reader *reader, const struct value *value, const char *text,
		const char *const *words);
/* An error when not an address, prefix or range; each counts for READ_PREFIXES_MAX. */
bool read_addr_text(struct reader *reader, const struct value *value, const char *text,
		    struct addr *out);
bool read_prefix_text(struct reader *reader, const struct value *value, const char *text,
		      struct prefix *out);
bool read_range_text(struct reader *reader, const struct value *value, const char *text,
		     struct addr_range *out);
/* A prefix that is the key of a map, met there for the first time. */
bool read_prefix_key(struct reader *reader, const struct value *value, struct seen *seen,
		     struct prefix *out);
/* Splits "host:port", "[v6]:port"; *host is the caller's. -EINVAL: no such form; -ENOMEM. */
int host_port_split(const char *text, char **host, uint16_t *port);

/* ---- what strings may hold ------------------------------------------------------------------- */

CHECK_FUNCTION(check_name);          /* of a gateway: letters, digits, ". _ -" */
CHECK_FUNCTION(check_selector_name); /* of what a selector may name */
CHECK_FUNCTION(check_tag);
CHECK_FUNCTION(check_group);
CHECK_FUNCTION(check_group_member);
CHECK_FUNCTION(check_owner); /* a node's name, a tag or a group */
CHECK_FUNCTION(check_selector);
CHECK_FUNCTION(check_interface);
CHECK_FUNCTION(check_interface_glob);
CHECK_FUNCTION(check_netns);
CHECK_FUNCTION(check_path);
CHECK_FUNCTION(check_cgroup);
CHECK_FUNCTION(check_domain);
/* A DNS name whose last label is no number (RFC 3696). */
bool domain_is_valid(const char *name);

/* ---- what must be said once ------------------------------------------------------------------ */

enum claim { CLAIM_NODE, CLAIM_PEER, CLAIM_USER, CLAIM_HOST, CLAIM_SERVICE, CLAIM_GATEWAY };

void claim_name(struct reader *reader, const struct value *value, enum claim kind,
		const char *name);
void claim_key(struct reader *reader, const struct value *value, enum claim kind, const char *owner,
	       const struct key *key);
void claim_address(struct reader *reader, const struct value *value, const struct addr *addr);
void claim_member(struct reader *reader, const struct value *value, const char *gateway,
		  const char *node);
/* What a map or a service may hold once: an error "WHAT is already PLACE" when it was there. */
bool claim_once(struct reader *reader, const struct value *value, struct seen *seen,
		const void *key, size_t length, const char *what);

/* ---- matches (config_match.c) ---------------------------------------------------------------- */

/* One entry of "ip"; false after an error. */
bool read_match_text(struct reader *reader, const struct value *value, const char *text,
		     struct config_match *out);
/* "tcp", "icmp", "proto:47"; 0 or -EINVAL. *has_ports: whether assertions name ports. */
int protocol_read(const char *text, uint8_t *proto, bool *has_ports);
/* The same; false after an error. */
bool read_protocol_text(struct reader *reader, const struct value *value, const char *text,
			uint8_t *proto);
/*
 * "443", "1-52" or "*"; false after an error. before: what stands in front of them, for
 * suggestions.
 */
bool read_ports_text(struct reader *reader, const struct value *value, const char *before,
		     const char *ports, struct config_match *out);

/* ---- sections -------------------------------------------------------------------------------- */

extern const struct field top_fields[], tunnel_fields[], client_fields[], node_fields[],
	peer_fields[], gateway_fields[], route_fields[], route_probe_fields[], approver_fields[],
	grant_fields[], test_fields[], service_fields[], service_port_fields[],
	service_probe_fields[], socket_lb_fields[], exempt_fields[], metrics_fields[],
	limits_fields[], timeouts_fields[];

/* Each reads one member of the top; out is struct config. */
READ_FUNCTION(read_nodes);
READ_FUNCTION(read_peers);
READ_FUNCTION(read_gateways);
READ_FUNCTION(read_groups);
READ_FUNCTION(read_hosts);
READ_FUNCTION(read_approvers);
READ_FUNCTION(read_routes);
READ_FUNCTION(read_grants);
READ_FUNCTION(read_tests);
READ_FUNCTION(read_services);
READ_FUNCTION(read_socket_lb);
READ_FUNCTION(read_metrics);
READ_FUNCTION(read_limits);

/* Values of a policy that says nothing. */
void tunnel_defaults(struct reader *reader, struct config_tunnel *tunnel);
void client_defaults(struct config_client *client);
void socket_lb_defaults(struct reader *reader, struct config_socket_lb *lb);
void limits_defaults(struct config_limits *limits);

/* A copy for a node to write over; `to` is empty. */
void tunnel_copy(struct reader *reader, struct config_tunnel *to, const struct config_tunnel *from);
/* What the peer's own "client" (NULL: it has none) does not say comes from the base. */
void client_inherit(struct reader *reader, struct config_client *client, const struct json *own,
		    const struct config_client *base);

/* ---- freeing --------------------------------------------------------------------------------- */

void config_texts_free(struct config_texts *texts);

#endif
