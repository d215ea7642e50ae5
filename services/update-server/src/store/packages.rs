//! Packages and their files.

use serde_json::json;

use super::{
    Arch, By, Kind, Origin, Package, PackageFile, PackageKind, Page, Paged, Row, Store, StoreError,
    Tx,
    apps::{changed, found},
    commit, flag,
    sql::{all, maybe, millis, run, signed, single, sql},
};
use crate::ids::{AppId, PackageId};

/// The files of a package, in their order.
const FILES: &str = "SELECT * FROM package_files WHERE package_id = $1 ORDER BY position";

impl Package {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: PackageId::stored(row.text("id")?),
            app: AppId::stored(row.text("app_id")?),
            version: row.text("version")?,
            arch: Arch::from_number(row.number("arch")?).unwrap_or_default(),
            kind: PackageKind::from_number(row.number("kind")?).unwrap_or_default(),
            origin: row.text("origin")?.parse()?,
            url: row.text("url")?,
            file: row.text("file")?,
            size: row.number("size")?.try_into().unwrap_or_default(),
            sha1: row.text("sha1")?,
            sha256: row.text("sha256")?,
            metadata_size: row.text("metadata_size")?,
            metadata_signature: row.text("metadata_signature")?,
            release_notes: row.text("release_notes")?,
            description: row.text("description")?,
            required: row.flag("required")?,
            no_backoff: row.flag("no_backoff")?,
            is_delta: row.flag("is_delta")?,
            created_at: row.time("created_at")?,
            files: Vec::new(),
        })
    }

    /// A package with nothing but what every package has; for `..Package::new(…)`.
    pub fn new(id: PackageId, app: AppId, version: &str, arch: Arch) -> Self {
        Self {
            id,
            app,
            version: version.to_owned(),
            arch,
            kind: PackageKind::Os,
            origin: Origin::Manual,
            url: String::new(),
            file: String::new(),
            size: 0,
            sha1: String::new(),
            sha256: String::new(),
            metadata_size: String::new(),
            metadata_signature: String::new(),
            release_notes: String::new(),
            description: String::new(),
            required: true,
            no_backoff: true,
            is_delta: false,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            files: Vec::new(),
        }
    }
}

impl Store {
    /// Packages of an application, the newest first; only those of a version if one is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn packages(
        &self,
        app: &AppId,
        version: Option<&str>,
        page: Page,
    ) -> Result<Paged<Package>, StoreError> {
        let version = version.unwrap_or_default();
        let condition = "app_id = $1 AND ($2 = '' OR version = $2)";
        let count = format!("SELECT COUNT(*) AS total FROM packages WHERE {condition}");
        let count = sql!(sqlx::AssertSqlSafe(count), app.as_str(), version);
        let total = single(count, &self.pool, "count the packages").await?.number("total")?;
        let list = format!(
            "SELECT * FROM packages WHERE {condition} ORDER BY created_at DESC, id LIMIT $3 OFFSET $4"
        );
        let list = sql!(
            sqlx::AssertSqlSafe(list),
            app.as_str(),
            version,
            signed(page.limit),
            signed(page.skip)
        );
        let rows = all(list, &self.pool, "list the packages").await?;
        let mut items: Vec<Package> =
            rows.iter().map(Package::from_row).collect::<Result<_, _>>()?;
        for package in &mut items {
            package.files = self.package_files(&package.id).await?;
        }
        Ok(Paged { items, total: total.try_into().unwrap_or_default() })
    }

    /// A package by its id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn package(&self, id: &PackageId) -> Result<Option<Package>, StoreError> {
        let query = sql!("SELECT * FROM packages WHERE id = $1", id.as_str());
        self.with_files(maybe(query, &self.pool, "read a package").await?).await
    }

    /// A package by its version.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn package_by_version(
        &self,
        app: &AppId,
        version: &str,
        arch: Arch,
    ) -> Result<Option<Package>, StoreError> {
        let query = sql!(
            "SELECT * FROM packages WHERE app_id = $1 AND version = $2 AND arch = $3",
            app.as_str(),
            version,
            arch.number()
        );
        self.with_files(maybe(query, &self.pool, "read a package").await?).await
    }

    async fn with_files(&self, row: Option<Row>) -> Result<Option<Package>, StoreError> {
        let Some(row) = row else { return Ok(None) };
        let mut package = Package::from_row(&row)?;
        package.files = self.package_files(&package.id).await?;
        Ok(Some(package))
    }

    async fn package_files(&self, id: &PackageId) -> Result<Vec<PackageFile>, StoreError> {
        let query = sql!(FILES, id.as_str());
        all(query, &self.pool, "list the files of a package")
            .await?
            .iter()
            .map(PackageFile::from_row)
            .collect()
    }

    /// Adds a package; `created_at` is taken from `by`.
    ///
    /// # Errors
    /// [`StoreError::Exists`] for a version and architecture that are there; [`StoreError::Invalid`] for a version that is no
    /// semantic version, or digests of a wrong form.
    pub async fn create_package(&self, by: &By, package: &Package) -> Result<(), StoreError> {
        check(package)?;
        let mut tx = self.begin().await?;
        sql!(
            "INSERT INTO packages (id, app_id, version, arch, kind, origin, url, file, size, sha1, sha256, metadata_size, \
             metadata_signature, release_notes, description, required, no_backoff, is_delta, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            package.id.as_str(),
            package.app.as_str(),
            package.version.as_str(),
            package.arch.number(),
            package.kind.number(),
            package.origin.as_str(),
            package.url.as_str(),
            package.file.as_str(),
            signed(package.size),
            package.sha1.as_str(),
            package.sha256.as_str(),
            package.metadata_size.as_str(),
            package.metadata_signature.as_str(),
            package.release_notes.as_str(),
            package.description.as_str(),
            flag(package.required),
            flag(package.no_backoff),
            flag(package.is_delta),
            millis(by.at)
        )
        .execute(&mut *tx)
        .await
        .map_err(StoreError::on_insert("add a package", "package", &package.version))?;
        write_files(&mut tx, package).await?;
        changed(
            &mut tx,
            by,
            "package.create",
            Some(&package.app),
            &package.version,
            json!(package),
        )
        .await?;
        commit(tx).await
    }

    /// Changes everything of a package but its application, version and architecture, by a function of the package as it is
    /// then, under its lock: what is left as it is cannot undo what somebody else changes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`], or what the function says. Nothing is changed then.
    pub async fn change_package<E: From<StoreError>>(
        &self,
        by: &By,
        id: &PackageId,
        change: impl FnOnce(&mut Package) -> Result<(), E> + Send,
    ) -> Result<Package, E> {
        let mut tx = self.begin().await?;
        let before = self.locked_package(&mut tx, id).await?;
        let mut package = before.clone();
        change(&mut package)?;
        let Package { id, app, version, arch, created_at, .. } = before;
        let package = Package { id, app, version, arch, created_at, ..package };
        replace(&mut tx, by, &package).await?;
        commit(tx).await?;
        Ok(package)
    }

    /// A package with its files, which nobody else changes until the transaction ends.
    async fn locked_package(&self, tx: &mut Tx, id: &PackageId) -> Result<Package, StoreError> {
        let statement = match self.kind {
            Kind::Sqlite => "SELECT * FROM packages WHERE id = $1",
            // Channels may go on to name it.
            Kind::Postgres => "SELECT * FROM packages WHERE id = $1 FOR NO KEY UPDATE",
        };
        let row = maybe(sql!(statement, id.as_str()), &mut **tx, "read a package").await?;
        let row = row.ok_or_else(|| StoreError::not_found("package", id))?;
        let query = sql!(FILES, id.as_str());
        let files = all(query, &mut **tx, "list the files of a package").await?;
        let files = files.iter().map(PackageFile::from_row).collect::<Result<_, _>>()?;
        Ok(Package { files, ..Package::from_row(&row)? })
    }

    /// Removes a package.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Conflict`] while a channel points to it or has it as a floor.
    pub async fn delete_package(&self, by: &By, id: &PackageId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let query = sql!("SELECT * FROM packages WHERE id = $1", id.as_str());
        let row = maybe(query, &mut *tx, "read a package").await?;
        let package = Package::from_row(&row.ok_or_else(|| StoreError::not_found("package", id))?)?;
        sql!("DELETE FROM packages WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await
            .map_err(StoreError::on_delete("remove a package", "package", &package.version))?;
        changed(&mut tx, by, "package.delete", Some(&package.app), &package.version, json!({}))
            .await?;
        commit(tx).await
    }
}

impl PackageFile {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.text("name")?,
            size: row.number("size")?.try_into().unwrap_or_default(),
            sha1: row.text("sha1")?,
            sha256: row.text("sha256")?,
            required: row.flag("required")?,
        })
    }
}

/// Puts a package in the place of what it was before.
async fn replace(tx: &mut Tx, by: &By, package: &Package) -> Result<(), StoreError> {
    check(package)?;
    let query = sql!(
        "UPDATE packages SET kind = $2, url = $3, file = $4, size = $5, sha1 = $6, sha256 = $7, metadata_size = $8, \
             metadata_signature = $9, release_notes = $10, description = $11, required = $12, no_backoff = $13, is_delta = $14, \
             origin = $15 WHERE id = $1",
        package.id.as_str(),
        package.kind.number(),
        package.url.as_str(),
        package.file.as_str(),
        signed(package.size),
        package.sha1.as_str(),
        package.sha256.as_str(),
        package.metadata_size.as_str(),
        package.metadata_signature.as_str(),
        package.release_notes.as_str(),
        package.description.as_str(),
        flag(package.required),
        flag(package.no_backoff),
        flag(package.is_delta),
        package.origin.as_str()
    );
    found(run(query, &mut **tx, "change a package").await?, "package", &package.id)?;
    let query = sql!("DELETE FROM package_files WHERE package_id = $1", package.id.as_str());
    run(query, &mut **tx, "change a package").await?;
    write_files(tx, package).await?;
    changed(tx, by, "package.update", Some(&package.app), &package.version, json!(package)).await
}

async fn write_files(tx: &mut Tx, package: &Package) -> Result<(), StoreError> {
    for (position, file) in (0i64..).zip(&package.files) {
        let query = sql!(
            "INSERT INTO package_files (package_id, position, name, size, sha1, sha256, required) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            package.id.as_str(),
            position,
            file.name.as_str(),
            signed(file.size),
            file.sha1.as_str(),
            file.sha256.as_str(),
            flag(file.required)
        );
        run(query, &mut **tx, "add a file of a package").await?;
    }
    Ok(())
}

/// A package that nobody could install is refused when it is entered, not when a machine asks for it.
fn check(package: &Package) -> Result<(), StoreError> {
    let invalid =
        |what, value: &str| StoreError::Invalid { what, value: value.chars().take(100).collect() };
    if semver::Version::parse(&package.version).is_err() {
        return Err(invalid("version of three numbers, such as `4001.2.0`", &package.version));
    }
    let files = package.files.iter().map(|file| (&file.sha1, &file.sha256));
    for (sha1, sha256) in files.chain([(&package.sha1, &package.sha256)]) {
        if !sha1.is_empty() && decoded_length(sha1) != Some(20) {
            return Err(invalid("SHA-1 in base64", sha1));
        }
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !sha256.is_empty() && (sha256.len() != 64 || !sha256.bytes().all(hex)) {
            return Err(invalid("SHA-256 in lower-case hexadecimal", sha256));
        }
    }
    Ok(())
}

fn decoded_length(base64: &str) -> Option<usize> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(base64).ok().map(|bytes| bytes.len())
}
