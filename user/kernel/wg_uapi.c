// SPDX-License-Identifier: GPL-2.0-only
/* Answers of a userspace WireGuard. */
#include "kernel/wg_uapi.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define LINE_SIZE 256 /* the longest line is a key with its name; an allowed IP is shorter */
#define ERRNO_MAX 4095

struct answer {
	struct state_tunnel *tunnel;
	struct state_peer *peer; /* the last public_key's, NULL before the first */
	bool ended;              /* errno= was there */
	int result;              /* what it said */
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int read_key(const char *value, struct key *out)
{
	if (strlen(value) != 2 * KEY_SIZE)
		return -EBADMSG;

	for (size_t i = 0; i < KEY_SIZE; i++) {
		int high = hex_digit(value[2 * i]);
		int low = hex_digit(value[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		out->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_u16(const char *value, uint16_t *out)
{
	uint64_t number;

	if (num_read(value, 0, UINT16_MAX, &number))
		return -EBADMSG;
	*out = (uint16_t)number;
	return 0;
}

static int read_u64(const char *value, uint64_t *out)
{
	return num_read(value, 0, UINT64_MAX, out) ? -EBADMSG : 0;
}

static int take_private_key(struct answer *answer, const char *value)
{
	return read_key(value, &answer->tunnel->private_key);
}

static int take_listen_port(struct answer *answer, const char *value)
{
	return read_u16(value, &answer->tunnel->listen_port);
}

static int take_public_key(struct answer *answer, const char *value)
{
	struct key key;
	int r = read_key(value, &key);

	if (r)
		return r;
	answer->peer = array_add(&answer->tunnel->peers);
	if (!answer->peer)
		return -ENOMEM;
	answer->peer->public_key = key;
	return 0;
}

static int take_preshared_key(struct answer *answer, const char *value)
{
	return read_key(value, &answer->peer->preshared_key);
}

/* A number or, of newer ones, a device's name; one that has gone since leads nowhere. */
static uint32_t read_zone(const char *text)
{
	uint64_t number;

	return num_read(text, 1, UINT32_MAX, &number) ? if_nametoindex(text) : (uint32_t)number;
}

/* "[fe80::1%eth0]:51820" */
static int take_endpoint(struct answer *answer, const char *value)
{
	struct endpoint *endpoint = &answer->peer->endpoint;
	char zone[LINE_SIZE] = "", plain[LINE_SIZE];
	size_t length = strcspn(value, "%");
	size_t end = length + strcspn(value + length, "]");

	if (end > length)
		snprintf(zone, sizeof(zone), "%.*s", (int)(end - length - 1), value + length + 1);
	snprintf(plain, sizeof(plain), "%.*s%s", (int)length, value, value + end);
	if (endpoint_read(plain, endpoint))
		return -EBADMSG;
	endpoint->zone = zone[0] ? read_zone(zone) : 0;
	return 0;
}

static int take_keepalive(struct answer *answer, const char *value)
{
	return read_u16(value, &answer->peer->keepalive);
}

static int take_handshake(struct answer *answer, const char *value)
{
	uint64_t seconds;

	if (num_read(value, 0, INT64_MAX, &seconds))
		return -EBADMSG;
	answer->peer->latest_handshake = (int64_t)seconds;
	return 0;
}

static int take_rx_bytes(struct answer *answer, const char *value)
{
	return read_u64(value, &answer->peer->rx_bytes);
}

static int take_tx_bytes(struct answer *answer, const char *value)
{
	return read_u64(value, &answer->peer->tx_bytes);
}

static int take_allowed_ip(struct answer *answer, const char *value)
{
	struct prefix prefix;
	struct prefix *added;

	if (prefix_read(value, &prefix))
		return -EBADMSG;
	added = array_add(&answer->peer->allowed_ips);
	if (!added)
		return -ENOMEM;
	*added = prefix;
	return 0;
}

/* wireguard-go writes its codes negative, others positive. */
static int take_errno(struct answer *answer, const char *value)
{
	uint64_t code;

	if (num_read(*value == '-' ? value + 1 : value, 0, ERRNO_MAX, &code))
		return -EBADMSG;
	answer->ended = true;
	answer->result = -(int)code;
	return 0;
}

static const struct line_kind {
	const char *name;
	int (*take)(struct answer *answer, const char *value);
	bool of_peer;
} line_kinds[] = {
	{ "private_key", take_private_key, false },
	{ "listen_port", take_listen_port, false },
	{ "public_key", take_public_key, false },
	{ "preshared_key", take_preshared_key, true },
	{ "endpoint", take_endpoint, true },
	{ "persistent_keepalive_interval", take_keepalive, true },
	{ "last_handshake_time_sec", take_handshake, true },
	{ "rx_bytes", take_rx_bytes, true },
	{ "tx_bytes", take_tx_bytes, true },
	{ "allowed_ip", take_allowed_ip, true },
	{ "errno", take_errno, false },
};

static int take_line(struct answer *answer, char *line)
{
	char *value = strchr(line, '=');

	if (!value || answer->ended)
		return -EBADMSG;
	*value++ = '\0';

	for (size_t i = 0; i < ARRAY_SIZE(line_kinds); i++) {
		if (strcmp(line, line_kinds[i].name))
			continue;
		if (line_kinds[i].of_peer && !answer->peer)
			return -EBADMSG;
		return line_kinds[i].take(answer, value);
	}

	return 0; /* a newer protocol says more than we know: fwmark, protocol_version, … */
}

int wg_uapi_read(const char *text, size_t length, struct state_tunnel *tunnel)
{
	struct answer answer = { .tunnel = tunnel };
	const char *end = text + length;
	char line[LINE_SIZE];
	int r = 0;

	while (!r && text < end && *text != '\n') {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!stop || stop - text >= LINE_SIZE)
			return -EBADMSG;
		memcpy(line, text, (size_t)(stop - text));
		line[stop - text] = '\0';
		r = take_line(&answer, line);
		text = stop + 1;
	}
	explicit_bzero(line, sizeof(line));

	if (r)
		return r;
	return answer.ended ? answer.result : -EBADMSG;
}
