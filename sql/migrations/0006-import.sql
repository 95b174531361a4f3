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

-- What is wrong with which of the keys and of the logins beside them (NULL: none there).
CREATE FUNCTION dictd.import_faults(keys text[], logins text[])
RETURNS TABLE (n bigint, fault text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.n, coalesce(dictd.address_fault(k.key), dictd.name_fault(k.login))
      FROM unnest(keys, logins) WITH ORDINALITY AS k(key, login, n)
     WHERE NOT (length(k.key) < 64 AND k.key ~ '^[a-z0-9_+=-]+(\.[a-z0-9_+=-]+)*(@[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)*)?$'
                AND coalesce(k.login, 'x') ~ '^[a-z0-9._@+-]+$')
       AND coalesce(dictd.address_fault(k.key), dictd.name_fault(k.login)) IS NOT NULL
$$;

-- Domains and their spellings in U-labels, logins, addresses, grants: those that are missing.
-- added counts what is new; changed are the numbers of pairs that gave an address that was
-- there before one more owner.
CREATE FUNCTION dictd.import(keys text[], logins text[], OUT domains_added bigint,
                             OUT logins_added bigint, OUT addresses_added bigint,
                             OUT grants_added bigint, OUT changed bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
    fresh text[];
BEGIN
    -- An alias domain stands for its domain.
    SELECT array_agg(CASE WHEN a.name IS NULL THEN k.key
                          ELSE left(k.key, -length(a.name)) || a.domain END ORDER BY k.n)
      INTO keys
      FROM unnest(keys) WITH ORDINALITY AS k(key, n)
      LEFT JOIN dictd.alias_domains a ON a.name = dictd.domain_of(k.key);

    IF NOT dictd.is_admin() THEN
        FOR name IN SELECT DISTINCT dictd.domain_of(k) FROM unnest(keys) k LOOP
            PERFORM dictd.need_right(name);
        END LOOP;
    END IF;
    INSERT INTO dictd.domains (name)
    SELECT DISTINCT dictd.domain_of(k) FROM unnest(keys) k WHERE dictd.domain_of(k) IS NOT NULL
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS domains_added = ROW_COUNT;
    INSERT INTO dictd.logins (name)
    SELECT DISTINCT l FROM unnest(logins) l WHERE l IS NOT NULL
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS logins_added = ROW_COUNT;
    WITH new AS (
        INSERT INTO dictd.addresses (address, recipient)
        SELECT DISTINCT k, left(k, 1) <> '@' FROM unnest(keys) k
            ON CONFLICT DO NOTHING RETURNING address
    )
    SELECT count(*), array_agg(address) INTO addresses_added, fresh FROM new;
    -- In the order of the files, which is the order of an answer.
    WITH given AS (
        SELECT min(p.n) AS n, p.key, p.login
          FROM unnest(keys, logins) WITH ORDINALITY AS p(key, login, n)
         WHERE p.login IS NOT NULL GROUP BY p.key, p.login
    ), new AS (
        INSERT INTO dictd.grants (address, login)
        SELECT g.key, g.login FROM given g ORDER BY g.n
            ON CONFLICT DO NOTHING RETURNING address, login
    )
    SELECT count(*), array_agg(g.n ORDER BY g.n) FILTER (
               WHERE f.address IS NULL -- not of this chunk; an earlier one is of this transaction
                 AND (SELECT a.created_at < now() FROM dictd.addresses a
                       WHERE a.address = new.address))
      INTO grants_added, changed
      FROM new JOIN given g ON g.key = new.address AND g.login = new.login
      LEFT JOIN unnest(fresh) AS f(address) ON f.address = new.address;
END $$;

GRANT EXECUTE ON FUNCTION dictd.import_faults(text[], text[]), dictd.import(text[], text[])
    TO dictd_admin, dictd_domain_admin;

INSERT INTO dictd.migrations (number, name) VALUES (6, 'import');

COMMIT;
