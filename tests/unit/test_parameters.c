/*
 * The manual and the sample file say what the program does: every parameter is
 * in man/dictd.cf.5 and packaging/dictd.cf, with the program's own default, and
 * none besides. Runs in the project's root, as all tests do.
 */
#include <ctype.h>

#include "dictd/base/buf.h"
#include "dictd/base/mem.h"
#include "dictd/server/settings.h"
#include "tests/unit/unit.h"

#ifndef RUNDIR
#define RUNDIR "/run"
#endif

static const char *const types[] = {"texthash", "aliases", "passwd", "pgsql", NULL};

static char *read_file(const char *path)
{
    struct buf text = {NULL, 0, 0};
    FILE *file = fopen(path, "r");
    size_t got;

    if (file == NULL) {
        perror(path);
        CU_FAIL_FATAL("run this in the project's root");
    }
    do {
        got = fread(buf_reserve(&text, 4096), 1, 4096, file);
        text.len += got;
    } while (got > 0);
    fclose(file);
    return buf_take(&text);
}

/* Both files are written for the usual places; `make install` adapts them. */
static char *default_in_files(const char *text)
{
    static const char prefix[] = "unix:" RUNDIR "/";

    if (strncmp(text, prefix, strlen(prefix)) == 0)
        return mem_printf("unix:/run/%s", text + strlen(prefix));
    return mem_strdup(text);
}

/* How often line stands in text as a line of its own. */
static int count_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    int n = 0;

    for (const char *p = text; (p = strstr(p, line)) != NULL; p += len)
        n += (p == text || p[-1] == '\n') && (p[len] == '\n' || p[len] == '\0');
    return n;
}

static void expect_once(const char *where, const char *text, const char *line)
{
    if (count_line(text, line) != 1)
        fprintf(stderr, "\n%s: wants this line once: %s\n", where, line);
    CU_ASSERT(count_line(text, line) == 1);
}

static size_t count_parameters(void)
{
    size_t n = 0;

    while (settings_parameter_at(n) != NULL)
        n++;
    return n;
}

/* .It Sy NAME Pq "default: VALUE", or Pq "required" */
static void test_manual(void)
{
    char *text = read_file("man/dictd.cf.5");
    size_t entries = 0;

    for (size_t i = 0; i < count_parameters(); i++) {
        const struct settings_parameter *parameter = settings_parameter_at(i);
        char *value = default_in_files(parameter->default_text), *line;

        if (strcmp(value, "required") == 0)
            line = mem_printf(".It Sy %s Pq \"required\"", parameter->name);
        else
            line = mem_printf(".It Sy %s Pq \"default: %s\"", parameter->name,
                              *value != '\0' ? value : "empty");
        expect_once("man/dictd.cf.5", text, line);
        free(line);
        free(value);
    }
    for (const char *p = text; (p = strstr(p, "\n.It Sy ")) != NULL; p++)
        entries++;
    CU_ASSERT_EQUAL(entries, count_parameters());
    free(text);
}

/* #NAME = VALUE; a parameter of maps as default_x. */
static void test_sample(void)
{
    char *text = read_file("packaging/dictd.cf");
    size_t entries = 0;

    for (size_t i = 0; i < count_parameters(); i++) {
        const struct settings_parameter *parameter = settings_parameter_at(i);
        bool per_map = strncmp(parameter->name, "MAP_", 4) == 0;
        char *value = default_in_files(parameter->default_text);
        bool empty = *value == '\0' || strcmp(value, "required") == 0;
        char *line = mem_printf("#%s%s =%s%s", per_map ? "default_" : "",
                                parameter->name + (per_map ? 4 : 0), empty ? "" : " ",
                                empty ? "" : value);

        expect_once("packaging/dictd.cf", text, line);
        free(line);
        free(value);
    }
    for (const char *p = text; (p = strstr(p, "\n#")) != NULL; p++)
        entries += islower((unsigned char)p[2]) != 0;
    CU_ASSERT_EQUAL(entries, count_parameters());
    free(text);
}

/* The sample loads as it is; so does its example, once the three blanks before it are gone;
 * and so do all its lines at once, where the sources are filled in. */
static void test_sample_loads(void)
{
    char *text = read_file("packaging/dictd.cf");
    struct buf example = {NULL, 0, 0}, all = {NULL, 0, 0}, err = {NULL, 0, 0};
    struct settings *settings;

    settings = settings_parse("dictd.cf", slice_str(text), types, &err);
    CU_ASSERT_PTR_NOT_NULL(settings);
    settings_free(settings);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, "#   ", 4) == 0 && strstr(line, "_maps =") == NULL)
            buf_printf(&example, "%s\n", line + 4);
        if (strcmp(line, "#default_sources =") == 0)
            buf_add_str(&all, "default_sources = passwd:\n");
        else if (line[0] == '#' && islower((unsigned char)line[1]))
            buf_printf(&all, "%s\n", line + 1);
    }
    settings = settings_parse("dictd.cf", buf_slice(&example), types, &err);
    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(settings);
    CU_ASSERT(settings->n_maps == 2);
    UNIT_STR(settings->warnings, "");
    settings_free(settings);
    settings = settings_parse("dictd.cf", buf_slice(&all), types, &err);
    UNIT_STR(buf_str(&err), "");
    CU_ASSERT_PTR_NOT_NULL(settings);
    settings_free(settings);
    buf_fini(&example);
    buf_fini(&all);
    buf_fini(&err);
    free(text);
}

/* Every block of a manual's examples that sets maps is a file that loads. */
static void expect_examples(const char *path, int wanted)
{
    char *text = read_file(path);
    const char *p = strstr(text, ".Sh EXAMPLES");
    int loaded = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    while ((p = strstr(p, ".Bd -literal")) != NULL) {
        const char *begin = strchr(p, '\n') + 1, *end = strstr(begin, ".Ed");
        struct slice block = slice_of(begin, (size_t)(end - begin));
        struct buf err = {NULL, 0, 0};
        struct settings *settings;

        p = end;
        if (strncmp(begin, "maps = ", 7) != 0)
            continue;
        settings = settings_parse("dictd.cf", block, types, &err);
        UNIT_STR(buf_str(&err), "");
        CU_ASSERT_PTR_NOT_NULL(settings);
        settings_free(settings);
        buf_fini(&err);
        loaded++;
    }
    CU_ASSERT(loaded == wanted);
    free(text);
}

static void test_manual_examples(void)
{
    expect_examples("man/dictd.cf.5", 2);
    expect_examples("man/dictd-pgsql.5", 1);
}

int main(void)
{
    return unit_run("parameters",
                    (struct unit_test[]){{"the manual", test_manual},
                                         {"the sample", test_sample},
                                         {"the sample loads", test_sample_loads},
                                         {"the manual's examples", test_manual_examples},
                                         {NULL, NULL}});
}
