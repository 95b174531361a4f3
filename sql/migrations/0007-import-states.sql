-- 0007: domains with other names, logins and addresses with their states, many at once, for
-- dictctl import --postfixadmin. What is there already stays as it is.
--
-- Each function adds what is missing of the list, and says of its elements: `added`; `differs`,
-- when it is there in another state; `refused`, with the reason, and then it is not added.

BEGIN;

DO $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(5521701);
    IF EXISTS (SELECT FROM dictd.migrations WHERE number = 7) THEN
        RAISE EXCEPTION 'migration 7 is applied already; nothing is changed'
            USING ERRCODE = 'duplicate_object';
    ELSIF NOT EXISTS (SELECT FROM dictd.migrations WHERE number = 6) THEN
        RAISE EXCEPTION 'migration 6 has to be applied first';
    END IF;
END $$;

SET LOCAL ROLE dictd_owner;
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE FUNCTION dictd.import_difference(here boolean, there boolean, command text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN here AND NOT there
                THEN 'is enabled here and not there; it stays so: dictctl ' || command || ' disable'
                WHEN there AND NOT here
                THEN 'is disabled here and not there; it stays so: dictctl ' || command || ' enable'
           END
$$;

-- target NULL: a domain; else another name of that domain, which comes before it.
CREATE FUNCTION dictd.import_domains(names text[], targets text[], states boolean[])
RETURNS TABLE (n bigint, verdict text, what text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM dictd.need_right(NULL);
    RETURN QUERY
    WITH judged AS (
        SELECT k.n, d.name IS NULL AND a.name IS NULL AS new,
               CASE WHEN k.target IS NULL THEN dictd.domain_fault(k.name)
                    ELSE dictd.domain_spelling_fault(k.name) END AS fault,
               CASE WHEN a.domain <> k.target OR a.domain IS NOT NULL AND k.target IS NULL
                    THEN 'it is another name of ' || a.domain || ' here: dictctl domain remove '
                         || k.name
                    WHEN d.name IS NOT NULL AND k.target IS NOT NULL
                    THEN 'it is a domain of its own here: dictctl domain show ' || k.name
               END AS conflict,
               dictd.import_difference(coalesce(a.enabled, d.enabled), k.state, 'domain') AS differs
          FROM unnest(names, targets, states) WITH ORDINALITY AS k(name, target, state, n)
          LEFT JOIN dictd.domains d ON d.name = k.name
          LEFT JOIN dictd.alias_domains a ON a.name = k.name
    )
    SELECT j.n, CASE WHEN coalesce(j.fault, j.conflict) IS NOT NULL THEN 'refused'
                     WHEN j.new THEN 'added' ELSE 'differs' END,
           coalesce(j.fault, j.conflict, j.differs)
      FROM judged j WHERE j.new OR coalesce(j.fault, j.conflict, j.differs) IS NOT NULL;
    INSERT INTO dictd.domains (name, enabled)
    SELECT k.name, k.state FROM unnest(names, targets, states) AS k(name, target, state)
     WHERE k.target IS NULL AND dictd.domain_fault(k.name) IS NULL
       AND NOT EXISTS (SELECT FROM dictd.alias_domains a WHERE a.name = k.name)
        ON CONFLICT DO NOTHING;
    INSERT INTO dictd.alias_domains (name, domain, enabled)
    SELECT k.name, k.target, k.state
      FROM unnest(names, targets, states) AS k(name, target, state)
      JOIN dictd.domains t ON t.name = k.target
     WHERE dictd.domain_spelling_fault(k.name) IS NULL
       AND NOT EXISTS (SELECT FROM dictd.domains d WHERE d.name = k.name)
        ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION dictd.import_logins(names text[], nothing text[], states boolean[])
RETURNS TABLE (n bigint, verdict text, what text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM dictd.need_right(NULL);
    RETURN QUERY
    WITH judged AS (
        SELECT k.n, l.name IS NULL AS new, dictd.name_fault(k.name) AS fault,
               dictd.import_difference(l.enabled, k.state, 'login') AS differs
          FROM unnest(names, states) WITH ORDINALITY AS k(name, state, n)
          LEFT JOIN dictd.logins l ON l.name = k.name
    )
    SELECT j.n, CASE WHEN j.fault IS NOT NULL THEN 'refused' WHEN j.new THEN 'added'
                     ELSE 'differs' END,
           coalesce(j.fault, j.differs)
      FROM judged j WHERE j.new OR coalesce(j.fault, j.differs) IS NOT NULL;
    INSERT INTO dictd.logins (name, enabled)
    SELECT k.name, k.state FROM unnest(names, states) AS k(name, state)
     WHERE dictd.name_fault(k.name) IS NULL
        ON CONFLICT DO NOTHING;
END $$;

-- Their domains are there already. All of them take mail, @domain too.
CREATE FUNCTION dictd.import_addresses(keys text[], nothing text[], states boolean[])
RETURNS TABLE (n bigint, verdict text, what text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM dictd.need_right(NULL);
    RETURN QUERY
    WITH judged AS (
        SELECT k.n, a.address IS NULL AS new, dictd.address_fault(k.key) AS fault,
               CASE WHEN dictd.domain_of(k.key) IS NOT NULL AND NOT EXISTS (
                             SELECT FROM dictd.domains d WHERE d.name = dictd.domain_of(k.key))
                    THEN 'its domain is not among the domains there: add it there' END AS homeless,
               dictd.import_difference(a.enabled, k.state, 'alias') AS differs
          FROM unnest(keys, states) WITH ORDINALITY AS k(key, state, n)
          LEFT JOIN dictd.addresses a ON a.address = k.key
    )
    SELECT j.n, CASE WHEN coalesce(j.fault, j.homeless) IS NOT NULL THEN 'refused'
                     WHEN j.new THEN 'added' ELSE 'differs' END,
           coalesce(j.fault, j.homeless, j.differs)
      FROM judged j WHERE j.new OR coalesce(j.fault, j.homeless, j.differs) IS NOT NULL;
    INSERT INTO dictd.addresses (address, recipient, enabled)
    SELECT k.key, true, k.state FROM unnest(keys, states) AS k(key, state)
     WHERE dictd.address_fault(k.key) IS NULL
       AND (dictd.domain_of(k.key) IS NULL
            OR EXISTS (SELECT FROM dictd.domains d WHERE d.name = dictd.domain_of(k.key)))
        ON CONFLICT DO NOTHING;
END $$;

GRANT EXECUTE ON FUNCTION dictd.import_domains(text[], text[], boolean[]),
    dictd.import_logins(text[], text[], boolean[]),
    dictd.import_addresses(text[], text[], boolean[]) TO dictd_admin;

INSERT INTO dictd.migrations (number, name) VALUES (7, 'import-states');

COMMIT;
