-- Break-glass: the server went back in time (a restored backup, a standby that lagged), and refuses the passwords that
-- Portcullis delivered. This gives the role and the administrator the passwords that stand in their files again, and lets
-- the ledger go on from the generation that was handed out. As a superuser, in the managed database, over the local socket:
--
--   psql -X -d backend -v credential=/path/backend.json -v administrator=/path/administrator -f give-back.sql
--
-- docs/when-everything-fails.md says when.
\set ON_ERROR_STOP on
set log_statement = none;
set log_min_error_statement = panic;
set log_min_duration_statement = -1;
set password_encryption = 'scram-sha-256';
\set json `cat :'credential'`
\set url `cat :'administrator'`
select :'json'::json ->> 'username' as role, :'json'::json ->> 'password' as password,
       :'json'::json ->> 'generation' as generation,
       substring(:'url' from '//([^:/@]+):') as administrator, substring(:'url' from '//[^:/@]+:([^@]+)@') as secret \gset
begin;
alter role :"role" login password :'password' valid until 'infinity';
alter role :"administrator" password :'secret';
update portcullis.slot set generation = :generation where role_name = :'role' and generation < :generation;
commit;
select role_name, kind, generation from portcullis.slot order by role_name;
