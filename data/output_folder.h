/* Folders that appear whole or not at all: filled under a temporary name beside their place, then
 * renamed.  What a killed process left beside the same place is removed when it is written again.
 *
 *     struct output_folder out = {0};
 *     if (output_folder_open(&out, "runs/x/export", "modules.json", err)) return -1;
 *     ... write files into out.temporary ...
 *     if (output_folder_commit(&out, err)) return -1; // an older one of its kind is replaced here
 */
#ifndef RETORT_OUTPUT_FOLDER_H
#define RETORT_OUTPUT_FOLDER_H

#include "data/base.h"

struct output_folder {
    char *path, *temporary;
    int lock; /* descriptor of the temporary folder, locked while it is filled */
};

/* An existing folder is replaced at commit only if it is empty or holds a file called `marker` (it
 * is one of ours); else this fails, so that nobody's files are lost. */
int output_folder_open(struct output_folder *out, const char *path, const char *marker,
                       struct error *err);
/* Renames; releases *out in every case, and removes the temporary folder where it fails. */
int output_folder_commit(struct output_folder *out, struct error *err);
/* Removes what was written; for error paths.  Accepts a zeroed or committed *out. */
void output_folder_abandon(struct output_folder *out);

/* Removes a folder and all below it, without following links; a missing one is fine. */
void remove_folder(const char *path);

#endif
