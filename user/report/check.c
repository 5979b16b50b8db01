// SPDX-License-Identifier: GPL-2.0-only
#include "report/check.h"

#include <cjson/cJSON.h>
#include <errno.h>

#include "report/json_out.h"

static void add_problems(cJSON *root, const char *key, const struct problems *problems)
{
	cJSON *array = cJSON_AddArrayToObject(root, key);
	const struct problem *problem;

	array_for_each(problem, problems) {
		cJSON *item = json_out_item(array);

		cJSON_AddStringToObject(item, "place", problem->place);
		cJSON_AddStringToObject(item, "message", problem->message);
	}
}

static void add_tests(cJSON *root, const struct decide_result *tests)
{
	cJSON *object = cJSON_AddObjectToObject(root, "tests");
	const struct decide_failure *failure;
	cJSON *array;

	json_out_number(object, "passed", tests ? tests->passed : 0);
	array = cJSON_AddArrayToObject(object, "failed");
	if (!tests)
		return;
	array_for_each(failure, &tests->failed) {
		cJSON *item = json_out_item(array);

		cJSON_AddStringToObject(item, "place", failure->place);
		cJSON_AddStringToObject(item, "message", failure->message);
		cJSON_AddStringToObject(item, "counter_example", failure->counter_example);
		if (failure->grant == DECIDE_NO_GRANT)
			cJSON_AddNullToObject(item, "grant");
		else
			json_out_number(item, "grant", failure->grant);
	}
}

int check_print_json(FILE *out, const struct check *check)
{
	cJSON *root = cJSON_CreateObject();
	int r;

	cJSON_AddBoolToObject(root, "valid", check->valid);
	add_problems(root, "errors", check->errors);
	add_problems(root, "warnings", check->warnings);
	add_tests(root, check->tests);
	r = json_out_print(out, root);
	cJSON_Delete(root);
	return r;
}

void check_print_problems(FILE *out, const char *file, const char *kind,
			  const struct problems *problems)
{
	const struct problem *problem;

	array_for_each(problem, problems)
		fprintf(out, "%s: %s: %s%s\n", file, problem->place, kind, problem->message);
}

static void print_failures(FILE *out, const struct check *check)
{
	const struct decide_failure *failure;

	array_for_each(failure, &check->tests->failed)
		fprintf(out, "%s: %s: %s\n", check->file, failure->place, failure->message);
	fprintf(out, "%s: tests: %zu passed, %zu failed\n", check->file, check->tests->passed,
		check->tests->failed.count);
}

int check_print_text(FILE *out, const struct check *check)
{
	check_print_problems(out, check->file, "", check->errors);
	check_print_problems(out, check->file, "warning: ", check->warnings);
	if (check->tests)
		print_failures(out, check);
	if (check->valid)
		fprintf(out, "%s: valid\n", check->file);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int plan_print_json(FILE *out, const char *node, const struct plan *plan)
{
	cJSON *root = cJSON_CreateObject();
	const struct op *op;
	cJSON *array;
	int r;

	cJSON_AddStringToObject(root, "node", node);
	array = cJSON_AddArrayToObject(root, "ops");
	array_for_each(op, &plan->ops) {
		cJSON *item = json_out_item(array);
		char object[OP_OBJECT_SIZE], text[OP_TEXT_SIZE];

		cJSON_AddStringToObject(item, "phase", op_phase_name(op->phase));
		cJSON_AddStringToObject(item, "verb", op->verb);
		cJSON_AddStringToObject(item, "object", op_object(object, plan, op));
		cJSON_AddStringToObject(item, "text", op_text(text, plan, op));
	}
	r = json_out_print(out, root);
	cJSON_Delete(root);
	return r;
}

int plan_print_text(FILE *out, const char *node, const struct plan *plan)
{
	char text[OP_TEXT_SIZE];
	const struct op *op;

	if (!plan->ops.count)
		fprintf(out, "node %s: nothing to do\n", node);
	array_for_each(op, &plan->ops)
		fprintf(out, "%-7s %s\n", op_phase_name(op->phase), op_text(text, plan, op));
	return fflush(out) || ferror(out) ? -EIO : 0;
}
