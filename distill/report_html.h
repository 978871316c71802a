/* Pieces of the report's page.  Everything that comes from files goes through html_text or a
 * function that uses it; the page is well-formed XML too, so that any parser can check it. */
#ifndef RETORT_REPORT_HTML_H
#define RETORT_REPORT_HTML_H

#include "data/base.h"

/* Appends with & < > " ' escaped; control characters, which no page may hold, become U+FFFD. */
void html_text(struct text *out, const char *string);
/* At most so many characters of it, the rest as an ellipsis. */
void html_excerpt(struct text *out, const char *string, size_t most);
/* The formatted string, escaped. */
void html_printf(struct text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void html_paragraph(struct text *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, as a remark that something is not there. */
void html_missing(struct text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A term of a <dl> and what it is. */
void html_item(struct text *out, const char *term, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A section with its heading; the id is what links lead to. */
void html_section(struct text *out, const char *id, const char *heading);
void html_section_end(struct text *out);

/* A table that scrolls by itself where it is wider than the page. */
void html_table(struct text *out, const char *caption, const char *const *headers, size_t count);
void html_row(struct text *out, const char *format, ...) /* and its first, heading cell */
    __attribute__((format(printf, 2, 3)));
void html_number(struct text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 4 decimals, 4 significant digits; an empty cell for NaN. */
void html_fixed(struct text *out, double value);
void html_short(struct text *out, double value);
void html_words(struct text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void html_row_end(struct text *out);
void html_table_end(struct text *out);

/* A figure with its caption: a plot, then its numbers. */
void html_figure(struct text *out, const char *title);
void html_figure_end(struct text *out);

/* A folded part of the page; on paper it is open. */
void html_details(struct text *out, const char *summary);
void html_details_end(struct text *out);

extern const char *const report_style[]; /* report_style.c: in pieces, NULL at the end */
/* All before the first section, with the style; all after the last one. */
void html_start(struct text *out, const char *title);
void html_end(struct text *out);

#endif
