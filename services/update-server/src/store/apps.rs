//! Applications.

use serde_json::json;

use super::{
    Application, By, Kind, Row, Store, StoreError, Tx, commit,
    sql::{all, maybe, millis, run, sql},
};
use crate::ids::AppId;

impl Application {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: AppId::stored(row.text("id")?),
            product_id: row.text_or_none("product_id")?,
            label: row.text("label")?,
            description: row.text("description")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl Store {
    /// All applications, by label.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn apps(&self) -> Result<Vec<Application>, StoreError> {
        let rows = all(
            sql!("SELECT * FROM applications ORDER BY label, id"),
            &self.pool,
            "list the applications",
        );
        rows.await?.iter().map(Application::from_row).collect()
    }

    /// An application by its id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn app(&self, id: &AppId) -> Result<Option<Application>, StoreError> {
        let query = sql!("SELECT * FROM applications WHERE id = $1", id.as_str());
        maybe(query, &self.pool, "read an application")
            .await?
            .as_ref()
            .map(Application::from_row)
            .transpose()
    }

    /// An application by its id, with braces or without, or by its product id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_app(&self, name: &str) -> Result<Option<Application>, StoreError> {
        let id = name.parse::<AppId>().map(String::from).unwrap_or_default();
        let query = sql!(
            "SELECT * FROM applications WHERE id = $1 OR product_id = $2 ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END",
            id,
            name
        );
        maybe(query, &self.pool, "read an application")
            .await?
            .as_ref()
            .map(Application::from_row)
            .transpose()
    }

    /// Adds an application; `created_at` is taken from `by`.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if there is one of that id or product id.
    pub async fn create_app(&self, by: &By, app: &Application) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sql!(
            "INSERT INTO applications (id, product_id, label, description, created_at) VALUES ($1, $2, $3, $4, $5)",
            app.id.as_str(),
            app.product_id.clone(),
            app.label.as_str(),
            app.description.as_str(),
            millis(by.at)
        )
        .execute(&mut *tx)
        .await
        .map_err(StoreError::on_insert("add an application", "application", app.id.as_str()))?;
        changed(&mut tx, by, "app.create", Some(&app.id), app.id.as_str(), json!(app)).await?;
        commit(tx).await
    }

    /// Changes label, description and product id, by a function of the application as it is then, under its lock.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Exists`] for a product id that another has.
    pub async fn change_app(
        &self,
        by: &By,
        id: &AppId,
        change: impl FnOnce(&mut Application) + Send,
    ) -> Result<Application, StoreError> {
        let mut tx = self.begin().await?;
        let statement = match self.kind {
            Kind::Sqlite => "SELECT * FROM applications WHERE id = $1",
            // Others may go on to name it.
            Kind::Postgres => "SELECT * FROM applications WHERE id = $1 FOR NO KEY UPDATE",
        };
        let row = maybe(sql!(statement, id.as_str()), &mut *tx, "read an application").await?;
        let row = row.ok_or_else(|| StoreError::not_found("application", id))?;
        let before = Application::from_row(&row)?;
        let mut app = before.clone();
        change(&mut app);
        let Application { product_id, label, description, .. } = app;
        let app = Application { product_id, label, description, ..before };
        sql!(
            "UPDATE applications SET product_id = $2, label = $3, description = $4 WHERE id = $1",
            app.id.as_str(),
            app.product_id.clone(),
            app.label.as_str(),
            app.description.as_str()
        )
        .execute(&mut *tx)
        .await
        .map_err(StoreError::on_insert(
            "change an application",
            "application",
            app.id.as_str(),
        ))?;
        changed(&mut tx, by, "app.update", Some(&app.id), app.id.as_str(), json!(app)).await?;
        commit(tx).await?;
        Ok(app)
    }

    /// Removes an application with its groups, channels, packages and instances. The audit log stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_app(&self, by: &By, id: &AppId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for statement in [
            "DELETE FROM groups WHERE app_id = $1",
            "DELETE FROM channel_floors WHERE channel_id IN (SELECT id FROM channels WHERE app_id = $1)",
            "DELETE FROM channel_blacklist WHERE channel_id IN (SELECT id FROM channels WHERE app_id = $1)",
            "DELETE FROM channels WHERE app_id = $1",
            "DELETE FROM packages WHERE app_id = $1",
            "DELETE FROM instances WHERE app_id = $1",
            "DELETE FROM leases WHERE app_id = $1",
            "DELETE FROM tallies WHERE app_id = $1",
            "DELETE FROM events WHERE app_id = $1",
            "DELETE FROM checks WHERE app_id = $1",
            "DELETE FROM activity WHERE app_id = $1",
        ] {
            run(sql!(statement, id.as_str()), &mut *tx, "remove an application").await?;
        }
        let query = sql!("DELETE FROM applications WHERE id = $1", id.as_str());
        found(run(query, &mut *tx, "remove an application").await?, "application", id)?;
        changed(&mut tx, by, "app.delete", Some(id), id.as_str(), json!({})).await?;
        commit(tx).await
    }
}

/// Fails if a statement changed nothing.
pub(super) fn found(rows: u64, kind: &'static str, name: impl ToString) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::not_found(kind, name)) } else { Ok(()) }
}

/// Notes a change of what the catalog holds: in the audit log, and in the generation that other servers look at.
pub(super) async fn changed(
    tx: &mut Tx,
    by: &By,
    action: &str,
    app: Option<&AppId>,
    target: &str,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    super::activity::audit(tx, by, action, app, target, &detail).await?;
    let query = sql!("UPDATE settings SET number = number + 1 WHERE name = 'generation'");
    run(query, &mut **tx, "note a change").await.map(drop)
}
