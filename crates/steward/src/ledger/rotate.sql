-- Gives one of the two slots the password that belongs to a SCRAM-SHA-256 verifier, and the right to log in.
-- The fence between racing nodes: p_expect must be the newest generation of the whole ledger, and all its rows are locked.
-- The same call again answers the first call's time, so that a retry does not make a password look younger.
create or replace function portcullis.rotate(
    p_role text, p_verifier text, p_expect bigint, p_new bigint, p_valid interval
) returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $portcullis$
declare
    v_slot   portcullis.slot;
    v_newest bigint;
    v_print  text := encode(sha256(convert_to(p_verifier, 'UTF8')), 'hex');
    v_now    timestamptz;
    v_until  timestamptz;
begin
    if p_role = session_user then
        raise exception 'this session has logged in as the slot that it wants to change' using errcode = 'PC001';
    end if;
    -- Anything but a verifier would be taken as a clear password without a word, and hashed.
    if p_verifier is null
        or p_verifier !~ '^SCRAM-SHA-256\$[1-9][0-9]{3,6}:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$'
        or substring(p_verifier from '\$([0-9]+):')::integer < 4096
    then
        raise exception 'not a SCRAM-SHA-256 verifier of 4096 iterations or more' using errcode = 'PC003';
    end if;
    if p_expect is null or p_new is null or p_expect < 0 or p_new <= p_expect then
        raise exception 'the new generation must be greater than the expected one' using errcode = 'PC004';
    end if;
    -- Whoever may call this could otherwise use up the numbers, and end all rotation.
    if p_new - p_expect > 1000000 then
        raise exception 'the new generation is further ahead than any rotation was' using errcode = 'PC004';
    end if;
    if p_valid not between interval '1 hour' and interval '400 days' then
        raise exception 'a password ends between one hour and 400 days from now, or never' using errcode = 'PC004';
    end if;

    perform 1 from portcullis.slot order by role_name for update;
    select max(generation) into v_newest from portcullis.slot where kind <> 'administrator';
    select * into v_slot from portcullis.slot where role_name = p_role and kind = 'slot';
    if not found then
        raise exception 'the role is no slot of this ledger' using errcode = 'PC002';
    end if;

    if v_newest = p_new and v_slot.generation = p_new and v_slot.fingerprint = v_print then
        v_now := v_slot.set_at;
        v_until := v_slot.valid_until;
    elsif v_newest = p_expect
        and not exists (select from portcullis.rotation where fingerprint = v_print)
    then
        v_now := clock_timestamp();
        v_until := v_now + p_valid;
        update portcullis.slot
           set generation = p_new, fingerprint = v_print, set_at = v_now, valid_until = v_until, retired_at = null
         where role_name = p_role;
        insert into portcullis.rotation (role_name, generation, fingerprint, set_at, valid_until)
        values (p_role, p_new, v_print, v_now, v_until);
    else
        raise exception 'the generation has moved on to %', v_newest using errcode = '40001';
    end if;

    execute format('alter role %I login password %L valid until %L',
                   p_role, p_verifier, coalesce(v_until, 'infinity'::timestamptz));
    perform portcullis.gather();
    return v_now;
end
$portcullis$;
