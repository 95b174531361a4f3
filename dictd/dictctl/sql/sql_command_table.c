/* See sql_command_table.h. What the functions do is in sql/migrations/0002-functions.sql. */
#include "dictd/dictctl/sql/sql_command_table.h"

#include "dictd/dictctl/sql/sql_print.h"

/* `infinity` is no date for people. */
#define TIMES                                                                                  \
    "nullif(valid_from, '-infinity') AS since, nullif(valid_until, 'infinity') AS until"
#define HOLDER "coalesce(g.login, 'group:' || g.group_name)"

#define GRANT_ROWS                                                                             \
    "SELECT g.address, " HOLDER " AS holder, g.enabled, g.anyone, " TIMES ", g.note "          \
    "FROM dictd.grants g "

const struct sql_command sql_command_table[] = {
    /* --- domains --- */
    {"domain",
     "add",
     "NAME [--alias-of NAME] [--note TEXT]",
     SQL_CHANGE,
     {"D", "U", "--alias-of", "--note"},
     "SELECT CASE WHEN $3::text IS NULL THEN dictd.domain_add($1, coalesce($4, '')) "
     "            ELSE dictd.alias_domain_add($1, $3, coalesce($4, '')) END, "
     "       CASE WHEN $2::text <> $1::text THEN dictd.alias_domain_add($2, coalesce($3, $1)) END"},
    {"domain",
     "remove",
     "NAME",
     SQL_CHANGE,
     {"D", "U"},
     "SELECT dictd.domain_remove(name) FROM (SELECT $1::text AS name UNION ALL "
     "SELECT a.name FROM dictd.alias_domains a WHERE a.name = $2 AND a.name <> $1 AND "
     "EXISTS (SELECT FROM dictd.alias_domains b WHERE b.name = $1)) AS names"},
    {"domain", "enable", "NAME", SQL_CHANGE, {"D"}, "SELECT dictd.domain_enable($1, true)"},
    {"domain", "disable", "NAME", SQL_CHANGE, {"D"}, "SELECT dictd.domain_enable($1, false)"},
    {"domain",
     "list",
     "",
     SQL_LIST,
     {NULL},
     "SELECT d.name, d.enabled, NULL AS alias_of, d.note FROM dictd.domains d UNION ALL "
     "SELECT a.name, a.enabled, a.domain, a.note FROM dictd.alias_domains a ORDER BY 1"},
    {"domain",
     "show",
     "NAME",
     SQL_SHOW,
     {"D"},
     "SELECT d.name, d.enabled, NULL AS alias_of, "
     "(SELECT count(*) FROM dictd.addresses x WHERE x.domain = d.name) AS addresses, "
     "(SELECT string_agg(x.name, ' ' ORDER BY x.name) FROM dictd.alias_domains x "
     " WHERE x.domain = d.name) AS aliases, "
     "(SELECT string_agg(x.role, ' ' ORDER BY x.role) FROM dictd.domain_admins x "
     " WHERE x.domain = d.name) AS administrators, d.note "
     "FROM dictd.domains d WHERE d.name = $1 UNION ALL "
     "SELECT a.name, a.enabled, a.domain, 0, NULL, NULL, a.note FROM dictd.alias_domains a "
     "WHERE a.name = $1"},

    /* --- logins --- */
    {"login",
     "add",
     "NAME [--note TEXT]",
     SQL_CHANGE,
     {"N", "--note"},
     "SELECT dictd.login_add($1, coalesce($2, ''))"},
    {"login",
     "remove",
     "NAME [--reassign LOGIN]",
     SQL_CHANGE,
     {"N", "--reassign"},
     "SELECT dictd.login_remove($1, $2)"},
    {"login", "enable", "NAME", SQL_CHANGE, {"N"}, "SELECT dictd.login_enable($1, true)"},
    {"login", "disable", "NAME", SQL_CHANGE, {"N"}, "SELECT dictd.login_enable($1, false)"},
    {"login",
     "list",
     "[--domain NAME]",
     SQL_LIST,
     {"--domain"},
     "SELECT l.name, l.enabled, (SELECT count(*) FROM dictd.grants g WHERE g.login = l.name) "
     "AS grants, (SELECT string_agg(m.group_name, ' ' ORDER BY m.group_name) "
     "FROM dictd.group_members m WHERE m.login = l.name) AS groups, l.note "
     "FROM dictd.logins l WHERE $1::text IS NULL OR l.domain = $1 ORDER BY 1"},
    {"login",
     "show",
     "NAME",
     SQL_SHOW,
     {"N"},
     "SELECT l.name, l.enabled, (SELECT count(*) FROM dictd.grants g WHERE g.login = l.name) "
     "AS grants, (SELECT string_agg(m.group_name, ' ' ORDER BY m.group_name) "
     "FROM dictd.group_members m WHERE m.login = l.name) AS groups, l.note "
     "FROM dictd.logins l WHERE l.name = $1"},

    /* --- addresses --- */
    {"alias",
     "add",
     "ADDRESS [WHO...] [--recipient yes|no] [--note TEXT]",
     SQL_CHANGE,
     {"A", "*", "--recipient", "--note"},
     "SELECT dictd.address_add($1, $2::text[], $3::boolean, coalesce($4, ''))"},
    {"alias", "remove", "ADDRESS", SQL_CHANGE, {"A"}, "SELECT dictd.address_remove($1)"},
    {"alias", "enable", "ADDRESS", SQL_CHANGE, {"A"}, "SELECT dictd.address_enable($1, true)"},
    {"alias",
     "disable",
     "ADDRESS",
     SQL_CHANGE,
     {"A"},
     "SELECT dictd.address_enable($1, false)"},
    {"alias",
     "list",
     "--login LOGIN",
     SQL_LIST,
     {"--login"},
     "SELECT address, obstacle IS NULL AS may_send, through, " TIMES ", obstacle AS why_not "
     "FROM dictd.may_send_as($1)"},
    {"alias",
     "list",
     "[--domain NAME]",
     SQL_LIST,
     {"--domain"},
     "SELECT a.address, a.enabled, a.recipient, (SELECT string_agg(" HOLDER
     ", ' ' ORDER BY g.id) "
     "FROM dictd.grants g WHERE g.address = a.address) AS holders, a.note "
     "FROM dictd.addresses a WHERE $1::text IS NULL OR a.domain = $1 ORDER BY 1"},
    {"alias",
     "show",
     "ADDRESS [--delimiter CHARACTERS]",
     SQL_SHOW,
     {"A", "--delimiter"},
     "SELECT login, obstacle IS NULL AS may_send, through, address AS by_grant_of, " TIMES
     ", obstacle AS why_not FROM dictd.who_may_send($1, coalesce($2, '+'))"},

    /* --- who may send --- */
    {"grant",
     "add",
     "ADDRESS WHO [--from TIME] [--until TIME] [--anyone] [--note TEXT]",
     SQL_CHANGE,
     {"A", "W", "--from", "--until", "--anyone", "--note"},
     "SELECT dictd.grant_add($1, $2, $3::timestamptz, $4::timestamptz, "
     "coalesce($5::boolean, false), coalesce($6, ''))"},
    {"grant",
     "remove",
     "ADDRESS WHO",
     SQL_CHANGE,
     {"A", "W"},
     "SELECT dictd.grant_remove($1, $2)"},
    {"grant",
     "enable",
     "ADDRESS WHO",
     SQL_CHANGE,
     {"A", "W"},
     "SELECT dictd.grant_enable($1, $2, true)"},
    {"grant",
     "disable",
     "ADDRESS WHO",
     SQL_CHANGE,
     {"A", "W"},
     "SELECT dictd.grant_enable($1, $2, false)"},
    {"grant",
     "list",
     "--login LOGIN",
     SQL_LIST,
     {"--login"},
     GRANT_ROWS "WHERE g.login = $1 ORDER BY g.address"},
    {"grant",
     "list",
     "[--domain NAME]",
     SQL_LIST,
     {"--domain"},
     GRANT_ROWS "WHERE $1::text IS NULL OR g.domain = $1 ORDER BY g.address, g.id"},
    {"grant",
     "show",
     "ADDRESS",
     SQL_SHOW,
     {"A"},
     GRANT_ROWS "WHERE g.address = $1 ORDER BY g.id"},

    /* --- groups --- */
    {"group",
     "add",
     "NAME [WHO...] [--note TEXT]",
     SQL_CHANGE,
     {"N", "*", "--note"},
     "SELECT dictd.group_add($1, $2::text[], coalesce($3, ''))"},
    {"group",
     "remove",
     "NAME [WHO...]",
     SQL_CHANGE,
     {"N", "*"},
     "SELECT dictd.group_remove($1, $2::text[])"},
    {"group", "enable", "NAME", SQL_CHANGE, {"N"}, "SELECT dictd.group_enable($1, true)"},
    {"group", "disable", "NAME", SQL_CHANGE, {"N"}, "SELECT dictd.group_enable($1, false)"},
    {"group",
     "list",
     "",
     SQL_LIST,
     {NULL},
     "SELECT p.name, p.enabled, (SELECT count(*) FROM dictd.group_members m "
     "WHERE m.group_name = p.name) AS members, (SELECT count(*) FROM dictd.grants g "
     "WHERE g.group_name = p.name) AS grants, p.note FROM dictd.groups p ORDER BY 1"},
    {"group",
     "show",
     "NAME",
     SQL_SHOW,
     {"N"},
     "WITH RECURSIVE inside(name) AS (SELECT p.name FROM dictd.groups p WHERE p.name = $1 UNION "
     "SELECT m.member_group FROM inside i JOIN dictd.group_members m ON m.group_name = i.name "
     "WHERE m.member_group IS NOT NULL) "
     "SELECT p.name AS group, p.enabled, coalesce(m.login, 'group:' || m.member_group) AS member "
     "FROM inside i JOIN dictd.groups p ON p.name = i.name "
     "LEFT JOIN dictd.group_members m ON m.group_name = i.name "
     "ORDER BY i.name <> $1, 1, m.login IS NULL, 3"},

    /* --- the rest --- */
    {"admin",
     "add",
     "ROLE DOMAIN",
     SQL_CHANGE,
     {"R", "D"},
     "SELECT dictd.domain_admin_add($1, $2)"},
    {"admin",
     "remove",
     "ROLE DOMAIN",
     SQL_CHANGE,
     {"R", "D"},
     "SELECT dictd.domain_admin_remove($1, $2)"},
    {"admin",
     "list",
     "",
     SQL_LIST,
     {NULL},
     "SELECT role, domain FROM dictd.domain_admins ORDER BY 1, 2"},
    {"orphans", "", "", SQL_LIST, {NULL}, "SELECT kind, name, why FROM dictd.orphans()"},
    {"audit",
     "",
     "[--about NAME] [--since TIME] [--limit N]",
     SQL_AUDIT,
     {"--about", "--since", "--limit"},
     "SELECT * FROM (SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI:SS') AS at, who, program, action, "
     "kind, name, before, after, " SQL_PRINT_DID_WHAT
     " FROM dictd.audit a WHERE ($1::text IS NULL OR a.name = $1 "
     "OR left(a.name, length($1) + 1) = $1 || ' ' OR right(a.name, length($1) + 1) = ' ' || $1) "
     "AND ($2::timestamptz IS NULL OR a.at >= $2::timestamptz) "
     "ORDER BY id DESC LIMIT coalesce($3::bigint, 100)) AS latest ORDER BY id"},
};

const size_t sql_command_table_n = sizeof sql_command_table / sizeof *sql_command_table;
