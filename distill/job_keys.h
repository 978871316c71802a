/* The table of job keys, and values by key: inside of distill/job*.c only. */
#ifndef RETORT_JOB_KEYS_H
#define RETORT_JOB_KEYS_H

#include "data/yaml.h"
#include "distill/job.h"

enum key_type {
    KEY_STRING,       /* char * */
    KEY_WORD_OR_PATH, /* char *; one of the words, or else a path, relative to the file */
    KEY_INT,          /* int */
    KEY_INT_OR_WORD,  /* int; a word stands for its value */
    KEY_DOUBLE,       /* double */
    KEY_RANGE,        /* double[2]; one number, or [start, end] */
    KEY_BOOL,         /* bool */
    KEY_WORD,         /* an enum */
    KEY_WORDS,        /* int of bits */
    KEY_INTS,         /* struct int_list */
    KEY_NUMBERS,      /* struct number_list */
    KEY_TAPS,         /* struct tap_list */
    KEY_STRINGS,      /* struct string_list */
    KEY_PATHS         /* struct string_list */
};

struct key_word {
    const char *word;
    int value;
};

struct key {
    const char *name; /* dotted */
    size_t offset;    /* of its field in struct job */
    enum key_type type;
    const char *fallback; /* the default, in YAML; NULL: the key is required */
    const char *help;
    const char *unit;             /* or NULL */
    double low, high;             /* bounds of numbers and of list elements, both included */
    const struct key_word *words; /* ends with a zeroed row */
    const char *derived;          /* how the default follows from other keys, or NULL */
};

extern const struct key job_keys[]; /* ends with a zeroed row */
int job_key_count(void);
/* Row of the key, or -1. */
int job_key_find(const char *name);
/* Row of the key whose field this is. */
int job_key_at(size_t offset);
#define KEY_OF(field) job_key_at(offsetof(struct job, field))
/* Whether keys stand below this dotted name. */
bool job_key_is_section(const char *name);
/* fail_usage for a name that is neither, with the nearest one. */
int job_key_unknown(const char *place, const char *name, struct error *err);

/* Where values come from, for messages and paths. */
struct key_source {
    const char *name;   /* the job file, or "--set key=value" */
    bool is_file;       /* lines and columns mean something */
    const char *folder; /* paths are relative to it; NULL: to the current folder */
};
/* "job.yaml:3:5", freshly allocated. */
char *key_place(const struct key_source *source, const struct yaml_node *node);
/* Replaces the key's field in *job by what node says. */
int key_set(struct job *job, const struct key *key, const struct yaml_node *node,
            const struct key_source *source, struct error *err);
void key_free(struct job *job, const struct key *key);
/* What the key takes, for messages and the reference: "a whole number from 1 to 64", "one of mean,
 * cls". */
void key_describe(const struct key *key, struct text *out);

/* Derived defaults and contradictions between keys; after all keys are set. */
void job_derive(struct job *job);
int job_check(const struct job *job, struct error *err);
/* Those of who the teachers are: of HPD and mining, where there are no vectors. */
void job_derive_teacher(struct job *job);
int job_check_teacher(const struct job *job, struct error *err);
/* fail_usage with the place where the key was set; the job file where it has its default. */
int contradiction(const struct job *job, int row, struct error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
