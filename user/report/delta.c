// SPDX-License-Identifier: GPL-2.0-only
#include "report/delta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/delta_names.h"
#include "report/delta_put.h"
#include "report/json_out.h"

/* A name stands beside its addresses, until they are too many to look at. */
#define RANGES_BESIDE_NAME 4

static int add_json_block(cJSON *array, const struct delta_block *block)
{
	AUTO_FREE char *src = delta_put_ranges(&block->src);
	AUTO_FREE char *dst = delta_put_ranges(&block->dst);
	struct delta_services services = { 0 };
	const struct delta_service *service;
	int r = src && dst ? delta_put_services(block, &services) : -ENOMEM;

	array_for_each(service, &services) {
		cJSON *item = r ? NULL : json_out_item(array);

		if (!r && (!item || !cJSON_AddStringToObject(item, "src", src) ||
			   !cJSON_AddStringToObject(item, "dst", dst) ||
			   !cJSON_AddStringToObject(item, "proto", service->proto) ||
			   !cJSON_AddStringToObject(item, "ports", service->ports)))
			r = -ENOMEM;
	}
	delta_services_free(&services);
	return r;
}

static int add_json_blocks(cJSON *root, const char *key, const struct delta_blocks *blocks)
{
	cJSON *array = cJSON_AddArrayToObject(root, key);
	const struct delta_block *block;
	int r = array ? 0 : -ENOMEM;

	array_for_each(block, blocks)
		if (!r)
			r = add_json_block(array, block);
	return r;
}

int delta_print_json(FILE *out, const struct delta_report *report)
{
	cJSON *root = cJSON_CreateObject();
	int r;

	r = add_json_blocks(root, "allowed", &report->delta->allowed);
	if (!r)
		r = add_json_blocks(root, "denied", &report->delta->denied);
	if (!r)
		r = json_out_print(out, root);
	cJSON_Delete(root);
	return r;
}

static int print_side(FILE *out, const struct delta_names *names, const struct ranges *ranges)
{
	const char *name = delta_names_find(names, ranges);
	AUTO_FREE char *text = NULL;

	if (name && ranges->count > RANGES_BESIDE_NAME) {
		fprintf(out, "%s (%zu %s ranges)", name, ranges->count,
			addr_is_v4(&ranges->items[0].first) ? "IPv4" : "IPv6");
		return 0;
	}
	text = delta_put_ranges(ranges);
	if (!text)
		return -ENOMEM;
	if (name)
		fprintf(out, "%s (%s)", name, text);
	else
		fputs(text, out);
	return 0;
}

/* "tcp 80,443; icmp" */
static int print_services(FILE *out, const struct delta_block *block)
{
	struct delta_services services = { 0 };
	const struct delta_service *service;
	const char *before = ": ";
	int r = delta_put_services(block, &services);

	array_for_each(service, &services) {
		bool ports = !strcmp(service->proto, "tcp") || !strcmp(service->proto, "udp") ||
			     !strcmp(service->proto, "sctp");

		fprintf(out, "%s%s%s%s", before, service->proto, ports ? " " : "",
			ports ? service->ports : "");
		before = "; ";
	}
	fputc('\n', out);
	delta_services_free(&services);
	return r;
}

static int print_blocks(FILE *out, const char *head, char sign, const struct delta_names names[2],
			const struct delta_blocks *blocks)
{
	const struct delta_block *block;
	int r = 0;

	if (blocks->count)
		fprintf(out, "%s\n", head);
	array_for_each(block, blocks) {
		fprintf(out, "%c ", sign);
		r = print_side(out, &names[0], &block->src);
		fputs(" -> ", out);
		if (!r)
			r = print_side(out, &names[1], &block->dst);
		if (!r)
			r = print_services(out, block);
		if (r)
			return r;
	}
	return 0;
}

int delta_print_text(FILE *out, const struct delta_report *report)
{
	const struct delta *delta = report->delta;
	struct delta_names names[2] = { 0 }; /* of sources, of destinations */
	int i, r = 0;

	for (i = 0; !r && i < 2; i++)
		r = delta_names_build(report->old_policy, report->new_policy, !i, &names[i]);
	if (!r)
		r = print_blocks(out, "newly allowed:", '+', names, &delta->allowed);
	if (!r)
		r = print_blocks(out, "newly denied:", '-', names, &delta->denied);
	for (i = 0; i < 2; i++)
		delta_names_free(&names[i]);
	if (r)
		return r;

	if (!delta->allowed.count && !delta->denied.count)
		fprintf(out, "no difference: the grants of %s and %s allow the same\n",
			report->old_file, report->new_file);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
