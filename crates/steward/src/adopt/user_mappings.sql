-- User mappings of a role that another one does not have. Their options may hold passwords: the server copies them, and
-- no statement's text, no log and nobody here sees them. (pg_stat_statements would, with track = all and track_utility, as
-- it saw the first one.) $1: from, $2: to.
select format('%I logs in to the foreign server %I as %I does.', $2::text, s.srvname, $1::text),
       format($statement$do $portcullis$
declare v_options text;
begin
    select string_agg(format('%%I %%L', o.option_name, o.option_value), ', ') into v_options
      from pg_user_mappings m, pg_options_to_table(m.umoptions) o where m.srvname = %1$L and m.usename = %2$L;
    -- Whoever may not see options sees none.
    if v_options is null and not (select rolsuper from pg_roles where rolname = current_user) then
        raise exception 'hidden';
    end if;
    execute format('create user mapping for %%I server %%I%%s', %3$L, %1$L, ' options (' || v_options || ')');
exception when others then
    raise exception 'the user mapping for foreign server %% cannot be copied (%%)', %1$L, sqlstate;
end $portcullis$$statement$, s.srvname, $1::text, $2::text)
  from pg_user_mappings m join pg_foreign_server s on s.oid = m.srvid
 where m.usename = $1
   and not exists (select from pg_user_mappings n where n.srvid = m.srvid and n.usename = $2)
 order by s.srvname
