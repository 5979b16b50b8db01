// SPDX-License-Identifier: GPL-2.0-only
/* What names, paths and other strings may hold. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "config/read.h"

#define LETTERS           "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS            "0123456789"
#define NAME_CHARACTERS   LETTERS DIGITS "._-"
#define LABEL_CHARACTERS  LETTERS DIGITS "_-"
#define INTERFACE_MAX     15               /* IFNAMSIZ - 1 */
#define INTERFACE_REFUSED " \t\n\v\f\r/:%" /* '%' makes the kernel number the name */
#define LABEL_MAX         63
#define DOMAIN_MAX        253
#define TAG_PREFIX        "tag:"
#define GROUP_PREFIX      "group:"

static bool begins_with(const char *text, const char *begin)
{
	return !strncmp(text, begin, strlen(begin));
}

static bool is_name(const char *text)
{
	size_t length = strlen(text);

	return length && length <= CONFIG_NAME_MAX && strspn(text, NAME_CHARACTERS) == length;
}

CHECK_FUNCTION(check_name)
{
	if (is_name(text))
		return true;
	read_error(reader, value,
		   "%s is not a name: 1 to %d letters, digits, \".\", \"_\" or \"-\"", QUOTE(text),
		   CONFIG_NAME_MAX);
	return false;
}

/* Whether a selector of this text would be read as an address, or nearly so. */
static bool looks_like_address(const char *text)
{
	return strchr(text, '.') && strspn(text, DIGITS ".-") == strlen(text);
}

CHECK_FUNCTION(check_selector_name)
{
	if (!check_name(reader, value, text))
		return false;
	if (looks_like_address(text)) {
		read_error(reader, value, "%s looks like an address; a name needs a letter",
			   QUOTE(text));
		return false;
	}
	if (!strcmp(text, "tag") || !strcmp(text, "group")) {
		read_error(reader, value, "%s cannot be a name: selectors begin with \"%s:\"",
			   QUOTE(text), text);
		return false;
	}
	return true;
}

/* "tag:k8s", "group:family" */
static bool check_prefixed(struct reader *reader, const struct value *value, const char *text,
			   const char *prefix, const char *what)
{
	char meant[CONFIG_NAME_MAX + 16];

	if (begins_with(text, prefix) && is_name(text + strlen(prefix)))
		return true;
	if (is_name(text)) {
		snprintf(meant, sizeof(meant), "%s%s", prefix, text);
		read_error_meant(reader, value, meant, "%s is not a %s", QUOTE(text), what);
	} else {
		read_error(reader, value, "%s is not a %s, such as %sname", QUOTE(text), what,
			   prefix);
	}
	return false;
}

CHECK_FUNCTION(check_tag)
{
	return check_prefixed(reader, value, text, TAG_PREFIX, "tag");
}

CHECK_FUNCTION(check_group)
{
	return check_prefixed(reader, value, text, GROUP_PREFIX, "group");
}

CHECK_FUNCTION(check_group_member)
{
	if (begins_with(text, GROUP_PREFIX))
		read_error(reader, value, "%s is a group; groups do not nest: list its members",
			   QUOTE(text));
	else if (begins_with(text, TAG_PREFIX))
		read_error(reader, value, "%s is a tag; a group holds users, peers and nodes",
			   QUOTE(text));
	else
		return check_name(reader, value, text);
	return false;
}

CHECK_FUNCTION(check_owner)
{
	if (begins_with(text, TAG_PREFIX))
		return check_tag(reader, value, text);
	if (begins_with(text, GROUP_PREFIX))
		return check_group(reader, value, text);
	return check_name(reader, value, text);
}

/* Only what the text alone shows; policy resolves it. */
CHECK_FUNCTION(check_selector)
{
	struct addr_range range;

	if (begins_with(text, TAG_PREFIX) || begins_with(text, GROUP_PREFIX))
		return check_owner(reader, value, text);
	if (!strcmp(text, "*"))
		return true;
	if (strpbrk(text, "/:") || looks_like_address(text))
		return read_range_text(reader, value, text, &range);
	return check_name(reader, value, text);
}

CHECK_FUNCTION(check_interface)
{
	size_t length = strlen(text);

	if (length > INTERFACE_MAX)
		read_error(reader, value, "%s is too long for an interface: %zu bytes of %d",
			   QUOTE(text), length, INTERFACE_MAX);
	else if (text[strcspn(text, INTERFACE_REFUSED)] || !strcmp(text, ".") ||
		 !strcmp(text, ".."))
		read_error(reader, value, "%s is not an interface name", QUOTE(text));
	else
		return true;
	return false;
}

CHECK_FUNCTION(check_interface_glob)
{
	const char *open = strchr(text, '[');

	if (!strpbrk(text, "*?["))
		return check_interface(reader, value, text);
	if (strlen(text) > CONFIG_NAME_MAX || text[strcspn(text, INTERFACE_REFUSED)] ||
	    (open && (!open[1] || !strchr(open + 2, ']')))) {
		read_error(reader, value, "%s is not a pattern of interface names", QUOTE(text));
		return false;
	}
	return true;
}

CHECK_FUNCTION(check_path)
{
	struct key key;

	if (!key_read(text, &key)) {
		key_wipe(&key);
		read_error(reader, value, "is a key; write the name of the file that holds it");
		return false;
	}
	if (strlen(text) < PATH_MAX)
		return true;
	read_error(reader, value, "is too long for a path: %zu bytes of %d", strlen(text),
		   PATH_MAX - 1);
	return false;
}

CHECK_FUNCTION(check_netns)
{
	bool is_dots = !strcmp(text, ".") || !strcmp(text, "..");

	if (text[0] == '/' || (!is_dots && !strchr(text, '/') && strlen(text) <= NAME_MAX))
		return check_path(reader, value, text);
	read_error(reader, value, "%s is neither a name below /run/netns nor an absolute path",
		   QUOTE(text));
	return false;
}

CHECK_FUNCTION(check_cgroup)
{
	if (!strcmp(text, "..") || strstr(text, "../") || strstr(text, "/..")) {
		read_error(reader, value, "%s leaves the cgroup mount", QUOTE(text));
		return false;
	}
	return check_path(reader, value, text);
}

bool domain_is_valid(const char *name)
{
	size_t length = 0;
	uint64_t number;

	if (strlen(name) > DOMAIN_MAX)
		return false;
	for (;; name += length + 1) {
		length = strspn(name, LABEL_CHARACTERS);
		if (!length || length > LABEL_MAX || name[0] == '-' || name[length - 1] == '-')
			return false;
		if (!name[length])
			break;
		if (name[length] != '.')
			return false;
		if (!name[length + 1])
			break; /* the dot of the root */
	}

	/* 203.0.113.300 is no name */
	return num_read_n(name, length, 0, UINT64_MAX, &number) == -EINVAL;
}

CHECK_FUNCTION(check_domain)
{
	if (domain_is_valid(text))
		return true;
	read_error(reader, value, "%s is not a domain name", QUOTE(text));
	return false;
}
