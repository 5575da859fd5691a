-- What a superuser owns in this database and the application made: nothing that initdb made (below the first normal
-- object id), nothing that belongs to an extension. REASSIGN OWNED refuses the bootstrap superuser, and of what it owns
-- pg_shdepend has no rows, so each catalogue is asked. $1: from, $2: to.
with former(oid) as (
    select oid from pg_roles where rolname = $1
), mine(classid, objid) as (
    -- A sequence of a column goes with its table.
    select 'pg_class'::regclass, oid from pg_class
     where relowner = (select oid from former)
       and relkind in ('r', 'p', 'v', 'm', 'f', 'S') and relpersistence <> 't'
       and not (relkind = 'S' and exists (
           select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = pg_class.oid
              and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')))
    union all
    -- Row types go with their tables, arrays with their elements, multiranges with their ranges.
    select 'pg_type'::regclass, t.oid from pg_type t left join pg_class c on c.oid = t.typrelid
     where t.typowner = (select oid from former)
       and (t.typtype in ('b', 'd', 'e', 'r', 'p') and not exists (select from pg_type e where e.typarray = t.oid)
            or c.relkind = 'c')
    union all select 'pg_proc'::regclass, oid from pg_proc
     where proowner = (select oid from former)
    union all select 'pg_namespace'::regclass, oid from pg_namespace
     where nspowner = (select oid from former)
       and nspname <> 'portcullis' and nspname !~ '^pg_'
    union all select 'pg_operator'::regclass, oid from pg_operator
     where oprowner = (select oid from former)
    union all select 'pg_opclass'::regclass, oid from pg_opclass
     where opcowner = (select oid from former)
    union all select 'pg_opfamily'::regclass, oid from pg_opfamily
     where opfowner = (select oid from former)
    union all select 'pg_collation'::regclass, oid from pg_collation
     where collowner = (select oid from former)
    union all select 'pg_conversion'::regclass, oid from pg_conversion
     where conowner = (select oid from former)
    union all select 'pg_ts_dict'::regclass, oid from pg_ts_dict
     where dictowner = (select oid from former)
    union all select 'pg_ts_config'::regclass, oid from pg_ts_config
     where cfgowner = (select oid from former)
    union all select 'pg_statistic_ext'::regclass, oid from pg_statistic_ext
     where stxowner = (select oid from former)
    union all select 'pg_largeobject'::regclass, oid from pg_largeobject_metadata
     where lomowner = (select oid from former)
    union all select 'pg_publication'::regclass, oid from pg_publication
     where pubowner = (select oid from former)
    union all select 'pg_foreign_server'::regclass, oid from pg_foreign_server
     where srvowner = (select oid from former)
)
select format('%s %s belongs to %I instead of %I.', i.type, i.identity, $2::text, $1::text),
       format('alter %s %s owner to %I',
              case when i.type in ('function', 'procedure', 'aggregate') then 'routine'
                   when i.type = 'statistics object' then 'statistics' else i.type end,
              i.identity, $2::text)
  from mine, pg_identify_object(mine.classid, mine.objid, 0) i
 -- A large object's number may be chosen by whoever makes it.
 where (mine.objid >= 16384 or mine.classid = 'pg_largeobject'::regclass)
   and coalesce(i.schema, '') not in ('pg_catalog', 'information_schema', 'portcullis')
   and coalesce(i.schema, '') !~ '^pg_(toast|temp)'
   and not exists (
       select from pg_depend d
        where d.classid = mine.classid and d.objid = mine.objid and d.objsubid = 0 and d.deptype in ('e', 'i'))
 order by case i.type when 'schema' then 0 when 'type' then 1 else 2 end, i.type, i.identity
