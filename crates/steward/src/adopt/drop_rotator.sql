do $portcullis$
declare
    v_rotator oid := (select oid from pg_roles where rolname = $rotator$);
begin
    if v_rotator is not null
        and not exists (select from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid = v_rotator)
        and not exists (select from pg_auth_members where member = v_rotator)
    then
        execute format('drop role %I', $rotator$);
    end if;
end
$portcullis$
