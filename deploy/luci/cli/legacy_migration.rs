//! `luci storage migrate-legacy`: copies the objects of the older platform below their tenant and writes a manifest.

use std::{
    fs::File,
    io::{BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use luci_config::tenants;
use luci_leads::legacy::{
    manifest::{ManifestLine, MigrationOutcome, MigrationSummary},
    migrate::{MigrateError, Migration, MigrationMode},
};
use luci_schema::{
    Micros, ReportId, TenantId,
    object_key::{Day, ObjectKey, ObjectLocation},
};
use luci_storage::{ObjectWriter, Storage};
use serde_json::json;

use super::{
    Outcome, UsageError,
    audit::seals::operator_store,
    out::{self, Format},
    projections::OperatorAccess,
};
use crate::config::{Config, MissingSetting};

#[derive(Debug, Args)]
pub struct MigrateLegacy {
    /// Say what would be copied, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The tenant that owns the objects [env: LUCI_LEGACY_TENANT]
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// File for the manifest, one line of JSON for each object [default: a report in the store]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

impl MigrateLegacy {
    /// May be interrupted and run again; what was copied is not copied twice.
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let tenant = self.tenant(config)?;
        let access = OperatorAccess::open(config).await?;
        let mut c = access.log.pool().acquire().await?;
        tenants::get(&mut c, tenant).await.map_err(|error| UsageError(format!("tenant {tenant}: {error}")))?;
        drop(c);
        let storage = operator_store(config)?;
        let mode = if self.dry_run { MigrationMode::DryRun } else { MigrationMode::Copy };
        let mut manifest = Manifest::begin(&storage, tenant, self.manifest.as_deref(), mode)?;
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let (mut objects, mut bytes) = (0_u64, 0_u64);
        let text = self.format.is_text();
        let write = async |lines: &[ManifestLine]| {
            objects += lines.len() as u64;
            bytes += lines.iter().map(|line| line.size_bytes).sum::<u64>();
            bar.set_message(format!("{objects} objects, {bytes} bytes"));
            bar.tick();
            for line in lines {
                manifest.write(line).await.map_err(|error| MigrateError::Manifest(error.into()))?;
                if text && (mode == MigrationMode::DryRun || line.error.is_some()) {
                    out::line(&described(line)).map_err(|error| MigrateError::Manifest(error.into()))?;
                }
            }
            Ok::<(), MigrateError>(())
        };
        let summary = Migration::new(&access.log, &storage, tenant, mode).run(write).await;
        bar.finish_and_clear();
        let (summary, manifest) = (summary?, manifest.finish().await?);
        self.print(tenant, &summary, manifest.as_deref())
    }

    fn tenant(&self, config: &Config) -> anyhow::Result<TenantId> {
        let Some(named) = &self.tenant else {
            let remedy = "set it, or --tenant, to the tenant that owns the objects of the older platform";
            return Ok(config.legacy_tenant.ok_or(MissingSetting { name: "LUCI_LEGACY_TENANT", remedy })?);
        };
        named.parse().map_err(|error| UsageError(format!("--tenant {named}: {error}")).into())
    }

    fn print(self, tenant: TenantId, summary: &MigrationSummary, manifest: Option<&str>) -> anyhow::Result<Outcome> {
        use MigrationOutcome::{AlreadyCopied, Copied, Failed, InTable, Unknown, WouldCopy};
        let of = |outcome| summary.of(outcome);
        let document = json!({"tenantId": tenant, "dryRun": self.dry_run, "objects": summary.objects,
            "bytes": summary.bytes, "copied": of(Copied), "alreadyCopied": of(AlreadyCopied), "inTable": of(InTable),
            "wouldCopy": of(WouldCopy), "unknown": of(Unknown), "failed": of(Failed), "manifest": manifest});
        self.format.one(&document, || {
            let done = if self.dry_run {
                format!("{} would be copied", of(WouldCopy))
            } else {
                format!("{} copied and verified", of(Copied))
            };
            let kept = manifest.map(|manifest| format!("\nmanifest: {manifest}")).unwrap_or_default();
            format!(
                "{} objects, {} bytes: {done}, {} copied before, {} in tables, {} of no known key, {} failed{kept}",
                summary.objects,
                summary.bytes,
                of(AlreadyCopied),
                of(InTable),
                of(Unknown),
                of(Failed)
            )
        })?;
        Ok(if of(Failed) == 0 { Outcome::Done } else { Outcome::Failed })
    }
}

/// A line for people.
fn described(line: &ManifestLine) -> String {
    match (&line.error, &line.new_key) {
        (Some(error), _) => format!("{}: {error}", line.legacy_key),
        (None, Some(key)) => format!("{} → {key}", line.legacy_key),
        (None, None) if line.outcome == MigrationOutcome::InTable => format!("{} → table sectors", line.legacy_key),
        (None, None) => format!("{}: not a key of the older platform", line.legacy_key),
    }
}

/// Where the manifest is written. One that is not finished is not there.
enum Manifest {
    Stored(Box<ObjectWriter>, ObjectKey),
    File {
        part: BufWriter<File>,
        path: PathBuf,
    },
    /// A dry run without a file.
    None,
}

impl Manifest {
    fn begin(storage: &Storage, tenant: TenantId, file: Option<&Path>, mode: MigrationMode) -> anyhow::Result<Self> {
        if let Some(path) = file {
            let part = File::create(part_of(path)).with_context(|| format!("cannot write {}", path.display()))?;
            return Ok(Self::File { part: BufWriter::new(part), path: path.to_owned() });
        }
        if mode == MigrationMode::DryRun {
            return Ok(Self::None);
        }
        let place = ObjectLocation::Report {
            report_type: "legacy-migration".parse()?,
            day: Day::of(Micros::now()),
            report_id: ReportId::generate(),
            extension: "ndjson".parse()?,
        };
        let key = ObjectKey::new(tenant, place);
        Ok(Self::Stored(Box::new(storage.writer(&key, "application/x-ndjson")), key))
    }

    async fn write(&mut self, line: &ManifestLine) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        match self {
            Self::Stored(writer, _) => writer.write(&text).await?,
            Self::File { part, .. } => part.write_all(&text)?,
            Self::None => {}
        }
        Ok(())
    }

    /// Where it is.
    async fn finish(self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Stored(writer, key) => {
                writer.finish().await?;
                Ok(Some(key.to_string()))
            }
            Self::File { mut part, path } => {
                part.flush()?;
                std::fs::rename(part_of(&path), &path)?;
                Ok(Some(path.display().to_string()))
            }
            Self::None => Ok(None),
        }
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}
