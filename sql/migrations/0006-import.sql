-- 0006: many at once, for dictctl import. What is there already stays as it is.

BEGIN;

DO $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(5521701);
    IF EXISTS (SELECT FROM dictd.migrations WHERE number = 6) THEN
        RAISE EXCEPTION 'migration 6 is applied already; nothing is changed'
            USING ERRCODE = 'duplicate_object';
    ELSIF NOT EXISTS (SELECT FROM dictd.migrations WHERE number = 5) THEN
        RAISE EXCEPTION 'migration 5 has to be applied first';
    END IF;
END $$;

SET LOCAL ROLE dictd_owner;
SET LOCAL search_path = pg_catalog, pg_temp;

-- What is wrong with which of the keys and of the logins beside them (NULL: none there), and
-- which of them the role that asks may not add.
CREATE FUNCTION dictd.import_faults(keys text[], logins text[])
RETURNS TABLE (n bigint, fault text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.n, coalesce(dictd.address_fault(k.key), dictd.name_fault(k.login))
      FROM unnest(keys, logins) WITH ORDINALITY AS k(key, login, n)
     WHERE NOT (length(k.key) < 64 AND k.key ~ '^[a-z0-9_+=-]+(\.[a-z0-9_+=-]+)*(@[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)*)?$'
                AND coalesce(k.login, 'x') ~ '^[a-z0-9._@+-]+$')
       AND coalesce(dictd.address_fault(k.key), dictd.name_fault(k.login)) IS NOT NULL
    UNION ALL
    SELECT k.n, 'role ' || session_user || ' may not change '
                || coalesce('what is in ' || dictd.domain_of(k.key), 'what is in no domain')
      FROM unnest(keys) WITH ORDINALITY AS k(key, n)
      LEFT JOIN dictd.alias_domains a ON a.name = dictd.domain_of(k.key)
     WHERE NOT (SELECT dictd.is_admin())
       AND NOT dictd.may_administer(coalesce(a.domain, dictd.domain_of(k.key)))
    UNION ALL
    SELECT k.n, 'login ' || k.login || ' is not here, and role ' || session_user
                || ' may not add it'
      FROM unnest(logins) WITH ORDINALITY AS k(login, n)
     WHERE NOT (SELECT dictd.is_admin()) AND k.login IS NOT NULL
       AND NOT EXISTS (SELECT FROM dictd.logins l WHERE l.name = k.login)
       AND NOT dictd.may_administer(dictd.domain_of(k.login))
$$;

-- Domains, logins, addresses, grants: those that are missing, grants in the order of the pairs,
-- which is the order of an answer. changed are the numbers of pairs that gave an address that was
-- there before one more owner. Equal pairs are one.
CREATE FUNCTION dictd.import(keys text[], logins text[], OUT domains_added bigint,
                             OUT logins_added bigint, OUT addresses_added bigint,
                             OUT grants_added bigint, OUT changed bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    in_domain text;
    newest bigint;
BEGIN
    -- An alias domain stands for its domain.
    SELECT array_agg(CASE WHEN a.name IS NULL THEN k.key
                          ELSE left(k.key, -length(a.name)) || a.domain END ORDER BY k.n)
      INTO keys
      FROM unnest(keys) WITH ORDINALITY AS k(key, n)
      LEFT JOIN dictd.alias_domains a ON a.name = dictd.domain_of(k.key);

    IF NOT dictd.is_admin() THEN
        FOR in_domain IN
            SELECT dictd.domain_of(k) FROM unnest(keys) k
            UNION
            SELECT dictd.domain_of(l) FROM unnest(logins) l
             WHERE l IS NOT NULL AND NOT EXISTS (SELECT FROM dictd.logins o WHERE o.name = l) LOOP
            PERFORM dictd.need_right(in_domain);
        END LOOP;
    END IF;
    INSERT INTO dictd.domains (name)
    SELECT g.name FROM (SELECT DISTINCT dictd.domain_of(k) AS name FROM unnest(keys) k) AS g
     WHERE g.name IS NOT NULL
       AND NOT EXISTS (SELECT FROM dictd.domains d WHERE d.name = g.name)
        ON CONFLICT (name) DO NOTHING;
    GET DIAGNOSTICS domains_added = ROW_COUNT;
    INSERT INTO dictd.logins (name)
    SELECT g.name FROM (SELECT DISTINCT l AS name FROM unnest(logins) l) AS g
     WHERE g.name IS NOT NULL
       AND NOT EXISTS (SELECT FROM dictd.logins l WHERE l.name = g.name)
        ON CONFLICT (name) DO NOTHING;
    GET DIAGNOSTICS logins_added = ROW_COUNT;
    INSERT INTO dictd.addresses (address, recipient)
    SELECT k, left(k, 1) <> '@' FROM unnest(keys) k
        ON CONFLICT (address) DO NOTHING;
    GET DIAGNOSTICS addresses_added = ROW_COUNT;
    SELECT max(g.id) INTO newest FROM dictd.grants g;
    INSERT INTO dictd.grants (address, login)
    SELECT p.key, p.login FROM unnest(keys, logins) WITH ORDINALITY AS p(key, login, n)
     WHERE p.login IS NOT NULL ORDER BY p.n
        ON CONFLICT (address, coalesce(login, 'group:' || group_name)) DO NOTHING;
    GET DIAGNOSTICS grants_added = ROW_COUNT;
    IF grants_added > 0 AND addresses_added < (SELECT count(DISTINCT k) FROM unnest(keys) k) THEN
        SELECT array_agg(p.n ORDER BY p.n) INTO changed
          FROM (SELECT DISTINCT ON (k.key, k.login) k.*
                  FROM unnest(keys, logins) WITH ORDINALITY AS k(key, login, n)
                 ORDER BY k.key, k.login, k.n) AS p
          JOIN dictd.addresses a ON a.address = p.key AND a.created_at < now()
          JOIN dictd.grants g ON g.address = p.key AND g.login = p.login
         WHERE g.id > coalesce(newest, 0);
    END IF;
END $$;

GRANT EXECUTE ON FUNCTION dictd.import_faults(text[], text[]), dictd.import(text[], text[])
    TO dictd_admin, dictd_domain_admin;

INSERT INTO dictd.migrations (number, name) VALUES (6, 'import');

COMMIT;
