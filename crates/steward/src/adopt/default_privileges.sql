-- Default privileges of one role become those of the other, and what others' defaults give to the one they give to the
-- other. $1: from, $2: to (it may not exist yet).
with roles as (
    select (select oid from pg_roles where rolname = $1) as from_role, (select oid from pg_roles where rolname = $2) as to_role
), entry as (
    select d.oid, d.defaclrole, d.defaclnamespace, d.defaclobjtype,
           case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines'
                                when 'T' then 'types' when 'n' then 'schemas' else 'large objects' end as kind,
           case when n.oid is null then '' else format(' in schema %I', n.nspname) end as place,
           a.grantee, a.privilege_type, a.is_grantable
      from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace
      left join lateral aclexplode(d.defaclacl) a on true
), own as (
    -- The grants as the other role would have them; 'to' stands for itself.
    select e.defaclnamespace, e.defaclobjtype, e.kind, e.place, e.is_grantable,
           case when e.grantee = 0 then 'public' when e.grantee = from_role then quote_ident($2::text)
                else e.grantee::regrole::text end as grantee,
           string_agg(e.privilege_type, ', ' order by e.privilege_type) as privileges
      from entry e, roles where e.defaclrole = from_role
     group by 1, 2, 3, 4, 5, 6
), there as (
    select e.defaclnamespace, e.defaclobjtype, e.kind, e.place, e.is_grantable,
           case when e.grantee = 0 then 'public' else e.grantee::regrole::text end as grantee,
           string_agg(e.privilege_type, ', ' order by e.privilege_type) as privileges
      from entry e, roles where e.defaclrole = to_role
     group by 1, 2, 3, 4, 5, 6
), different as (
    select distinct o.defaclnamespace, o.defaclobjtype, o.kind, o.place from own o
     where array(select (grantee, privileges, is_grantable)::text from own p
                  where p.defaclnamespace = o.defaclnamespace and p.defaclobjtype = o.defaclobjtype order by 1)
        <> array(select (grantee, privileges, is_grantable)::text from there p
                  where p.defaclnamespace = o.defaclnamespace and p.defaclobjtype = o.defaclobjtype order by 1)
)
select format('Default privileges on %s%s: %I has those of %I.', kind, place, $2::text, $1::text),
       -- Without a schema the entry replaces the built-in default: that is taken away first.
       coalesce((select string_agg(distinct format(e'alter default privileges for role %I%s revoke all on %s from %s;\n',
                                          $2::text, place, kind, g.grantee), '')
                   from (select grantee from there t where t.defaclnamespace = d.defaclnamespace and t.defaclobjtype = d.defaclobjtype
                         union select unnest(array['public', quote_ident($2::text)]) where d.place = '') g), '')
       || coalesce((select string_agg(format('alter default privileges for role %I%s grant %s on %s to %s%s', $2::text, place,
                                    privileges, kind, o.grantee,
                                    case when is_grantable then ' with grant option' else '' end), e';\n')
                      from own o where o.defaclnamespace = d.defaclnamespace and o.defaclobjtype = d.defaclobjtype
                       and o.privileges is not null), '')
  from different d
union all
select format('Default privileges of %s on %s%s name %I: so they do %I.', e.defaclrole::regrole, kind, place, $1::text, $2::text),
       format('alter default privileges for role %s%s grant %s on %s to %I%s', e.defaclrole::regrole, place,
              string_agg(e.privilege_type, ', '), kind, $2::text,
              case when e.is_grantable then ' with grant option' else '' end)
  from entry e, roles
 where e.grantee = from_role and e.defaclrole <> from_role and e.defaclrole is distinct from to_role
   and not exists (select from entry f where f.oid = e.oid and f.grantee = to_role
                      and f.privilege_type = e.privilege_type and f.is_grantable >= e.is_grantable)
 group by e.oid, e.defaclrole, e.kind, e.place, e.is_grantable
