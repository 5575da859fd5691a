-- Settings of a role (ALTER ROLE ... SET, for one database or for all) that another one does not have. $1: from, $2: to.
-- Lists of names are stored quoted as they must be written.
with setting as (
    select r.rolname, s.setdatabase, d.datname, split_part(c.entry, '=', 1) as name,
           substring(c.entry from position('=' in c.entry) + 1) as value
      from pg_db_role_setting s join pg_roles r on r.oid = s.setrole
      left join pg_database d on d.oid = s.setdatabase, unnest(s.setconfig) c(entry)
)
select format('Setting %s of %I%s is also that of %I.', f.name, $1::text, coalesce(' in ' || quote_ident(f.datname), ''), $2::text),
       format('alter role %I%s set %s to %s', $2::text, coalesce(' in database ' || quote_ident(f.datname), ''),
              (select string_agg(quote_ident(part), '.') from unnest(string_to_array(f.name, '.')) part),
              case when f.name in ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
                        and f.value not in ('', '""') then f.value
                   else quote_literal(nullif(f.value, '""')) end)
  from setting f
 where f.rolname = $1 and f.name <> 'role'
   and not exists (select from setting t where t.rolname = $2 and t.setdatabase = f.setdatabase and t.name = f.name
                      and (t.value = f.value or f.name = 'search_path'))
 order by f.datname nulls first, f.name
