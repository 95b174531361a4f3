/* See backend_map.h. */
#include "sources/backend/backend_map.h"

#include "dictd/lookup/map_file.h"

/* The files of `domain`: as they are seen now, before they are read once more. */
static bool note_files(struct file_reading *reading, const struct name_list *domain)
{
    struct file_text text;
    const char *path;

    for (size_t i = 0; domain != NULL && (path = name_list_file(domain, i)) != NULL; i++) {
        switch (file_reading_include(reading, path, &text)) {
        case FILE_INCLUDE_GOOD:
            file_text_fini(&text);
            break;
        case FILE_INCLUDE_ABSENT:
            return file_reading_fail(reading, path, 0, "%s", text.why);
        case FILE_INCLUDE_STOP:
            return false;
        }
    }
    return true;
}

/* The parser reads the files of `domain` itself. So that what is in force is never older than
 * what the watch compares with, they are read again after the watch has seen them. */
static bool read_files_again(struct file_reading *reading, struct slice text,
                             backend_map_parse_fn *parse, backend_map_equal_fn *equal)
{
    struct buf err = {NULL, 0, 0};
    struct backend_map again = parse(reading->path, text, &err);
    bool same = again.config != NULL && equal(reading->made, again.config);

    if (again.config != NULL)
        reading->format->free_made(again.config);
    buf_fini(&err);
    if (!same)
        reading->outcome = FILE_UNSTEADY;
    return same;
}

/* What cannot be understood may be mended in any of the files that were looked at before. */
static void go_on_watching(struct file_reading *reading)
{
    struct file_text text;

    for (size_t i = 0; i < reading->before.n; i++) {
        const char *path = reading->before.files[i].path;

        if (file_set_find(&reading->files, path) == NULL &&
            file_reading_include(reading, path, &text) == FILE_INCLUDE_GOOD)
            file_text_fini(&text);
    }
    reading->outcome = FILE_BROKEN;
}

bool backend_map_parse(struct file_reading *reading, struct slice text,
                       backend_map_parse_fn *parse, backend_map_equal_fn *equal)
{
    struct buf said = {NULL, 0, 0};
    struct backend_map map = parse(reading->path, text, &said);
    bool good = map.config != NULL;

    if (good) {
        reading->made = map.config;
        file_notes_add_lines(&reading->notes, map.warnings);
        if (map.has_password)
            map_file_check_mode(reading->path, &said);
        file_notes_add_lines(&reading->notes, buf_str(&said));
        if (map.domain != NULL && name_list_file(map.domain, 0) != NULL)
            good = note_files(reading, map.domain) &&
                   read_files_again(reading, text, parse, equal);
    } else {
        file_reading_fail_lines(reading, buf_str(&said));
        go_on_watching(reading);
    }
    buf_fini(&said);
    return good;
}
