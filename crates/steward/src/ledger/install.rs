//! What puts the ledger into a database, as statements that a dry run can show.

use sqlx::{AssertSqlSafe, PgConnection};

use super::calls::OTHERS;
use super::{LedgerError, Names};
use crate::ledger::Kind;
use crate::sql::{identifier, literal};

/// The role that owns the functions which change passwords. It cannot log in and nobody is its member. With CREATEROLE
/// it is nearly a superuser before PostgreSQL 16; from 16 on it may change those roles alone on which it has the ADMIN
/// OPTION.
pub const ROTATOR: &str = "portcullis_rotator";

/// Who may read the ledger besides the owner role, where it exists.
const AUDITOR: &str = "portcullis_audit";

/// What the texts depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `server_version_num`: 150018.
    pub version: i32,
    /// Who is connected: the administrator.
    pub administrator: String,
    /// Whether that role is a superuser.
    pub superuser: bool,
    /// Whether it may read `pg_authid`. Where not, what passwords are stored as is not proven.
    pub reads_passwords: bool,
    /// Whether the rotator exists already, from another database of the same cluster.
    pub rotator_exists: bool,
    /// Whether [`AUDITOR`] exists.
    pub auditor_exists: bool,
}

impl Server {
    /// Asks a connection of the administrator.
    ///
    /// # Errors
    /// What the server says.
    pub async fn look(connection: &mut PgConnection) -> Result<Self, LedgerError> {
        const TEXT: &str = "select current_setting('server_version_num')::integer, current_user::text, \
            (select rolsuper from pg_roles where rolname = current_user), \
            has_table_privilege('pg_catalog.pg_authid', 'select'), \
            exists (select from pg_roles where rolname = $1), exists (select from pg_roles where rolname = $2)";
        let row: (i32, String, bool, bool, bool, bool) =
            sqlx::query_as(TEXT).bind(ROTATOR).bind(AUDITOR).fetch_one(connection).await?;
        Ok(Self {
            version: row.0,
            administrator: row.1,
            superuser: row.2,
            reads_passwords: row.3,
            rotator_exists: row.4,
            auditor_exists: row.5,
        })
    }

    /// From PostgreSQL 16 on a membership has options of its own, and CREATEROLE reaches no foreign role.
    #[must_use]
    pub fn memberships_have_options(&self) -> bool {
        self.version >= 160_000
    }
}

/// One statement and what it is for, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// For a person.
    pub sentence: String,
    /// For the server. Never contains a password.
    pub sql: String,
}

impl Statement {
    pub(crate) fn new(sentence: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), sql: sql.into() }
    }
}

/// The statements that install the ledger for these roles, which exist. They are safe to run again. `auditor` is a role
/// that may read it, besides `portcullis_audit`.
#[must_use]
pub fn statements(server: &Server, names: &Names, auditor: Option<&str>) -> Vec<Statement> {
    let mut all = Vec::new();
    if !server.rotator_exists {
        all.push(Statement::new(
            format!("A role {ROTATOR} that cannot log in, and whose functions alone change the slots' passwords."),
            // Another database of the cluster may be adopted at this moment.
            format!(
                "do $portcullis$ begin\n    create role {ROTATOR} nologin nosuperuser nocreatedb createrole inherit noreplication;\n\
                 exception when duplicate_object or unique_violation then null;\nend $portcullis$"
            ),
        ));
    }
    all.push(Statement::new(
        "The schema portcullis with the ledger's two tables.",
        include_str!("schema.sql"),
    ));
    // Who may make schemas in this database may have been faster: then its triggers would run with our rights.
    all.push(Statement::new(
        "Nobody but an administrator owns any of it.",
        format!(
            "do $portcullis$\ndeclare\n    v_others text := (\n{OTHERS});\nbegin\n    if v_others <> '[]' then\n        \
             raise exception 'the schema portcullis, or something in it, belongs to %, no administrator', v_others;\n    \
             end if;\nend $portcullis$"
        ),
    ));
    if !server.superuser {
        all.push(Statement::new(
            format!(
                "{} hands the functions over to {ROTATOR}, for which it must belong to it for a moment.",
                server.administrator
            ),
            as_member(server, ROTATOR, &server.administrator),
        ));
    }
    for (name, text) in FUNCTIONS {
        all.push(Statement::new(format!("The function portcullis.{name}."), text));
    }
    all.push(if server.reads_passwords {
        Statement::new(
            "The function portcullis.credentials(): what kind of password every role has, never the password.",
            include_str!("credentials.sql"),
        )
    } else {
        Statement::new(
            "The function portcullis.credentials() without pg_authid, which this administrator may not read: how \
             passwords are stored, and that the ledger speaks of the live ones, stays not proven.",
            include_str!("credentials_without_pg_authid.sql"),
        )
    });
    if server.superuser {
        all.push(Statement::new(
            "The function portcullis.access_rules(): the lines of pg_hba.conf, which only a superuser may read else.",
            include_str!("access_rules.sql"),
        ));
    }
    all.extend(rights(server, names, auditor));
    all.extend(memberships(server, names));
    all.push(rows(names));
    if !server.superuser {
        all.push(Statement::new(
            format!("{} does not belong to {ROTATOR} any more.", server.administrator),
            format!("revoke {ROTATOR} from {}{}", identifier(&server.administrator), own_grant(server)),
        ));
    }
    all
}

const FUNCTIONS: [(&str, &str); 5] = [
    ("gather()", include_str!("gather.sql")),
    ("rotate()", include_str!("rotate.sql")),
    ("retire()", include_str!("retire.sql")),
    ("sessions()", include_str!("sessions.sql")),
    ("rotate_administrator()", include_str!("rotate_administrator.sql")),
];

/// What runs with the rotator's rights.
const ROTATORS: [&str; 4] =
    ["rotate(text, text, bigint, bigint, interval)", "retire(text, bigint)", "sessions(text)", "gather()"];

fn rights(server: &Server, names: &Names, auditor: Option<&str>) -> Vec<Statement> {
    let owner = identifier(&names.owner);
    let mut readers = vec![owner.clone()];
    if server.auditor_exists {
        readers.push(identifier(AUDITOR));
    }
    readers.extend(auditor.filter(|role| *role != AUDITOR).map(identifier));
    let readers = readers.join(", ");
    let rules = if server.superuser {
        format!("grant execute on function portcullis.access_rules() to {readers};\n")
    } else {
        String::new()
    };
    let hand_over: String = ROTATORS
        .iter()
        .map(|function| format!("alter function portcullis.{function} owner to {ROTATOR};\n"))
        .collect();
    let callers: String = ROTATORS
        .iter()
        .map(|function| format!("grant execute on function portcullis.{function} to {owner};\n"))
        .collect();
    vec![
        Statement::new(
            format!(
                "{ROTATOR} may write the ledger and own the functions; nobody may create anything in the schema."
            ),
            format!(
                "grant usage, create on schema portcullis to {ROTATOR};\n\
                 grant select, insert, update on portcullis.slot, portcullis.rotation to {ROTATOR};\n\
                 {hand_over}revoke create on schema portcullis from {ROTATOR}"
            ),
        ),
        Statement::new(
            "Nobody else has any right on the ledger, whatever default privileges this database has.",
            include_str!("revoke.sql").replace("$rotator$", &literal(ROTATOR)),
        ),
        Statement::new(
            format!("{readers} may read the ledger, which holds no secret; {owner} may rotate and retire."),
            format!(
                "grant usage on schema portcullis to {readers};\n\
                 grant select on portcullis.slot, portcullis.rotation, portcullis.reversal to {readers};\n\
                 grant execute on function portcullis.credentials() to {readers};\n{rules}{}",
                callers.trim_end().trim_end_matches(';')
            ),
        ),
    ]
}

/// The rotator may change the roles, end their sessions, and give what the former role still makes to the owner.
fn memberships(server: &Server, names: &Names) -> Vec<Statement> {
    let mut changed = vec![&names.slot_a, &names.slot_b];
    if names.legacy_kind == Kind::Legacy {
        changed.push(&names.legacy);
    }
    let changed = changed.into_iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    let owner = identifier(&names.owner);
    let sql = if server.memberships_have_options() {
        format!(
            "grant {changed} to {ROTATOR} with admin true, inherit true, set false;\n\
             grant {owner} to {ROTATOR} with admin false, inherit true, set true"
        )
    } else {
        format!("grant {changed}, {owner} to {ROTATOR}")
    };
    vec![Statement::new(
        format!(
            "{ROTATOR} may change {changed}, end their sessions, and give what they still make to {owner}."
        ),
        sql,
    )]
}

fn rows(names: &Names) -> Statement {
    let rows = [
        (&names.owner, Kind::Owner),
        (&names.slot_a, Kind::Slot),
        (&names.slot_b, Kind::Slot),
        (&names.legacy, names.legacy_kind),
    ]
    .map(|(role, kind)| format!("({}, {})", literal(role), literal(kind.as_str())));
    Statement::new(
        "The ledger's rows: which roles it looks after.",
        format!(
            "insert into portcullis.slot (role_name, kind) values {} on conflict (role_name) do nothing",
            rows.join(", ")
        ),
    )
}

/// Makes `member` a member that may act as `role`.
pub(crate) fn as_member(server: &Server, role: &str, member: &str) -> String {
    let options = if server.memberships_have_options() { " with inherit true, set true" } else { "" };
    format!("grant {} to {}{options}{}", identifier(role), identifier(member), own_grant(server))
}

/// From 16 on a role that is made by another keeps the grant that the server itself made (ADMIN OPTION): only one's own
/// is taken back.
pub(crate) fn own_grant(server: &Server) -> &'static str {
    if server.memberships_have_options() { " granted by current_user" } else { "" }
}

/// Installs the ledger, or brings an older one up to date: in the caller's transaction, or statement by statement.
///
/// # Errors
/// What the server says.
pub async fn install(
    connection: &mut PgConnection,
    names: &Names,
    auditor: Option<&str>,
) -> Result<(), LedgerError> {
    let server = Server::look(connection).await?;
    for statement in statements(&server, names, auditor) {
        sqlx::raw_sql(AssertSqlSafe(statement.sql)).execute(&mut *connection).await?;
    }
    Ok(())
}
