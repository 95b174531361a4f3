/* See alias_file.h. */
#include "sources/aliases/alias_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dictd/base/mem.h"
#include "dictd/lookup/address.h"
#include "dictd/lookup/fold.h"
#include "sources/aliases/alias_tokens.h"
#include "sources/file/logical_line.h"

/* One parser: the file being filled, where it is reading, and scratch space. */
struct parser {
    struct alias_file *file;
    struct file_reading *reading;
    const char *path;
    unsigned line;
    unsigned depth; /* 0: the aliases file itself */
    struct alias_tokens tokens;
    struct alias_ranges ranges;
    struct buf text;
    struct buf folded;
};

void alias_file_fini(struct alias_file *file)
{
    key_index_fini(&file->names);
    key_index_fini(&file->include_paths);
    arena_fini(&file->texts);
    free(file->aliases);
    free(file->includes);
    free(file->targets);
    *file = (struct alias_file){.n_targets = 0};
}

static void parser_init(struct parser *parser, struct alias_file *file,
                        struct file_reading *reading)
{
    *parser = (struct parser){.file = file, .reading = reading, .path = reading->path};
}

static void parser_fini(struct parser *parser)
{
    alias_tokens_fini(&parser->tokens);
    alias_ranges_fini(&parser->ranges);
    buf_fini(&parser->text);
    buf_fini(&parser->folded);
}

/* ---------------------------------------------------------------- values */

static struct alias_target *add_target(struct alias_file *file, enum alias_kind kind)
{
    struct alias_target *target;

    if (file->n_targets == file->targets_cap) {
        file->targets_cap = file->targets_cap > 0 ? 2 * file->targets_cap : 64;
        file->targets = mem_realloc(file->targets, file->targets_cap * sizeof *file->targets);
    }
    target = &file->targets[file->n_targets++];
    *target = (struct alias_target){.kind = kind, .text = {"", 0}};
    return target;
}

static void note_include(struct parser *parser, const char *path, const char *why)
{
    file_notes_add(&parser->reading->notes, parser->path, parser->line,
                   ":include:%s: %s; it contributes nothing", path, why);
}

static void add_include(struct parser *parser, struct slice path)
{
    struct alias_file *file = parser->file;
    uint32_t number;
    bool added;

    if (path.len == 0 || path.ptr[0] != '/') {
        note_include(parser, path.len > 0 ? path.ptr : "", "a relative path is not followed");
        add_target(file, ALIAS_NOTHING);
        return;
    }
    number = key_index_find(&file->include_paths, path);
    if (number == KEY_INDEX_NONE) {
        if (parser->depth == ALIAS_INCLUDE_MAX_DEPTH ||
            file->include_paths.n == ALIAS_INCLUDES_MAX) {
            note_include(parser, path.ptr,
                         parser->depth == ALIAS_INCLUDE_MAX_DEPTH ? "nested too deeply"
                                                                  : "too many included files");
            add_target(file, ALIAS_NOTHING);
            return;
        }
        number = key_index_put(&file->include_paths, path, &added);
        if (number == file->includes_cap) {
            file->includes_cap = file->includes_cap > 0 ? 2 * file->includes_cap : 8;
            file->includes =
                mem_realloc(file->includes, file->includes_cap * sizeof *file->includes);
        }
        file->includes[number] =
            (struct alias_include){{0, 0}, parser->path, parser->line, parser->depth + 1};
    }
    add_target(file, ALIAS_INCLUDE)->include = number;
}

static void add_address(struct parser *parser, bool mailbox)
{
    struct slice text = buf_slice(&parser->text);
    struct alias_target *target;

    if (text.len > 0 && text.ptr[0] == '\\') {
        mailbox = true;
        text.ptr++;
        text.len--;
    }
    if (text.len == 0) {
        add_target(parser->file, ALIAS_NOTHING);
        return;
    }
    if (!fold_case(&parser->folded, text))
        abort(); /* the line was UTF-8, and no character of it was cut */
    target = add_target(parser->file, mailbox ? ALIAS_MAILBOX : ALIAS_ADDRESS);
    target->text = arena_copy(&parser->file->texts, buf_slice(&parser->folded));
    /* Of a quoted name that holds an @ too, as with Postfix's resolve_dequoted_address. */
    target->at = address_last_at(target->text);
}

/* deliver_token() of src/local/token.c: the first bytes decide. */
static void add_value(struct parser *parser, struct alias_range range)
{
    static const char include[] = ":include:";
    const size_t include_len = sizeof include - 1;
    const char *text;

    buf_clear(&parser->text);
    alias_tokens_text(&parser->tokens, range.from, range.to, false, &parser->text);
    text = buf_str(&parser->text);
    if (*text == '/' || *text == '~' || *text == '|')
        add_target(parser->file, ALIAS_NOTHING);
    else if (strncasecmp(text, include, include_len) == 0)
        add_include(parser, slice_of(text + include_len, parser->text.len - include_len));
    else
        add_address(parser, parser->tokens.tokens[range.from].escaped);
}

static void add_values(struct parser *parser, size_t from)
{
    alias_tokens_addresses(&parser->tokens, from, &parser->ranges);
    for (size_t i = 0; i < parser->ranges.n; i++)
        add_value(parser, parser->ranges.ranges[i]);
}

/* --------------------------------------------------------------- entries */

/* The first colon; n when there is none. */
static size_t find_colon(const struct alias_tokens *tokens)
{
    size_t i = 0;

    while (i < tokens->n && tokens->tokens[i].type != ':')
        i++;
    return i;
}

/* Why the tokens before the colon are not the name of one alias, or NULL. */
static const char *bad_name(const struct alias_tokens *tokens, size_t colon)
{
    if (colon == 0)
        return "the name before the colon is missing";
    for (size_t i = 0; i < colon; i++) {
        int type = tokens->tokens[i].type;

        if (type == ',')
            return "there is more than one name before the colon";
        if (type == '@' || type == '%')
            return "the name before the colon must be local, without a domain";
    }
    return NULL;
}

/* The name's key in parser->folded. */
static void make_key(struct parser *parser, size_t colon)
{
    buf_clear(&parser->text);
    alias_tokens_text(&parser->tokens, 0, colon, true, &parser->text);
    if (!fold_case(&parser->folded, buf_slice(&parser->text)))
        abort(); /* the line was UTF-8, and no character of it was cut */
    if (memchr(parser->folded.data, '@', parser->folded.len) == NULL)
        return;
    buf_clear(&parser->text);
    address_quote_localpart(&parser->text, buf_slice(&parser->folded));
    buf_clear(&parser->folded);
    buf_add_slice(&parser->folded, buf_slice(&parser->text));
}

static void add_alias(struct parser *parser, size_t colon)
{
    struct alias_file *file = parser->file;
    struct slice key;
    uint32_t number;
    bool added;
    struct alias alias;

    make_key(parser, colon);
    key = buf_slice(&parser->folded);
    number = key_index_put(&file->names, key, &added);
    if (!added) {
        file_notes_add(&parser->reading->notes, parser->path, parser->line,
                       "the alias \"%.*s\" is there already, from line %u, and that one stays "
                       "in force",
                       (int)(key.len < 100 ? key.len : 100), key.ptr,
                       file->aliases[number].line);
        return;
    }
    alias = (struct alias){{file->n_targets, 0}, parser->line};
    add_values(parser, colon + 1);
    alias.targets.n = file->n_targets - alias.targets.first;
    if (number == file->aliases_cap) {
        file->aliases_cap = file->aliases_cap > 0 ? 2 * file->aliases_cap : 64;
        file->aliases = mem_realloc(file->aliases, file->aliases_cap * sizeof *file->aliases);
    }
    file->aliases[number] = alias;
}

static bool parse_entry(struct parser *parser, struct slice line)
{
    struct file_reading *reading = parser->reading;
    const char *why;
    size_t colon;

    if (!fold_is_utf8(line)) {
        file_reading_skip(reading, parser->line, "the line is not UTF-8");
        return true;
    }
    if (!alias_tokens_scan(&parser->tokens, line, &why))
        return file_reading_fail(reading, parser->path, parser->line, "%s", why);
    colon = find_colon(&parser->tokens);
    if (colon == parser->tokens.n)
        return file_reading_fail(reading, parser->path, parser->line,
                                 "expected a name, a colon and a value");
    why = bad_name(&parser->tokens, colon);
    if (why == NULL && colon + 1 == parser->tokens.n)
        why = "there is no value behind the colon";
    if (why != NULL)
        file_reading_skip(reading, parser->line, "%s", why);
    else
        add_alias(parser, colon);
    return true;
}

static bool parse_main(struct parser *parser, struct slice text)
{
    struct logical_lines lines;
    struct slice line;
    const char *why = "";
    enum logical_line got;
    bool good = true;

    logical_lines_init(&lines, text);
    do {
        got = logical_lines_next(&lines, &line, &parser->line, &why);
        if (got == LOGICAL_LINE_GOOD)
            good = parse_entry(parser, line);
        else if (got == LOGICAL_LINE_BAD)
            good = file_reading_fail(parser->reading, parser->path, parser->line, "%s", why);
    } while (good && got == LOGICAL_LINE_GOOD);
    logical_lines_fini(&lines);
    return good;
}

/* -------------------------------------------------------------- includes */

/* Lines of a list are flawed one by one: whoever keeps it must not stop the others' mail. */
static void parse_include_line(struct parser *parser, struct slice line)
{
    const char *why = NULL;

    if (line.len == 0 || line.ptr[0] == '#')
        return;
    if (memchr(line.ptr, '\0', line.len) != NULL)
        why = "the line holds a NUL byte";
    else if (!fold_is_utf8(line))
        why = "the line is not UTF-8";
    else if (alias_tokens_scan(&parser->tokens, line, &why))
        why = NULL;
    if (why != NULL)
        file_notes_add(&parser->reading->notes, parser->path, parser->line,
                       "%s; the line is skipped", why);
    else
        add_values(parser, 0);
}

static void parse_include(struct parser *parser, struct slice text)
{
    parser->line = 0;
    while (text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        size_t len = newline != NULL ? (size_t)(newline - text.ptr) : text.len;

        parser->line++;
        parse_include_line(parser, slice_of(text.ptr, len));
        len += newline != NULL;
        text.ptr += len;
        text.len -= len;
    }
}

/* Reads the include with this number. False when the reading is over. */
static bool take_include(struct parser *parser, uint32_t number)
{
    struct alias_include *include = &parser->file->includes[number];
    struct alias_targets targets = {parser->file->n_targets, 0};
    const char *path = key_index_at(&parser->file->include_paths, number).ptr;
    struct file_text text;

    parser->path = include->from_path; /* for what is said about the file as a whole */
    parser->line = include->from_line;
    switch (file_reading_include(parser->reading, path, &text)) {
    case FILE_INCLUDE_STOP:
        return false;
    case FILE_INCLUDE_ABSENT:
        note_include(parser, path, text.why);
        return true;
    case FILE_INCLUDE_GOOD:
        break;
    }
    if (text.world_writable) { /* include.c refuses it too: anybody could make himself an owner
                                */
        note_include(parser, path, "everybody may write to the file");
    } else {
        parser->path = path;
        parser->depth = include->depth;
        parse_include(parser, file_text_slice(&text));
    }
    file_text_fini(&text);
    targets.n = parser->file->n_targets - targets.first;
    parser->file->includes[number].targets = targets; /* the array may have moved */
    return true;
}

bool alias_file_parse(struct alias_file *file, struct file_reading *reading, struct slice text)
{
    struct parser parser;
    bool good;

    parser_init(&parser, file, reading);
    good = parse_main(&parser, text);
    /* Includes add includes to the end of the list: breadth first, so the depth is the least.
     */
    for (size_t i = 0; good && i < file->include_paths.n; i++)
        good = take_include(&parser, (uint32_t)i);
    parser_fini(&parser);
    return good;
}
