// SPDX-License-Identifier: GPL-2.0-only
/* "tests": what the grants must do. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/read.h"

#define MEANT_SIZE 160

/*
 * The protocol of the test around an assertion, wherever "proto" stands in it. False when it is
 * none: then nothing can be held against the ports.
 */
static bool find_proto(const struct value *test, uint8_t *proto, bool *has_ports)
{
	const struct value found = value_find(test, "proto");

	if (!found.json)
		return !protocol_read("tcp", proto, has_ports);
	return json_type(found.json) == JSON_STRING &&
	       !protocol_read(json_string(found.json), proto, has_ports);
}

static bool is_v6_text(const char *text)
{
	struct addr_range range;
	struct prefix prefix;

	return strchr(text, ':') &&
	       (prefix_read(text, &prefix) != -EINVAL || !addr_range_read(text, &range));
}

static void report_no_ports(struct reader *reader, const struct value *value, const char *selector,
			    const char *rest)
{
	const char *text = json_string(value->json);
	char meant[MEANT_SIZE];

	snprintf(meant, sizeof(meant), is_v6_text(selector) ? "[%s]:%s" : "%s:%s", selector, rest);
	if (is_v6_text(selector) && text[0] != '[')
		read_error_meant(reader, value, meant, "%s: IPv6 goes into brackets", QUOTE(text));
	else
		read_error_meant(reader, value, meant, "%s names no ports", QUOTE(text));
}

/* "tag:k8s", "group:family": the colon is the selector's own. */
static bool is_tag_or_group(const char *text)
{
	return (!strncmp(text, "tag:", 4) || !strncmp(text, "group:", 6)) &&
	       strchr(text, ':') == strrchr(text, ':');
}

/* Cuts "selector:ports" in place and gives the ports, or NULL after an error. */
static char *cut_ports(struct reader *reader, const struct value *value, char *text)
{
	const char *whole = json_string(value->json);
	char *colon = strrchr(text, ':');

	if (!colon || is_tag_or_group(text)) {
		report_no_ports(reader, value, whole, "*");
		return NULL;
	}

	*colon = '\0';
	if (is_v6_text(text))
		report_no_ports(reader, value, text, colon + 1);
	else if (is_v6_text(whole))
		report_no_ports(reader, value, whole, "*");
	else
		return colon + 1;
	return NULL;
}

/* The same for "[v6]:ports"; text begins behind the bracket. */
static char *cut_bracket(struct reader *reader, const struct value *value, char *text)
{
	char *close = strchr(text, ']');

	if (!close) {
		read_error(reader, value, "%s: the bracket is not closed",
			   QUOTE(json_string(value->json)));
		return NULL;
	}
	*close = '\0';
	if (!is_v6_text(text)) {
		read_error(reader, value, "%s: brackets are for IPv6 addresses and prefixes",
			   QUOTE(json_string(value->json)));
		return NULL;
	}
	if (close[1] == ':')
		return close + 2;
	report_no_ports(reader, value, text, "*");
	return NULL;
}

static void add_match(struct reader *reader, struct config_assertion *assertion,
		      const struct config_match *match)
{
	struct config_match *added = array_add(&assertion->ports);

	if (!added)
		read_no_memory(reader);
	else
		*added = *match;
}

/* "80,443" */
static void read_port_list(struct reader *reader, const struct value *value, char *ports,
			   uint8_t proto, struct config_assertion *assertion)
{
	const char *whole = json_string(value->json);
	AUTO_FREE char *before = mem_format("%.*s", (int)(strlen(whole) - strlen(ports)), whole);
	char *next = ports;
	char *port;

	if (!before) {
		read_no_memory(reader);
		return;
	}
	while ((port = strsep(&next, ","))) {
		struct config_match match = { .proto = proto };

		if (read_ports_text(reader, value, before, port, &match))
			add_match(reader, assertion, &match);
	}
}

/* "lan" of "lan:53", "[v6]" of "[v6]:53": cuts in place, or leaves alone. */
static bool cut_surplus(char *text)
{
	char *colon = text[0] == '[' ? strstr(text, "]:") : strrchr(text, ':');

	if (!colon || is_tag_or_group(text) || is_v6_text(text))
		return false;
	colon[text[0] == '['] = '\0';
	return true;
}

/* The selector of a protocol without ports; brackets may stay. */
static void read_portless(struct reader *reader, const struct value *value, char *text,
			  uint8_t proto, struct config_assertion *assertion)
{
	const struct config_match match = { .proto = proto, .port_max = UINT16_MAX };
	size_t length = strlen(text);

	if (cut_surplus(text)) {
		read_error_meant(reader, value, text, "%s: this protocol has no ports",
				 QUOTE(json_string(value->json)));
		return;
	}
	if (text[0] == '[' && text[length - 1] == ']') {
		text[length - 1] = '\0';
		text++;
	}
	if (!check_selector(reader, value, text))
		return;
	read_copy(reader, &assertion->selector, text);
	add_match(reader, assertion, &match);
}

static void read_with_ports(struct reader *reader, const struct value *value, char *text,
			    uint8_t proto, struct config_assertion *assertion)
{
	char *selector = text[0] == '[' ? text + 1 : text;
	char *ports = text[0] == '[' ? cut_bracket(reader, value, selector)
				     : cut_ports(reader, value, selector);

	if (!ports || !check_selector(reader, value, selector))
		return;
	read_copy(reader, &assertion->selector, selector);
	read_port_list(reader, value, ports, proto, assertion);
}

static void read_assertion(struct reader *reader, const struct value *value,
			   struct config_assertions *assertions)
{
	const char *text = read_nonempty(reader, value);
	AUTO_FREE char *copy = NULL;
	struct config_assertion *added;
	bool has_ports;
	uint8_t proto;

	if (!text)
		return;
	copy = mem_copy_string(text);
	added = array_add(assertions);
	if (!copy || !added) {
		read_no_memory(reader);
		return;
	}

	read_copy(reader, &added->text, text);
	added->place = value_place(reader, value);
	if (!find_proto(value->up->up, &proto, &has_ports))
		return;
	if (has_ports)
		read_with_ports(reader, value, copy, proto, added);
	else
		read_portless(reader, value, copy, proto, added);
}

static READ_FUNCTION(read_assertions)
{
	(void)field;
	if (!read_is_list(reader, value, READ_LIST_MAX, "entries"))
		return;
	for (struct value item = value_first(value); item.json; value_next(&item))
		read_assertion(reader, &item, out);
}

static READ_FUNCTION(read_proto)
{
	const char *text = read_nonempty(reader, value);

	(void)field;
	if (text)
		read_protocol_text(reader, value, text, out);
}

#define AT(member) .offset = offsetof(struct config_test, member)

const struct field test_fields[] = {
	FIELD("src", read_text, AT(src), .required = true, .check = check_selector),
	FIELD("proto", read_proto, AT(proto)),
	FIELD("accept", read_assertions, AT(accept)),
	FIELD("deny", read_assertions, AT(deny)),
	{ .key = NULL },
};

static void read_test(struct reader *reader, const struct value *value, struct config *config)
{
	struct config_test *test = array_add(&config->tests);
	size_t errors = reader->errors;

	if (!test) {
		read_no_memory(reader);
		return;
	}

	test->place = value_place(reader, value);
	test->proto = IPPROTO_TCP;
	read_object(reader, value, test_fields, test);
	if (reader->errors == errors && !test->accept.count && !test->deny.count)
		read_error(reader, value, "asserts nothing: give it \"accept\" or \"deny\"");
}

READ_FUNCTION(read_tests)
{
	(void)field;
	if (!read_is_list(reader, value, READ_LIST_MAX, "tests"))
		return;
	for (struct value item = value_first(value); item.json; value_next(&item))
		read_test(reader, &item, out);
}
