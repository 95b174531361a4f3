/* See sql_migrations.h. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "dictd/dictctl/sql/sql_connect.h"
#include "dictd/dictctl/sql/sql_migrations.h"

/* One dictctl at a time. The lock of the session outlives each transaction; the migrations
 * themselves take another one, for psql. */
static const char lock_text[] = "SELECT pg_catalog.pg_advisory_lock(5521700)";
static const char is_there_text[] =
    "SELECT pg_catalog.to_regclass('dictd.migrations') IS NOT NULL";
static const char applied_text[] = "SELECT number FROM dictd.migrations ORDER BY number";

/* The last migration that the database has, 0 for none; -1 with the exit status. */
static int version(struct sql *sql, int *status)
{
    PGresult *result = sql_run(sql, is_there_text, 0, NULL, status);
    int number = -1;

    if (result == NULL)
        return -1;
    if (*PQgetvalue(result, 0, 0) != 't')
        number = 0;
    PQclear(result);
    if (number == 0)
        return 0;
    result = sql_run(sql, applied_text, 0, NULL, status);
    if (result == NULL)
        return -1;
    number = PQntuples(result);
    if (number > 0 && atoi(PQgetvalue(result, number - 1, 0)) != number) {
        ctl_complain("dictd.migrations has gaps; restore what is missing there from a backup");
        *status = CTL_NO;
        number = -1;
    }
    PQclear(result);
    return number;
}

static void say(const struct ctl *ctl, const struct sql_migration *migration, bool dry_run)
{
    json_t *object;

    if (!ctl->json) {
        printf("%s %04d-%s\n", dry_run ? "would apply" : "applied", migration->number,
               migration->name);
        return;
    }
    object = json_pack("{s:i, s:s, s:b}", "number", migration->number, "name", migration->name,
                       "applied", dry_run ? 0 : 1);
    ctl_print_json(object);
    json_decref(object);
}

static int migrate(struct sql *sql, const struct ctl *ctl, bool dry_run)
{
    int status = CTL_YES, at;

    if (!sql_do(sql, lock_text, &status) || (at = version(sql, &status)) < 0)
        return status;
    if ((size_t)at > sql_migrations_n) {
        ctl_complain(
            "the database is at version %d, and this dictctl knows %zu: use a newer one", at,
            sql_migrations_n);
        return CTL_NO;
    }
    if ((size_t)at == sql_migrations_n && !ctl->json)
        printf("nothing to do: the database is at version %d\n", at);
    for (size_t i = (size_t)at; i < sql_migrations_n; i++) {
        if (!dry_run && !sql_do(sql, sql_migrations[i].text, &status)) {
            ctl_complain("migration %04d-%s was not applied; the database is at version %zu",
                         sql_migrations[i].number, sql_migrations[i].name, i);
            return status;
        }
        say(ctl, &sql_migrations[i], dry_run);
    }
    return CTL_YES;
}

int sql_migrations_run(const struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {{"map-file", required_argument, NULL, 'm'},
                                            {"dry-run", no_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    struct ctl here = *ctl;
    const char *map_file = NULL;
    bool dry_run = false;
    struct sql sql;
    int option, status = CTL_USAGE;

    optind = 0; /* glibc and the BSDs: begin anew */
    while ((option = getopt_long(argc + 1, argv - 1, "", options, NULL)) != -1) {
        if (option == 'm')
            map_file = optarg;
        else if (option == 'n')
            dry_run = true;
        else if (option == 'j')
            here.json = true;
        else
            return CTL_USAGE;
    }
    if (optind <= argc) {
        ctl_complain(
            "migrate takes no words; usage: dictctl migrate [--dry-run] [--map-file FILE]");
        return CTL_USAGE;
    }
    if (!sql_connect(&sql, &here, map_file, &status))
        return status;
    sql.migrates = true;
    status = migrate(&sql, &here, dry_run);
    sql_close(&sql);
    return status;
}
