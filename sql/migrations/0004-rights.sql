-- 0004: least privilege, and row-level security.
--
-- Nobody writes to a table: changes go through the functions of migration 2, which run as
-- dictd_owner. Row-level security holds for the owner too, so a function with a mistake in it
-- still cannot change what the role that logged in may not change. The owner may read all: a
-- circle of groups, or a login that another domain needs, must be seen by whoever asks.

BEGIN;

DO $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(5521701);
    IF EXISTS (SELECT FROM dictd.migrations WHERE number = 4) THEN
        RAISE EXCEPTION 'migration 4 is applied already; nothing is changed'
            USING ERRCODE = 'duplicate_object';
    ELSIF NOT EXISTS (SELECT FROM dictd.migrations WHERE number = 3) THEN
        RAISE EXCEPTION 'migration 3 has to be applied first';
    END IF;
END $$;

SET LOCAL ROLE dictd_owner;
SET LOCAL search_path = pg_catalog, pg_temp;

REVOKE ALL ON ALL TABLES IN SCHEMA dictd FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dictd FROM PUBLIC;
GRANT USAGE ON SCHEMA dictd TO dictd_reader, dictd_admin, dictd_domain_admin;

-- The daemon: the columns that its two questions need, no notes, no audit.
GRANT SELECT (name, enabled) ON dictd.domains, dictd.logins, dictd.groups TO dictd_reader;
GRANT SELECT (name, domain, enabled) ON dictd.alias_domains TO dictd_reader;
GRANT SELECT (address, recipient, enabled) ON dictd.addresses TO dictd_reader;
GRANT SELECT (group_name, login, member_group) ON dictd.group_members TO dictd_reader;
GRANT SELECT (id, address, login, group_name, anyone, valid_from, valid_until, enabled)
    ON dictd.grants TO dictd_reader;

GRANT EXECUTE ON FUNCTION dictd.domain_of(text), dictd.sender_login(text),
    dictd.local_recipient(text) TO dictd_reader, dictd_admin, dictd_domain_admin;

GRANT SELECT ON ALL TABLES IN SCHEMA dictd TO dictd_admin, dictd_domain_admin;
GRANT EXECUTE ON FUNCTION
    dictd.fold(text), dictd.fold_unicode(text), dictd.is_admin(), dictd.may_administer(text), dictd.audit_end(),
    dictd.domain_add(text, text), dictd.alias_domain_add(text, text, text),
    dictd.domain_remove(text), dictd.domain_enable(text, boolean),
    dictd.domain_admin_add(text, text), dictd.domain_admin_remove(text, text),
    dictd.login_add(text, text), dictd.login_remove(text, text),
    dictd.login_enable(text, boolean),
    dictd.grant_add(text, text, timestamptz, timestamptz, boolean, text),
    dictd.grant_remove(text, text), dictd.grant_enable(text, text, boolean),
    dictd.address_add(text, text[], boolean, text), dictd.address_remove(text),
    dictd.address_enable(text, boolean),
    dictd.group_add(text, text[], text), dictd.group_remove(text, text[]),
    dictd.group_enable(text, boolean),
    dictd.who_may_send(text, text), dictd.may_send_as(text), dictd.orphans()
    TO dictd_admin, dictd_domain_admin;

-- --- rows ---------------------------------------------------------------------------------

-- (SELECT dictd.is_admin()) is asked once per statement, may_administer per row.
DO $$
DECLARE
    name text;
    whose text;
BEGIN
    FOR name, whose IN VALUES
        ('domains', 'NULL'), ('alias_domains', 'NULL'), ('domain_admins', 'NULL'),
        ('logins', 'domain'), ('addresses', 'domain'), ('groups', 'domain'),
        ('group_members', 'domain'), ('grants', 'domain') LOOP
        EXECUTE format('ALTER TABLE dictd.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE dictd.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY owner_reads ON dictd.%I FOR SELECT TO dictd_owner '
                       'USING (true)', name);
        EXECUTE format('CREATE POLICY administer ON dictd.%I '
                       'USING ((SELECT dictd.is_admin()) OR dictd.may_administer(%s)) '
                       'WITH CHECK ((SELECT dictd.is_admin()) OR dictd.may_administer(%s))',
                       name, whose, whose);
        IF name <> 'domain_admins' THEN
            EXECUTE format('CREATE POLICY reader_reads ON dictd.%I FOR SELECT TO dictd_reader '
                           'USING (true)', name);
        END IF;
    END LOOP;
END $$;

-- An administrator of a domain sees it, its alias domains and its administrators.
CREATE POLICY domain_admin_reads ON dictd.domains FOR SELECT TO dictd_domain_admin
    USING (dictd.may_administer(name));
CREATE POLICY domain_admin_reads ON dictd.alias_domains FOR SELECT TO dictd_domain_admin
    USING (dictd.may_administer(domain));
CREATE POLICY domain_admin_reads ON dictd.domain_admins FOR SELECT TO dictd_domain_admin
    USING (dictd.may_administer(domain));
-- Any login may be given an address of the domain, so its name is no secret.
CREATE POLICY domain_admin_reads ON dictd.logins FOR SELECT TO dictd_domain_admin
    USING (true);

-- The triggers write it, as its owner; nobody changes it.
ALTER TABLE dictd.audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY administer ON dictd.audit FOR SELECT TO dictd_admin, dictd_domain_admin
    USING ((SELECT dictd.is_admin()) OR dictd.may_administer(domain));

INSERT INTO dictd.migrations (number, name) VALUES (4, 'rights');

COMMIT;
