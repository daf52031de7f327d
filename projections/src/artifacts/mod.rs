//! Projection `artifacts`: one row an object that a run made. Objects are immutable; a newer one of the same block and
//! type supersedes the older.

use crate::fold::Projection;

mod fold;
mod query;
mod table;

pub(crate) use fold::ArtifactFold;
pub use query::{ArtifactFilter, ArtifactPage, get, page};
pub use table::Artifact;

pub(crate) const PROJECTION: Projection = Projection { table: "artifacts", fold: || Box::new(ArtifactFold::default()) };
