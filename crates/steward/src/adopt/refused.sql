-- What a role owns here and cannot be handed to one that is no superuser: what it is, and what to do about it.
select 'event trigger ' || quote_ident(evtname), format('alter event trigger %I owner to ADMINISTRATOR', evtname)
  from pg_event_trigger where evtowner = (select oid from pg_roles where rolname = $1)
union all
select 'foreign data wrapper ' || quote_ident(fdwname), format('alter foreign data wrapper %I owner to ADMINISTRATOR', fdwname)
  from pg_foreign_data_wrapper where fdwowner = (select oid from pg_roles where rolname = $1)
union all
select 'subscription ' || quote_ident(subname), format('alter subscription %I owner to ADMINISTRATOR', subname)
  from pg_subscription
 where subowner = (select oid from pg_roles where rolname = $1)
   and subdbid = (select oid from pg_database where datname = current_database())
