//! `luci auditor create`: a Postgres login that reads the views of one tenant, made as the database's owner.

use anyhow::Context;
use clap::Subcommand;
use luci_config::secret;
use luci_schema::{TenantId, migrate};
use secrecy::ExposeSecret as _;
use serde_json::json;
use url::Url;

use super::{Outcome, migrate::database_url, out::Format};
use crate::{config::Config, process::telemetry};

#[derive(Debug, Subcommand)]
pub enum Auditor {
    /// Create a login for the SQL of one tenant, or give one that there is a new password
    Create {
        /// The tenant's id
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
        /// Only a-z, 0-9 and `_`; the login is `luci_auditor_NAME`
        #[arg(long, default_value = "default")]
        name: String,
        #[command(flatten)]
        format: Format,
    },
}

impl Auditor {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let Self::Create { tenant, name, format } = self;
        let url = database_url(config)?;
        let pool = migrate::connect_owner(&url).await.context("cannot connect to the database")?;
        let login = format!("luci_auditor_{name}");
        let password = secret::generate("sql")?;
        sqlx::query("select audit.create_login($1, $2, $3)")
            .bind(tenant)
            .bind(&login)
            .bind(password.expose_secret())
            .execute(&pool)
            .await
            .context("cannot create the login")?;
        pool.close().await;
        let mut address = Url::parse(&url).context("cannot parse the database URL")?;
        let set = address.set_username(&login).and_then(|()| address.set_password(Some(password.expose_secret())));
        set.map_err(|()| anyhow::anyhow!("the database URL cannot hold a login"))?;
        let created = json!({"login": login, "tenantId": tenant, "url": address.as_str()});
        let outcome = format.one(&created, || format!("login   {login}\nurl     {address}"))?;
        if format.is_text() {
            telemetry::notice("The password is shown only once. What it may read: deploy/docs/auditor-sql.md");
        }
        Ok(outcome)
    }
}
