/* See sql_import_send.h. */
#include "dictd/dictctl/sql/sql_import_send.h"

#include <stdlib.h>
#include <string.h>

#include "dictd/base/clock.h"

enum { PROGRESS_MS = 5000 };

void import_send_fini(struct import_send *send)
{
    buf_fini(&send->keys);
    buf_fini(&send->seconds);
    buf_fini(&send->states);
    buf_fini(&send->shown);
}

/* ------------------------------------------------------------------ report */

void import_send_skip(struct import_send *send, const void *origin, const char *shown,
                      const char *why)
{
    import_notes_add(&send->notes, origin, "skipped", shown, why);
    send->n_skipped++;
}

void import_send_refuse(struct import_send *send, const void *origin, const char *shown,
                        const char *why)
{
    import_notes_add(&send->notes, origin, "refused", shown, why);
    send->n_refused++;
}

static const char *shown_of(struct import_send *send, size_t n)
{
    return buf_str(&send->shown) + send->shown_at[n];
}

void import_send_progress(struct import_send *send, size_t n, size_t of, const char *what)
{
    uint64_t now = clock_monotonic_ms();

    if (now - send->said_ms < PROGRESS_MS)
        return;
    send->said_ms = now;
    if (of > 0)
        ctl_complain("%zu of %zu %s sent", n, of, what);
    else
        ctl_complain("%zu %s sent", n, what);
}

static void print_sums(const struct import_send *send)
{
    unsigned long long same = send->n_given - send->added[IMPORT_GRANTS];
    json_t *object;

    if (send->json) {
        object = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "domains_added",
                           (json_int_t)send->added[IMPORT_DOMAINS], "logins_added",
                           (json_int_t)send->added[IMPORT_LOGINS], "addresses_added",
                           (json_int_t)send->added[IMPORT_ADDRESSES], "grants_added",
                           (json_int_t)send->added[IMPORT_GRANTS], "changed",
                           (json_int_t)send->n_changed, "unchanged", (json_int_t)same,
                           "skipped", (json_int_t)send->n_skipped, "refused",
                           (json_int_t)send->n_refused, "dry_run", send->dry_run);
        ctl_print_json(object);
        json_decref(object);
        return;
    }
    printf("%sadded: %llu domains, %llu logins, %llu addresses, %llu grants; changed: %llu; "
           "unchanged: %llu; skipped: %llu; refused: %llu\n",
           send->dry_run ? "dry run; " : "", send->added[IMPORT_DOMAINS],
           send->added[IMPORT_LOGINS], send->added[IMPORT_ADDRESSES],
           send->added[IMPORT_GRANTS], send->n_changed, same, send->n_skipped, send->n_refused);
}

/* ----------------------------------------------------------------- sending */

static PGresult *ask(struct import_send *send, const char *text, int n)
{
    const char *params[3] = {buf_str(&send->keys), buf_str(&send->seconds),
                             buf_str(&send->states)};

    return sql_run(&send->sql, text, n, params, &send->status);
}

static size_t index_at(const PGresult *result, int row)
{
    return strtoul(PQgetvalue(result, row, 0), NULL, 10) - 1;
}

static bool refuse_faults(struct import_send *send)
{
    PGresult *faults = ask(send, "SELECT n, fault FROM dictd.import_faults($1, $2)", 2);

    if (faults == NULL)
        return false;
    for (int i = 0; i < PQntuples(faults); i++) {
        size_t n = index_at(faults, i);

        import_send_refuse(send, send->origins[n], shown_of(send, n), PQgetvalue(faults, i, 1));
    }
    PQclear(faults);
    return true;
}

static void report_changed(struct import_send *send, const char *array)
{
    while (*array != '\0') {
        char *end;
        size_t n = strtoul(++array, &end, 10);

        if (end == array)
            return;
        import_notes_add(&send->notes, send->origins[n - 1], "changed", shown_of(send, n - 1),
                         "has one more owner");
        send->n_changed++;
        array = end;
    }
}

static const char import_text[] =
    "SELECT domains_added, logins_added, addresses_added, grants_added, changed, faulty "
    "FROM dictd.import($1, $2)";
enum { CHANGED = IMPORT_WHATS, FAULTY };

/* faulty: there are faults in the chunk, and nothing of it was added. */
static bool send_pairs(struct import_send *send)
{
    PGresult *result;
    bool is_faulty;

    if (send->n_refused > 0) /* nothing will stay: only look for more faults */
        return refuse_faults(send);
    result = ask(send, import_text, 2);
    if (result == NULL)
        return false;
    is_faulty = *PQgetvalue(result, 0, FAULTY) == 't';
    for (int what = 0; !is_faulty && what < IMPORT_WHATS; what++)
        send->added[what] += strtoull(PQgetvalue(result, 0, what), NULL, 10);
    if (!is_faulty)
        report_changed(send, PQgetvalue(result, 0, CHANGED));
    PQclear(result);
    return !is_faulty || refuse_faults(send);
}

static bool send_states(struct import_send *send)
{
    static const char *const texts[] = {
        [IMPORT_DOMAINS] = "SELECT * FROM dictd.import_domains($1, $2, $3) ORDER BY n",
        [IMPORT_LOGINS] = "SELECT * FROM dictd.import_logins($1, $2, $3) ORDER BY n",
        [IMPORT_ADDRESSES] = "SELECT * FROM dictd.import_addresses($1, $2, $3) ORDER BY n"};
    PGresult *result = ask(send, texts[send->what], 3);

    if (result == NULL)
        return false;
    for (int i = 0; i < PQntuples(result); i++) {
        const char *verdict = PQgetvalue(result, i, 1), *why = PQgetvalue(result, i, 2);
        size_t n = index_at(result, i);

        if (strcmp(verdict, "added") == 0)
            send->added[send->what]++;
        else if (strcmp(verdict, "refused") == 0)
            import_send_refuse(send, send->origins[n], shown_of(send, n), why);
        else
            import_send_skip(send, send->origins[n], shown_of(send, n), why);
    }
    PQclear(result);
    return true;
}

bool import_send_flush(struct import_send *send)
{
    bool good;

    if (send->n == 0)
        return true;
    buf_add_char(&send->keys, '}');
    buf_add_char(&send->seconds, '}');
    buf_add_char(&send->states, '}');
    good = send->what == IMPORT_GRANTS ? send_pairs(send) : send_states(send);
    buf_clear(&send->keys);
    buf_clear(&send->seconds);
    buf_clear(&send->states);
    buf_clear(&send->shown);
    send->n = 0;
    return good;
}

/* ------------------------------------------------------------------ chunks */

/* value.ptr NULL: null. */
static void add_element(struct buf *array, struct slice value)
{
    buf_add_char(array, array->len == 0 ? '{' : ',');
    if (value.ptr == NULL) {
        buf_add_str(array, "NULL");
        return;
    }
    buf_add_char(array, '"');
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            buf_add_char(array, '\\');
        buf_add_char(array, value.ptr[i]);
    }
    buf_add_char(array, '"');
}

static bool add(struct import_send *send, enum import_what what, const void *origin,
                struct slice shown, struct slice key, struct slice second, bool enabled)
{
    if (send->what != what && !import_send_flush(send))
        return false;
    send->what = what;
    send->origins[send->n] = origin;
    send->shown_at[send->n++] = send->shown.len;
    buf_add_slice(&send->shown, shown);
    buf_add_char(&send->shown, '\0');
    add_element(&send->keys, key);
    add_element(&send->seconds, second);
    add_element(&send->states, slice_str(enabled ? "t" : "f"));
    return send->n < IMPORT_CHUNK || import_send_flush(send);
}

bool import_send_pair(struct import_send *send, const void *origin, struct slice shown,
                      struct slice key, struct slice login)
{
    if (login.ptr != NULL)
        send->n_given++;
    return add(send, IMPORT_GRANTS, origin, shown, key, login, true);
}

bool import_send_state(struct import_send *send, enum import_what what, const void *origin,
                       struct slice shown, struct slice key, struct slice second, bool enabled)
{
    return add(send, what, origin, shown, key, second, enabled);
}

/* ------------------------------------------------------------------ the end */

void import_send_report(struct import_send *send)
{
    import_notes_print(&send->notes, send->place, send->ctx);
}

void import_send_end(struct import_send *send)
{
    bool keep = !send->dry_run && send->n_refused == 0;

    import_send_report(send);
    if (!sql_do(&send->sql, keep ? "COMMIT" : "ROLLBACK", &send->status))
        return;
    if (send->n_refused > 0) {
        ctl_complain("%llu refused: nothing was changed", send->n_refused);
        send->status = CTL_NO;
        return;
    }
    print_sums(send);
}
