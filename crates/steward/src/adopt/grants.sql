-- What one role was granted on what others own, and the other role was not. $1: from, $2: to (it may not exist yet),
-- $3: whether to look at what belongs to the whole cluster (databases, tablespaces, parameters) too.
with roles as (
    select (select oid from pg_roles where rolname = $1) as from_role, (select oid from pg_roles where rolname = $2) as to_role
), object(kind, name, field, acl, owner) as (
    select case relkind when 'S' then 'sequence' else 'table' end, format('%I.%I', n.nspname, c.relname), null, relacl, relowner
      from pg_class c join pg_namespace n on n.oid = relnamespace
     where relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^pg_(toast|temp)'
    union all
    select 'table', format('%I.%I', n.nspname, c.relname), quote_ident(attname), attacl, relowner
      from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
     where attacl is not null and not attisdropped and n.nspname !~ '^pg_(toast|temp)'
    union all select 'routine', oid::regprocedure::text, null, proacl, proowner from pg_proc
    union all select 'type', format('%I.%I', n.nspname, typname), null, typacl, typowner
      from pg_type join pg_namespace n on n.oid = typnamespace
    union all select 'schema', quote_ident(nspname), null, nspacl, nspowner from pg_namespace
    union all select 'language', quote_ident(lanname), null, lanacl, lanowner from pg_language
    union all select 'large object', oid::text, null, lomacl, lomowner from pg_largeobject_metadata
    union all select 'foreign data wrapper', quote_ident(fdwname), null, fdwacl, fdwowner from pg_foreign_data_wrapper
    union all select 'foreign server', quote_ident(srvname), null, srvacl, srvowner from pg_foreign_server
    union all select 'database', quote_ident(datname), null, datacl, datdba from pg_database where $3
    union all select 'tablespace', quote_ident(spcname), null, spcacl, spcowner from pg_tablespace where $3
    union all select 'parameter', quote_ident(parname), null, paracl, 10 from pg_parameter_acl where $3
)
select format('%I has %s on %s %s: so has %I.', $1::text, string_agg(distinct a.privilege_type, ', '), kind, name, $2::text),
       format('grant %s on %s %s to %I%s',
              string_agg(distinct a.privilege_type || coalesce(' (' || field || ')', ''), ', '), kind, name, $2::text,
              case when a.is_grantable then ' with grant option' else '' end)
  from roles, object, aclexplode(acl) a
 where a.grantee = from_role
   and owner <> from_role and owner is distinct from to_role
   and name not in ('portcullis') and name not like 'portcullis.%'
   and not exists (select from aclexplode(acl) b
                    where b.grantee = to_role and b.privilege_type = a.privilege_type and b.is_grantable >= a.is_grantable)
 group by kind, name, a.is_grantable
 order by kind, name
