select rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit,
       shobj_description(oid, 'pg_authid')
  from pg_roles order by rolname;
select roleid::regrole, member::regrole, admin_option from pg_auth_members order by 1::text, 2::text;
select setdatabase, setrole::regrole, setconfig from pg_db_role_setting order by 1, 2;
