-- Everything that depends on one role must depend on the other as well, and nothing may belong to the one: the last look
-- before a commit. $1: from, $2: to, $3: whether what belongs to the whole cluster is looked at, too.
with roles as (
    select (select oid from pg_roles where rolname = $1) as from_role, (select oid from pg_roles where rolname = $2) as to_role
)
select format('%s of %s', case d.deptype when 'o' then 'the ownership' when 'a' then 'a privilege' else 'a policy' end,
              coalesce(pg_describe_object(d.classid, d.objid, d.objsubid), d.objid::text))
  from roles, pg_shdepend d
  left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
  left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
  left join pg_namespace n on n.oid = coalesce(c.relnamespace, t.typnamespace)
 where d.refclassid = 'pg_authid'::regclass and d.refobjid = from_role and d.deptype in ('o', 'a', 'r')
   and d.classid <> 'pg_auth_members'::regclass
   and (d.dbid = (select oid from pg_database where datname = current_database()) or $3 and d.dbid = 0)
   and coalesce(n.nspname, '') !~ '^pg_(toast_)?temp'
   and case
       when d.deptype = 'o' and d.classid = 'pg_default_acl'::regclass then not exists (
           select from pg_default_acl f join pg_default_acl t
             on t.defaclrole = to_role and t.defaclnamespace = f.defaclnamespace and t.defaclobjtype = f.defaclobjtype
            where f.oid = d.objid)
       when d.deptype = 'o' and d.classid = 'pg_user_mapping'::regclass then not exists (
           select from pg_user_mappings f join pg_user_mappings t on t.umuser = to_role and t.srvid = f.srvid
            where f.umid = d.objid)
       when d.deptype = 'o' then true
       when d.classid = 'pg_default_acl'::regclass
            and exists (select from pg_default_acl f where f.oid = d.objid and f.defaclrole = from_role) then false
       else not exists (
           select from pg_shdepend e
            where e.refclassid = d.refclassid and e.refobjid = to_role and e.dbid = d.dbid and e.classid = d.classid
              and e.objid = d.objid and (e.deptype = 'o' or e.deptype = d.deptype and e.objsubid = d.objsubid))
       end
