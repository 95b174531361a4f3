-- Groups in groups, circles, and what switches a right off.
SELECT no_plan();

SELECT dictd.group_add('staff', '{gregory}');
SELECT dictd.group_add('office', '{group:staff,root}');
SELECT dictd.group_add('all', '{group:office,eva@example.net}');
SELECT dictd.address_add('sales@example.net', '{group:all}');
SELECT is(pg_temp.owners('sales@example.net'), 'eva@example.net,gregory,root',
          'members of groups in groups may send');
SELECT is(pg_temp.owners('sales@example.org'), 'eva@example.net,gregory,root',
          'in the alias domain, too');

SELECT throws_ok($$SELECT dictd.group_add('staff', '{group:staff}')$$, '23514', NULL,
                 'a group is not in itself');
SELECT throws_ok($$SELECT dictd.group_add('staff', '{group:office}')$$, '23514',
                 'group office cannot be in group staff: staff is in office already',
                 'nor in a group of its own');
SELECT throws_ok($$SELECT dictd.group_add('staff', '{group:all}')$$, '23514', NULL,
                 'however deep');
SELECT throws_ok($$INSERT INTO dictd.group_members (group_name, member_group) VALUES ('staff', 'all')$$,
                 '23514', NULL, 'the table refuses it');
SELECT throws_ok($$UPDATE dictd.group_members SET member_group = 'all' WHERE group_name = 'office'
                   AND member_group IS NOT NULL$$, '23514', NULL, 'and a change to one');
SELECT lives_ok($$SELECT dictd.group_add('all', '{group:staff}')$$, 'two ways in are no circle');
SELECT throws_ok($$SELECT dictd.group_add('all', '{group:staff}')$$, '23505', NULL,
                 'the same way twice is refused');

SELECT is((SELECT array_agg(login || ' ' || through ORDER BY 1) FROM dictd.who_may_send('sales@example.net')
           WHERE obstacle IS NULL),
          ARRAY['eva@example.net group:all', 'gregory group:all > group:staff',
                'root group:all > group:office'], 'who may send, and through what');
SELECT is((SELECT array_agg(address || ' ' || through ORDER BY 1) FROM dictd.may_send_as('root')),
          ARRAY['root@example.net grant', 'root@example.org grant, alias domain of example.net',
                'sales@example.net group:all > group:office',
                'sales@example.org group:all > group:office, alias domain of example.net'],
          'what root may send as');

SELECT dictd.group_enable('office', false);
SELECT is(pg_temp.owners('sales@example.net'), 'eva@example.net,gregory',
          'a disabled group lets nobody through; the other way stays');
SELECT is((SELECT obstacle FROM dictd.who_may_send('sales@example.net') WHERE login = 'root'),
          'group office is disabled', 'and the reason is told');
SELECT dictd.group_enable('office', true);
SELECT dictd.login_enable('gregory', false);
SELECT is(pg_temp.owners('sales@example.net'), 'eva@example.net,root', 'a disabled login may not');
SELECT is(pg_temp.owners('gregory@example.net'), ':no-owner:',
          'what only a disabled login owns is not free for everybody');
SELECT ok(pg_temp.accepts('gregory@example.net'), 'and still receives');
SELECT dictd.login_enable('gregory', true);

SELECT throws_ok($$SELECT dictd.group_remove('all')$$, '23503', NULL, 'a group that owns stays');
SELECT throws_ok($$SELECT dictd.group_remove('staff')$$, '23503', NULL, 'one in a group, too');
SELECT throws_ok($$SELECT dictd.login_remove('eva@example.net')$$, '23503', NULL,
                 'a member of a group stays');

-- --- catch-alls and whoever may send as anyone ---
SELECT dictd.login_add('boss');
SELECT dictd.address_add('@example.net', '{root}');
SELECT dictd.grant_add('@example.net', 'boss', anyone => true);
SELECT is(pg_temp.owners('@example.net'), 'root,boss', 'a catch-all has its owners');
SELECT is(pg_temp.owners('gregory@example.net'), 'gregory,boss', 'boss may send as anyone');
SELECT is(pg_temp.owners('nobody@example.net'), NULL, 'an address that is not here is not found');
SELECT ok(NOT pg_temp.accepts('@example.net'), 'a catch-all of senders accepts no mail');
SELECT dictd.address_add('nobodys@example.net');
SELECT is(pg_temp.owners('nobodys@example.net'), 'boss', 'an address without an owner is boss''s');
SELECT is((SELECT string_agg(login || ' ' || address, ',') FROM dictd.who_may_send('new@example.net')),
          'root @example.net,boss @example.net', 'an address that is not here is the catch-all''s');

-- --- from, until, enabled ---
SELECT dictd.address_add('fair@example.net');
SELECT is(pg_temp.owners('fair@other.example'), NULL, 'another domain is another');
SELECT dictd.grant_add('fair@example.net', 'eva@example.net', now(), now() + interval '1 day');
SELECT is(pg_temp.owners('fair@example.net'), 'boss,eva@example.net', 'valid from now on');
UPDATE dictd.grants SET valid_from = now() - interval '2 d', valid_until = now()
 WHERE address = 'fair@example.net';
SELECT is(pg_temp.owners('fair@example.net'), 'boss', 'not valid at its end');
SELECT matches((SELECT obstacle FROM dictd.who_may_send('fair@example.net') WHERE login LIKE 'eva%'),
               '^ended on ', 'and the reason is told');
UPDATE dictd.grants SET valid_from = now() + interval '1 s', valid_until = 'infinity'
 WHERE address = 'fair@example.net';
SELECT is(pg_temp.owners('fair@example.net'), 'boss', 'nor before its beginning');
SELECT dictd.grant_enable('@example.net', 'boss', false);
SELECT is(pg_temp.owners('fair@example.net'), ':no-owner:', 'a disabled grant is none');
SELECT dictd.address_enable('root@example.net', false);
SELECT is(pg_temp.owners('root@example.net'), ':no-owner:', 'nobody sends as a disabled address');
SELECT ok(NOT pg_temp.accepts('root@example.net'), 'and it receives nothing');
SELECT dictd.domain_enable('example.org', false);
SELECT is(pg_temp.owners('gregory@example.org'), ':no-owner:', 'nor in a disabled alias domain');
SELECT ok(NOT pg_temp.accepts('gregory@example.org') AND pg_temp.accepts('gregory@example.net'),
          'which receives nothing');
SELECT dictd.domain_enable('example.net', false);
SELECT is(pg_temp.owners('gregory@example.net'), ':no-owner:', 'nor in a disabled domain');
SELECT ok(NOT pg_temp.accepts('gregory@example.net'), 'which receives nothing either');
SELECT * FROM finish();
