/* YAML files (libyaml, YAML 1.1) as trees with positions.  The only file that includes libyaml.
 * Anchors and aliases are refused (so are the loops they can make), and so are tags, duplicate
 * keys, several documents, nesting beyond 32 levels and files beyond 1 MiB.  Mistakes are
 * STATUS_USAGE, "file:line:column: ...".
 *
 * What a scalar means (number, truth value, text) is for the reader of its key to say. */
#ifndef RETORT_YAML_H
#define RETORT_YAML_H

#include "data/base.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };
struct yaml_node {
    enum yaml_kind kind;
    int line, column;         /* from 1 */
    const char *scalar;       /* YAML_SCALAR */
    bool quoted;              /* "1" is text, 1 is a number */
    struct yaml_node **items; /* YAML_LIST: elements; YAML_MAP: values */
    struct yaml_node **keys;  /* YAML_MAP: scalar keys */
    size_t count;
};
struct yaml_tree {
    char *path;
    struct yaml_node *root;
    struct arena arena;
};
/* An empty file's root is an empty scalar. */
int yaml_read_file(struct yaml_tree *out, const char *path, struct error *err);
/* From a string; path is for messages ("--set evaluate.dims"). */
int yaml_read_string(struct yaml_tree *out, const char *path, const char *string,
                     struct error *err);
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key); /* or NULL */
/* Not "yaml_free": libyaml has a function of that name, which ours would replace. */
void yaml_tree_free(struct yaml_tree *yaml);

/* Appends a text as a scalar, plain where no reader can take it for more than one, else
 * double-quoted. */
void yaml_append_string(const char *string, struct text *out);

void yaml_library_version(char version[VERSION_SIZE]);

#endif
