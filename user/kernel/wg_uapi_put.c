// SPDX-License-Identifier: GPL-2.0-only
/* Requests to a userspace WireGuard. */
#include "kernel/wg_uapi.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HEX_SIZE  (2 * KEY_SIZE + 1)
#define LINE_SIZE 256 /* the longest line is a key with its name */

/* Text that is being written into room that is known to be enough. */
struct request {
	char *text;
	size_t size;
	size_t length;
};

static bool begin(struct request *request, size_t lines)
{
	request->length = 0;
	request->size = lines * LINE_SIZE;
	request->text = mem_alloc(request->size, 1);
	return request->text;
}

__attribute__((format(printf, 2, 3))) static void put(struct request *request, const char *format,
						      ...)
{
	size_t room = request->size - request->length;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(request->text + request->length, room, format, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < room);
	request->length += (size_t)n;
}

static void put_key(struct request *request, const char *name, const struct key *key)
{
	static const char digits[] = "0123456789abcdef";
	char hex[HEX_SIZE];

	for (size_t i = 0; i < KEY_SIZE; i++) {
		hex[2 * i] = digits[key->bytes[i] >> 4];
		hex[2 * i + 1] = digits[key->bytes[i] & 15];
	}
	hex[HEX_SIZE - 1] = '\0';
	put(request, "%s=%s\n", name, hex);
	explicit_bzero(hex, sizeof(hex));
}

char *wg_uapi_put_device(const struct key *private_key, uint16_t listen_port)
{
	struct request request;

	if (!begin(&request, 4))
		return NULL;

	put(&request, "set=1\n");
	put_key(&request, "private_key", private_key);
	if (listen_port)
		put(&request, "listen_port=%u\n", listen_port);
	put(&request, "\n");
	return request.text;
}

static void put_allowed_ips(struct request *request, const struct peer_change *change)
{
	const struct prefix *prefix;
	char text[PREFIX_TEXT_SIZE];

	if (!change->have)
		put(request, "replace_allowed_ips=true\n");
	array_for_each(prefix, &change->want->allowed_ips)
		if (peer_change_has(change, prefix))
			put(request, "allowed_ip=%s\n", prefix_put(text, prefix));
}

static void put_peer(struct request *request, const struct peer_change *change)
{
	const struct state_peer *peer = change->want;
	char text[ENDPOINT_TEXT_SIZE];

	put_key(request, "public_key", &peer->public_key);
	if (change->have) /* one that somebody has removed meanwhile is not made from a part */
		put(request, "update_only=true\n");
	if (peer_change_psk(change))
		put_key(request, "preshared_key", &peer->preshared_key);
	if (change->endpoint)
		put(request, "endpoint=%s\n", endpoint_put(text, &peer->endpoint));
	if (peer_change_keepalive(change))
		put(request, "persistent_keepalive_interval=%u\n", peer->keepalive);
	put_allowed_ips(request, change);
}

static void put_dropped(struct request *request, const struct peer_change *change)
{
	const struct prefix *prefix;
	char text[PREFIX_TEXT_SIZE];

	array_for_each(prefix, &change->have->allowed_ips)
		if (peer_change_drops(change, prefix))
			put(request, "allowed_ip=%s\n", prefix_put(text, prefix));
}

/* What is to be nobody's, of all of them: to a peer that is made for it and removed at once. */
static void put_drain(struct request *request, const struct peer_change *const *changes,
		      size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		if (!changes[i]->owned)
			continue;
		if (!any)
			put_key(request, "public_key", &state_drain_key);
		any = true;
		put_dropped(request, changes[i]);
	}
	if (!any)
		return;
	put_key(request, "public_key", &state_drain_key);
	put(request, "remove=true\n");
}

char *wg_uapi_put_peers(const struct peer_change *const *changes, size_t count)
{
	struct request request;
	size_t lines = 6;

	for (size_t i = 0; i < count; i++)
		lines += 6 + peer_change_ips(changes[i]);
	if (!begin(&request, lines))
		return NULL;

	put(&request, "set=1\n");
	for (size_t i = 0; i < count; i++)
		put_peer(&request, changes[i]);
	put_drain(&request, changes, count);
	put(&request, "\n");
	return request.text;
}

char *wg_uapi_put_endpoint(const struct key *public_key, const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct request request;

	if (!begin(&request, 5))
		return NULL;

	put(&request, "set=1\n");
	put_key(&request, "public_key", public_key);
	put(&request, "update_only=true\nendpoint=%s\n\n", endpoint_put(text, endpoint));
	return request.text;
}

char *wg_uapi_put_peer_removal(const struct key *public_key)
{
	struct request request;

	if (!begin(&request, 4))
		return NULL;

	put(&request, "set=1\n");
	put_key(&request, "public_key", public_key);
	put(&request, "remove=true\n\n");
	return request.text;
}

void wg_uapi_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}
