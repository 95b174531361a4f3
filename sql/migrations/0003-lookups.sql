-- 0003: what the daemon and administrators ask.
--
-- The daemon does the walk (extensions, user alone, @domain) and asks for one key at a time, folded.
-- sender_login and local_recipient are plain SQL without rights of their own, so that the planner
-- takes them into the query that calls them; each step of theirs is one index-only scan.

BEGIN;

DO $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(5521701);
    IF EXISTS (SELECT FROM dictd.migrations WHERE number = 3) THEN
        RAISE EXCEPTION 'migration 3 is applied already; nothing is changed'
            USING ERRCODE = 'duplicate_object';
    ELSIF NOT EXISTS (SELECT FROM dictd.migrations WHERE number = 2) THEN
        RAISE EXCEPTION 'migration 2 has to be applied first';
    END IF;
END $$;

SET LOCAL ROLE dictd_owner;
SET LOCAL search_path = pg_catalog, pg_temp;

-- The primary keys, and grants_holder, include what a lookup needs of their tables.
CREATE INDEX group_members_lookup ON dictd.group_members (group_name)
    INCLUDE (login, member_group);

-- --- the daemon's -------------------------------------------------------------------------

-- The logins that may send as key, in the order in which they were given it. An address that is
-- here and that nobody may send as has the owner `:no-owner:`, as with the daemon's aliases:
-- files: without one, reject_known_sender_login_mismatch would let everybody send as it, be it
-- that its owner was disabled or that a grant has ended.
CREATE FUNCTION dictd.sender_login(key text) RETURNS TABLE (login text)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE asked AS (
        SELECT CASE WHEN a.name IS NULL THEN key
                    ELSE left(key, -length(a.name)) || a.domain END AS address,
               coalesce(a.domain, dictd.domain_of(key)) AS domain,
               coalesce(a.enabled, true) AS enabled
          FROM (SELECT 1) AS one
          LEFT JOIN dictd.alias_domains a ON a.name = dictd.domain_of(key)
    ), found AS (
        SELECT a.address, k.domain,
               a.enabled AND k.enabled AND coalesce(d.enabled, true) AS enabled
          FROM asked k
          JOIN dictd.addresses a ON a.address = k.address
          LEFT JOIN dictd.domains d ON d.name = k.domain
    ), holders(id, login, group_name) AS (
        (SELECT g.id, g.login, g.group_name
           FROM found f JOIN dictd.grants g ON g.address = f.address
          WHERE f.enabled AND g.enabled AND g.valid_from <= now() AND g.valid_until > now()
         UNION ALL
         SELECT g.id, g.login, g.group_name
           FROM found f
           JOIN dictd.addresses a ON a.address = '@' || f.domain AND a.enabled
           JOIN dictd.grants g ON g.address = '@' || f.domain
          WHERE f.enabled AND g.anyone AND g.enabled
            AND g.valid_from <= now() AND g.valid_until > now())
        UNION
        SELECT h.id, m.login, m.member_group
          FROM holders h
          JOIN dictd.groups g ON g.name = h.group_name AND g.enabled
          JOIN dictd.group_members m ON m.group_name = h.group_name
    ), owners AS (
        SELECT h.login, min(h.id) AS id
          FROM holders h JOIN dictd.logins l ON l.name = h.login AND l.enabled
         GROUP BY h.login
    )
    (SELECT o.login FROM owners o ORDER BY o.id, o.login)
    UNION ALL
    SELECT ':no-owner:' FROM found WHERE NOT EXISTS (SELECT FROM owners)
$$;

-- The address, when mail for it is accepted.
CREATE FUNCTION dictd.local_recipient(key text) RETURNS TABLE (address text)
LANGUAGE sql STABLE AS $$
    SELECT a.address
      FROM (SELECT CASE WHEN x.name IS NULL THEN key
                        ELSE left(key, -length(x.name)) || x.domain END AS address,
                   coalesce(x.domain, dictd.domain_of(key)) AS domain,
                   coalesce(x.enabled, true) AS enabled
              FROM (SELECT 1) AS one
              LEFT JOIN dictd.alias_domains x ON x.name = dictd.domain_of(key)) AS k
      JOIN dictd.addresses a ON a.address = k.address
      LEFT JOIN dictd.domains d ON d.name = k.domain
     WHERE a.recipient AND a.enabled AND k.enabled AND coalesce(d.enabled, true)
$$;

-- --- administrators' ----------------------------------------------------------------------

-- Why a grant is not in force; NULL when it is.
CREATE FUNCTION dictd.grant_obstacle(g dictd.grants) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN NOT g.enabled THEN 'the grant is disabled'
        WHEN g.valid_from > now() THEN 'begins on ' || to_char(g.valid_from, 'YYYY-MM-DD HH24:MI')
        WHEN g.valid_until <= now() THEN 'ended on ' || to_char(g.valid_until, 'YYYY-MM-DD HH24:MI')
        WHEN EXISTS (SELECT FROM dictd.addresses a WHERE a.address = g.address AND NOT a.enabled)
            THEN g.address || ' is disabled'
        WHEN EXISTS (SELECT FROM dictd.domains d WHERE d.name = g.domain AND NOT d.enabled)
            THEN 'domain ' || g.domain || ' is disabled'
    END
$$;

-- Outermost and innermost group of a chain.
CREATE FUNCTION dictd.through(outer_group text, inner_group text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'group:' || outer_group
           || CASE WHEN inner_group <> outer_group THEN ' > group:' || inner_group ELSE '' END
$$;

-- Everyone who may, or might, send as an address that is here; in_domain: whose grants as anyone
-- count, too.
CREATE FUNCTION dictd.holders_of(sought text, in_domain text)
RETURNS TABLE (login text, address text, through text, valid_from timestamptz,
               valid_until timestamptz, obstacle text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE base AS (
        SELECT g.id, g.address, g.login, g.group_name, g.anyone, g.valid_from, g.valid_until,
               coalesce(dictd.grant_obstacle(g),
                        CASE WHEN NOT a.enabled THEN sought || ' is disabled' END) AS obstacle
          FROM dictd.grants g, dictd.addresses a
         WHERE a.address = sought
           AND (g.address = sought OR g.anyone AND g.address = '@' || in_domain)
    ), inside(id, group_name, obstacle) AS (
        SELECT b.id, b.group_name, CASE WHEN NOT p.enabled THEN 'group ' || p.name || ' is disabled' END
          FROM base b JOIN dictd.groups p ON p.name = b.group_name
        UNION
        SELECT i.id, p.name,
               coalesce(i.obstacle, CASE WHEN NOT p.enabled THEN 'group ' || p.name || ' is disabled' END)
          FROM inside i
          JOIN dictd.group_members m ON m.group_name = i.group_name
          JOIN dictd.groups p ON p.name = m.member_group
    ), all_of_them AS (
        SELECT b.id, b.login, b.address, 'grant' AS through, b.valid_from, b.valid_until,
               b.anyone, b.obstacle
          FROM base b WHERE b.login IS NOT NULL
        UNION ALL
        SELECT b.id, m.login, b.address, dictd.through(b.group_name, i.group_name), b.valid_from,
               b.valid_until, b.anyone, coalesce(b.obstacle, i.obstacle)
          FROM base b
          JOIN inside i ON i.id = b.id
          JOIN dictd.group_members m ON m.group_name = i.group_name
         WHERE m.login IS NOT NULL
    )
    SELECT DISTINCT ON (x.id, x.login, x.through)
           x.login, x.address,
           x.through || CASE WHEN x.anyone THEN ', as anyone in ' || in_domain ELSE '' END,
           x.valid_from, x.valid_until,
           coalesce(x.obstacle,
                    CASE WHEN NOT l.enabled THEN 'login ' || l.name || ' is disabled' END)
      FROM all_of_them x JOIN dictd.logins l ON l.name = x.login
     ORDER BY x.id, x.login, x.through, x.obstacle NULLS FIRST;
END $$;

-- A local part without its extension, as Postfix's split_addr(3); the same where it has none.
CREATE FUNCTION dictd.without_extension(local_part text, delimiter text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN local_part IN ('mailer-daemon', 'double-bounce') OR left(local_part, 1) = '"'
             OR position('-' IN delimiter) > 0
                AND (local_part LIKE 'owner-%' OR local_part LIKE '%-request')
        THEN local_part
        ELSE (SELECT CASE WHEN min(at) > 1 THEN left(local_part, min(at) - 1)
                          ELSE local_part END
                FROM (SELECT position(c IN local_part) AS at
                        FROM regexp_split_to_table(delimiter, '') c) AS places
               WHERE at > 0)
    END
$$;

-- Everyone who may, or might, send as an address, by the first key of the daemon's walk that is
-- here: the address, without its extension, its user alone, @domain. Whether the user alone is
-- asked for, the daemon knows (local_domains), so both ways are shown. delimiter: as in main.cf.
CREATE FUNCTION dictd.who_may_send(key text, delimiter text DEFAULT '+')
RETURNS TABLE (login text, address text, through text, valid_from timestamptz,
               valid_until timestamptz, obstacle text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    sought CONSTANT text := dictd.take_address(key);
    in_domain CONSTANT text := dictd.domain_of(sought);
    user_alone CONSTANT text := CASE WHEN in_domain IS NULL THEN sought
                                     ELSE left(sought, -1 - length(in_domain)) END;
    user_bare CONSTANT text := dictd.without_extension(user_alone, delimiter);
    at_domain CONSTANT text := coalesce('@' || in_domain, '');
    first_of text;
    alone text;
BEGIN
    PERFORM dictd.need_right(in_domain);
    SELECT a.address INTO first_of FROM dictd.addresses a
     WHERE a.address IN (sought, user_bare || at_domain)
     ORDER BY a.address <> sought LIMIT 1;
    IF first_of IS NULL AND in_domain IS NOT NULL AND dictd.may_administer(NULL) THEN
        SELECT a.address INTO alone FROM dictd.addresses a
         WHERE a.address IN (user_alone, user_bare) ORDER BY a.address <> user_alone LIMIT 1;
    END IF;
    IF first_of IS NULL THEN
        SELECT a.address INTO first_of FROM dictd.addresses a WHERE a.address = at_domain;
    END IF;
    IF coalesce(first_of, alone) IS NULL THEN
        PERFORM dictd.need_address(sought);
    END IF;
    RETURN QUERY
    SELECT h.login, h.address, h.through || ', where ' || in_domain || ' is local', h.valid_from,
           h.valid_until, h.obstacle
      FROM dictd.holders_of(alone, NULL) h
    UNION ALL
    SELECT h.login, h.address,
           h.through || CASE WHEN alone IS NULL THEN ''
                             ELSE ', where ' || in_domain || ' is not local' END,
           h.valid_from, h.valid_until, h.obstacle
      FROM dictd.holders_of(first_of, in_domain) h;
END $$;

-- Everything that a login may, or might, send as, under every name of its domain.
CREATE FUNCTION dictd.may_send_as(login text)
RETURNS TABLE (address text, through text, valid_from timestamptz, valid_until timestamptz,
               obstacle text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    key CONSTANT text := dictd.need_login(may_send_as.login);
BEGIN
    RETURN QUERY
    WITH RECURSIVE around(name, inner_group, obstacle) AS (
        SELECT p.name, p.name, CASE WHEN NOT p.enabled THEN 'group ' || p.name || ' is disabled' END
          FROM dictd.group_members m JOIN dictd.groups p ON p.name = m.group_name
         WHERE m.login = key
        UNION
        SELECT p.name, c.inner_group,
               coalesce(c.obstacle, CASE WHEN NOT p.enabled THEN 'group ' || p.name || ' is disabled' END)
          FROM around c
          JOIN dictd.group_members m ON m.member_group = c.name
          JOIN dictd.groups p ON p.name = m.group_name
    ), all_of_them AS (
        SELECT g AS the_grant, 'grant' AS through, NULL AS obstacle
          FROM dictd.grants g WHERE g.login = key
        UNION ALL
        SELECT g, dictd.through(c.name, c.inner_group), c.obstacle
          FROM around c JOIN dictd.grants g ON g.group_name = c.name
    ), judged AS (
        SELECT DISTINCT ON ((x.the_grant).id, x.through)
               (x.the_grant).address, (x.the_grant).domain,
               x.through || CASE WHEN (x.the_grant).anyone
                                 THEN ', as anyone in ' || (x.the_grant).domain ELSE '' END AS through,
               (x.the_grant).valid_from, (x.the_grant).valid_until,
               coalesce(dictd.grant_obstacle(x.the_grant), x.obstacle,
                        CASE WHEN NOT l.enabled THEN 'login ' || key || ' is disabled' END) AS obstacle
          FROM all_of_them x JOIN dictd.logins l ON l.name = key
         WHERE dictd.may_administer((x.the_grant).domain)
         ORDER BY (x.the_grant).id, x.through, x.obstacle NULLS FIRST
    )
    SELECT j.address, j.through, j.valid_from, j.valid_until, j.obstacle FROM judged j
    UNION ALL
    SELECT left(j.address, -length(j.domain)) || a.name,
           j.through || ', alias domain of ' || j.domain, j.valid_from, j.valid_until,
           coalesce(j.obstacle, CASE WHEN NOT a.enabled THEN 'domain ' || a.name || ' is disabled' END)
      FROM judged j JOIN dictd.alias_domains a ON a.domain = j.domain
     ORDER BY 1, 2;
END $$;

-- Addresses that nobody was given, logins and groups that were given none.
CREATE FUNCTION dictd.orphans() RETURNS TABLE (kind text, name text, why text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE holding(group_name) AS (
        SELECT DISTINCT g.group_name FROM dictd.grants g WHERE g.group_name IS NOT NULL
        UNION
        SELECT m.member_group FROM holding h JOIN dictd.group_members m
               ON m.group_name = h.group_name WHERE m.member_group IS NOT NULL
    ), peopled(group_name) AS (
        SELECT m.group_name FROM dictd.group_members m WHERE m.login IS NOT NULL
        UNION
        SELECT m.group_name FROM peopled p JOIN dictd.group_members m
               ON m.member_group = p.group_name
    )
    SELECT 'address', a.address, 'has no owner'
      FROM dictd.addresses a
     WHERE dictd.may_administer(a.domain)
       AND NOT EXISTS (SELECT FROM dictd.grants g WHERE g.address = a.address)
    UNION ALL
    SELECT 'address', a.address, 'only groups without members own it'
      FROM dictd.addresses a
     WHERE dictd.may_administer(a.domain)
       AND EXISTS (SELECT FROM dictd.grants g WHERE g.address = a.address)
       AND NOT EXISTS (SELECT FROM dictd.grants g WHERE g.address = a.address
                          AND (g.login IS NOT NULL
                               OR g.group_name IN (SELECT p.group_name FROM peopled p)))
    UNION ALL
    SELECT 'login', l.name, 'owns no address'
      FROM dictd.logins l
     WHERE dictd.may_administer(l.domain)
       AND NOT EXISTS (SELECT FROM dictd.grants g WHERE g.login = l.name)
       AND NOT EXISTS (SELECT FROM dictd.group_members m JOIN holding h USING (group_name)
                        WHERE m.login = l.name)
    ORDER BY 1, 2
$$;

INSERT INTO dictd.migrations (number, name) VALUES (3, 'lookups');

COMMIT;
