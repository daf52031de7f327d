//! ENRICH and SKIP_TRACE: which leads a provider can look up, the query, the answer, and merging it into the lead.

pub mod found;
pub mod merge;
pub mod qualify;
pub mod query;
