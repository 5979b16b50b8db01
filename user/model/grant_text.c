// SPDX-License-Identifier: GPL-2.0-only
#include "model/grant_text.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/decide_packet.h"

struct line {
	char *at;
	size_t left; /* with room for the NUL */
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format,
							   ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = (size_t)vsnprintf(line->at, line->left, format, args);
	va_end(args);
	if (length >= line->left)
		length = line->left - 1;
	line->at += length;
	line->left -= length;
}

static void line_add_texts(struct line *line, const struct config_texts *texts)
{
	const struct config_text *text;
	const char *separator = "";

	array_for_each(text, texts) {
		line_add(line, "%s%s", separator, text->text);
		separator = ", ";
	}
}

const char *match_text_put(char *buf, const struct config_match *match)
{
	struct line line = { .at = buf, .left = MATCH_TEXT_SIZE };
	/* "icmp" is both families' in a policy; ICMPv6 alone has its number only */
	const char *name = match->proto == IPPROTO_ICMPV6 ? NULL : decide_proto_name(match->proto);

	if (!match->any && !match->both && !name) {
		line_add(&line, "proto:%u", match->proto);
		return buf;
	}
	if (!match->any && !match->both)
		line_add(&line, "%s:", name);
	if (!match->has_ports)
		line_add(&line, "*");
	else if (match->port_min == match->port_max)
		line_add(&line, "%u", match->port_min);
	else
		line_add(&line, "%u-%u", match->port_min, match->port_max);
	return buf;
}

const char *grant_text_put(char *buf, size_t size, const struct config_grant *grant)
{
	struct line line = { .at = buf, .left = size };
	const struct config_match *match;
	const char *separator = ": ";
	char text[MATCH_TEXT_SIZE];

	buf[0] = '\0';
	if (grant->action == ACTION_DENY)
		line_add(&line, "deny ");
	line_add_texts(&line, &grant->src);
	line_add(&line, " -> ");
	line_add_texts(&line, &grant->dst);
	array_for_each(match, &grant->ip) {
		line_add(&line, "%s%s", separator, match_text_put(text, match));
		separator = ", ";
	}
	if (line.left == 1) /* full to the brim: cut off, or as good as */
		strcpy(buf + size - 4, "...");
	return buf;
}
