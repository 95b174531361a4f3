-- What can be stored at all, whoever asks for it.
SELECT no_plan();

SELECT is(dictd.address_fault(a), NULL, a || ' is an address') FROM unnest(ARRAY[
    'gregory@example.net', 'g.czaplinski@example.net', '@example.net', 'gregory',
    '"john smith"@example.net', '"a@b"@example.net', '"a\"b"@example.net', '"a\\b"@example.net',
    '""@example.net', '"a..b"@example.net', 'grün@example.net', 'a+b@xn--bcher-kva.example',
    'o''brien@example.net', 'x@[192.0.2.1]', 'x@[ipv6:2001:db8::1]', 'x@' || repeat('a', 63)]) a;
SELECT isnt(dictd.address_fault(a), NULL, a || ' is no address') FROM unnest(ARRAY[
    '', '@', 'a@', 'Gregory@example.net', 'GRÜSSE@example.net', 'straße@example.net',
    'john smith@example.net', '"john"@example.net', '"john@example.net', 'a@b@example.net',
    '.a@example.net', 'a.@example.net', 'a..b@example.net', 'a@example..net', 'a@.example',
    'a@-example.net', 'a@example-.net', 'a@bücher.example', 'a@ex ample.net', 'a@example.net.',
    E'a\tb@example.net', E'a\n@example.net', 'a,b@example.net', '<a@example.net>',
    '"a"b"@example.net', '"a\b"@example.net', '"a\"@example.net', 'x@[192.0.2.1',
    'x@' || repeat('a', 64), repeat('a', 1000) || '@b']) a;
-- What the constraint lets through without asking, the function finds nothing wrong with.
SELECT is(count(*), 0::bigint, 'the constraint''s quick half agrees with address_fault')
  FROM (SELECT chr(32 + i % 95) || chr(32 + i / 95 % 95) AS pair FROM generate_series(0, 9024) i) p,
       LATERAL (VALUES ('a' || pair || 'b@c.d'), ('ab@c' || pair || 'd'), (pair || '@c.d'),
                       ('a@' || pair)) v(a)
 WHERE a ~ '^[a-z0-9_+=-]+(\.[a-z0-9_+=-]+)*@[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)*$'
   AND dictd.address_fault(a) IS NOT NULL;

SELECT throws_ok($$INSERT INTO dictd.addresses (address, recipient) VALUES ('A@example.net', true)$$,
                 '23514', NULL, 'a key that is not folded is refused by its table');
SELECT throws_ok($$INSERT INTO dictd.addresses (address, recipient) VALUES ('a@nowhere.example', true)$$,
                 '23503', NULL, 'so is one in no domain');
SELECT throws_ok($$INSERT INTO dictd.domains (name) VALUES ('bücher.example')$$, '23514', NULL,
                 'a domain is stored in A-labels');
SELECT lives_ok($$SELECT dictd.alias_domain_add('Bücher.example', 'example.net')$$,
                'U-labels are another name of it');
SELECT is(pg_temp.owners('gregory@bücher.example'), 'gregory', 'that works as a domain does');
SELECT throws_ok($$INSERT INTO dictd.logins (name) VALUES ('Gregory')$$, '23514', NULL,
                 'a login that is not folded is refused');
SELECT throws_ok(format('SELECT dictd.login_add(%L)', n), '22023', NULL, quote_literal(n) || ' is no login')
  FROM unnest(ARRAY['', 'a b', 'a,b', E'a\tb', ':no-owner:', 'group:x', repeat('x', 256)]) n;
SELECT throws_ok($$SELECT dictd.login_add('GREGORY')$$, '23505', 'login gregory is there already',
                 'a login is added once, whatever its case');
SELECT throws_ok($$SELECT dictd.address_add('Gregory@Example.ORG', '{root}')$$, '23505',
                 'address gregory@example.net is there already',
                 'an address is added once, whatever the name of its domain');
SELECT throws_ok($$SELECT dictd.alias_domain_add('other.example', 'example.net')$$, '23505', NULL,
                 'a domain is not an alias domain');
SELECT throws_ok($$SELECT dictd.domain_add('example.org')$$, '23505', NULL,
                 'an alias domain is not a domain');
SELECT throws_ok($$SELECT dictd.grant_add('root@example.net', 'gregory', now(), now())$$, '22023',
                 NULL, 'a grant that is never valid is refused');
SELECT throws_ok($$SELECT dictd.grant_add('root@example.net', 'gregory', anyone => true)$$, '22023',
                 NULL, 'one address is not everybody''s');
SELECT throws_ok($$SELECT dictd.grant_add('root@example.net', 'nobody')$$, 'P0002',
                 'there is no login nobody', 'a holder has to be there');

-- --- the audit trail has each column of what is new ---
SELECT dictd.group_add('staff', '{root}');
SELECT dictd.address_add('@other.example', note => 'all of it');
SELECT dictd.grant_add('@other.example', 'group:staff', '2026-01-01', '2099-12-31', true, 'for a while');
SELECT is(count(*), (SELECT count(*) FROM dictd.addresses), 'new addresses are audited whole')
  FROM dictd.audit u JOIN dictd.addresses a ON u.name = a.address AND u.after = to_jsonb(a)
 WHERE u.action = 'add' AND u.kind = 'addresses' AND u.domain IS NOT DISTINCT FROM a.domain;
SELECT is(count(*), (SELECT count(*) FROM dictd.grants), 'and new grants')
  FROM dictd.audit u JOIN dictd.grants g ON u.after = to_jsonb(g)
       AND u.name = g.address || ' ' || coalesce(g.login, 'group:' || g.group_name)
 WHERE u.action = 'add' AND u.kind = 'grants' AND u.domain IS NOT DISTINCT FROM g.domain;
SELECT dictd.address_remove('@other.example');
SELECT dictd.group_remove('staff');
SELECT is((SELECT array_agg(action || ' ' || kind || ' ' || name ORDER BY id DESC) FROM (
               SELECT * FROM dictd.audit ORDER BY id DESC LIMIT 4) AS latest),
          ARRAY['remove groups staff', 'remove group_members staff root',
                'remove addresses @other.example', 'remove grants @other.example group:staff'],
          'in the order in which it was done');
SELECT is(dictd.audit_end(), (SELECT max(id) FROM dictd.audit), 'the end of the audit trail');

-- --- nothing is orphaned in silence ---
SELECT throws_ok($$SELECT dictd.login_remove('gregory')$$, '23503',
    'login gregory is still needed by g.czaplinski@example.net, gregory@example.net',
    'a login that owns addresses stays');
SELECT throws_ok($$DELETE FROM dictd.logins WHERE name = 'gregory'$$, '23503', NULL,
                 'by hand, too');
SELECT dictd.grant_add('root@example.net', 'gregory', now() - interval '1 d', now() + interval '1 d');
SELECT lives_ok($$SELECT dictd.login_remove('gregory', 'root')$$, 'or its addresses go to another');
SELECT is(pg_temp.owners('g.czaplinski@example.net'), 'root', 'the heir owns them');
SELECT is(pg_temp.owners('root@example.net'), 'root', 'and its own is still its own');
SELECT is((SELECT valid_until FROM dictd.grants WHERE address = 'root@example.net'), 'infinity',
          'for as long as before');
SELECT throws_ok($$SELECT dictd.domain_remove('example.net')$$, '23503', NULL,
                 'a domain with addresses stays');
SELECT dictd.address_remove('max@other.example');
SELECT lives_ok($$SELECT dictd.domain_remove('other.example')$$, 'an empty one goes');
SELECT is((SELECT array_agg(kind || ' ' || name ORDER BY 1) FROM dictd.orphans()),
          ARRAY['login eva@example.net', 'login max@other.example'], 'orphans are listed');
SELECT * FROM finish();
