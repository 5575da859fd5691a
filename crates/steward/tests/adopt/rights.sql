select 'table', c.oid::regclass, p from pg_class c, unnest(array['select','insert','update','delete','truncate','references','trigger',
       'select with grant option']) p
 where relkind in ('r','p','v','m','f') and c.oid >= 16384 and relnamespace::regnamespace::text !~ 'portcullis|pg_t'
   and has_table_privilege('ROLE', c.oid, p);
select 'column', c.oid::regclass, attname, p from pg_class c join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped,
       unnest(array['select','insert','update','select with grant option']) p
 where relkind in ('r','p','v','f') and c.oid >= 16384 and relnamespace::regnamespace::text !~ 'portcullis|pg_t'
   and has_column_privilege('ROLE', c.oid, attnum, p);
select 'sequence', c.oid::regclass, p from pg_class c, unnest(array['usage','select','update']) p
 where relkind = 'S' and c.oid >= 16384 and has_sequence_privilege('ROLE', c.oid, p);
select 'routine', oid::regprocedure from pg_proc
 where oid >= 16384 and pronamespace::regnamespace::text <> 'portcullis' and has_function_privilege('ROLE', oid, 'execute');
select 'type', oid::regtype from pg_type
 where oid >= 16384 and typnamespace::regnamespace::text !~ 'portcullis|pg_t' and has_type_privilege('ROLE', oid, 'usage');
select 'schema', nspname, p from pg_namespace, unnest(array['usage','create']) p
 where nspname <> 'portcullis' and has_schema_privilege('ROLE', oid, p);
select 'database', datname, p from pg_database, unnest(array['connect','create','temporary']) p where has_database_privilege('ROLE', oid, p);
select 'server', srvname from pg_foreign_server where has_server_privilege('ROLE', oid, 'usage');
select 'wrapper', fdwname from pg_foreign_data_wrapper where has_foreign_data_wrapper_privilege('ROLE', oid, 'usage');
select 'role', rolname from pg_roles where rolname in ('team', 'chief') and pg_has_role('ROLE', oid, 'usage');
select 'parameter', p from unnest(array['log_statement']) p where has_parameter_privilege('ROLE', p, 'set');
select 'large object', m.oid from pg_largeobject_metadata m
 where pg_has_role('ROLE', lomowner, 'usage')
    or exists (select from aclexplode(lomacl) a where a.grantee <> 0 and pg_has_role('ROLE', a.grantee, 'usage'));
