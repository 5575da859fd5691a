-- Roles that one role belongs to and the other does not. A superuser's built-in roles are not handed on ($1 from, $2 to).
-- The options of a membership are columns from PostgreSQL 16 on.
with membership as (
    select m.roleid, m.member, bool_or(m.admin_option) as admin,
           bool_or(coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)) as inherit,
           bool_or(coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)) as set
      from pg_auth_members m group by 1, 2
)
select format('%I belongs to %I: so does %I.', $1::text, g.rolname, $2::text),
       format('grant %I to %I', g.rolname, $2::text)
       || case when current_setting('server_version_num')::integer >= 160000
               then format(' with admin %s, inherit %s, set %s', m.admin::text, m.inherit::text, m.set::text)
               when m.admin then ' with admin option' else '' end
  from membership m join pg_roles g on g.oid = m.roleid join pg_roles f on f.oid = m.member
 where f.rolname = $1 and g.rolname <> $2
   and not (f.rolsuper and g.rolname ~ '^pg_')
   and not exists (select from membership n join pg_roles t on t.oid = n.member
                    where t.rolname = $2 and n.roleid = m.roleid and n.admin >= m.admin)
   -- Nobody becomes a member of his own member.
   and not exists (select from pg_roles t where t.rolname = $2 and pg_has_role(g.oid, t.oid, 'member'))
 order by g.rolname
