//! The filter, order and page of a list of runs.

use std::str::FromStr;

use luci_schema::SectorId;
use time::OffsetDateTime;

use crate::status::RunStatus;

/// The time that `from` and `to` compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateField {
    #[default]
    Created,
    Started,
    Completed,
}

/// An unknown value of `sort` or `dateField`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of {expected}")]
pub struct UnknownSort {
    pub found: String,
    pub expected: &'static str,
}

impl FromStr for DateField {
    type Err = UnknownSort;
    /// `created`, `started`, `completed`, or the field's name (`createdAt` …).
    fn from_str(text: &str) -> Result<Self, UnknownSort> {
        match text {
            "created" | "createdAt" => Ok(Self::Created),
            "started" | "startedAt" => Ok(Self::Started),
            "completed" | "completedAt" => Ok(Self::Completed),
            _ => Err(UnknownSort {
                found: text.chars().take(24).collect(),
                expected: "createdAt, startedAt, completedAt",
            }),
        }
    }
}

impl DateField {
    /// The indexed column.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Created => "created_at",
            Self::Started => "started_key",
            Self::Completed => "completed_key",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortColumn {
    #[default]
    Created,
    Started,
    Completed,
    Status,
    Sector,
    Name,
    Progress,
    TotalLeads,
    ProcessedLeads,
    Cost,
}

impl SortColumn {
    /// The column that rows are ordered by, before the run id. Never null.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Created => DateField::Created.column(),
            Self::Started => DateField::Started.column(),
            Self::Completed => DateField::Completed.column(),
            Self::Status => "status",
            Self::Sector => "sector_key",
            Self::Name => "name_key",
            Self::Progress => "progress",
            Self::TotalLeads => "total_leads",
            Self::ProcessedLeads => "processed_leads",
            Self::Cost => "cost_micros",
        }
    }

    /// Whether an index gives this order. Other orders are sorted in memory, so they are limited to 10,000 matches.
    pub(super) const fn indexed(self) -> bool {
        match self {
            Self::Created | Self::Started | Self::Completed | Self::Status | Self::Sector | Self::Name => true,
            Self::Progress | Self::TotalLeads | Self::ProcessedLeads | Self::Cost => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSort {
    pub column: SortColumn,
    pub descending: bool,
}

impl Default for RunSort {
    /// Newest first.
    fn default() -> Self {
        Self { column: SortColumn::Created, descending: true }
    }
}

impl FromStr for RunSort {
    type Err = UnknownSort;
    /// `created`, `-created`, `created:desc` or `createdAt:asc`; alone a column is ascending.
    fn from_str(text: &str) -> Result<Self, UnknownSort> {
        let unknown = || UnknownSort {
            found: text.chars().take(24).collect(),
            expected: "created, started, completed, status, sector, name, progress, totalLeads, processedLeads, cost, \
                    with `-` before it or `:desc` after it for descending",
        };
        let (name, descending) = match (text.strip_prefix('-'), text.split_once(':')) {
            (Some(name), _) => (name, true),
            (None, Some((name, "desc"))) => (name, true),
            (None, Some((name, "asc"))) => (name, false),
            (None, Some(_)) => return Err(unknown()),
            (None, None) => (text, false),
        };
        let column = match name {
            "created" | "createdAt" => SortColumn::Created,
            "started" | "startedAt" => SortColumn::Started,
            "completed" | "completedAt" => SortColumn::Completed,
            "status" => SortColumn::Status,
            "sector" | "sectorName" => SortColumn::Sector,
            "name" | "pipelineName" => SortColumn::Name,
            "progress" => SortColumn::Progress,
            "totalLeads" => SortColumn::TotalLeads,
            "processedLeads" => SortColumn::ProcessedLeads,
            "cost" | "costMicros" => SortColumn::Cost,
            _ => return Err(unknown()),
        };
        Ok(Self { column, descending })
    }
}

/// The default is the newest 50 runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Any of these; none means all.
    pub status: Vec<RunStatus>,
    pub sector_id: Option<SectorId>,
    /// None of these; a run without a sector is none of them.
    pub exclude_sector_id: Vec<SectorId>,
    /// Prefix of the run id, the pipeline's or the sector's name, in any case.
    pub q: Option<String>,
    /// At or after.
    pub from: Option<OffsetDateTime>,
    /// Before.
    pub to: Option<OffsetDateTime>,
    pub date_field: DateField,
    pub sort: RunSort,
    /// 1..=200; 0 means 50.
    pub limit: u32,
    /// `nextCursor` of the page before; `offset` is ignored then.
    pub cursor: Option<String>,
    /// 0..=10,000
    pub offset: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_are_parsed() {
        let parse = |text: &str| text.parse::<RunSort>().map(|sort| (sort.column, sort.descending));
        assert_eq!(parse("-created"), Ok((SortColumn::Created, true)));
        assert_eq!(parse("startedAt:asc"), Ok((SortColumn::Started, false)));
        assert_eq!(parse("cost:desc"), Ok((SortColumn::Cost, true)));
        assert!(parse("cost:up").is_err() && parse("run_id; drop table").is_err());
    }
}
