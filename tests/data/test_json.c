/* data/json: strict reading with positions, checked lookups, writing that reads back equal. */
#include "data/json.h"
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json *parsed(const char *text)
{
    struct json *json;
    struct error err = {0};
    check_ok(json_parse(&json, text, strlen(text), "test.json", &err), &err);
    return json;
}

START_TEST(values_are_found_by_kind)
{
    struct json *json = parsed("{\"s\": \"a\\u00e9\", \"i\": -7, \"n\": 1.5, \"b\": true,\n"
                               " \"z\": null, \"a\": [1, \"x\"], \"o\": {\"k\": \"v\"}}");
    ck_assert_str_eq(json_get_string(json, "s"), "a\xc3\xa9");
    ck_assert_uint_eq(json_string_bytes(json_get(json, "s")), 3);
    int64_t whole = 0;
    ck_assert(json_as_integer(&whole, json_get(json, "i"), -7, 0));
    ck_assert_int_eq(whole, -7);
    ck_assert(!json_as_integer(&whole, json_get(json, "i"), -6, 0));
    ck_assert(!json_as_integer(&whole, json_get(json, "n"), -9, 9));
    double number = 0;
    ck_assert(json_as_number(&number, json_get(json, "n")) && number == 1.5);
    ck_assert(json_as_number(&number, json_get(json, "i")) && number == -7);
    ck_assert(json_bool_or(json, "b", false) && json_bool_or(json, "absent", true));
    ck_assert_int_eq(json_kind(json_get(json, "z")), JSON_KIND_NULL);
    ck_assert_int_eq(json_kind(json_get(json, "absent")), JSON_KIND_NONE);
    ck_assert_str_eq(json_kind_name(json_get(json, "a")), "an array");
    ck_assert_uint_eq(json_size(json_get(json, "a")), 2);
    ck_assert_str_eq(json_as_string(json_at(json_get(json, "a"), 1)), "x");
    ck_assert_ptr_null(json_at(json_get(json, "a"), 2));
    ck_assert_str_eq(json_get_string(json_get(json, "o"), "k"), "v");
    ck_assert_ptr_null(json_get(json_get(json_get(json, "s"), "k"), "k"));
    ck_assert_str_eq(json_string_or(json, "i", "fallback"), "fallback");
    json_free(json);
}
END_TEST

START_TEST(members_come_in_written_order)
{
    struct json *json = parsed("{\"z\": 1, \"a\": 2, \"m\": 3}");
    char order[8] = "";
    for (struct json_member m = json_first(json); m.key; json_next(&m)) strcat(order, m.key);
    ck_assert_str_eq(order, "zam");
    ck_assert_ptr_null(json_first(json_get(json, "z")).key);
    json_free(json);
}
END_TEST

START_TEST(bad_text_is_refused_with_its_place)
{
    static const char *const cases[][2] = {
        {"{\"a\": 1,\n \"b\": }", "test.json:2:7: not JSON: "},
        {"{\"a\": 1, \"a\": 2}", "duplicate"},
        {"", "test.json:1:"},
        {"[1] x", "end of file expected"},
        {"\"\xff\"", "not JSON"},
        {"\"\\u0000\"", "not JSON"},
        {"{\"a\": NaN}", "not JSON"},
        {"{\"a\": 1e999}", "not JSON"},
        {"[1,]", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *json;
        struct error err = {0};
        int result = json_parse(&json, cases[i][0], strlen(cases[i][0]), "test.json", &err);
        check_failed(result, &err, STATUS_WORLD, cases[i][1]);
        ck_assert_ptr_null(json);
    }
}
END_TEST

START_TEST(a_line_is_refused_with_its_column)
{
    struct json *json;
    struct error err = {0};
    int result = json_parse_line(&json, "{\"_id\": oops}", 13, "x.tar.gz:corpus.jsonl:17", &err);
    check_failed(result, &err, STATUS_WORLD, "x.tar.gz:corpus.jsonl:17:12: not JSON");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    enum { DEPTH = 100000 };
    char *deep = xmalloc(DEPTH);
    memset(deep, '[', DEPTH);
    struct json *json;
    struct error err = {0};
    check_failed(json_parse(&json, deep, DEPTH, "deep.json", &err), &err, STATUS_WORLD,
                 "deep.json:1:", "depth");
    free(deep);
}
END_TEST

START_TEST(huge_integers_become_numbers)
{
    struct json *json =
        parsed("{\"n\": 1000000000000000019884624838656,\"m\":[-99999999999999999999, 5]}");
    double number = 0;
    ck_assert(json_as_number(&number, json_get(json, "n")) && number == 1e30);
    ck_assert_int_eq(json_kind(json_get(json, "n")), JSON_KIND_NUMBER);
    ck_assert(json_as_number(&number, json_at(json_get(json, "m"), 0)) && number == -1e20);
    ck_assert_int_eq(json_kind(json_at(json_get(json, "m"), 1)), JSON_KIND_INTEGER);
    json_free(json);
}
END_TEST

START_TEST(checked_members_say_what_is_wrong)
{
    struct json *json = parsed("{\"i\": 12, \"x\": 0.5, \"s\": \"12\", \"z\": null, \"b\": 1}");
    struct error err = {0};
    int i = 3;
    double x = 2;
    bool b = true;
    check_ok(json_get_int(&i, json, "absent", 1, 20, "c.json", &err), &err);
    check_ok(json_get_int(&i, json, "z", 1, 20, "c.json", &err), &err);
    ck_assert_int_eq(i, 3);
    check_ok(json_get_int(&i, json, "i", 1, 20, "c.json", &err), &err);
    ck_assert_int_eq(i, 12);
    check_ok(json_get_number(&x, json, "x", 0, 1, "c.json", &err), &err);
    ck_assert_double_eq(x, 0.5);
    check_failed(json_get_int(&i, json, "i", 1, 11, "c.json", &err), &err, STATUS_WORLD,
                 "c.json: \"i\" is 12, must be in 1..11");
    err = (struct error){0};
    check_failed(json_get_int(&i, json, "s", 1, 20, "c.json", &err), &err, STATUS_WORLD,
                 "\"s\" is a string, must be an integer");
    err = (struct error){0};
    check_failed(json_get_number(&x, json, "i", 0, 1, "c.json", &err), &err, STATUS_WORLD,
                 "\"i\" is 12, must be in 0..1");
    err = (struct error){0};
    check_failed(json_get_bool(&b, json, "b", "c.json", &err), &err, STATUS_WORLD,
                 "\"b\" is an integer, must be true or false");
    json_free(json);
}
END_TEST

START_TEST(wrong_bytes_are_written_as_replacements)
{
    struct json *list = json_new_array();
    struct text text = {0};
    json_append_string(list, "a\xff");
    json_print(&text, list, 0);
    ck_assert_str_eq(text.bytes, "[\"a\xef\xbf\xbd\"]");
    text_free(&text);
    json_free(list);
}
END_TEST

START_TEST(what_is_built_is_written_in_order)
{
    struct json *root = json_new_object(), *list = json_new_array();
    json_set_string(root, "name", "caf\xc3\xa9 \"x\"\n");
    json_set_number(root, "eps", 1e-12);
    json_set_number(root, "third", 1.0 / 3);
    json_set_number(root, "one", 1);
    json_set_int(root, "big", INT64_MAX);
    json_append_int(list, 1);
    json_append_string(list, "two");
    json_append(list, json_new_object());
    json_set(root, "list", list);
    json_set(root, "empty", json_new_array());
    json_set_bool(root, "yes", true);
    json_set_null(root, "none");
    json_set_int(root, "gone", 1);
    json_remove(root, "gone");
    json_set_string(root, "name", "replaced \xc3\xa9 \"x\"\n"); /* keeps its place */
    struct text text = {0};
    json_print(&text, root, 2);
    ck_assert_str_eq(text.bytes,
                     "{\n  \"name\": \"replaced \xc3\xa9 \\\"x\\\"\\n\",\n  \"eps\": 1e-12,\n"
                     "  \"third\": 0.3333333333333333,\n  \"one\": 1.0,\n"
                     "  \"big\": 9223372036854775807,\n"
                     "  \"list\": [\n    1,\n    \"two\",\n    {}\n  ],\n"
                     "  \"empty\": [],\n  \"yes\": true,\n  \"none\": null\n}");
    struct json *copy = json_clone(root);
    text_clear(&text);
    json_print(&text, json_get(copy, "list"), 0);
    ck_assert_str_eq(text.bytes, "[1,\"two\",{}]");
    text_free(&text);
    json_free(copy);
    json_free(root);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(values_are_found_by_kind),
                                    TEST(members_come_in_written_order),
                                    TEST(bad_text_is_refused_with_its_place),
                                    TEST(a_line_is_refused_with_its_column),
                                    TEST(deep_nesting_is_refused),
                                    TEST(huge_integers_become_numbers),
                                    TEST(checked_members_say_what_is_wrong),
                                    TEST(wrong_bytes_are_written_as_replacements),
                                    TEST(what_is_built_is_written_in_order),
                                    {0}};
    return run_tests("data/json", rows);
}
