select 'class', c.oid::regclass, pg_get_userbyid(relowner), relacl from pg_class c
 where relkind in ('r','p','v','m','f','S') and relnamespace::regnamespace::text !~ '^pg_toast' order by 2;
select 'column', attrelid::regclass, attname, attacl from pg_attribute where attacl is not null order by 2, 3;
select 'routine', oid::regprocedure, pg_get_userbyid(proowner), proacl from pg_proc where oid >= 16384 order by oid;
select 'type', oid::regtype, pg_get_userbyid(typowner), typacl from pg_type where oid >= 16384 order by oid;
select 'schema', nspname, pg_get_userbyid(nspowner), nspacl from pg_namespace where nspname !~ '^pg_t' order by 2;
select 'operator', oid, pg_get_userbyid(oprowner) from pg_operator where oid >= 16384 order by 2;
select 'collation', oid, pg_get_userbyid(collowner) from pg_collation where oid >= 16384 order by 2;
select 'words', oid, pg_get_userbyid(cfgowner) from pg_ts_config where oid >= 16384 order by 2;
select 'dictionary', oid, pg_get_userbyid(dictowner) from pg_ts_dict where oid >= 16384 order by 2;
select 'statistics', stxname, pg_get_userbyid(stxowner) from pg_statistic_ext order by 2;
select 'publication', pubname, pg_get_userbyid(pubowner) from pg_publication order by 2;
select 'server', srvname, pg_get_userbyid(srvowner), srvacl from pg_foreign_server order by 2;
select 'wrapper', fdwname, pg_get_userbyid(fdwowner), fdwacl from pg_foreign_data_wrapper order by 2;
select 'mapping', srvname, usename, umoptions from pg_user_mappings order by 2, 3;
select 'large object', oid, pg_get_userbyid(lomowner), lomacl from pg_largeobject_metadata order by 2;
select 'policy', polname, polrelid::regclass, array(select rolname from unnest(polroles) with ordinality u(o, n) join pg_roles r on r.oid = u.o order by n)
  from pg_policy order by 2;
select 'defaults', pg_get_userbyid(defaclrole), defaclnamespace, defaclobjtype, defaclacl from pg_default_acl order by 2, 3, 4;
select 'database', datname, pg_get_userbyid(datdba), datacl from pg_database order by 2;
select 'parameter', parname, paracl from pg_parameter_acl order by 2;
select 'extension', extname, pg_get_userbyid(extowner) from pg_extension order by 2;
