//! Upstream servers.

use serde_json::json;

use super::{
    By, Store, StoreError, Upstream,
    apps::{changed, found},
    commit,
    sql::{all, run, sql},
};
use crate::ids::UpstreamId;

impl Store {
    /// All upstream servers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn upstreams(&self) -> Result<Vec<Upstream>, StoreError> {
        let rows = all(
            sql!("SELECT * FROM upstreams ORDER BY label, id"),
            &self.pool,
            "list the upstreams",
        )
        .await?;
        let upstream = |row: &super::Row| {
            Ok(Upstream {
                id: UpstreamId::stored(row.text("id")?),
                url: row.text("url")?,
                label: row.text("label")?,
            })
        };
        rows.iter().map(upstream).collect()
    }

    /// Adds an upstream server, or changes it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_upstream(&self, by: &By, upstream: &Upstream) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!(
            "INSERT INTO upstreams (id, url, label) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET url = excluded.url, label = excluded.label",
            upstream.id.as_str(),
            upstream.url.as_str(),
            upstream.label.as_str()
        );
        run(query, &mut *tx, "set an upstream").await?;
        changed(&mut tx, by, "upstream.set", None, upstream.id.as_str(), json!(upstream)).await?;
        commit(tx).await
    }

    /// Removes an upstream server.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_upstream(&self, by: &By, id: &UpstreamId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!("DELETE FROM upstreams WHERE id = $1", id.as_str());
        found(run(query, &mut *tx, "remove an upstream").await?, "upstream", id)?;
        changed(&mut tx, by, "upstream.delete", None, id.as_str(), json!({})).await?;
        commit(tx).await
    }
}
