-- Whether a role owns anything here that REASSIGN OWNED moves: in this database, or for the whole cluster ($2).
select exists (
    select from pg_shdepend d
     where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
       and d.refobjid = (select oid from pg_roles where rolname = $1)
       and d.classid not in ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)
       and not exists (select from pg_class c where d.classid = 'pg_class'::regclass and c.oid = d.objid and c.relpersistence = 't')
       and (d.dbid = (select oid from pg_database where datname = current_database()) or $2 and d.dbid = 0))
