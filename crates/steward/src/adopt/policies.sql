-- Row security policies that name a role: they name the other one too, or ($3) in its place.
select format('Policy %I of %s names %I.', polname, polrelid::regclass, $2::text),
       format('alter policy %I on %s to %s', polname, polrelid::regclass, (
           select string_agg(quote_ident(name), ', ' order by position) from (
               select r.rolname::text as name, u.position
                 from unnest(polroles) with ordinality u(oid, position) join pg_roles r on r.oid = u.oid
                where not ($3 and r.rolname = $1)
               union all
               select $2, 1000000 where not exists (select from pg_roles where rolname = $2 and oid = any (polroles))
           ) named))
  from pg_policy
 where (select oid from pg_roles where rolname = $1) = any (polroles)
   and ($3 or not coalesce((select oid from pg_roles where rolname = $2) = any (polroles), false))
 order by 2
