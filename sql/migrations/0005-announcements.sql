-- 0005: each changed key is announced on the channel `dictd`, when its transaction commits.
--
-- The payload is the key, as the daemon asks for it, under every name of its domain. An empty
-- payload says that anything may have changed: a domain, a grant as anyone, a user@domain that
-- is new or gone where the domain has @domain (answers for addresses that were not there came
-- from that), or more than 1,000 keys at once. Equal payloads of one transaction are one.
--
-- Time announces nothing by itself: announce_due() announces the grants that have begun or
-- ended since it was called last. Call it every minute where grants have a beginning or an end.

BEGIN;

DO $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(5521701);
    IF EXISTS (SELECT FROM dictd.migrations WHERE number = 5) THEN
        RAISE EXCEPTION 'migration 5 is applied already; nothing is changed'
            USING ERRCODE = 'duplicate_object';
    ELSIF NOT EXISTS (SELECT FROM dictd.migrations WHERE number = 4) THEN
        RAISE EXCEPTION 'migration 4 has to be applied first';
    END IF;
END $$;

SET LOCAL ROLE dictd_owner;
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE FUNCTION dictd.announce(addresses text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys text[];
BEGIN
    IF cardinality(addresses) <= 1000 THEN
        SELECT array_agg(DISTINCT key) INTO keys FROM (
            SELECT a AS key FROM unnest(addresses) a
            UNION ALL
            SELECT left(a, -length(x.domain)) || x.name
              FROM unnest(addresses) a
              JOIN dictd.alias_domains x ON x.domain = dictd.domain_of(a)) AS named;
    END IF;
    IF cardinality(addresses) > 1000 OR cardinality(keys) > 1000 THEN
        PERFORM pg_notify('dictd', '');
    ELSE
        PERFORM pg_notify('dictd', key) FROM unnest(keys) key;
    END IF;
END $$;

-- What the groups own, and the groups that they are in.
CREATE FUNCTION dictd.announce_groups(names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM dictd.announce(array(
        WITH RECURSIVE around(name) AS (
            SELECT unnest(names)
            UNION
            SELECT m.group_name FROM around c JOIN dictd.group_members m ON m.member_group = c.name)
        SELECT g.address FROM around c JOIN dictd.grants g ON g.group_name = c.name));
    IF EXISTS (
        WITH RECURSIVE around(name) AS (
            SELECT unnest(names)
            UNION
            SELECT m.group_name FROM around c JOIN dictd.group_members m ON m.member_group = c.name)
        SELECT FROM around c JOIN dictd.grants g ON g.group_name = c.name WHERE g.anyone) THEN
        PERFORM pg_notify('dictd', '');
    END IF;
END $$;

-- One function for all tables. Rows that are new or changed are in new_rows, those that are gone or
-- were changed in old_rows: a trigger's transition tables are named by its CREATE TRIGGER.
CREATE FUNCTION dictd.announce_rows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows_of CONSTANT text := CASE TG_OP
        WHEN 'INSERT' THEN 'new_rows'
        WHEN 'DELETE' THEN 'old_rows'
        ELSE '(SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows)' END;
    names text[];
    everything boolean := false;
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'addresses' THEN
        EXECUTE 'SELECT array_agg(address) FROM (SELECT address FROM ' || rows_of
                || ' AS r LIMIT 1001) AS part' INTO names;
        IF cardinality(names) <= 1000 AND TG_OP <> 'UPDATE' THEN
            everything := EXISTS (SELECT FROM unnest(names) n JOIN dictd.addresses a
                                          ON a.address = '@' || dictd.domain_of(n));
        END IF;
    WHEN 'grants' THEN
        EXECUTE 'SELECT array_agg(address), bool_or(anyone) FROM '
                || '(SELECT address, anyone FROM ' || rows_of || ' AS r LIMIT 1001) AS part'
           INTO names, everything;
    WHEN 'logins' THEN
        EXECUTE 'SELECT array_agg(name) FROM ' || rows_of || ' AS r' INTO names;
        PERFORM dictd.announce_groups(array(SELECT m.group_name FROM dictd.group_members m
                                             WHERE m.login = ANY (names)));
        everything := EXISTS (SELECT FROM dictd.grants g WHERE g.login = ANY (names) AND g.anyone);
        names := array(SELECT g.address FROM dictd.grants g WHERE g.login = ANY (names));
    WHEN 'groups' THEN
        EXECUTE 'SELECT array_agg(name) FROM ' || rows_of || ' AS r' INTO names;
        PERFORM dictd.announce_groups(names);
        RETURN NULL;
    WHEN 'group_members' THEN
        EXECUTE 'SELECT array_agg(group_name) FROM ' || rows_of || ' AS r' INTO names;
        PERFORM dictd.announce_groups(names);
        RETURN NULL;
    ELSE -- domains and their aliases
        EXECUTE 'SELECT count(*) > 0 FROM ' || rows_of || ' AS r' INTO everything;
    END CASE;
    IF everything THEN
        PERFORM pg_notify('dictd', '');
    END IF;
    IF names IS NOT NULL THEN
        PERFORM dictd.announce(names);
    END IF;
    RETURN NULL;
END $$;

DO $$
DECLARE
    name text;
    op text;
    rows_named text;
BEGIN
    FOREACH name IN ARRAY ARRAY['domains', 'alias_domains', 'addresses', 'grants',
                                'group_members', 'groups', 'logins'] LOOP
        FOR op, rows_named IN VALUES ('INSERT', 'NEW TABLE AS new_rows'),
                                     ('DELETE', 'OLD TABLE AS old_rows'),
                                     ('UPDATE', 'NEW TABLE AS new_rows OLD TABLE AS old_rows') LOOP
            -- A login or a group that is new, or owns nothing any more, changes no key.
            CONTINUE WHEN name IN ('logins', 'groups') AND op <> 'UPDATE';
            EXECUTE format('CREATE TRIGGER announce_%s AFTER %s ON dictd.%I REFERENCING %s '
                           'FOR EACH STATEMENT EXECUTE FUNCTION dictd.announce_rows()',
                           lower(op), op, name, rows_named);
        END LOOP;
    END LOOP;
END $$;

-- --- time ---------------------------------------------------------------------------------

CREATE TABLE dictd.announced (
    up_to timestamptz NOT NULL
);
CREATE UNIQUE INDEX announced_once ON dictd.announced ((true));
INSERT INTO dictd.announced VALUES (now());
CREATE INDEX grants_begin ON dictd.grants (valid_from) WHERE valid_from > '-infinity';
CREATE INDEX grants_end ON dictd.grants (valid_until) WHERE valid_until < 'infinity';

-- How many grants were announced.
CREATE FUNCTION dictd.announce_due() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    since timestamptz;
    due text[];
    as_anyone boolean;
BEGIN
    SELECT up_to INTO since FROM dictd.announced FOR UPDATE;
    UPDATE dictd.announced SET up_to = now();
    SELECT array_agg(g.address), bool_or(g.anyone) INTO due, as_anyone FROM dictd.grants g
     WHERE g.valid_from > since AND g.valid_from <= now() AND g.valid_from > '-infinity'
        OR g.valid_until > since AND g.valid_until <= now() AND g.valid_until < 'infinity';
    IF as_anyone THEN
        PERFORM pg_notify('dictd', '');
    END IF;
    IF due IS NOT NULL THEN
        PERFORM dictd.announce(due);
    END IF;
    RETURN coalesce(cardinality(due), 0);
END $$;
GRANT EXECUTE ON FUNCTION dictd.announce_due() TO dictd_admin, dictd_domain_admin;

INSERT INTO dictd.migrations (number, name) VALUES (5, 'announcements');

COMMIT;
