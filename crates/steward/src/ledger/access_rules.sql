-- The lines of pg_hba.conf as the server reads them, for those who may ask who has which kind of password. It runs as the
-- administrator; the file holds no secret.
create or replace function portcullis.access_rules() returns setof pg_catalog.pg_hba_file_rules
language sql stable security definer set search_path = pg_catalog, pg_temp as $portcullis$
    select * from pg_catalog.pg_hba_file_rules
$portcullis$;
