/* The JSON Schema of jobs says of every key what the table says, and knows the keys of
 * configs/. */
#include "tests/support.h"

#include "data/json.h"
#include "distill/job_keys.h"

#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static struct json *read_schema(void)
{
    struct text text = {0};
    struct json *schema;
    struct error err = {0};
    job_schema(&text);
    check_ok(json_parse(&schema, text.bytes, text.length, "schema", &err), &err);
    text_free(&text);
    return schema;
}

/* What stands under a dotted name, or NULL; *required: whether its section demands it. */
static const struct json *look_up(const struct json *schema, const char *name, bool *required)
{
    char *copy = xstrdup(name), *word = copy;
    for (char *dot; schema && word; word = dot) {
        dot = strchr(word, '.');
        if (dot) *dot++ = '\0';
        const struct json *list = json_get(schema, "required");
        *required = false;
        for (size_t i = 0; i < json_size(list); i++)
            if (strcmp(json_as_string(json_at(list, i)), word) == 0) *required = true;
        schema = json_get(json_get(schema, "properties"), word);
    }
    free(copy);
    return schema;
}

START_TEST(every_key_of_the_table_is_there)
{
    struct json *schema = read_schema();
    for (const struct key *key = job_keys; key->name; key++) {
        bool required;
        const struct json *found = look_up(schema, key->name, &required);
        ck_assert_msg(found != NULL, "%s is not in the schema", key->name);
        ck_assert_msg(required == !key->fallback, "%s: required is wrong", key->name);
        const char *description = json_get_string(found, "description");
        ck_assert_msg(strncmp(description, key->help, strlen(key->help)) == 0, "%s: %s", key->name,
                      description);
        double low, high = INT_MAX;
        if (key->type != KEY_INT && key->type != KEY_DOUBLE) continue;
        ck_assert(json_as_number(&low, json_get(found, "minimum")));
        json_as_number(&high, json_get(found, "maximum"));
        ck_assert_double_eq(low, key->low);
        ck_assert_double_eq(high, key->high);
    }
    json_free(schema);
}
END_TEST

static void check_json(const struct json *schema, const char *name, const char *expected)
{
    bool required;
    struct json *bare = json_clone(look_up(schema, name, &required));
    struct text text = {0};
    json_remove(bare, "description");
    json_print(&text, bare, 0);
    ck_assert_str_eq(text.bytes, expected);
    text_free(&text);
    json_free(bare);
}

START_TEST(each_type_has_its_form)
{
    struct json *schema = read_schema();
    check_json(schema, "data.collection",
               "{\"anyOf\":[{\"enum\":[\"none\"]},{\"type\":\"string\"}]}");
    check_json(schema, "seed", "{\"type\":\"integer\",\"minimum\":0}");
    check_json(schema, "threads", "{\"type\":\"integer\",\"minimum\":0,\"maximum\":1024}");
    check_json(schema, "data.drop_same_id", "{\"type\":\"boolean\"}");
    check_json(schema, "student.pooling", "{\"enum\":[\"mean\",\"cls\"]}");
    check_json(schema, "mine.sources",
               "{\"type\":\"array\",\"items\":{\"enum\":[\"bm25\",\"teacher\",\"scores\"]}}");
    check_json(schema, "student.projection",
               "{\"anyOf\":[{\"enum\":[\"none\"]},"
               "{\"type\":\"integer\",\"minimum\":1,\"maximum\":16384}]}");
    check_json(schema, "student.init.from",
               "{\"anyOf\":[{\"enum\":[\"teacher\",\"random\"]},{\"type\":\"string\"}]}");
    check_json(schema, "student.taps",
               "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
               "\"minItems\":2,\"maxItems\":2}}");
    check_json(schema, "evaluate.measures", "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}");
    bool required;
    ck_assert(!json_bool_or(schema, "additionalProperties", true));
    ck_assert(
        !json_bool_or(look_up(schema, "distill.loss", &required), "additionalProperties", true));
    ck_assert_ptr_null(look_up(schema, "distill.epoch", &required));
    json_free(schema);
}
END_TEST

static void check_known(const struct json *schema, const struct yaml_node *node, const char *path)
{
    for (size_t i = 0; node->kind == YAML_MAP && i < node->count; i++) {
        const char *name = node->keys[i]->scalar;
        const struct json *member = json_get(json_get(schema, "properties"), name);
        ck_assert_msg(member != NULL, "%s:%d: %s is not in the schema", path, node->keys[i]->line,
                      name);
        check_known(member, node->items[i], path);
    }
}

START_TEST(the_jobs_of_configs_fit)
{
    struct json *schema = read_schema();
    glob_t found;
    ck_assert_int_eq(glob("configs/*.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct yaml_tree yaml;
        struct error err = {0};
        check_ok(yaml_read_file(&yaml, found.gl_pathv[i], &err), &err);
        check_known(schema, yaml.root, found.gl_pathv[i]);
        yaml_tree_free(&yaml);
    }
    globfree(&found);
    json_free(schema);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(every_key_of_the_table_is_there),
                                    TEST(each_type_has_its_form),
                                    TEST(the_jobs_of_configs_fit),
                                    {0}};
    return run_tests("distill/job_schema", rows);
}
