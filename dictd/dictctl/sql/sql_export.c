/* See sql_import.h. */
#include <getopt.h>
#include <string.h>

#include "dictd/dictctl/import_ldif.h"
#include "dictd/dictctl/sql/sql_connect.h"
#include "dictd/dictctl/sql/sql_import.h"

/* What the daemon would answer now, address by address. */
static const char text[] =
    "SELECT address, owners FROM (SELECT a.address, (SELECT string_agg(l.login, ',') "
    "FROM dictd.sender_login(a.address) AS l(login)) AS owners FROM dictd.addresses a) AS x "
    "WHERE owners <> ':no-owner:' ORDER BY address COLLATE \"C\"";

static void add_ldif(struct buf *out, struct slice address, const char *owners)
{
    import_ldif_line(out, "objectClass", slice_str("dictdAlias"));
    import_ldif_line(out, "dictdAddress", address);
    while (*owners != '\0') {
        size_t len = strcspn(owners, ",");

        import_ldif_line(out, "dictdOwnerLogin", slice_of(owners, len));
        owners += len + (owners[len] == ',');
    }
    buf_add_char(out, '\n');
}

static void print(const PGresult *result, const char *base)
{
    struct buf out = {NULL, 0, 0}, dn = {NULL, 0, 0};

    for (int i = 0; i < PQntuples(result); i++) {
        struct slice address = slice_str(PQgetvalue(result, i, 0));

        buf_clear(&out);
        if (base == NULL) {
            buf_printf(&out, "%s\t%s\n", address.ptr, PQgetvalue(result, i, 1));
        } else {
            buf_clear(&dn);
            import_ldif_dn(&dn, "dictdAddress", address, base);
            import_ldif_line(&out, "dn", buf_slice(&dn));
            add_ldif(&out, address, PQgetvalue(result, i, 1));
        }
        fwrite(out.data, 1, out.len, stdout);
    }
    buf_fini(&out);
    buf_fini(&dn);
}

int sql_export_run(const struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {{"to-ldif", no_argument, NULL, 'l'},
                                            {"base", required_argument, NULL, 'b'},
                                            {"map-file", required_argument, NULL, 'm'},
                                            {NULL, 0, NULL, 0}};
    const char *base = NULL, *map_file = NULL;
    bool to_ldif = false;
    struct sql sql;
    PGresult *result;
    int option, status = CTL_USAGE;

    optind = 0; /* glibc and the BSDs: begin anew */
    while ((option = getopt_long(argc + 1, argv - 1, "", options, NULL)) != -1) {
        if (option == 'l')
            to_ldif = true;
        else if (option == 'b')
            base = optarg;
        else if (option == 'm')
            map_file = optarg;
        else
            return CTL_USAGE;
    }
    if (optind <= argc || to_ldif != (base != NULL)) {
        ctl_complain("usage: dictctl export [--to-ldif --base DN] [--map-file FILE]");
        return CTL_USAGE;
    }
    if (!sql_connect(&sql, ctl, map_file, &status))
        return status;
    result = sql_run(&sql, text, 0, NULL, &status);
    if (result != NULL) {
        print(result, base);
        status = CTL_YES;
    }
    PQclear(result);
    sql_close(&sql);
    return status;
}
