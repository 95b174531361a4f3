-- 0002: a function for every change. An administrator never types INSERT.
--
-- Arguments are taken as people write them: case is folded, and an alias domain stands for its
-- domain. A holder is a login, or `group:NAME`. Errors say what to do in their HINT; SQLSTATE
-- tells them apart: no_data_found (it is not there), unique_violation (it is there already),
-- foreign_key_violation (something needs it), invalid_parameter_value (not an address, not a
-- name), insufficient_privilege.

BEGIN;

DO $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock(5521701);
    IF EXISTS (SELECT FROM dictd.migrations WHERE number = 2) THEN
        RAISE EXCEPTION 'migration 2 is applied already; nothing is changed'
            USING ERRCODE = 'duplicate_object';
    ELSIF NOT EXISTS (SELECT FROM dictd.migrations WHERE number = 1) THEN
        RAISE EXCEPTION 'migration 1 has to be applied first';
    END IF;
END $$;

SET LOCAL ROLE dictd_owner;
SET LOCAL search_path = pg_catalog, pg_temp;

-- --- rights -------------------------------------------------------------------------------

-- A role that may change a domain and what is in it, without being dictd_admin.
CREATE TABLE dictd.domain_admins (
    role       text NOT NULL,
    domain     text NOT NULL REFERENCES dictd.domains ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    name       text GENERATED ALWAYS AS (role || ' ' || domain) STORED,
    PRIMARY KEY (role, domain)
);
CREATE TRIGGER audit_new AFTER INSERT ON dictd.domain_admins REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dictd.audit_new();
CREATE TRIGGER audit_row AFTER UPDATE OR DELETE ON dictd.domain_admins
    FOR EACH ROW EXECUTE FUNCTION dictd.audit_row();

-- Who asks is the role that logged in: inside these functions current_user is their owner.
CREATE FUNCTION dictd.is_admin() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(session_user, 'dictd_admin', 'MEMBER')
        OR pg_has_role(session_user, 'dictd_owner', 'MEMBER')
$$;

-- domain NULL: what is in no domain is for administrators of everything.
CREATE FUNCTION dictd.may_administer(domain text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT dictd.is_admin()
        OR pg_has_role(session_user, 'dictd_domain_admin', 'MEMBER')
           AND EXISTS (SELECT FROM dictd.domain_admins a
                        WHERE a.role = session_user AND a.domain = may_administer.domain)
$$;

CREATE FUNCTION dictd.need_right(domain text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT dictd.may_administer(domain) THEN
        RAISE EXCEPTION 'role % may not change %', session_user,
                        coalesce('what is in ' || domain, 'what is in no domain')
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'An administrator of everything can give the right: '
                         || coalesce('dictctl admin add ' || session_user || ' ' || domain,
                                     'GRANT dictd_admin TO ' || quote_ident(session_user));
    END IF;
END $$;

-- --- arguments ----------------------------------------------------------------------------

CREATE FUNCTION dictd.take(what text, value text, fault text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF value IS NULL OR fault IS NOT NULL THEN
        RAISE EXCEPTION '"%" is not %: %', coalesce(value, ''), what, coalesce(fault, 'it is missing')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN value;
END $$;

CREATE FUNCTION dictd.take_name(what text, name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT dictd.take(what, dictd.fold(name), dictd.name_fault(dictd.fold(name)))
$$;

-- Folded, and in its domain where that has several names.
CREATE FUNCTION dictd.take_address(address text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key text := dictd.fold(address);
    spelling CONSTANT text := dictd.domain_of(key);
    real_domain text;
BEGIN
    SELECT a.domain INTO real_domain FROM dictd.alias_domains a WHERE a.name = spelling;
    IF FOUND THEN
        key := left(key, -length(spelling)) || real_domain;
    END IF;
    RETURN dictd.take('an address', key, dictd.address_fault(key));
END $$;

CREATE FUNCTION dictd.missing(what text, name text, hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'there is no % %', what, name
        USING ERRCODE = 'no_data_found', HINT = hint;
END $$;

CREATE FUNCTION dictd.need_login(name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    folded CONSTANT text := dictd.take_name('a login', name);
BEGIN
    IF NOT EXISTS (SELECT FROM dictd.logins l WHERE l.name = folded) THEN
        PERFORM dictd.missing('login', folded, 'Add it: dictctl login add ' || folded);
    END IF;
    RETURN folded;
END $$;

CREATE FUNCTION dictd.need_group(name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    folded CONSTANT text := dictd.take_name('a group', name);
BEGIN
    IF NOT EXISTS (SELECT FROM dictd.groups g WHERE g.name = folded) THEN
        PERFORM dictd.missing('group', folded, 'Add it: dictctl group add ' || folded);
    END IF;
    RETURN folded;
END $$;

CREATE FUNCTION dictd.need_address(address text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.take_address(address);
BEGIN
    IF NOT EXISTS (SELECT FROM dictd.addresses a WHERE a.address = key) THEN
        PERFORM dictd.missing('address', key, 'Add it: dictctl alias add ' || key || ' LOGIN');
    END IF;
    RETURN key;
END $$;

-- `group:NAME` or a login, and there.
CREATE FUNCTION dictd.need_holder(holder text, OUT login text, OUT group_name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF left(holder, 6) = 'group:' THEN
        group_name := dictd.need_group(substr(holder, 7));
    ELSE
        login := dictd.need_login(holder);
    END IF;
END $$;

CREATE FUNCTION dictd.need_new(what text, name text, is_there boolean, hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF is_there THEN
        RAISE EXCEPTION '% % is there already', what, name
            USING ERRCODE = 'unique_violation', HINT = hint;
    END IF;
END $$;

CREATE FUNCTION dictd.still_needed(what text, name text, by_what text, hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF by_what IS NOT NULL THEN
        RAISE EXCEPTION '% % is still needed by %', what, name, by_what
            USING ERRCODE = 'foreign_key_violation', HINT = hint;
    END IF;
END $$;

-- The first few names and how many more there are; NULL for none.
CREATE FUNCTION dictd.some_of(names text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(array_to_string(names[1:5], ', '), '')
           || CASE WHEN cardinality(names) > 5
                   THEN format(' and %s more', cardinality(names) - 5) ELSE '' END
$$;

-- --- domains ------------------------------------------------------------------------------

CREATE FUNCTION dictd.domain_add(name text, note text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.take('a domain', dictd.fold(name), dictd.domain_fault(dictd.fold(name)));
BEGIN
    PERFORM dictd.need_right(NULL);
    PERFORM dictd.need_new('domain', key, EXISTS (SELECT FROM dictd.domains d WHERE d.name = key),
                           'dictctl domain show ' || key || ' says what it is.');
    INSERT INTO dictd.domains (name, note) VALUES (key, domain_add.note);
END $$;

CREATE FUNCTION dictd.alias_domain_add(name text, domain text, note text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.take('a domain', dictd.fold(name),
                                    dictd.domain_spelling_fault(dictd.fold(name)));
    target CONSTANT text := dictd.fold(domain);
BEGIN
    PERFORM dictd.need_right(NULL);
    IF NOT EXISTS (SELECT FROM dictd.domains d WHERE d.name = target) THEN
        PERFORM dictd.missing('domain', target, 'Add it: dictctl domain add ' || target);
    END IF;
    PERFORM dictd.need_new('domain', key,
                           EXISTS (SELECT FROM dictd.alias_domains a WHERE a.name = key),
                           'dictctl domain show ' || key || ' says what it is.');
    INSERT INTO dictd.alias_domains (name, domain, note)
    VALUES (key, target, alias_domain_add.note);
END $$;

-- Of a domain or an alias domain.
CREATE FUNCTION dictd.domain_remove(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.fold(name);
BEGIN
    PERFORM dictd.need_right(NULL);
    DELETE FROM dictd.alias_domains a WHERE a.name = key;
    IF FOUND THEN
        RETURN;
    END IF;
    PERFORM dictd.still_needed('domain', key, dictd.some_of(array(
        SELECT a.address FROM dictd.addresses a WHERE a.domain = key ORDER BY 1)),
        'Remove these first: dictctl alias list --domain ' || key);
    PERFORM dictd.still_needed('domain', key, dictd.some_of(array(
        SELECT a.name FROM dictd.alias_domains a WHERE a.domain = key AND
               octet_length(a.name) = length(a.name) ORDER BY 1)),
        'Remove its alias domains first: dictctl domain remove NAME');
    DELETE FROM dictd.alias_domains a WHERE a.domain = key; -- its spellings in U-labels
    DELETE FROM dictd.domains d WHERE d.name = key;
    IF NOT FOUND THEN
        PERFORM dictd.missing('domain', key, 'dictctl domain list shows all.');
    END IF;
END $$;

CREATE FUNCTION dictd.domain_enable(name text, enabled boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.fold(name);
BEGIN
    PERFORM dictd.need_right(NULL);
    UPDATE dictd.alias_domains a SET enabled = domain_enable.enabled WHERE a.name = key;
    IF NOT FOUND THEN
        UPDATE dictd.domains d SET enabled = domain_enable.enabled WHERE d.name = key;
        IF NOT FOUND THEN
            PERFORM dictd.missing('domain', key, 'dictctl domain list shows all.');
        END IF;
    END IF;
END $$;

CREATE FUNCTION dictd.domain_admin_add(role text, domain text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.fold(domain);
BEGIN
    PERFORM dictd.need_right(NULL);
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role) THEN
        PERFORM dictd.missing('role', role, format(
            'Add it: CREATE ROLE %I LOGIN; GRANT dictd_domain_admin TO %I', role, role));
    ELSIF NOT EXISTS (SELECT FROM dictd.domains d WHERE d.name = key) THEN
        PERFORM dictd.missing('domain', key, 'Add it: dictctl domain add ' || key);
    END IF;
    PERFORM dictd.need_new('administrator', role || ' of ' || key, EXISTS (
        SELECT FROM dictd.domain_admins a
         WHERE a.role = domain_admin_add.role AND a.domain = key), 'There is nothing to do.');
    INSERT INTO dictd.domain_admins (role, domain) VALUES (domain_admin_add.role, key);
    IF NOT pg_has_role(role, 'dictd_domain_admin', 'MEMBER') THEN
        RAISE WARNING 'role % cannot use this yet: GRANT dictd_domain_admin TO %', role,
                      quote_ident(role);
    END IF;
END $$;

CREATE FUNCTION dictd.domain_admin_remove(role text, domain text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM dictd.need_right(NULL);
    DELETE FROM dictd.domain_admins a
     WHERE a.role = domain_admin_remove.role AND a.domain = dictd.fold(domain_admin_remove.domain);
    IF NOT FOUND THEN
        PERFORM dictd.missing('administrator', role || ' of ' || domain,
                              'dictctl admin list shows all.');
    END IF;
END $$;

-- --- logins -------------------------------------------------------------------------------

CREATE FUNCTION dictd.login_add(name text, note text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.take_name('a login', name);
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    PERFORM dictd.need_new('login', key, EXISTS (SELECT FROM dictd.logins l WHERE l.name = key),
                           'dictctl login show ' || key || ' says what it is; names that '
                           'differ only in case are the same.');
    INSERT INTO dictd.logins (name, note) VALUES (key, login_add.note);
END $$;

-- What it may send as, and the groups that it is in, go to reassign_to; without that they keep
-- the login from being removed.
CREATE FUNCTION dictd.login_remove(name text, reassign_to text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_login(name);
    heir text;
    hint CONSTANT text := format('Hand them over with "dictctl login remove %s --reassign LOGIN", '
                                 'remove them first, or "dictctl login disable %s".', key, key);
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    IF reassign_to IS NOT NULL THEN
        heir := dictd.need_login(reassign_to);
        IF heir = key THEN
            RAISE EXCEPTION 'login % cannot be its own heir', key
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Name another login.';
        END IF;
        -- Where the heir has a grant of its own, the two become one that is valid as long as both.
        UPDATE dictd.grants mine
           SET valid_from = least(mine.valid_from, g.valid_from),
               valid_until = greatest(mine.valid_until, g.valid_until),
               enabled = mine.enabled OR g.enabled, anyone = mine.anyone OR g.anyone
          FROM dictd.grants g
         WHERE mine.login = heir AND g.login = key AND g.address = mine.address
           AND dictd.may_administer(g.domain);
        DELETE FROM dictd.grants g
         WHERE g.login = key AND EXISTS (SELECT FROM dictd.grants mine
                                          WHERE mine.address = g.address AND mine.login = heir);
        DELETE FROM dictd.group_members m
         WHERE m.login = key AND EXISTS (SELECT FROM dictd.group_members mine
                                    WHERE mine.group_name = m.group_name AND mine.login = heir);
        UPDATE dictd.grants g SET login = heir
         WHERE g.login = key AND dictd.may_administer(g.domain);
        UPDATE dictd.group_members m SET login = heir
         WHERE m.login = key AND dictd.may_administer(m.domain);
    END IF;
    PERFORM dictd.still_needed('login', key, dictd.some_of(array(
        SELECT CASE WHEN dictd.may_administer(g.domain) THEN g.address
                    ELSE 'an address of another domain' END
          FROM dictd.grants g WHERE g.login = key ORDER BY 1)), hint);
    PERFORM dictd.still_needed('login', key, dictd.some_of(array(
        SELECT CASE WHEN dictd.may_administer(m.domain) THEN 'group ' || m.group_name
                    ELSE 'a group of another domain' END
          FROM dictd.group_members m WHERE m.login = key ORDER BY 1)), hint);
    DELETE FROM dictd.logins l WHERE l.name = key;
END $$;

CREATE FUNCTION dictd.login_enable(name text, enabled boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_login(name);
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    UPDATE dictd.logins l SET enabled = login_enable.enabled WHERE l.name = key;
END $$;

-- --- who may send -------------------------------------------------------------------------

CREATE FUNCTION dictd.grant_add(address text, holder text, valid_from timestamptz DEFAULT NULL,
                                valid_until timestamptz DEFAULT NULL,
                                anyone boolean DEFAULT false, note text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_address(address);
    who record;
    since CONSTANT timestamptz := coalesce(valid_from, '-infinity');
    up_to CONSTANT timestamptz := coalesce(valid_until, 'infinity');
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    SELECT * INTO who FROM dictd.need_holder(holder);
    PERFORM dictd.need_new('grant', key || ' ' || dictd.fold(holder), EXISTS (
        SELECT FROM dictd.grants g WHERE g.address = key
           AND (g.login = who.login OR g.group_name = who.group_name)),
        format('"dictctl grant show %s" says how long it is valid; to change that, remove it first.', key));
    IF since >= up_to THEN
        RAISE EXCEPTION 'a grant from % until % is never valid', since, up_to
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The end has to be later than the beginning.';
    END IF;
    IF anyone AND left(key, 1) <> '@' THEN
        RAISE EXCEPTION '% is one address: who may send as anyone has a grant of @domain', key
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'dictctl grant add @' || coalesce(dictd.domain_of(key), 'DOMAIN') || ' '
                         || holder || ' --anyone';
    END IF;
    INSERT INTO dictd.grants (address, login, group_name, valid_from, valid_until, anyone, note)
    VALUES (key, who.login, who.group_name, since, up_to, grant_add.anyone, grant_add.note);
END $$;

CREATE FUNCTION dictd.grant_remove(address text, holder text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_address(address);
    who record;
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    SELECT * INTO who FROM dictd.need_holder(holder);
    DELETE FROM dictd.grants g
     WHERE g.address = key AND (g.login = who.login OR g.group_name = who.group_name);
    IF NOT FOUND THEN
        PERFORM dictd.missing('grant', key || ' ' || dictd.fold(holder),
                              format('"dictctl alias show %s" lists who may send as it, and why.', key));
    ELSIF NOT EXISTS (SELECT FROM dictd.grants g WHERE g.address = key) THEN
        RAISE WARNING 'nobody may send as % now', key
            USING HINT = format('Give it an owner (dictctl grant add %s LOGIN), or remove it '
                                '(dictctl alias remove %s).', key, key);
    END IF;
END $$;

CREATE FUNCTION dictd.grant_enable(address text, holder text, enabled boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_address(address);
    who record;
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    SELECT * INTO who FROM dictd.need_holder(holder);
    UPDATE dictd.grants g SET enabled = grant_enable.enabled
     WHERE g.address = key AND (g.login = who.login OR g.group_name = who.group_name);
    IF NOT FOUND THEN
        PERFORM dictd.missing('grant', key || ' ' || dictd.fold(holder),
                              format('"dictctl grant show %s" lists those that there are.', key));
    END IF;
END $$;

-- --- addresses ----------------------------------------------------------------------------

-- recipient NULL: yes for an address, no for @domain.
CREATE FUNCTION dictd.address_add(address text, holders text[] DEFAULT '{}',
                                  recipient boolean DEFAULT NULL, note text DEFAULT '')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.take_address(address);
    in_domain CONSTANT text := dictd.domain_of(key);
    holder text;
BEGIN
    IF in_domain IS NOT NULL
       AND NOT EXISTS (SELECT FROM dictd.domains d WHERE d.name = in_domain) THEN
        PERFORM dictd.missing('domain', in_domain, 'Add it: dictctl domain add ' || in_domain);
    END IF;
    PERFORM dictd.need_right(in_domain);
    PERFORM dictd.need_new('address', key,
                           EXISTS (SELECT FROM dictd.addresses a WHERE a.address = key),
                           format('To let one more login send as it: dictctl grant add %s LOGIN', key));
    INSERT INTO dictd.addresses (address, recipient, note)
    VALUES (key, coalesce(address_add.recipient, left(key, 1) <> '@'), address_add.note);
    FOREACH holder IN ARRAY holders LOOP
        PERFORM dictd.grant_add(key, holder);
    END LOOP;
END $$;

CREATE FUNCTION dictd.address_remove(address text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_address(address);
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    DELETE FROM dictd.grants g WHERE g.address = key;
    DELETE FROM dictd.addresses a WHERE a.address = key;
END $$;

CREATE FUNCTION dictd.address_enable(address text, enabled boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_address(address);
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    UPDATE dictd.addresses a SET enabled = address_enable.enabled WHERE a.address = key;
END $$;

-- --- groups -------------------------------------------------------------------------------

-- Adds the group if it is not there yet, and the members, which must be new.
CREATE FUNCTION dictd.group_add(name text, members text[] DEFAULT '{}', note text DEFAULT '')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.take_name('a group', name);
    is_there CONSTANT boolean := EXISTS (SELECT FROM dictd.groups g WHERE g.name = key);
    member text;
    who record;
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    PERFORM dictd.need_new('group', key, is_there AND cardinality(members) = 0,
                           format('To put a login in it: dictctl group add %s LOGIN', key));
    IF NOT is_there THEN
        INSERT INTO dictd.groups (name, note) VALUES (key, group_add.note);
    END IF;
    FOREACH member IN ARRAY members LOOP
        SELECT * INTO who FROM dictd.need_holder(member);
        PERFORM dictd.need_new('member', dictd.fold(member) || ' of group ' || key, EXISTS (
            SELECT FROM dictd.group_members m WHERE m.group_name = key
               AND (m.login = who.login OR m.member_group = who.group_name)),
            format('"dictctl group show %s" lists them.', key));
        IF who.group_name = key THEN
            RAISE EXCEPTION 'group % cannot be in itself', key
                USING ERRCODE = 'check_violation', HINT = 'Name another group, or a login.';
        END IF;
        INSERT INTO dictd.group_members (group_name, login, member_group)
        VALUES (key, who.login, who.group_name);
    END LOOP;
END $$;

-- Without members, the group itself, which must own nothing any more.
CREATE FUNCTION dictd.group_remove(name text, members text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_group(name);
    member text;
    who record;
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    FOREACH member IN ARRAY members LOOP
        SELECT * INTO who FROM dictd.need_holder(member);
        DELETE FROM dictd.group_members m WHERE m.group_name = key
           AND (m.login = who.login OR m.member_group = who.group_name);
        IF NOT FOUND THEN
            PERFORM dictd.missing('member', dictd.fold(member) || ' of group ' || key,
                                  format('"dictctl group show %s" lists them.', key));
        END IF;
    END LOOP;
    IF cardinality(members) = 0 THEN
        PERFORM dictd.still_needed('group', key, dictd.some_of(array(
            SELECT g.address FROM dictd.grants g WHERE g.group_name = key ORDER BY 1)),
            format('Remove its grants first: dictctl grant remove ADDRESS group:%s', key));
        PERFORM dictd.still_needed('group', key, dictd.some_of(array(
            SELECT 'group ' || m.group_name FROM dictd.group_members m
             WHERE m.member_group = key ORDER BY 1)),
            format('Take it out of these first: dictctl group remove GROUP group:%s', key));
        DELETE FROM dictd.group_members m WHERE m.group_name = key;
        DELETE FROM dictd.groups g WHERE g.name = key;
    END IF;
END $$;

CREATE FUNCTION dictd.group_enable(name text, enabled boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text := dictd.need_group(name);
BEGIN
    PERFORM dictd.need_right(dictd.domain_of(key));
    UPDATE dictd.groups g SET enabled = group_enable.enabled WHERE g.name = key;
END $$;

INSERT INTO dictd.migrations (number, name) VALUES (2, 'functions');

COMMIT;
