-- What a slot or the former role owns in this database belongs to the owner role instead: sessions that were open when
-- the database was adopted act as the former role, and any session may RESET ROLE. Without it the other slot could not
-- use their tables.
create or replace function portcullis.gather() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $portcullis$
declare
    v_owner text;
    v_role  text;
begin
    select role_name into strict v_owner from portcullis.slot where kind = 'owner';
    for v_role in
        select s.role_name from portcullis.slot s join pg_roles r on r.rolname = s.role_name
         where s.kind in ('slot', 'legacy') and exists (
               select from pg_shdepend d
                where d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid and d.deptype = 'o'
                  and d.classid not in ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)
                  and d.dbid in (0, (select oid from pg_database where datname = current_database()))
                  and not exists (select from pg_class c
                                   where d.classid = 'pg_class'::regclass and c.oid = d.objid and c.relpersistence = 't'))
    loop
        execute format('reassign owned by %I to %I', v_role, v_owner);
    end loop;
end
$portcullis$;
