/* See sql_import_postfixadmin.h. The tables: postfixadmin's upgrade.php. */
#include "dictd/dictctl/sql/sql_import_postfixadmin.h"

#include <string.h>

#include "dictd/dictctl/sql/sql_text.h"

/* Domains that are another name of one: those of the map files, as far as the target is no such
 * name itself. (In alias_domain a row is that too; in domain it is there beside.) */
#define OTHER_NAMES                                                                            \
    "other AS ("                                                                               \
    " SELECT t.alias_domain::text AS name, t.target_domain::text AS target"                    \
    "   FROM alias_domain t WHERE t.active"                                                    \
    "    AND EXISTS (SELECT FROM domain d WHERE d.domain = t.target_domain)"                   \
    "    AND NOT EXISTS (SELECT FROM alias_domain u"                                           \
    "                     WHERE u.alias_domain = t.target_domain AND u.active))"

/* Each row: table, what it is shown as, key, second value, state, verdict, why. With a verdict
 * it is not sent. The domain ALL is PostfixAdmin's own. */
static const char domains_text[] =
    "WITH " OTHER_NAMES " "
    "SELECT 'domain', d.domain, d.domain, NULL, d.active, NULL, NULL FROM domain d"
    " WHERE d.domain <> 'ALL' AND d.domain NOT IN (SELECT name FROM other) "
    "UNION ALL "
    "SELECT 'alias_domain', t.alias_domain, t.alias_domain, t.target_domain, t.active,"
    "       CASE WHEN x.why IS NOT NULL THEN 'skipped' END, x.why"
    "  FROM alias_domain t CROSS JOIN LATERAL (SELECT CASE"
    "       WHEN NOT EXISTS (SELECT FROM domain d WHERE d.domain = t.target_domain)"
    "       THEN t.target_domain || ' is no domain here'"
    "       WHEN EXISTS (SELECT FROM alias_domain u"
    "                     WHERE u.alias_domain = t.target_domain AND u.active)"
    "       THEN t.target_domain || ' is an alias domain itself, which no lookup follows'"
    "       WHEN NOT t.active AND EXISTS (SELECT FROM domain d WHERE d.domain = t.alias_domain)"
    "       THEN 'it is switched off, which leaves a domain of its own'"
    "       END AS why) x "
    "ORDER BY 1 DESC, 2";

static const char logins_text[] =
    "SELECT 'mailbox', username, username, NULL, active, NULL, NULL FROM mailbox ORDER BY 2";

/* Which mailboxes an address leads to: as postfixadmin_sender_login.cf, for all of them. An
 * address that no active mailbox owns is its domain's catch-all's, there as well as here, so it
 * must not be here. One in another name of a domain is that domain's. */
#define OWNERS                                                                                 \
    "WITH RECURSIVE " OTHER_NAMES ", "                                                         \
    "start AS ("                                                                               \
    " SELECT 'alias' AS place, address::text, true AS active FROM alias WHERE active"          \
    " UNION ALL"                                                                               \
    " SELECT 'mailbox', m.username, m.active FROM mailbox m WHERE NOT EXISTS"                  \
    "  (SELECT FROM alias a WHERE a.address = m.username AND a.active)), "                     \
    "leads_to AS ("                                                                            \
    " SELECT address AS start, address FROM start"                                             \
    " UNION"                                                                                   \
    " SELECT l.start, lower(g.address)"                                                        \
    "   FROM leads_to l JOIN alias a ON a.address = l.address AND a.active"                    \
    "  CROSS JOIN LATERAL"                                                                     \
    "        unnest(string_to_array(replace(a.goto, ' ', ''), ',')) AS g(address)"             \
    "  WHERE NOT EXISTS (SELECT FROM mailbox m WHERE m.username = l.address)), "               \
    "owner AS ("                                                                               \
    " SELECT l.start, m.username::text AS login, m.active"                                     \
    "   FROM leads_to l JOIN mailbox m ON m.username = l.address), "                           \
    "judged AS ("                                                                              \
    " SELECT s.*, o.target, d.active AS domain_active,"                                        \
    "        d.domain IS NULL AND o.name IS NULL AS homeless,"                                 \
    "        left(s.address, -length(o.name)) || o.target AS in_target,"                       \
    "        w.start IS NULL AND c.address <> s.address AS falls_through"                      \
    "   FROM (SELECT *, substring(address FROM '[^@]*$') AS domain FROM start) s"              \
    "   LEFT JOIN other o ON o.name = s.domain"                                                \
    "   LEFT JOIN domain d ON d.domain = s.domain AND s.address LIKE '%@%'"                    \
    "   LEFT JOIN alias c ON c.address = '@' || s.domain AND c.active"                         \
    "   LEFT JOIN (SELECT DISTINCT start FROM owner WHERE active) w ON w.start = s.address) "

static const char addresses_text[] = OWNERS
    ", lost AS ("
    " SELECT DISTINCT j.address FROM judged j JOIN owner o ON o.start = j.address AND o.active"
    "   LEFT JOIN owner p ON p.start = j.in_target AND p.login = o.login"
    "  WHERE j.target IS NOT NULL AND j.domain_active AND p.login IS NULL) "
    "SELECT j.place, j.address, j.address, NULL, j.active,"
    "       CASE WHEN l.address IS NOT NULL THEN 'refused'"
    "            WHEN j.homeless OR j.target IS NOT NULL OR j.falls_through THEN 'skipped' END,"
    "       CASE WHEN l.address IS NOT NULL THEN 'its domain is another name of ' || j.target"
    "            || ', and ' || j.in_target || ' has not the same owners: change it there'"
    "            WHEN j.homeless THEN 'its domain is not in the table domain'"
    "            WHEN j.target IS NOT NULL THEN 'its domain is another name of ' || j.target"
    "            WHEN j.falls_through"
    "            THEN 'no login owns it, so it is its domain''s catch-all''s' END"
    "  FROM judged j LEFT JOIN lost l ON l.address = j.address "
    "UNION ALL "
    "SELECT 'alias', a.address, a.address, NULL, false, 'skipped', 'it is switched off'"
    "  FROM alias a WHERE NOT a.active"
    "   AND NOT EXISTS (SELECT FROM mailbox m WHERE m.username = a.address) "
    "UNION ALL "
    "SELECT 'alias', a.address, a.address, NULL, true, 'skipped', g.address || ' is no login here'"
    "  FROM alias a CROSS JOIN LATERAL"
    "       unnest(string_to_array(replace(a.goto, ' ', ''), ',')) AS g(address)"
    " WHERE a.active AND g.address <> ''"
    "   AND NOT EXISTS (SELECT FROM mailbox m WHERE m.username = a.address)"
    "   AND NOT EXISTS (SELECT FROM mailbox m WHERE m.username = lower(g.address))"
    "   AND NOT EXISTS (SELECT FROM alias b WHERE b.address = lower(g.address) AND b.active) "
    "ORDER BY 2";

/* In the order of the map file's answers. */
static const char owners_text[] = OWNERS
    "SELECT j.place, j.address, j.address, o.login, true, NULL, NULL"
    "  FROM judged j JOIN owner o ON o.start = j.address"
    " WHERE j.target IS NULL AND NOT j.homeless AND j.falls_through IS NOT TRUE ORDER BY 2, 4";

struct reading {
    struct import_send *send;
    enum import_what what;
    const char *what_text;
    size_t n; /* rows of it */
};

/* The names of tables, which outlive a chunk. */
static const char *const tables[] = {"domain", "alias_domain", "mailbox", "alias"};

static const char *table_of(const char *name)
{
    size_t i = 0;

    while (strcmp(tables[i], name) != 0)
        i++;
    return tables[i];
}

static uint64_t place_of(void *ctx, const void *origin, struct buf *out)
{
    uint64_t number = 0;

    (void)ctx;
    buf_add_str(out, origin);
    while (strcmp(tables[number], origin) != 0)
        number++;
    return number;
}

/* No lookup finds what is not folded: its owners are none, and would not stay so here. */
static bool is_folded(struct slice text, struct buf *err)
{
    struct buf folded = {NULL, 0, 0};
    bool good = sql_text_fold(&folded, text, err);

    if (good && !slice_eq(buf_slice(&folded), text)) {
        buf_add_str(err, "it is not in lower case, and no lookup finds it: correct the row");
        good = false;
    }
    buf_fini(&folded);
    return good;
}

static bool make_key(enum import_what what, struct buf *key, struct slice text, struct buf *err)
{
    switch (what) {
    case IMPORT_DOMAINS:
        return sql_text_domain(key, text, err);
    case IMPORT_LOGINS:
        return sql_text_fold(key, text, err);
    default:
        return sql_text_address(key, text, err);
    }
}

static bool send_row(struct reading *reading, const char *table, struct slice shown,
                     struct slice key, struct slice second, bool enabled)
{
    struct import_send *send = reading->send;
    struct buf target = {NULL, 0, 0}, err = {NULL, 0, 0};
    bool good;

    if (reading->what == IMPORT_GRANTS)
        return import_send_pair(send, table, shown, key, second);
    if (reading->what != IMPORT_DOMAINS || second.ptr == NULL) {
        good = import_send_state(send, reading->what, table, shown, key, second, enabled);
    } else if (sql_text_domain(&target, second, &err)) {
        good = import_send_state(send, reading->what, table, shown, key, buf_slice(&target),
                                 enabled);
    } else {
        import_send_refuse(send, table, shown.ptr, buf_str(&err));
        good = true;
    }
    buf_fini(&target);
    buf_fini(&err);
    return good;
}

/* Is it the first time that the row is read? Mailboxes are addresses too. */
static bool is_first(const struct reading *reading, const char *table)
{
    return reading->what < IMPORT_ADDRESSES ||
           (reading->what == IMPORT_ADDRESSES && strcmp(table, "mailbox") != 0);
}

enum column { TABLE, SHOWN, KEY, SECOND, STATE, VERDICT, WHY };

static struct slice value(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? slice_of(NULL, 0)
                                          : slice_str(PQgetvalue(result, 0, column));
}

static bool take_row(void *ctx, const PGresult *result)
{
    struct reading *reading = ctx;
    struct import_send *send = reading->send;
    const char *table = table_of(PQgetvalue(result, 0, TABLE));
    const char *shown = PQgetvalue(result, 0, SHOWN);
    const char *verdict = PQgetvalue(result, 0, VERDICT);
    struct buf key = {NULL, 0, 0}, err = {NULL, 0, 0};
    bool good = true;

    if (strcmp(verdict, "refused") == 0) {
        import_send_refuse(send, table, shown, PQgetvalue(result, 0, WHY));
    } else if (strcmp(verdict, "skipped") == 0) {
        import_send_skip(send, table, shown, PQgetvalue(result, 0, WHY));
    } else if (!is_folded(value(result, KEY), &err)) {
        if (is_first(reading, table))
            import_send_skip(send, table, shown, buf_str(&err));
    } else if (make_key(reading->what, &key, value(result, KEY), &err)) {
        good = send_row(reading, table, slice_str(shown), buf_slice(&key),
                        value(result, SECOND), *PQgetvalue(result, 0, STATE) == 't');
    } else {
        import_send_refuse(send, table, shown, buf_str(&err));
    }
    buf_fini(&key);
    buf_fini(&err);
    reading->n++;
    if (good && send->n == 0)
        import_send_progress(send, reading->n, 0, reading->what_text);
    return good;
}

static bool send_all(struct import_send *send, struct sql *from)
{
    static const struct {
        enum import_what what;
        const char *what_text, *text;
    } steps[] = {{IMPORT_DOMAINS, "domains", domains_text},
                 {IMPORT_LOGINS, "logins", logins_text},
                 {IMPORT_ADDRESSES, "addresses", addresses_text},
                 {IMPORT_GRANTS, "owners", owners_text}};

    if (!sql_do(from, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &send->status))
        return false;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct reading reading = {send, steps[i].what, steps[i].what_text, 0};

        if (reading.what == IMPORT_GRANTS && send->n_refused > 0)
            break; /* all that can be wrong with them was said of the others */
        if (!sql_each_row(from, steps[i].text, take_row, &reading, &send->status) ||
            !import_send_flush(send))
            return false;
    }
    return true;
}

bool sql_import_postfixadmin(struct import_send *send, const struct ctl *ctl,
                             const char *conninfo)
{
    struct sql from;
    bool good;

    send->place = place_of;
    if (!sql_connect_to(&from, ctl, "PostfixAdmin's database",
                        strcmp(conninfo, "-") == 0 ? "" : conninfo, &send->status))
        return false;
    good = send_all(send, &from);
    sql_close(&from);
    return good;
}
