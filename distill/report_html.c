/* See report_html.h. */
#include "distill/report_html.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

static void escape(struct text *out, const char *string, size_t length)
{
    for (const char *c = string; c < string + length; c++) {
        const char *entity = *c == '&'    ? "&amp;"
                             : *c == '<'  ? "&lt;"
                             : *c == '>'  ? "&gt;"
                             : *c == '"'  ? "&quot;"
                             : *c == '\'' ? "&#39;"
                                          : NULL;
        bool control = (unsigned char)*c < ' ' && *c != '\n' && *c != '\t';
        if (entity)
            text_puts(out, entity);
        else if (control || *c == 0x7f)
            text_puts(out, "\xef\xbf\xbd");
        else
            text_append(out, c, 1);
    }
}

void html_text(struct text *out, const char *string)
{
    escape(out, string, strlen(string));
}

void html_excerpt(struct text *out, const char *string, size_t most)
{
    size_t length = 0, characters = 0;
    for (; string[length]; length++) {
        bool starts = ((unsigned char)string[length] & 0xc0) != 0x80;
        if (starts && characters++ == most) break;
    }
    escape(out, string, length);
    if (string[length]) text_puts(out, "\xe2\x80\xa6");
}

static void vprint(struct text *out, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    REQUIRE(length >= 0);
    char *string = xmalloc((size_t)length + 1);
    vsnprintf(string, (size_t)length + 1, format, arguments);
    html_text(out, string);
    free(string);
}

/* The body of the functions below: what stands before, the formatted string, what stands after. */
#define PRINT_BETWEEN(out, before, format, after)                                                  \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        text_puts(out, before);                                                                    \
        vprint(out, format, arguments);                                                            \
        text_puts(out, after);                                                                     \
        va_end(arguments);                                                                         \
    } while (0)

void html_printf(struct text *out, const char *format, ...)
{
    PRINT_BETWEEN(out, "", format, "");
}

void html_paragraph(struct text *out, const char *format, ...)
{
    PRINT_BETWEEN(out, "<p>", format, "</p>\n");
}

void html_missing(struct text *out, const char *format, ...)
{
    PRINT_BETWEEN(out, "<p class=\"missing\">", format, "</p>\n");
}

void html_item(struct text *out, const char *term, const char *format, ...)
{
    text_printf(out, "<dt>%s</dt>", term);
    PRINT_BETWEEN(out, "<dd>", format, "</dd>\n");
}

/* ---- blocks ---- */

void html_section(struct text *out, const char *id, const char *heading)
{
    text_printf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", id, heading);
}

void html_section_end(struct text *out)
{
    text_puts(out, "</section>\n");
}

void html_table(struct text *out, const char *caption, const char *const *headers, size_t count)
{
    text_puts(out, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"");
    html_text(out, caption);
    text_puts(out, "\"><table><caption>");
    html_text(out, caption);
    text_puts(out, "</caption>\n<thead><tr>");
    for (size_t h = 0; h < count; h++) {
        text_puts(out, "<th scope=\"col\">");
        html_text(out, headers[h]);
        text_puts(out, "</th>");
    }
    text_puts(out, "</tr></thead>\n<tbody>\n");
}

void html_row(struct text *out, const char *format, ...)
{
    PRINT_BETWEEN(out, "<tr><th scope=\"row\">", format, "</th>");
}

void html_number(struct text *out, const char *format, ...)
{
    PRINT_BETWEEN(out, "<td>", format, "</td>");
}

void html_fixed(struct text *out, double value)
{
    if (isnan(value))
        text_puts(out, "<td></td>");
    else
        html_number(out, "%.4f", value);
}

void html_short(struct text *out, double value)
{
    if (isnan(value))
        text_puts(out, "<td></td>");
    else
        html_number(out, "%.4g", value);
}

void html_words(struct text *out, const char *format, ...)
{
    PRINT_BETWEEN(out, "<td class=\"words\">", format, "</td>");
}

void html_row_end(struct text *out)
{
    text_puts(out, "</tr>\n");
}

void html_table_end(struct text *out)
{
    text_puts(out, "</tbody></table></div>\n");
}

void html_figure(struct text *out, const char *title)
{
    text_puts(out, "<figure><figcaption>");
    html_text(out, title);
    text_puts(out, "</figcaption>\n");
}

void html_figure_end(struct text *out)
{
    text_puts(out, "</figure>\n");
}

void html_details(struct text *out, const char *summary)
{
    text_printf(out, "<details><summary>%s</summary>\n", summary);
}

void html_details_end(struct text *out)
{
    text_puts(out, "</details>\n");
}

/* ---- the page ---- */

void html_start(struct text *out, const char *title)
{
    text_puts(out,
              "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
              "<meta charset=\"utf-8\" />\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n"
              "<link rel=\"icon\" href=\"data:,\" />\n<title>");
    html_text(out, title);
    text_puts(out, "</title>\n<style>\n");
    for (const char *const *part = report_style; *part; part++) text_puts(out, *part);
    text_puts(out, "</style>\n</head>\n<body>\n");
}

void html_end(struct text *out)
{
    text_puts(out, "</body>\n</html>\n");
}
