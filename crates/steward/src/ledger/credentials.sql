-- Facts about every role's stored password, never the verifier itself. It runs as the administrator, who may read
-- pg_authid. kind is NULL where the stored text is of no kind that we know.
create or replace function portcullis.credentials() returns table (
    role_name text, can_login boolean, superuser boolean, kind text, iterations integer, fingerprint text,
    valid_until timestamptz
) language sql stable security definer set search_path = pg_catalog, pg_temp as $portcullis$
    select a.rolname::text,
           a.rolcanlogin,
           a.rolsuper,
           case when a.rolpassword is null then 'none'
                when a.rolpassword like 'SCRAM-SHA-256$%' then 'scram'
                when a.rolpassword like 'md5%' then 'md5' end,
           substring(a.rolpassword from '^SCRAM-SHA-256\$([0-9]{1,9}):')::integer,
           encode(sha256(convert_to(a.rolpassword, 'UTF8')), 'hex'),
           nullif(a.rolvaliduntil, 'infinity'::timestamptz)
      from pg_authid a
$portcullis$;
