-- What the tests share. Each file runs in a transaction that is rolled back.
\set ON_ERROR_STOP on
\set QUIET on
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE ROLE tap_admin LOGIN;
GRANT dictd_admin TO tap_admin;
CREATE ROLE tap_net LOGIN; -- administers example.net
GRANT dictd_domain_admin TO tap_net;
CREATE ROLE tap_daemon LOGIN;
GRANT dictd_reader TO tap_daemon;
CREATE ROLE tap_nobody LOGIN;

SELECT dictd.domain_add('example.net');
SELECT dictd.domain_add('other.example');
SELECT dictd.alias_domain_add('example.org', 'example.net');
SELECT dictd.domain_admin_add('tap_net', 'example.net');
SELECT dictd.login_add('gregory');
SELECT dictd.login_add('root');
SELECT dictd.login_add('eva@example.net');
SELECT dictd.login_add('max@other.example');
SELECT dictd.address_add('gregory@example.net', '{gregory}');
SELECT dictd.address_add('G.Czaplinski@example.net', '{gregory}');
SELECT dictd.address_add('root@example.net', '{root}');
SELECT dictd.address_add('max@other.example', '{max@other.example}');

-- The owners of a key, as the daemon joins them.
CREATE FUNCTION pg_temp.owners(key text) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(login, ',') FROM dictd.sender_login(key) $$;
CREATE FUNCTION pg_temp.accepts(key text) RETURNS boolean LANGUAGE sql AS
    $$ SELECT EXISTS (SELECT FROM dictd.local_recipient(key)) $$;
GRANT EXECUTE ON FUNCTION pg_temp.owners(text), pg_temp.accepts(text) TO PUBLIC;
