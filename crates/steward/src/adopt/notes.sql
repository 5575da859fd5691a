-- What to look at before: expressions that ask who acts, which will be the owner role. $1: today's role, $2: whether that
-- is a superuser, who could reach what belongs to others.
select format('%s asks for current_user or session_user: that will be the owner role, or one of the slots', what) from (
    select format('policy %I of %s', polname, polrelid::regclass) as what from pg_policy
     where concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) ~* '\m(current_user|session_user|current_role)\M'
    union all
    select format('the default of %s.%I', adrelid::regclass, attname) from pg_attrdef
      join pg_attribute on attrelid = adrelid and attnum = adnum
     where pg_get_expr(adbin, adrelid) ~* '\m(current_user|session_user|current_role)\M'
    union all
    select format('constraint %I of %s', conname, conrelid::regclass) from pg_constraint
     where contype = 'c' and conrelid <> 0 and pg_get_constraintdef(oid) ~* '\m(current_user|session_user|current_role)\M'
    union all
    select format('view %s', oid::regclass) from pg_class
     where relkind in ('v', 'm') and oid >= 16384 and pg_get_viewdef(oid) ~* '\m(current_user|session_user|current_role)\M'
    union all
    select format('function %s', oid::regprocedure) from pg_proc
     where oid >= 16384 and prosrc ~* '\m(current_user|session_user|current_role)\M'
       and pronamespace <> coalesce(to_regnamespace('portcullis')::oid, 0)
       and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = pg_proc.oid and d.deptype = 'e')
) asked
union all
select format('table %I.%I belongs to %I: %I could use it as a superuser, the owner role cannot unless %I grants it',
              n.nspname, c.relname, r.rolname, $1::text, r.rolname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles r on r.oid = c.relowner
 where $2 and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.oid >= 16384 and r.rolname <> $1 and r.rolname <> $3
   and n.nspname !~ '^pg_'
union all
select format('extension %I stays with %I', extname, $1::text) from pg_extension
 where $2 and oid >= 16384 and extowner = (select oid from pg_roles where rolname = $1)
