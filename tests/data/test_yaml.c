/* data/yaml: trees, positions, and what is refused. */
#include "tests/support.h"

#include "data/yaml.h"
#include <stdlib.h>

START_TEST(tree_has_kinds_and_positions)
{
    struct error err = {0};
    struct yaml_tree yaml;
    const char *input = "# a job\n"
                        "name: slim\n"
                        "taps: [[1, 32],\n"
                        "       [2, '64']]\n"
                        "hpd:\n"
                        "  layer: probe\n"
                        "  empty:\n"
                        "  list:\n"
                        "  - |\n"
                        "    text\n";
    check_ok(yaml_read_string(&yaml, "job.yaml", input, &err), &err);
    const struct yaml_node *root = yaml.root;
    ck_assert_int_eq(root->kind, YAML_MAP);
    ck_assert_uint_eq(root->count, 3);
    ck_assert_str_eq(root->keys[1]->scalar, "taps");
    ck_assert_int_eq(root->keys[1]->line, 3);
    ck_assert_str_eq(yaml_find(root, "name")->scalar, "slim");
    ck_assert_int_eq(yaml_find(root, "name")->line, 2);
    ck_assert_int_eq(yaml_find(root, "name")->column, 7);
    const struct yaml_node *taps = yaml_find(root, "taps");
    ck_assert_int_eq(taps->kind, YAML_LIST);
    ck_assert_uint_eq(taps->count, 2);
    const struct yaml_node *last = taps->items[1]->items[1];
    ck_assert_str_eq(last->scalar, "64");
    ck_assert(last->quoted && !taps->items[1]->items[0]->quoted);
    ck_assert_int_eq(last->line, 4);
    ck_assert_int_eq(last->column, 12);
    const struct yaml_node *hpd = yaml_find(root, "hpd");
    ck_assert_str_eq(yaml_find(hpd, "empty")->scalar, "");
    ck_assert_str_eq(yaml_find(hpd, "list")->items[0]->scalar, "text\n");
    ck_assert(yaml_find(hpd, "list")->items[0]->quoted);
    ck_assert_ptr_null(yaml_find(hpd, "lay"));
    ck_assert_ptr_null(yaml_find(taps, "name"));
    yaml_tree_free(&yaml);
    ck_assert_ptr_null(yaml.root);
}
END_TEST

START_TEST(nothing_is_an_empty_scalar)
{
    const char *inputs[] = {"", "\n\n", "# only a remark\n", "---\n"};
    for (size_t i = 0; i < 4; i++) {
        struct error err = {0};
        struct yaml_tree yaml;
        check_ok(yaml_read_string(&yaml, "x", inputs[i], &err), &err);
        ck_assert_int_eq(yaml.root->kind, YAML_SCALAR);
        ck_assert_str_eq(yaml.root->scalar, "");
        yaml_tree_free(&yaml);
    }
}
END_TEST

START_TEST(mistakes_have_a_place)
{
    const struct {
        const char *input, *place, *words;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "j.yaml:3:1:", "the key a is here twice; it is also in line 1"},
        {"{a: 1, a: 2}", "j.yaml:1:8:", "twice"},
        {"a: &x [1, *x]\n", "j.yaml:1:4:", "anchors and aliases are not supported"},
        {"a: 1\nb: *y\n", "j.yaml:2:4:", "anchors and aliases"},
        {"*y : 1\n", "j.yaml:1:1:", "anchors and aliases"},
        {"a: !!python/object:os.system [ls]\n", "j.yaml:1:4:", "tags are not supported"},
        {"? [a, b]\n: 1\n", "j.yaml:1:3:", "a key must be a word"},
        {"a: 1\n---\nb: 2\n", "j.yaml:2:1:", "second document"},
        {"a:\n\tb: 1\n", "j.yaml:2:1:", "indent with spaces"},
        {"a: [1, 2\nb: 3\n", "j.yaml:", "not YAML"},
        {"a: \"open\n", "j.yaml:", "begins in line 1"},
        {"a: b: c\n", "j.yaml:1:5:", "mapping values are not allowed"},
        {"a: 1\n  b: 2\n", "j.yaml:2:4:", "not YAML"},
        {"a: 1\nb: \xff\xfe\n", "j.yaml:2:4:", "not UTF-8"},
        {"a: \"\\0\"\n", "j.yaml:1:4:", "NUL"},
        {"a: {<<: *x}\n", "j.yaml:1:9:", "anchors"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        struct yaml_tree yaml;
        int result = yaml_read_string(&yaml, "j.yaml", rows[i].input, &err);
        check_failed(result, &err, STATUS_USAGE, rows[i].place, rows[i].words);
        ck_assert_ptr_null(yaml.root);
    }
}
END_TEST

START_TEST(depth_is_bounded)
{
    char nest[1000];
    for (int depth = 32; depth <= 400; depth += 184) {
        memset(nest, '[', (size_t)depth);
        memset(nest + depth, ']', (size_t)depth);
        nest[2 * depth] = '\0';
        struct error err = {0};
        struct yaml_tree yaml;
        int result = yaml_read_string(&yaml, "j", nest, &err);
        if (depth == 32)
            check_ok(result, &err), yaml_tree_free(&yaml);
        else
            check_failed(result, &err, STATUS_USAGE, "j:1:33:", "too deeply");
    }
}
END_TEST

START_TEST(files_are_read_and_refused)
{
    struct error err = {0};
    struct yaml_tree yaml;
    char *good = scratch_file("good.yaml", "a: 1\n", 5);
    check_ok(yaml_read_file(&yaml, good, &err), &err);
    ck_assert_str_eq(yaml_find(yaml.root, "a")->scalar, "1");
    ck_assert_str_eq(yaml.path, good);
    yaml_tree_free(&yaml);
    char *binary = scratch_file("binary.yaml", "a: \0\n", 5);
    check_failed(yaml_read_file(&yaml, binary, &err), &err, STATUS_USAGE, "binary.yaml", "NUL");
    err = (struct error){0};
    check_failed(yaml_read_file(&yaml, "/nonexistent/x.yaml", &err), &err, STATUS_WORLD, "x.yaml");
    err = (struct error){0};
    check_failed(yaml_read_file(&yaml, scratch_folder(), &err), &err, STATUS_WORLD, "director");
    size_t size = (1 << 20) + 1;
    char *large = xmalloc(size);
    memset(large, '#', size);
    char *path = scratch_file("large.yaml", large, size);
    err = (struct error){0};
    check_failed(yaml_read_file(&yaml, path, &err), &err, STATUS_WORLD, "large.yaml");
    free(good), free(binary), free(path), free(large);
}
END_TEST

START_TEST(texts_come_back_as_they_went)
{
    static const char *const rows[][2] = {
        {"plain-1/a.b", "plain-1/a.b"},
        {"", "\"\""},
        {"-x", "\"-x\""},
        {"a: b", "\"a: b\""},
        {"\"q\" \\", "\"\\\"q\\\" \\\\\""},
        {"a\nb\t", "\"a\\x0ab\\x09\""},
        {"\xc3\xa9", "\"\xc3\xa9\""},
        {"\xe2\x80\xa8", "\"\\u2028\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text out = {0};
        struct error err = {0};
        struct yaml_tree yaml;
        yaml_append_string(rows[i][0], &out);
        ck_assert_str_eq(out.bytes, rows[i][1]);
        check_ok(yaml_read_string(&yaml, "j", out.bytes, &err), &err);
        ck_assert_str_eq(yaml.root->scalar, rows[i][0]);
        yaml_tree_free(&yaml);
        text_free(&out);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(tree_has_kinds_and_positions),
        TEST(nothing_is_an_empty_scalar),
        TEST(mistakes_have_a_place),
        TEST(depth_is_bounded),
        TEST(files_are_read_and_refused),
        TEST(texts_come_back_as_they_went),
        {0},
    };
    return run_tests("data/yaml", rows);
}
