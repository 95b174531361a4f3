/* See pgsql_batch.h. */
#include "sources/pgsql/pgsql_batch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dictd/base/mem.h"

/* Types that are the same in every database: src/include/catalog/pg_type.dat. */
static const char *type_name(unsigned oid)
{
    static const struct {
        unsigned oid;
        const char *name;
    } types[] = {
        {25, "text"}, {1043, "varchar"}, {1042, "bpchar"}, {19, "name"},
        {20, "int8"}, {21, "int2"},      {23, "int4"},     {2950, "uuid"},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].oid == oid)
            return types[i].name;
    }
    return NULL;
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || (unsigned char)c >= 0x80;
}

static bool begins_with_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    return strncasecmp(text, word, len) == 0 && !is_word_byte(text[len]);
}

static bool is_query(const char *text)
{
    static const char *const words[] = {"select", "values", "table", "with"};

    text += strspn(text, " \t\r\n\f\v");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (begins_with_word(text, words[i]))
            return true;
    }
    return false;
}

/* Wherever it stands, be it in a literal: rather too careful. */
static bool may_match_patterns(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '~' || strncasecmp(text, "like", 4) == 0 ||
            strncasecmp(text, "similar", 7) == 0 || strncasecmp(text, "regexp", 6) == 0 ||
            strncasecmp(text, "starts_with", 11) == 0)
            return true;
    }
    return false;
}

/* Each of $1 to $n once and no other $ followed by a digit. */
static bool params_stand_alone(const char *text, size_t n)
{
    bool *seen = mem_array(n + 1, sizeof *seen);
    bool good = true;
    size_t count = 0;

    for (const char *at = strchr(text, '$'); at != NULL && good; at = strchr(at + 1, '$')) {
        unsigned long number;

        if (at[1] < '0' || at[1] > '9')
            continue;
        number = strtoul(at + 1, NULL, 10);
        good = number >= 1 && number <= n && !seen[number] &&
               (at == text || !is_word_byte(at[-1]));
        if (good) {
            seen[number] = true;
            count++;
        }
    }
    free(seen);
    return good && count == n;
}

static void add_site_query(struct buf *out, const char *text)
{
    while (*text != '\0') {
        if (*text == '$' && text[1] >= '0' && text[1] <= '9') {
            char *end;
            unsigned long number = strtoul(text + 1, &end, 10);

            buf_printf(out, " dictd_k.p%lu ", number);
            text = end;
        } else {
            buf_add_char(out, *text++);
        }
    }
}

bool pgsql_batch_text(struct buf *out, const struct pgsql_statement *statement,
                      const unsigned *types)
{
    size_t n = statement->n_params;

    if (!statement->bound || n == 0 || !is_query(statement->text) ||
        may_match_patterns(statement->text) || !params_stand_alone(statement->text, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (type_name(types[i]) == NULL)
            return false;
    }
    buf_add_str(out, "SELECT dictd_k.n, dictd_q.* FROM ROWS FROM (");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%spg_catalog.unnest((SELECT $%zu::pg_catalog.%s[]))",
                   i > 0 ? ", " : "", i + 1, type_name(types[i]));
    buf_add_str(out, ") WITH ORDINALITY AS dictd_k(");
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "p%zu, ", i + 1);
    buf_add_str(out, "n) CROSS JOIN LATERAL (SELECT * FROM (\n");
    add_site_query(out, statement->text);
    buf_add_str(out, "\n) AS dictd_s OFFSET 0) AS dictd_q");
    return true;
}

void pgsql_batch_add_element(struct buf *out, const char *value)
{
    buf_add_char(out, '"');
    while (*value != '\0') {
        size_t plain = strcspn(value, "\"\\");

        buf_add(out, value, plain);
        value += plain;
        if (*value != '\0') {
            buf_add_char(out, '\\');
            buf_add_char(out, *value++);
        }
    }
    buf_add_char(out, '"');
}
