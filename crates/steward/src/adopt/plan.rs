//! What an adoption will do, read from the catalogues: only what is missing, so that a second one finds nothing to do.

use sqlx::{PgConnection, Row as _};

use super::ask::Session;
use super::refuse::{self, Role, Taken};
use super::{Fault, Options, Plan, Refusal, Step};
use crate::Credential;
use crate::ledger::{self, Kind, LedgerError, Names, Server, Statement};
use crate::sql::{identifier, literal};

/// Reads what an adoption would do; changes nothing. `administrator` makes roles and moves what `today` owns;
/// `today` names the application's role and database, and may be the administrator itself.
///
/// Where the application logs in as the platform's own role, things that it makes after the adoption and before the
/// first rotation still belong to that role: plan and [`apply`](super::apply) again just before.
///
/// # Errors
/// Where the administrator cannot log in, or may not read what is asked. What stands in the way is part of the plan.
pub async fn plan(administrator: &Credential, today: &Credential, options: &Options) -> Result<Plan, Fault> {
    let mut home = Session::open(administrator, &today.database).await?;
    let server = Server::look(&mut home.connection).await?;
    // What the application itself laid out under the ledger's name is none, and is not looked into.
    let known = if ledger::others(&mut home.connection).await?.is_empty() {
        names_in_ledger(&mut home.connection, &today.username).await?
    } else {
        None
    };
    let adopted = known.is_some();
    let names = match known {
        Some(names) => names,
        None => Names::of(&today.username, kind(&mut home, &server, &today.username).await?)?,
    };
    let role = role(&mut home, &names.legacy).await?;
    let taken = taken(&mut home, &names, adopted).await?;

    let mut plan = Plan {
        names: names.clone(),
        home: today.database.clone(),
        refusals: Vec::new(),
        notes: Vec::new(),
        steps: Vec::new(),
    };
    let Some(role) = role else {
        plan.refusals.push(Refusal {
            what: format!("there is no role {}", identifier(&names.legacy)),
            remedy: "name the role that the application logs in as".into(),
        });
        return Ok(plan);
    };
    if !adopted {
        plan.refusals = refuse::refusals(&server, &names, &today.database, &role, &taken);
    }

    let mut roles = roles(&mut home, &server, &names, &role, &taken, &today.database).await?;
    let (others, unreached) = others(&mut home, administrator, &names).await?;
    plan.refusals.extend(unreached);
    let mut reversals = Vec::new();
    let mut steps = Vec::new();
    for mut other in others {
        let (statements, reversal) = moves(&mut other, &names, false).await?;
        look(&mut other, &mut plan, &server, &role, adopted).await?;
        reversals.extend(reversal);
        steps.push(Step { database: other.database.clone(), statements });
        other.close().await;
    }
    let (statements, reversal) = moves(&mut home, &names, true).await?;
    look(&mut home, &mut plan, &server, &role, adopted).await?;
    reversals.extend(reversal);
    let mut last = statements;
    if names.legacy_kind == Kind::Legacy && role.acts_as.is_none() {
        last.push(Statement::new(
            format!(
                "New sessions of {} act as {}, so that what they make belongs to it.",
                names.legacy, names.owner
            ),
            format!("alter role {} set role to {}", identifier(&names.legacy), identifier(&names.owner)),
        ));
    }
    if !adopted {
        last.extend(ledger::statements(&server, &names, options.auditor.as_deref()));
    }
    if !reversals.is_empty() {
        let rows: Vec<String> = reversals.iter().map(|sql| format!("({})", literal(sql))).collect();
        last.push(Statement::new(
            "The ledger remembers what gives the former role back its settings.",
            format!(
                "insert into portcullis.reversal (sql) values {} on conflict do nothing",
                rows.join(", ")
            ),
        ));
    }
    if !server.superuser {
        last.extend(given_back(&server, &names, &roles));
    }
    if steps.iter().all(|step| step.statements.is_empty()) {
        roles.extend(last);
        last = roles;
    } else {
        // The roles first, since every database needs them; the ledger last, so that nothing rotates half a cluster.
        steps.insert(0, Step { database: today.database.clone(), statements: roles });
    }
    steps.push(Step { database: today.database.clone(), statements: last });
    plan.steps = steps.into_iter().filter(|step| !step.statements.is_empty()).collect();
    home.close().await;
    Ok(plan)
}

/// Who is who by the ledger of the connection's database; none where there is none.
pub(super) async fn names_in_ledger(
    connection: &mut PgConnection,
    role: &str,
) -> Result<Option<Names>, Fault> {
    if let Some(other) = ledger::others(connection).await?.first() {
        return Err(LedgerError::Foreign(other.clone()).into());
    }
    let there: bool = sqlx::query_scalar("select to_regclass('portcullis.slot') is not null")
        .fetch_one(&mut *connection)
        .await
        .map_err(LedgerError::from)?;
    if !there {
        return Ok(None);
    }
    let slots = ledger::slots(connection).await?;
    let of = |kind| slots.iter().filter(move |slot| slot.kind == kind).map(|slot| slot.role.clone());
    let mut both = of(Kind::Slot);
    let legacy = of(Kind::Legacy).next().map(|role| (role, Kind::Legacy));
    // The platform's role may have a row of its own beside a former role.
    let legacy = legacy.or_else(|| of(Kind::Administrator).next().map(|role| (role, Kind::Administrator)));
    let (Some(owner), Some(slot_a), Some(slot_b), Some((legacy, legacy_kind))) =
        (of(Kind::Owner).next(), both.next(), both.next(), legacy)
    else {
        return Ok(None);
    };
    let names = Names { owner, slot_a, slot_b, legacy, legacy_kind };
    let known = [&names.slot_a, &names.slot_b, &names.legacy].into_iter().any(|name| name == role);
    if known { Ok(Some(names)) } else { Err(LedgerError::Missing.into()) }
}

async fn kind(home: &mut Session, server: &Server, today: &str) -> Result<Kind, Fault> {
    let superuser: Option<bool> = sqlx::query_scalar("select rolsuper from pg_roles where rolname = $1")
        .bind(today)
        .fetch_optional(&mut home.connection)
        .await
        .map_err(|error| home.fault("A look at today's role.", &error))?;
    let administrator = superuser == Some(true) || server.administrator == today;
    Ok(if administrator { Kind::Administrator } else { Kind::Legacy })
}

async fn role(home: &mut Session, name: &str) -> Result<Option<Role>, Fault> {
    const TEXT: &str = "select rolcanlogin as can_login, rolinherit as inherits, rolsuper as superuser, \
        rolcreatedb as creates_databases, rolcreaterole as creates_roles, rolreplication as replicates, \
        rolbypassrls as bypasses_policies, rolconnlimit as connection_limit, \
        (select substring(c.entry from 6) from pg_db_role_setting s, unnest(s.setconfig) c(entry) \
          where s.setrole = r.oid and c.entry like 'role=%' limit 1) as acts_as, \
        rolname = current_user or (select rolcreaterole from pg_roles where rolname = current_user) \
          and (current_setting('server_version_num')::integer < 160000 \
               or pg_has_role(r.oid, 'usage with admin option')) as administered \
        from pg_roles r where rolname = $1";
    let row = sqlx::query(TEXT)
        .bind(name)
        .fetch_optional(&mut home.connection)
        .await
        .map_err(|error| home.fault("A look at today's role.", &error))?;
    Ok(row.map(|row| Role {
        can_login: row.get("can_login"),
        inherits: row.get("inherits"),
        superuser: row.get("superuser"),
        creates_databases: row.get("creates_databases"),
        creates_roles: row.get("creates_roles"),
        replicates: row.get("replicates"),
        bypasses_policies: row.get("bypasses_policies"),
        connection_limit: row.get("connection_limit"),
        acts_as: row.get("acts_as"),
        administered: row.get("administered"),
    }))
}

async fn taken(home: &mut Session, names: &Names, adopted: bool) -> Result<Taken, Fault> {
    const TEXT: &str = "select array(select rolname::text from pg_roles where rolname in ($1, $2, $3) order by 1), \
        (select shobj_description(oid, 'pg_authid') from pg_roles where rolname = $1), \
        to_regnamespace('portcullis') is not null, has_database_privilege(current_database(), 'create')";
    let row: (Vec<String>, Option<String>, bool, bool) = sqlx::query_as(TEXT)
        .bind(&names.owner)
        .bind(&names.slot_a)
        .bind(&names.slot_b)
        .fetch_one(&mut home.connection)
        .await
        .map_err(|error| home.fault("A look at the names of roles.", &error))?;
    Ok(Taken { roles: row.0, comment: row.1, foreign_schema: row.2 && !adopted, may_create: row.3 })
}

/// The owner role and the two slots, with what belongs to roles alone: memberships and settings.
async fn roles(
    home: &mut Session,
    server: &Server,
    names: &Names,
    role: &Role,
    taken: &Taken,
    database: &str,
) -> Result<Vec<Statement>, Fault> {
    let mut all = Vec::new();
    let (owner, legacy) = (identifier(&names.owner), identifier(&names.legacy));
    let missing = |name: &String| !taken.roles.contains(name);
    let member = if server.memberships_have_options() { " with inherit true, set true" } else { "" };
    if missing(&names.owner) {
        all.push(Statement::new(
            format!("A role {} that owns everything and cannot log in.", names.owner),
            format!(
                "create role {owner} nologin;\ncomment on role {owner} is {}",
                literal(&refuse::mark(names, database))
            ),
        ));
        // A superuser needs no membership, and nobody should be able to become one by it.
        if !role.superuser {
            all.push(Statement::new(
                format!("{} belongs to it, and so keeps every right, in open sessions too.", names.legacy),
                format!("grant {owner} to {legacy}{member}"),
            ));
        }
    }
    for slot in [&names.slot_a, &names.slot_b] {
        let name = identifier(slot);
        if missing(slot) {
            all.push(Statement::new(
                format!(
                    "A slot {slot} that acts as {}; it cannot log in before the first rotation.",
                    names.owner
                ),
                format!(
                    "create role {name} nologin connection limit {};\ngrant {owner} to {name}{member};\n\
                     alter role {name} set role to {owner}",
                    role.connection_limit
                ),
            ));
        }
        all.extend(home.settings(&names.legacy, slot).await?);
    }
    all.extend(home.memberships(&names.legacy, &names.owner).await?);
    if !server.superuser {
        for name in [&names.owner, &names.legacy] {
            if *name != server.administrator && !may_act_as(home, name).await? {
                all.push(Statement::new(
                    format!("{} acts as {name} for a moment, to move what it owns.", server.administrator),
                    ledger::as_member(server, name, &server.administrator),
                ));
            }
        }
    }
    Ok(all)
}

pub(super) async fn may_act_as(home: &mut Session, role: &str) -> Result<bool, Fault> {
    const TEXT: &str =
        "select coalesce((select pg_has_role(oid, 'usage') from pg_roles where rolname = $1), false)";
    sqlx::query_scalar(TEXT)
        .bind(role)
        .fetch_one(&mut home.connection)
        .await
        .map_err(|error| home.fault("A look at memberships.", &error))
}

/// Takes back the memberships that an administrator without superuser's rights needed.
fn given_back(server: &Server, names: &Names, roles: &[Statement]) -> Vec<Statement> {
    [&names.owner, &names.legacy]
        .into_iter()
        .filter(|name| {
            roles.iter().any(|one| one.sql == ledger::as_member(server, name, &server.administrator))
        })
        .map(|name| {
            Statement::new(
                format!("{} does not act as {name} any more.", server.administrator),
                format!(
                    "revoke {} from {}{}",
                    identifier(name),
                    identifier(&server.administrator),
                    ledger::own_grant(server)
                ),
            )
        })
        .collect()
}

/// The other databases where today's role has something. The platform's own role has something in all of them: there
/// only the application's database is adopted.
async fn others(
    home: &mut Session,
    administrator: &Credential,
    names: &Names,
) -> Result<(Vec<Session>, Vec<Refusal>), Fault> {
    let (mut reached, mut refusals) = (Vec::new(), Vec::new());
    if names.legacy_kind == Kind::Legacy {
        for database in home.databases(&[&names.legacy]).await? {
            match Session::open(administrator, &database).await {
                Ok(session) => reached.push(session),
                Err(fault) => refusals.push(Refusal {
                    what: format!("{} has something in database {database}, too: {fault}", names.legacy),
                    remedy: "let the administrator connect to it, or remove it".into(),
                }),
            }
        }
    }
    Ok((reached, refusals))
}

/// What one database wants: ownership and rights to the owner role, and a search path that means the same.
async fn moves(
    session: &mut Session,
    names: &Names,
    home: bool,
) -> Result<(Vec<Statement>, Vec<String>), Fault> {
    let (legacy, owner) = (&names.legacy, &names.owner);
    let mut all = Vec::new();
    if names.legacy_kind == Kind::Administrator {
        all.extend(session.objects(legacy, owner).await?);
        all.extend(database_and_public(session, names).await?);
    } else if session.owns(legacy, home).await? {
        all.push(Statement::new(
            format!("Everything that {legacy} owns in database {} belongs to {owner}.", session.database),
            format!("reassign owned by {} to {}", identifier(legacy), identifier(owner)),
        ));
    }
    all.extend(session.rights(legacy, owner, home, false).await?);
    let mut reversals = Vec::new();
    for role in [&names.slot_a, &names.slot_b, legacy] {
        if role == legacy && names.legacy_kind == Kind::Administrator {
            continue;
        }
        if let Some((statement, reversal)) = session.search_path(legacy, role).await? {
            all.push(statement);
            if role == legacy {
                reversals.push(reversal);
            }
        }
    }
    Ok((all, reversals))
}

/// The application's database itself; with it, from PostgreSQL 15 on, the schema public. Where that belongs to the
/// platform's role by name, the owner role may use it as before.
async fn database_and_public(session: &mut Session, names: &Names) -> Result<Vec<Statement>, Fault> {
    const TEXT: &str = "select \
        (select pg_get_userbyid(datdba) = $1 from pg_database where datname = current_database()), \
        exists (select from pg_namespace where oid = to_regnamespace('public') and pg_get_userbyid(nspowner) = $1 \
            and not exists (select from aclexplode(nspacl) a \
                where a.privilege_type = 'CREATE' and a.grantee = (select oid from pg_roles where rolname = $2)))";
    let (database, public): (bool, bool) = sqlx::query_as(TEXT)
        .bind(&names.legacy)
        .bind(&names.owner)
        .fetch_one(&mut session.connection)
        .await
        .map_err(|error| session.fault("A look at the database's owner.", &error))?;
    let owner = identifier(&names.owner);
    let mut all = Vec::new();
    if database {
        all.push(Statement::new(
            format!("Database {} belongs to {}.", session.database, names.owner),
            format!("alter database {} owner to {owner}", identifier(&session.database)),
        ));
    }
    if public {
        all.push(Statement::new(
            format!("{} may use and fill the schema public as before.", names.owner),
            format!("grant all on schema public to {owner}"),
        ));
    }
    Ok(all)
}

/// What stands in the way in one database, and what to look at. A plan that was carried out does not ask again.
async fn look(
    session: &mut Session,
    plan: &mut Plan,
    server: &Server,
    role: &Role,
    adopted: bool,
) -> Result<(), Fault> {
    if adopted {
        return Ok(());
    }
    let (legacy, owner) = (plan.names.legacy.clone(), plan.names.owner.clone());
    let stays = session.refused(&legacy, &server.administrator).await?;
    if plan.names.legacy_kind == Kind::Administrator {
        plan.notes.extend(stays.into_iter().map(|refusal| format!("{}: it stays so", refusal.what)));
    } else {
        plan.refusals.extend(stays);
    }
    plan.notes.extend(session.notes(&legacy, &owner, role.superuser).await?);
    if server.superuser {
        plan.notes.extend(session.host_based_rules(&legacy).await?);
    }
    Ok(())
}
