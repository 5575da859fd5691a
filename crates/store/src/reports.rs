//! The auditor's reports, byte for byte as they were signed, by digest; a bounded history an environment.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect};

use crate::{Fault, Store};

/// Reports that are kept of one environment; the oldest go first.
pub const REPORTS_KEPT: u64 = 500;

/// A report.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reports")]
pub struct Model {
    /// SHA-256 of `bytes`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Vec<u8>,
    /// The environment that was audited.
    pub environment: String,
    /// When the run began, Unix seconds.
    pub started_at: i64,
    /// The signed JSON.
    pub bytes: Vec<u8>,
    /// JSON: the verdict of each measure by its id, so that a history needs no report.
    pub verdicts: String,
    /// Measures that passed.
    pub passed: i64,
    /// Measures that failed.
    pub failed: i64,
    /// Measures that could not be proven.
    pub not_proven: i64,
}

crate::redacted::redacted!(Model as "Report": environment, started_at, passed, failed, not_proven);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A report without its bytes: one point of a history.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ReportSummary {
    /// SHA-256 of the report's bytes.
    pub digest: Vec<u8>,
    /// When the run began, Unix seconds.
    pub started_at: i64,
    /// JSON: the verdict of each measure by its id.
    pub verdicts: String,
    /// Measures that passed.
    pub passed: i64,
    /// Measures that failed.
    pub failed: i64,
    /// Measures that could not be proven.
    pub not_proven: i64,
}

impl Store {
    /// Keeps a report and forgets the oldest of its environment above [`REPORTS_KEPT`]. False when it is there already,
    /// and then nothing is changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_report(&self, report: &Model) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let inserted = Entity::insert(report.clone().into_active_model())
                .on_conflict(OnConflict::column(Column::Digest).do_nothing().to_owned())
                .exec_without_returning(transaction)
                .await?;
            if inserted == 0 {
                return Ok(false);
            }
            let surplus: Vec<Vec<u8>> = Entity::find()
                .select_only()
                .column(Column::Digest)
                .filter(Column::Environment.eq(&report.environment))
                .order_by_desc(Column::StartedAt)
                .order_by_desc(Column::Digest)
                .offset(REPORTS_KEPT)
                // SQLite has no OFFSET without LIMIT.
                .limit(REPORTS_KEPT)
                .into_tuple()
                .all(transaction)
                .await?;
            if !surplus.is_empty() {
                Entity::delete_many().filter(Column::Digest.is_in(surplus)).exec(transaction).await?;
            }
            Ok(true)
        })
        .await
    }

    /// The environments that there are reports of, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_environments(&self) -> Result<Vec<String>, Fault> {
        self.read(move |database| async move {
            Ok(Entity::find()
                .select_only()
                .column(Column::Environment)
                .distinct()
                .order_by_asc(Column::Environment)
                .into_tuple()
                .all(&database)
                .await?)
        })
        .await
    }

    /// The newest report of an environment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_report(&self, environment: &str) -> Result<Option<Model>, Fault> {
        self.read(move |database| async move {
            Ok(Entity::find()
                .filter(Column::Environment.eq(environment))
                .order_by_desc(Column::StartedAt)
                .order_by_desc(Column::Digest)
                .one(&database)
                .await?)
        })
        .await
    }

    /// The digest of the newest report of an environment, so that who has read it need not read it again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_report_digest(&self, environment: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.read(move |database| async move {
            Ok(Entity::find()
                .select_only()
                .column(Column::Digest)
                .filter(Column::Environment.eq(environment))
                .order_by_desc(Column::StartedAt)
                .order_by_desc(Column::Digest)
                .into_tuple()
                .one(&database)
                .await?)
        })
        .await
    }

    /// Up to `limit` reports of an environment, newest first, without their bytes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_history(&self, environment: &str, limit: u64) -> Result<Vec<ReportSummary>, Fault> {
        self.read(move |database| async move {
            Ok(Entity::find()
                .select_only()
                .columns([
                    Column::Digest,
                    Column::StartedAt,
                    Column::Verdicts,
                    Column::Passed,
                    Column::Failed,
                    Column::NotProven,
                ])
                .filter(Column::Environment.eq(environment))
                .order_by_desc(Column::StartedAt)
                .order_by_desc(Column::Digest)
                .limit(limit)
                .into_model::<ReportSummary>()
                .all(&database)
                .await?)
        })
        .await
    }
}
