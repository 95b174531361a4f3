-- 0008: an @domain that is disabled or enabled changes the answers of all addresses there, where
-- somebody may send as anyone. Only @domain itself was announced.

BEGIN;

DO $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(5521701);
    IF EXISTS (SELECT FROM dictd.migrations WHERE number = 8) THEN
        RAISE EXCEPTION 'migration 8 is applied already; nothing is changed'
            USING ERRCODE = 'duplicate_object';
    ELSIF NOT EXISTS (SELECT FROM dictd.migrations WHERE number = 7) THEN
        RAISE EXCEPTION 'migration 7 has to be applied first';
    END IF;
END $$;

SET LOCAL ROLE dictd_owner;
SET LOCAL search_path = pg_catalog, pg_temp;

-- One function for all tables. Rows that are new or changed are in new_rows, those that are gone or
-- were changed in old_rows: a trigger's transition tables are named by its CREATE TRIGGER.
CREATE OR REPLACE FUNCTION dictd.announce_rows() RETURNS trigger
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
        IF cardinality(names) <= 1000 THEN
            everything := EXISTS (SELECT FROM unnest(names) n JOIN dictd.grants g ON g.address = n
                                   WHERE g.anyone)
                OR TG_OP <> 'UPDATE'
                   AND EXISTS (SELECT FROM unnest(names) n JOIN dictd.addresses a
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

INSERT INTO dictd.migrations (number, name) VALUES (8, 'announce-anyone');

COMMIT;
