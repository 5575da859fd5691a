-- Ends a credential that is no longer used: no password, no login, its sessions terminated, their number returned.
-- p_generation is the generation of the credential that ends, so that a late call cannot end a newer one.
-- A login that was under way may outlive the transaction: call it again until portcullis.sessions() counts none.
create or replace function portcullis.retire(p_role text, p_generation bigint) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $portcullis$
declare
    v_slot   portcullis.slot;
    v_newest bigint;
    v_ended  integer;
begin
    if p_role = session_user then
        raise exception 'this session has logged in as the role that it wants to retire' using errcode = 'PC001';
    end if;
    perform 1 from portcullis.slot order by role_name for update;
    select max(generation) into v_newest from portcullis.slot where kind <> 'administrator';
    select * into v_slot from portcullis.slot where role_name = p_role and kind in ('slot', 'legacy');
    if not found then
        raise exception 'the role is neither a slot nor the former role of this ledger' using errcode = 'PC002';
    end if;
    if p_generation is distinct from v_slot.generation or v_slot.generation >= v_newest then
        raise exception 'the generation has moved on: % has %, the newest is %', p_role, v_slot.generation, v_newest
            using errcode = '40001';
    end if;

    execute format('alter role %I nologin password null valid until %L', p_role, clock_timestamp());
    update portcullis.slot
       set fingerprint = null, valid_until = null, retired_at = coalesce(retired_at, clock_timestamp())
     where role_name = p_role;

    -- Counted by name: a role without pg_read_all_stats reads NULL in most other columns.
    select count(*) filter (where pg_terminate_backend(pid, 5000)) into v_ended
      from pg_stat_activity where usename = p_role and pid <> pg_backend_pid();

    perform portcullis.gather();
    return v_ended;
end
$portcullis$;
