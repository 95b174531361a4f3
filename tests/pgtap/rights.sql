-- Roles with the least that they need, and rows that are not everybody's.
SELECT no_plan();

SET SESSION AUTHORIZATION tap_daemon;
SELECT is(pg_temp.owners('gregory@example.net'), 'gregory', 'the daemon may ask');
SELECT ok(pg_temp.accepts('gregory@example.net'), 'both questions');
SELECT throws_ok(format('SELECT %s', f), '42501', NULL, 'the daemon may not call ' || f)
  FROM unnest(ARRAY['dictd.login_add(''x'')', 'dictd.orphans()', 'dictd.grant_remove(''a'', ''b'')',
                    'dictd.who_may_send(''gregory@example.net'')', 'dictd.announce_due()',
                    'dictd.announce(''{}'')', 'dictd.need_login(''x'')']) f;
SELECT throws_ok(format('SELECT %s FROM dictd.%s', c, t), '42501', NULL, 'nor read ' || t || '.' || c)
  FROM (VALUES ('*', 'audit'), ('*', 'audit_grants'), ('note', 'addresses'), ('note', 'logins'), ('*', 'domain_admins'),
               ('*', 'migrations')) v(c, t);
SELECT throws_ok(s, '42501', NULL, 'nor: ' || s) FROM unnest(ARRAY[
    'INSERT INTO dictd.logins (name) VALUES (''x'')', 'DELETE FROM dictd.grants',
    'UPDATE dictd.addresses SET enabled = false', 'TRUNCATE dictd.grants',
    'CREATE TABLE dictd.x (a int)']) s;

SET SESSION AUTHORIZATION tap_nobody;
SELECT throws_ok(s, '42501', NULL, 'whoever was given nothing may not: ' || s) FROM unnest(ARRAY[
    'SELECT * FROM dictd.sender_login(''x'')', 'SELECT dictd.login_add(''x'')',
    'SELECT name FROM dictd.domains']) s;

SET SESSION AUTHORIZATION tap_admin;
SELECT lives_ok($$SELECT dictd.login_add('new')$$, 'an administrator changes by functions');
SELECT throws_ok(s, '42501', NULL, 'and by nothing else: ' || s) FROM unnest(ARRAY[
    'INSERT INTO dictd.logins (name) VALUES (''x'')', 'DELETE FROM dictd.grants',
    'UPDATE dictd.addresses SET enabled = false', 'INSERT INTO dictd.migrations VALUES (99, ''x'')',
    'SELECT dictd.announce(''{a}'')']) s;
SELECT throws_ok(format(s, t), '42501', NULL, 'nor the audit trail: ' || format(s, t))
  FROM unnest(ARRAY['rows', 'addresses', 'grants']) t,
       unnest(ARRAY['DELETE FROM dictd.audit_%s', 'UPDATE dictd.audit_%s SET who = ''x''',
                    'TRUNCATE dictd.audit_%s', 'INSERT INTO dictd.audit_%s DEFAULT VALUES']) s;
SELECT throws_ok(s, '55000', NULL, 'which is a view: ' || s) FROM unnest(ARRAY[
    'DELETE FROM dictd.audit', 'UPDATE dictd.audit SET who = ''x''']) s;
SELECT is((SELECT who FROM dictd.audit ORDER BY id DESC LIMIT 1), 'tap_admin',
          'the audit trail names who logged in');

SET SESSION AUTHORIZATION tap_net;
SELECT lives_ok($$SELECT dictd.address_add('shop@example.net', '{gregory}')$$,
                'the administrator of a domain adds an address to it');
SELECT lives_ok($$SELECT dictd.login_add('tim@example.net')$$, 'and a login');
SELECT lives_ok($$SELECT dictd.group_add('shop@example.net', '{tim@example.net}')$$, 'and a group');
SELECT throws_ok(s, '42501', NULL, 'and nothing elsewhere: ' || s) FROM unnest(ARRAY[
    $$SELECT dictd.address_add('x@other.example', '{root}')$$, $$SELECT dictd.address_add('x')$$,
    $$SELECT dictd.login_add('x')$$, $$SELECT dictd.login_add('x@other.example')$$,
    $$SELECT dictd.login_enable('gregory', false)$$, $$SELECT dictd.group_add('x')$$,
    $$SELECT dictd.grant_add('max@other.example', 'root')$$,
    $$SELECT dictd.grant_remove('max@other.example', 'max@other.example')$$,
    $$SELECT dictd.address_remove('max@other.example')$$,
    $$SELECT dictd.address_enable('max@other.example', false)$$,
    $$SELECT dictd.domain_add('x.example')$$, $$SELECT dictd.domain_enable('example.net', false)$$,
    $$SELECT dictd.domain_remove('other.example')$$,
    $$SELECT dictd.domain_admin_add('tap_net', 'other.example')$$,
    $$SELECT * FROM dictd.who_may_send('max@other.example')$$]) s;
SELECT is((SELECT array_agg(name) FROM dictd.domains), ARRAY['example.net'], 'it sees its domain');
SELECT is((SELECT count(*) FROM dictd.addresses WHERE domain <> 'example.net'), 0::bigint,
          'its addresses');
SELECT is((SELECT count(*) FROM dictd.grants WHERE domain <> 'example.net'), 0::bigint, 'its grants');
SELECT is((SELECT count(*) FROM dictd.audit WHERE domain IS DISTINCT FROM 'example.net'), 0::bigint,
          'its part of the audit trail');
SELECT cmp_ok((SELECT count(*) FROM dictd.audit), '>', 3::bigint, 'which is not empty');
SELECT is((SELECT array_agg(DISTINCT kind ORDER BY kind) FROM dictd.audit WHERE action = 'add'),
          ARRAY['addresses', 'alias_domains', 'domain_admins', 'domains', 'grants', 'group_members',
                'groups', 'logins'], 'of every kind');
SELECT is((SELECT count(*) FROM dictd.may_send_as('max@other.example')), 0::bigint,
          'and not what a login may do elsewhere');

-- A circle through groups that it does not see is a circle.
RESET SESSION AUTHORIZATION;
SELECT dictd.group_add('hidden', '{group:shop@example.net}');
SET SESSION AUTHORIZATION tap_net;
SELECT throws_ok($$SELECT dictd.group_add('shop@example.net', '{group:hidden}')$$, '23514', NULL,
                 'a circle through another''s group is refused');
-- A login that others need stays, and they are not named.
RESET SESSION AUTHORIZATION;
SELECT dictd.grant_add('max@other.example', 'eva@example.net');
SET SESSION AUTHORIZATION tap_net;
SELECT throws_ok($$SELECT dictd.login_remove('eva@example.net', 'tim@example.net')$$, '23503',
    'login eva@example.net is still needed by an address of another domain',
    'what another domain gave cannot be handed over');
RESET SESSION AUTHORIZATION;
SELECT is(pg_temp.owners('max@other.example'), 'max@other.example,eva@example.net', 'it is untouched');

-- Row-level security holds even where a function forgets to ask.
CREATE FUNCTION dictd.forgetful() RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog AS
    $$ UPDATE dictd.addresses SET note = 'x'; DELETE FROM dictd.grants $$;
ALTER FUNCTION dictd.forgetful() OWNER TO dictd_owner;
GRANT EXECUTE ON FUNCTION dictd.forgetful() TO tap_net;
SET SESSION AUTHORIZATION tap_net;
SELECT lives_ok('SELECT dictd.forgetful()', 'a function that does not ask');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT string_agg(DISTINCT domain, ',') FROM dictd.addresses WHERE note = 'x'),
          'example.net', 'changes what its caller may change');
SELECT is((SELECT string_agg(DISTINCT domain, ',') FROM dictd.grants), 'other.example',
          'and removes nothing else');

DROP FUNCTION dictd.forgetful();

-- Every function that runs with its owner's rights has a fixed search_path.
SELECT is((SELECT array_agg(proname::text) FROM pg_proc WHERE pronamespace = 'dictd'::regnamespace
            AND prosecdef AND NOT coalesce(array_to_string(proconfig, ' ') ~ '^search_path=pg_catalog', false)),
          NULL, 'fixed search_path');
SELECT is((SELECT array_agg(proname::text) FROM pg_proc WHERE pronamespace = 'dictd'::regnamespace
            AND has_function_privilege('tap_nobody', oid, 'EXECUTE')), NULL,
          'no function is everybody''s');
SELECT * FROM finish();
