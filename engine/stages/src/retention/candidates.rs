//! The objects of a domain that are old enough, and whether a run may still read them.

use std::collections::{BTreeSet, HashSet};

use futures::TryStreamExt as _;
use luci_messaging::store::webhook_events;
use luci_runs::{
    clock,
    stored_objects::{RunNeeds, needs},
};
use luci_schema::{
    ImportId, Micros, RunId, TenantId,
    event::RunInput,
    log::Log,
    object_key::{Day, MonthOf, ObjectKey, ObjectLocation},
};
use luci_storage::{ListedObject, Storage};

use super::RetentionError;

const DAY_MS: i64 = 86_400_000;

/// An object that is old enough.
pub(super) struct Candidate {
    pub object: ListedObject,
    /// A run that has not ended, or one that can be retried, may read it; or a person must look at it.
    pub needed: bool,
}

/// The folder of a domain below the tenant.
fn folder(domain: &str) -> &str {
    if domain == "artifacts" { "pipelines" } else { domain }
}

/// The objects of the domain that were made more than so many days before `now`.
pub(super) async fn of(
    log: &Log,
    storage: &Storage,
    tenant: TenantId,
    (domain, days): (&str, u32),
    now: Micros,
) -> Result<Vec<Candidate>, RetentionError> {
    let before = now.plus_millis(-i64::from(days) * DAY_MS);
    let listed: Vec<ListedObject> = storage.list(&format!("{tenant}/{}/", folder(domain))).try_collect().await?;
    let keyed = |object: ListedObject| object.path.parse::<ObjectKey>().ok().map(|key| (key.place, object));
    let keyed: Vec<(ObjectLocation, ListedObject)> = listed.into_iter().filter_map(keyed).collect();
    let needed = match domain {
        "artifacts" | "imports" => Needed::by_runs(log, tenant, runs_in(storage, tenant, &keyed).await?).await?,
        "webhooks" => Needed::by_people(log, tenant).await?,
        _ => Needed::default(),
    };
    let old = keyed.into_iter().filter(|(place, _)| is_older(place, before));
    Ok(old.map(|(place, object)| Candidate { needed: needed.has(&place, &object.path), object }).collect())
}

/// By the date in its key: the store's own says when it was copied.
fn is_older(place: &ObjectLocation, before: Micros) -> bool {
    match place {
        ObjectLocation::Artifact { unix, .. } => i64::try_from(*unix).unwrap_or(i64::MAX) < before.seconds(),
        ObjectLocation::Import { day, .. }
        | ObjectLocation::Webhook { day, .. }
        | ObjectLocation::Report { day, .. }
        | ObjectLocation::Sector { day, .. } => *day < Day::of(before),
        ObjectLocation::Recording { month, .. } => *month < MonthOf::of(before),
        ObjectLocation::Staging { .. }
        | ObjectLocation::StagedPart { .. }
        | ObjectLocation::Template { .. }
        | ObjectLocation::Ai { .. } => false,
    }
}

/// Every run that the store has artifacts of.
async fn runs_in(
    storage: &Storage,
    tenant: TenantId,
    listed: &[(ObjectLocation, ListedObject)],
) -> Result<BTreeSet<RunId>, RetentionError> {
    let of = |place: &ObjectLocation| match place {
        ObjectLocation::Artifact { run_id, .. } => Some(*run_id),
        _ => None,
    };
    let mut runs: BTreeSet<RunId> = listed.iter().filter_map(|(place, _)| of(place)).collect();
    if runs.is_empty() {
        let mut artifacts = storage.list(&format!("{tenant}/pipelines/"));
        while let Some(object) = artifacts.try_next().await? {
            runs.extend(object.path.parse::<ObjectKey>().ok().and_then(|key| of(&key.place)));
        }
    }
    Ok(runs)
}

/// What may still be read.
#[derive(Default)]
struct Needed {
    runs: HashSet<RunId>,
    imports: HashSet<ImportId>,
    paths: HashSet<String>,
}

impl Needed {
    /// By runs that have not ended or can be retried, and what they read of other runs.
    async fn by_runs(log: &Log, tenant: TenantId, stored: BTreeSet<RunId>) -> Result<Self, RetentionError> {
        let mut c = log.pool().acquire().await?;
        let open = clock::open_runs(&mut c, tenant).await?;
        drop(c);
        let mut needed = Self::default();
        for run in stored.into_iter().chain(open).collect::<BTreeSet<_>>() {
            let RunNeeds { needed: true, input } = needs(log, tenant, run).await? else { continue };
            needed.runs.insert(run);
            match input {
                Some(RunInput::Import { import_id, .. } | RunInput::Leads { import_id, .. }) => {
                    needed.imports.insert(import_id);
                }
                Some(RunInput::Artifacts { run_id, .. } | RunInput::Artifact { run_id, .. }) => {
                    needed.runs.insert(run_id);
                }
                Some(RunInput::Sector { .. }) | None => {}
            }
        }
        Ok(needed)
    }

    /// By people: deliveries that nobody has resolved.
    async fn by_people(log: &Log, tenant: TenantId) -> Result<Self, RetentionError> {
        let mut c = log.pool().acquire().await?;
        let paths = webhook_events::unresolved_paths(&mut c, tenant).await?.into_iter().collect();
        Ok(Self { paths, ..Self::default() })
    }

    fn has(&self, place: &ObjectLocation, path: &str) -> bool {
        match place {
            ObjectLocation::Artifact { run_id, .. } => self.runs.contains(run_id),
            ObjectLocation::Import { import_id, .. } => self.imports.contains(import_id),
            _ => self.paths.contains(path),
        }
    }
}
