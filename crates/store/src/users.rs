//! Users. `email_canonical` finds a user; `not_before` is the time before which no token of the user counts.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect};

use crate::{Fault, NewMail, Store, outbox, password_resets, roles, sessions};

/// A user as stored.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// `usr_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// As the user wrote it.
    pub email: String,
    /// The form that is compared; unique.
    pub email_canonical: String,
    /// Whether the user has shown that mail reaches them.
    pub email_verified: bool,
    /// PHC string; none where no local password exists.
    pub password_hash: Option<String>,
    /// A blocked user has no session and gets none.
    pub blocked: bool,
    /// Tokens issued before this moment are refused. Unix seconds, 0 for never.
    pub not_before: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub updated_at: i64,
}

crate::redacted::redacted!(Model as "User": id, blocked);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A user to insert.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// `usr_…`.
    pub id: String,
    /// As the user wrote it.
    pub email: String,
    /// The form that is compared.
    pub email_canonical: String,
    /// Whether the address is known to be the user's.
    pub email_verified: bool,
    /// PHC string.
    pub password_hash: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
}

crate::redacted::redacted!(NewUser as "NewUser": id);

/// What to change of a user; `None` leaves a column as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// A new address as the user wrote it; comes with `email_canonical`.
    pub email: Option<String>,
    /// Its canonical form. A new address ends outstanding reset links.
    pub email_canonical: Option<String>,
    /// Whether it is verified.
    pub email_verified: Option<bool>,
    /// Blocking ends every session at once.
    pub blocked: Option<bool>,
}

/// The outcome of an insert that may meet an earlier row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// The row is new.
    Inserted,
    /// Somebody was first; nothing changed.
    AlreadyExists,
}

impl Store {
    /// Inserts a user with roles, all or nothing.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a role that does not exist or an id that is taken.
    pub async fn insert_user(&self, user: &NewUser, roles: &[String]) -> Result<Insertion, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            insert(transaction, user, roles).await
        })
        .await
    }

    /// As [`Store::insert_user`], with a mail in the same transaction: `welcome` to who is new, `known` where the address
    /// was taken. Both ways make as many statements and one commit, so that the time does not tell them apart.
    ///
    /// # Errors
    /// Those of [`Store::insert_user`].
    pub async fn insert_user_with_mail(
        &self,
        user: &NewUser,
        roles: &[String],
        welcome: &NewMail,
        known: &NewMail,
    ) -> Result<Insertion, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let insertion = insert(transaction, user, roles).await?;
            let mail = match insertion {
                Insertion::Inserted => welcome,
                Insertion::AlreadyExists => {
                    roles::give_to_nobody(transaction, &user.id, roles).await?;
                    known
                }
            };
            outbox::insert(transaction, &mail.id, &mail.sealed, user.created_at).await?;
            Ok(insertion)
        })
        .await
    }

    /// The user with this canonical address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_email(&self, email_canonical: &str) -> Result<Option<Model>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Ok(Entity::find().filter(Column::EmailCanonical.eq(email_canonical)).one(database).await?)
        })
        .await
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: &str) -> Result<Option<Model>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Ok(Entity::find_by_id(id).one(database).await?)
        })
        .await
    }

    /// Users in the order of their ids, after the given one: for pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, after: Option<&str>, limit: u64) -> Result<Vec<Model>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
            if let Some(after) = after {
                query = query.filter(Column::Id.gt(after));
            }
            Ok(query.all(database).await?)
        })
        .await
    }

    /// Changes a user; false when there is none.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for an address that is taken.
    pub async fn update_user(&self, id: &str, change: &UserChange, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            update(transaction, id, change, now).await
        })
        .await
    }

    /// Deletes a user with sessions, refresh tokens, reset links and roles; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_user(&self, id: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            if locked(transaction, id).await?.is_none() {
                return Ok(false);
            }
            // Before the rows go: the other nodes must hear of each session.
            sessions::end_all(transaction, id, now).await?;
            Ok(Entity::delete_by_id(id).exec(transaction).await?.rows_affected == 1)
        })
        .await
    }

    /// Replaces the hash if it is still `expected`: a rehash at login. Ends no session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password_hash(
        &self,
        id: &str,
        expected: &str,
        new: &str,
        now: i64,
    ) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let updated = Entity::update_many()
                .col_expr(Column::PasswordHash, Expr::value(new))
                .col_expr(Column::UpdatedAt, Expr::value(now))
                .filter(Column::Id.eq(id))
                .filter(Column::PasswordHash.eq(expected))
                .exec(transaction)
                .await?;
            Ok(updated.rows_affected == 1)
        })
        .await
    }

    /// A new password: ends every session, reset links die, `not_before` is now. False when there is no user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_password(&self, id: &str, new_hash: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            set_password(transaction, id, new_hash, now).await
        })
        .await
    }

    /// A change of address, of password, or of both by somebody who knows the old password: as a whole, and only while the
    /// hash is still `expected`, so that it cannot undo or escape a reset that came in between. False, and nothing
    /// written, when it is another by now. A new hash does what [`Store::change_password`] does.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for an address that is taken; nothing is written then.
    pub async fn change_account_from(
        &self,
        id: &str,
        expected: &str,
        change: &UserChange,
        new_hash: Option<&str>,
        now: i64,
    ) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let stands = locked(transaction, id).await?;
            if stands.and_then(|user| user.password_hash).as_deref() != Some(expected) {
                return Ok(false);
            }
            if *change != UserChange::default() {
                update(transaction, id, change, now).await?;
            }
            match new_hash {
                Some(hash) => set_password(transaction, id, hash, now).await,
                None => Ok(true),
            }
        })
        .await
    }
}

async fn update(
    transaction: &DatabaseTransaction,
    id: &str,
    change: &UserChange,
    now: i64,
) -> Result<bool, Fault> {
    if let Some(canonical) = &change.email_canonical {
        let other = Entity::find()
            .filter(Column::EmailCanonical.eq(canonical))
            .filter(Column::Id.ne(id))
            .one(transaction)
            .await?;
        if other.is_some() {
            return Err(Fault::Conflict("the address belongs to another user".to_owned()));
        }
    }
    let mut row = ActiveModel { updated_at: Set(now), ..Default::default() };
    if let Some(email) = &change.email {
        row.email = Set(email.clone());
    }
    if let Some(canonical) = &change.email_canonical {
        row.email_canonical = Set(canonical.clone());
    }
    if let Some(verified) = change.email_verified {
        row.email_verified = Set(verified);
    }
    if let Some(blocked) = change.blocked {
        row.blocked = Set(blocked);
    }
    if !alter(transaction, id, row).await? {
        return Ok(false);
    }
    if change.email_canonical.is_some() || change.blocked == Some(true) {
        password_resets::forget(transaction, id).await?;
    }
    if change.blocked == Some(true) {
        sessions::end_all(transaction, id, now).await?;
    }
    Ok(true)
}

async fn insert(
    transaction: &DatabaseTransaction,
    user: &NewUser,
    roles: &[String],
) -> Result<Insertion, Fault> {
    let user = user.clone();
    let id = user.id.clone();
    let row = ActiveModel {
        id: Set(user.id),
        email: Set(user.email),
        email_canonical: Set(user.email_canonical),
        email_verified: Set(user.email_verified),
        password_hash: Set(user.password_hash),
        blocked: Set(false),
        not_before: Set(0),
        created_at: Set(user.created_at),
        updated_at: Set(user.created_at),
    };
    let inserted = Entity::insert(row)
        .on_conflict(OnConflict::column(Column::EmailCanonical).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    if inserted == 0 {
        return Ok(Insertion::AlreadyExists);
    }
    roles::give(transaction, &id, roles).await?;
    Ok(Insertion::Inserted)
}

/// The user's row, held until the transaction ends: what else is done to the user waits. (`SQLite` has one writer.)
pub(crate) async fn locked(transaction: &DatabaseTransaction, id: &str) -> Result<Option<Model>, Fault> {
    Ok(Entity::find_by_id(id).lock_exclusive().one(transaction).await?)
}

/// Writes the columns that are set; false when there is no user.
pub(crate) async fn alter(
    transaction: &DatabaseTransaction,
    id: &str,
    row: ActiveModel,
) -> Result<bool, Fault> {
    let updated = Entity::update_many().set(row).filter(Column::Id.eq(id)).exec(transaction).await?;
    Ok(updated.rows_affected == 1)
}

/// Sets the password, ends every session, kills reset links. False when there is no user.
pub(crate) async fn set_password(
    transaction: &DatabaseTransaction,
    id: &str,
    new_hash: &str,
    now: i64,
) -> Result<bool, Fault> {
    let row = ActiveModel {
        password_hash: Set(Some(new_hash.to_owned())),
        updated_at: Set(now),
        ..Default::default()
    };
    if !alter(transaction, id, row).await? {
        return Ok(false);
    }
    password_resets::forget(transaction, id).await?;
    sessions::end_all(transaction, id, now).await?;
    Ok(true)
}
