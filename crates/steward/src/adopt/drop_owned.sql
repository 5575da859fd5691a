do $portcullis$
declare
    v_left text;
begin
    select string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), ', ') into v_left
      from pg_shdepend d join pg_roles r on r.oid = d.refobjid
     where d.refclassid = 'pg_authid'::regclass and r.rolname in ($roles$)
       and (d.deptype = 'r'
            or d.deptype = 'o' and d.classid not in ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass))
       and d.dbid in (0, (select oid from pg_database where datname = current_database()));
    if v_left is not null then
        raise exception 'would be lost: %', v_left;
    end if;
    -- What an ordinary role was granted must be the former role's by now.
    if exists (select from pg_roles where rolname = $legacy$ and not rolsuper) then
        select string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), ', ') into v_left
          from pg_shdepend d join pg_roles r on r.oid = d.refobjid
         where d.refclassid = 'pg_authid'::regclass and r.rolname in ($roles$) and d.deptype = 'a'
           and d.classid <> 'pg_default_acl'::regclass
           and d.dbid = (select oid from pg_database where datname = current_database())
           and not exists (
               select from pg_shdepend e
                where e.refclassid = d.refclassid and e.dbid = d.dbid and e.classid = d.classid and e.objid = d.objid
                  and e.refobjid = (select oid from pg_roles where rolname = $legacy$) and e.deptype in ('a', 'o'));
        if v_left is not null then
            raise exception 'a privilege would be lost: %', v_left;
        end if;
    end if;
end
$portcullis$
