/* What `retort --version` says: this version, those of the libraries that are loaded, and what the
 * processor is used for. */
#ifndef RETORT_VERSIONS_H
#define RETORT_VERSIONS_H

void versions_print(void); /* one a line, "name value", on standard output */

#endif
