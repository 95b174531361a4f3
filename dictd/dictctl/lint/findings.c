/* See findings.h. */
#include "dictd/dictctl/lint/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dictd/dictctl/ctl.h"
#include "dictd/protocol/admin.h"

enum { TEXT_BYTES = 1024 };

void findings_add(struct findings *findings, const char *kind, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    findings->n++;
    if (findings->json) {
        json_t *line = admin_object();

        admin_set_text(line, "map", findings->map);
        admin_set_text(line, "source", findings->source);
        admin_set_text(line, "finding", kind);
        admin_set_text(line, "text", text);
        ctl_print_json(line);
        json_decref(line);
        return;
    }
    printf("%s: ", findings->source);
    ctl_print_text(stdout, slice_str(text));
    putchar('\n');
}

void findings_add_lines(struct findings *findings, const char *kind, const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");

        if (len > 0)
            findings_add(findings, kind, "%.*s", (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}
