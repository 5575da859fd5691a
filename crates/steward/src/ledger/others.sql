-- Who owns the schema portcullis, or a thing in it, and is no administrator: a JSON array of names. An administrator who
-- reads such a table, which may be a view, or calls such a function does what that role has written there.
select coalesce(json_agg(distinct r.rolname), '[]')::text
  from (select nspowner from pg_catalog.pg_namespace where nspname = 'portcullis'
        union all
        select c.relowner from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'portcullis'
        union all
        select p.proowner from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
         where n.nspname = 'portcullis') thing(owner)
  join pg_catalog.pg_roles r on r.oid = thing.owner
 where not (r.rolsuper or r.rolcreaterole or r.rolname = current_user)
