-- The administrator of this server may not read pg_authid: what a password is stored as cannot be known here. kind,
-- iterations and fingerprint are NULL, and whoever reads them must take that as "not proven".
create or replace function portcullis.credentials() returns table (
    role_name text, can_login boolean, superuser boolean, kind text, iterations integer, fingerprint text,
    valid_until timestamptz
) language sql stable security definer set search_path = pg_catalog, pg_temp as $portcullis$
    select r.rolname::text, r.rolcanlogin, r.rolsuper, null::text, null::integer, null::text,
           nullif(r.rolvaliduntil, 'infinity'::timestamptz)
      from pg_roles r
$portcullis$;
