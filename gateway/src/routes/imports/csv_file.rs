//! What an uploaded CSV may be: name, content type, size, and where it is stored.

use luci_leads::read::csv_row::Limits;
use luci_schema::{
    ImportId, Micros, TenantId,
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use luci_storage::media_type;

use crate::App;

/// Accepted content types.
pub const CONTENT_TYPES: &[&str] =
    &["text/csv", "text/tab-separated-values", "application/csv", "text/plain", "application/vnd.ms-excel"];

/// The invalid field and its reason, if the name of an uploaded file is invalid.
pub fn file_name_error(name: &str) -> Option<(String, String)> {
    (!(1..=255).contains(&name.chars().count())).then(|| ("fileName".into(), "1 to 255 characters".into()))
}

/// Whether the content type is accepted for a CSV. Parameters (`; charset=…`) are ignored.
pub fn is_csv(content_type: &str) -> bool {
    CONTENT_TYPES.contains(&media_type(content_type).as_str())
}

/// The object key of an uploaded file, with its name sanitised.
pub fn import_key(tenant: TenantId, import_id: ImportId, file_name: &str, at: Micros) -> ObjectKey {
    ObjectKey::new(tenant, ObjectLocation::Import { day: Day::of(at), import_id, file: FileName::sanitise(file_name) })
}

/// The limits of a CSV.
pub fn limits(app: &App) -> Limits {
    let default = Limits::default();
    // As many rows as fit: the number of leads is limited by `maxLeads` of the run.
    Limits { bytes: app.options.upload_limit, rows: default.rows.max(app.options.upload_limit / 16), ..default }
}
