//! The owners of a restored database's objects. A backup is restored by a login that need not have the name of the one that wrote it;
//! what belongs to LUCI's own roles must belong to them again: the read tables to the projector, which has no other rights on
//! them, and the auditors' functions to the engine, as which they run.

use luci_schema::migrate::DatabaseRole;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

use super::load::quoted;

/// A statement that gives an object back to its role, with the schema in which the role must be allowed to create meanwhile.
#[derive(Debug, PartialEq, Eq)]
struct Owned {
    role: &'static str,
    schema: Option<String>,
    statement: String,
}

/// `list` is the list of a dump's entries, as `pg_restore --list` prints it.
pub(super) async fn give_back(pool: &PgPool, list: &str) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    for owned in list.lines().filter_map(Owned::parse) {
        let Owned { role, schema, statement } = owned;
        let Some(schema) = schema.as_deref().map(quoted) else {
            tx.execute(AssertSqlSafe(statement)).await?;
            continue;
        };
        let may = "select n.nspowner = $2::regrole from pg_namespace n where n.oid = $1::regnamespace";
        let owns_schema: bool = sqlx::query_scalar(may).bind(&schema).bind(role).fetch_one(&mut *tx).await?;
        if owns_schema {
            tx.execute(AssertSqlSafe(statement)).await?;
        } else {
            tx.execute(AssertSqlSafe(format!("grant create on schema {schema} to {role}"))).await?;
            tx.execute(AssertSqlSafe(statement)).await?;
            tx.execute(AssertSqlSafe(format!("revoke create on schema {schema} from {role}"))).await?;
        }
    }
    tx.commit().await
}

impl Owned {
    /// `240; 1259 16736 TABLE read_a pipeline_runs luci_projector`; `None` for entries without an owner of their own, such as
    /// indexes, and for those of the login.
    fn parse(line: &str) -> Option<Self> {
        let (_, entry) = line.split_once("; ")?;
        let (entry, owner) = entry.rsplit_once(' ')?;
        let role = DatabaseRole::ALL.into_iter().map(DatabaseRole::as_str).find(|role| *role == owner)?;
        // The ids of the catalog and of the object.
        let entry = entry.splitn(3, ' ').nth(2)?;
        let (kind, rest) = ["SCHEMA", "TABLE", "VIEW", "FUNCTION", "SEQUENCE", "TYPE"]
            .into_iter()
            .find_map(|kind| Some((kind, entry.strip_prefix(kind)?.strip_prefix(' ')?)))?;
        let (schema, name) = rest.split_once(' ')?;
        if kind == "SCHEMA" {
            let statement = format!("alter schema {} owner to {role}", quoted(name));
            return Some(Self { role, schema: None, statement });
        }
        // `TABLE DATA read_a pipeline_runs`, `SEQUENCE OWNED BY …`
        if matches!(schema, "DATA" | "ATTACH" | "SET" | "OWNED") {
            return None;
        }
        let name = match name.split_once('(') {
            Some((name, arguments)) => format!("{}({arguments}", quoted(name)),
            None => quoted(name),
        };
        let statement = format!("alter {} {}.{name} owner to {role}", kind.to_lowercase(), quoted(schema));
        Some(Self { role, schema: Some(schema.to_owned()), statement })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_dump() {
        let statement = |line: &str| Owned::parse(line).map(|owned| owned.statement);
        for (line, expected) in [
            ("6; 2615 16721 SCHEMA - read_a luci_projector", r#"alter schema "read_a" owner to luci_projector"#),
            (
                "240; 1259 16736 TABLE read_a runs luci_projector",
                r#"alter table "read_a"."runs" owner to luci_projector"#,
            ),
            ("307; 1259 17751 VIEW audit events luci_engine", r#"alter view "audit"."events" owner to luci_engine"#),
            (
                "385; 1255 17758 FUNCTION audit own(text, integer) luci_engine",
                r#"alter function "audit"."own"(text, integer) owner to luci_engine"#,
            ),
        ] {
            assert_eq!(statement(line).as_deref(), Some(expected), "{line}");
        }
        for line in [
            ";",
            "; Selected TOC Entries:",
            "3456; 0 16756 TABLE DATA read_a runs luci_projector",
            "4422; 0 16756 ROW SECURITY read_a artifacts luci_projector",
            "4510; 3256 16782 POLICY read_a artifacts projector_works luci_projector",
            "240; 1259 16736 TABLE public erasures luci",
        ] {
            assert_eq!(statement(line), None, "{line}");
        }
    }
}
