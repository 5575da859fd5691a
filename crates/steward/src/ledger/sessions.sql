-- How many sessions a role of ours has, the calling one excluded.
create or replace function portcullis.sessions(p_role text) returns integer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $portcullis$
begin
    if not exists (select from portcullis.slot where role_name = p_role and kind <> 'owner') then
        raise exception 'the role is none of this ledger' using errcode = 'PC002';
    end if;
    return (select count(*) from pg_stat_activity where usename = p_role and pid <> pg_backend_pid());
end
$portcullis$;
