//! `luci audit export`: writes a bundle of a run through the gateway, or of a tenant or a range of positions as operator.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use futures::TryStreamExt;
use luci_schema::{
    Position, TenantId,
    history::{self, BundleReader, Scope, Verdict},
};

use crate::{
    cli::{Outcome, client::Api, ids, out, projections::OperatorAccess},
    config::Config,
};

#[derive(Debug, Args)]
pub struct Export {
    /// Its id, or the beginning of it
    #[arg(value_name = "RUN", required_unless_present_any = ["tenant", "from", "to"], conflicts_with_all = ["tenant", "from", "to"])]
    run: Option<String>,
    /// Every event of a tenant, as operator
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// From this position on, as operator [default: 1]
    #[arg(long, value_name = "POSITION")]
    from: Option<u64>,
    /// Up to this position, as operator [default: the log's head]
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
    /// File to write; an existing one is not overwritten [default: named after what is exported, .ndjson]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    /// Verifies what it wrote; the file gets its name only when it is intact.
    pub async fn run(mut self, config: &Config) -> anyhow::Result<Outcome> {
        if let Some(run) = &self.run {
            self.run = Some(ids::run(&Api::find(config)?, run).await?);
        }
        let file = self.out.clone().unwrap_or_else(|| self.default_name().into());
        if file.exists() {
            bail!("{} exists already; choose another --out", file.display());
        }
        let mut partial = file.clone().into_os_string();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let written = self.write(config, &partial).await;
        let renamed = written.and_then(|verdict| Ok((fs::rename(&partial, &file).map(|()| verdict))?));
        let verdict = renamed.inspect_err(|_| drop(fs::remove_file(&partial)))?;
        let events = verdict.checked;
        out::line(&format!(
            "{}: {events} events, hash chain intact; head {}",
            file.display(),
            hex::encode(verdict.head)
        ))?;
        Ok(Outcome::Done)
    }

    fn default_name(&self) -> String {
        let positions = match (self.from, self.to) {
            (None, None) => String::new(),
            (from, to) => format!("{}-{}", from.unwrap_or(1), to.map(|to| to.to_string()).unwrap_or_default()),
        };
        let of = self.run.clone().or(self.tenant.map(|tenant| tenant.to_string()));
        let parts: Vec<String> = of.into_iter().chain(Some(positions)).filter(|part| !part.is_empty()).collect();
        format!("{}.ndjson", parts.join("."))
    }

    async fn write(&self, config: &Config, partial: &Path) -> anyhow::Result<Verdict> {
        let unwritable = || format!("cannot write {}", partial.display());
        let mut file = BufWriter::new(File::create(partial).with_context(unwritable)?);
        match &self.run {
            Some(run) => {
                let answer = Api::find(config)?.get_stream(&format!("/api/pipelines/{run}/bundle")).await?;
                let mut body = answer.bytes_stream();
                while let Some(bytes) = body.try_next().await? {
                    file.write_all(&bytes).with_context(unwritable)?;
                }
            }
            None => {
                let access = OperatorAccess::open(config).await?;
                let to = self.to.map_or(access.log.newest().await?, Position);
                let from = Position(self.from.unwrap_or(1));
                let scope = match self.tenant {
                    Some(tenant) => Scope::Tenant { tenant, from, to },
                    None => Scope::Range { from, to },
                };
                let mut reader = BundleReader::open(access.log.clone(), scope).await?;
                while let Some(lines) = reader.next().await? {
                    file.write_all(lines.as_bytes()).with_context(unwritable)?;
                }
            }
        }
        file.into_inner().map_err(|e| e.into_error()).and_then(|file| file.sync_all()).with_context(unwritable)?;
        let mut verdict = history::verify(File::open(partial).with_context(unwritable)?)?;
        if let Some(fault) = verdict.fault.take() {
            bail!("the history is not intact: {fault}");
        }
        Ok(verdict)
    }
}
