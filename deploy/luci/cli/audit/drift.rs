//! `luci audit drift`: compares the read tables with the log; connects to the database, as operator.

use clap::Args;
use luci_projections::{
    drift,
    rebuild::{OnDifference, rebuild},
};
use luci_schema::{TenantId, difference::differences};
use serde_json::json;

use super::diff::short;
use crate::{
    cli::{
        Outcome,
        out::{self, Format},
        projections::OperatorAccess,
    },
    config::Config,
};

#[derive(Debug, Args)]
pub struct Drift {
    /// Compare only this tenant's rows
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// When rows differ, rebuild the tables beside the serving ones and switch to them
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    format: Format,
}

impl Drift {
    pub async fn run(self, config: &Config) -> anyhow::Result<Outcome> {
        let access = OperatorAccess::open(config).await?;
        let bar = access.bar("compared");
        let found =
            drift::check(&access.pool, &access.log, luci_projections::all(), self.tenant, &|at| bar.set_position(at.0))
                .await?;
        bar.finish_and_clear();
        let intact = found.differences.is_empty();
        let mut repaired = None;
        if self.repair && !intact {
            let bar = access.bar("applied");
            let done = rebuild(&access.log, &access.pool, luci_projections::all(), OnDifference::Swap, &|at| {
                bar.set_position(at.0)
            })
            .await;
            repaired = Some(done?);
            bar.finish_and_clear();
        }
        if !self.format.is_text() {
            let repaired = repaired.as_ref().map(|r| json!({"tables": r.differed, "position": r.position}));
            self.format
                .document(&json!({"position": found.position, "rows": found.rows, "differences": found.differences,
                "repaired": repaired}))?;
        } else {
            print(&found)?;
            if let Some(repaired) = &repaired {
                let tables = repaired.differed.join(", ");
                out::line(&format!("repaired at position {}: {tables}", repaired.position))?;
            }
        }
        Ok(if intact || repaired.is_some() { Outcome::Done } else { Outcome::Failed })
    }
}

fn print(found: &drift::Drift) -> anyhow::Result<()> {
    for row in &found.differences {
        match (&row.fresh, &row.stored) {
            (Some(fresh), Some(stored)) => {
                for one in differences(stored, fresh) {
                    let (found, log) = (short(&one.a), short(&one.b));
                    out::line(&format!("{} {}: {} is {found}, the log says {log}", row.table, row.key, one.field))?;
                }
            }
            (Some(_), None) => out::line(&format!("{} {}: the row is missing", row.table, row.key))?,
            (None, _) => out::line(&format!("{} {}: the log has no such row", row.table, row.key))?,
        }
    }
    let of = |table| found.differences.iter().filter(|row| row.table == table).count();
    let more = found.differences.iter().any(|row| of(row.table) == drift::MOST);
    let rows = match found.differences.len() {
        0 => "none differs".to_owned(),
        1 => "1 differs".to_owned(),
        rows if more => format!("{rows} and perhaps more differ"),
        rows => format!("{rows} differ"),
    };
    out::line(&format!("{} rows compared at position {}: {rows}", found.rows, found.position))
}
