# Makes the C text of dictd/dictctl/sql/sql_migrations.h's table of the SQL files in the arguments.
# A line becomes one string literal, so that any compiler's limit on a line holds.
BEGIN {
    print "#include \"dictd/dictctl/sql/sql_migrations.h\"\n"
    print "const struct sql_migration sql_migrations[] = {"
}
FNR == 1 {
    if (NR > 1)
        print "    },"
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.sql$/, "", name)
    printf "    {%d, \"%s\",\n", substr(name, 1, 4), substr(name, 6)
}
{
    gsub(/\\/, "&&")
    gsub(/"/, "\\\\&")
    printf "     \"%s\\n\"\n", $0
}
END {
    print "    },"
    print "};\n"
    print "const size_t sql_migrations_n = sizeof sql_migrations / sizeof *sql_migrations;"
}
