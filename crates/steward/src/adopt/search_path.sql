-- "$user" in a search path is the role that a session acts as. Where a schema has the former role's name, the owner role
-- would no longer look into it: then the path names the schema. $1: the former role, $2: whose setting is asked for.
-- Precedence as in the server: role in database, role, database, configuration. A role named portcullis had no schema of
-- that name before: what has it now is the ledger, and nobody's objects are looked for there.
with path as (
    select coalesce(
        (select substring(c.entry from 13) from pg_db_role_setting s, unnest(s.setconfig) c(entry)
          where c.entry like 'search_path=%'
            and s.setrole in (0, (select oid from pg_roles where rolname = $1))
            and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
          order by s.setrole = 0, s.setdatabase = 0 limit 1),
        (select case when source = 'configuration file' then reset_val else boot_val end
           from pg_settings where name = 'search_path')) as value
)
select format('In this database $user in the search path of %I means the schema %I, as before.', $2::text, $1::text),
       format('alter role %I in database %I set search_path to %s', $2::text, current_database(),
              replace(path.value, '"$user"', quote_ident($1::text))),
       -- And what takes it back.
       format('alter role %I in database %I ', $2::text, current_database()) || coalesce((
           select 'set search_path to ' || case when c.entry in ('search_path=', 'search_path=""') then '''''' else substring(c.entry from 13) end
             from pg_db_role_setting s, unnest(s.setconfig) c(entry)
            where c.entry like 'search_path=%' and s.setrole = (select oid from pg_roles where rolname = $2)
              and s.setdatabase = (select oid from pg_database where datname = current_database())), 'reset search_path')
  from path
 where path.value like '%"$user"%'
   and exists (select from pg_namespace where nspname = $1 and (nspname <> 'portcullis' or to_regclass('portcullis.slot') is null))
   and not exists (
       select from pg_db_role_setting s, unnest(s.setconfig) c(entry)
        where s.setrole = (select oid from pg_roles where rolname = $2)
          and s.setdatabase = (select oid from pg_database where datname = current_database())
          and c.entry = 'search_path=' || replace(path.value, '"$user"', quote_ident($1::text)))
