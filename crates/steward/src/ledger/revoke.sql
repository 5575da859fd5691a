do $portcullis$
declare
    v_object record;
begin
    for v_object in
        select distinct 'function ' || p.oid::regprocedure as name, a.grantee
          from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.pronamespace = 'portcullis'::regnamespace and a.grantee <> p.proowner
        union
        select distinct 'table ' || c.oid::regclass, a.grantee
          from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
         where c.relnamespace = 'portcullis'::regnamespace and c.relkind = 'r' and a.grantee <> c.relowner
        union
        select distinct 'schema portcullis', a.grantee
          from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
         where n.nspname = 'portcullis' and a.grantee <> n.nspowner
    loop
        if v_object.grantee = 0 then
            execute format('revoke all on %s from public', v_object.name);
        elsif v_object.grantee <> $rotator$::regrole then
            execute format('revoke all on %s from %s', v_object.name, v_object.grantee::regrole);
        end if;
    end loop;
end
$portcullis$
