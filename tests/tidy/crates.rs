//! Rules for crates: which crate sees which, and what the gateway and the run core may not contain.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{assert_none, files, rust_text, text};

/// Every crate of the workspace, its folder, and the crates of the workspace it depends on, tests included.
/// The list is exact: an edge that is not here fails, and so does an entry without an edge.
const CRATES: &[(&str, &str, &[&str])] = &[
    ("luci-schema", "schema", &[]),
    ("luci-storage", "engine/storage", &["luci-schema"]),
    ("luci-config", "engine/config", &["luci-schema", "luci-storage"]),
    ("luci-runs", "engine/runs", &["luci-schema", "luci-storage"]),
    ("luci-leads", "engine/leads", &["luci-schema", "luci-storage", "luci-config"]),
    ("luci-providers", "engine/providers", &["luci-schema", "luci-config", "luci-leads"]),
    (
        "luci-messaging",
        "engine/messaging",
        &["luci-schema", "luci-storage", "luci-config", "luci-leads", "luci-providers"],
    ),
    (
        "luci-stages",
        "engine/stages",
        &["luci-schema", "luci-storage", "luci-config", "luci-runs", "luci-leads", "luci-providers", "luci-messaging"],
    ),
    ("luci-projections", "projections", &["luci-schema"]),
    (
        "luci-gateway",
        "gateway",
        &[
            "luci-schema",
            "luci-storage",
            "luci-config",
            "luci-runs",
            "luci-leads",
            "luci-providers",
            "luci-messaging",
            "luci-stages",
            "luci-projections",
        ],
    ),
    ("luci-sandbox", "deploy/sandbox", &["luci-schema"]),
    (
        "luci",
        "",
        &[
            "luci-schema",
            "luci-storage",
            "luci-config",
            "luci-runs",
            "luci-leads",
            "luci-providers",
            "luci-messaging",
            "luci-stages",
            "luci-projections",
            "luci-gateway",
            "luci-sandbox",
        ],
    ),
    ("luci-fuzz", "tests/fuzz", &["luci-leads", "luci-messaging"]),
    ("luci-s3-server", "tests/s3_server", &[]),
];

/// The run core: plain functions over plain data.
const CORE: &str = "engine/runs/src/core";

/// What the run core may not contain: async, clocks, fresh ids, IO.
const IMPURE: [&str; 14] = [
    "async ",
    ".await",
    "sqlx::",
    "tokio::",
    "async_nats::",
    "Micros::now",
    "SystemTime",
    "Instant",
    "OffsetDateTime::now",
    "::generate()",
    "getrandom",
    "std::fs",
    "std::env",
    "std::net",
];

/// The part of a manifest that the rules read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub package: String,
    /// The folder of the library's root file, relative to the root of the workspace.
    pub sources: PathBuf,
    dependencies: BTreeSet<String>,
}

impl Manifest {
    fn parse(folder: &Path, text: &str) -> Self {
        let mut manifest = Self { sources: folder.join("src"), ..Self::default() };
        let mut table = "";
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_end_matches(']');
                let dependency = table.rsplit_once("dependencies.").map(|(_, name)| name.trim_matches('"').to_owned());
                manifest.dependencies.extend(dependency.filter(|_| !table.starts_with("workspace")));
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim());
            if table.ends_with("dependencies") && !table.starts_with("workspace") {
                let renamed = value.split_once("package = \"").and_then(|(_, rest)| rest.split_once('"'));
                let name = renamed.map_or(key.split('.').next().unwrap_or(key), |(package, _)| package);
                manifest.dependencies.insert(name.trim_matches('"').to_owned());
            }
            match (table, key) {
                ("package", "name") => manifest.package = value.trim_matches('"').to_owned(),
                ("lib", "path") => {
                    let file = folder.join(value.trim_matches('"'));
                    manifest.sources = file.parent().expect("a folder").to_owned();
                }
                _ => {}
            }
        }
        manifest
    }
}

/// The folders of the workspace's crates, as the root manifest lists them; the root's own is empty.
fn members() -> Vec<PathBuf> {
    let manifest = text(Path::new("Cargo.toml"));
    let (_, rest) = manifest.split_once("\nmembers = [").expect("a list of members");
    let (list, _) = rest.split_once(']').expect("the end of the list");
    let listed = list.split('"').skip(1).step_by(2).map(PathBuf::from);
    listed.chain([PathBuf::new()]).collect()
}

/// Every crate of the workspace by its folder.
pub fn manifests() -> BTreeMap<PathBuf, Manifest> {
    let manifest = |folder: PathBuf| {
        let manifest = Manifest::parse(&folder, &text(&folder.join("Cargo.toml")));
        (folder, manifest)
    };
    members().into_iter().map(manifest).collect()
}

#[test]
fn crates_see_what_the_picture_says() {
    let manifests = manifests();
    let packages: BTreeSet<&str> = manifests.values().map(|manifest| manifest.package.as_str()).collect();
    let mut wrong = Vec::new();
    for (package, folder, allowed) in CRATES {
        let Some(manifest) = manifests.get(Path::new(folder)).filter(|manifest| manifest.package == *package) else {
            wrong.push(format!("{package} is not in {folder:?}"));
            continue;
        };
        let seen = manifest.dependencies.iter().map(String::as_str).filter(|name| packages.contains(name));
        let (seen, allowed) = (seen.collect::<BTreeSet<_>>(), allowed.iter().copied().collect::<BTreeSet<_>>());
        wrong.extend(seen.difference(&allowed).map(|other| format!("{package} may not depend on {other}")));
        wrong.extend(allowed.difference(&seen).map(|other| format!("{package} does not depend on {other} any more")));
    }
    let listed: BTreeSet<&str> = CRATES.iter().map(|(package, ..)| *package).collect();
    wrong.extend(packages.difference(&listed).map(|package| format!("{package} is not in the list of crates")));
    assert_none(&wrong, "crates depend on each other as the list says");
}

#[test]
fn a_manifest_names_its_dependencies() {
    let text = "[package]\nname = \"luci-a\"\n[lib]\npath = \"b/lib.rs\"\n[dependencies]\n# no-c = \"1\"\nd.workspace = true\ne = { package = \"f\", path = \"../f\" }\n[target.'cfg(unix)'.dev-dependencies]\ng = \"1\"\n[build-dependencies.h]\nversion = \"1\"\n[workspace.dependencies]\ni = \"1\"\n";
    let manifest = Manifest::parse(Path::new("z"), text);
    assert_eq!((manifest.package.as_str(), manifest.sources), ("luci-a", PathBuf::from("z/b")));
    assert_eq!(manifest.dependencies, ["d", "f", "g", "h"].map(str::to_owned).into());
}

#[test]
fn the_gateway_has_no_sql() {
    let mut found = Vec::new();
    for path in files("gateway/src", ".rs") {
        let text = text(&path).to_lowercase();
        let sql = ["sqlx::query", "sqlx::raw_sql", "select * from", "insert into ", "delete from "];
        if sql.iter().any(|sql| text.contains(sql)) {
            found.push(path.display().to_string());
        }
    }
    assert_none(&found, "the gateway asks engine or projections");
}

#[test]
fn the_core_is_pure() {
    let tests = rust_text::test_files();
    let core: Vec<PathBuf> = files(CORE, ".rs").into_iter().filter(|path| !tests.contains(path)).collect();
    assert!(!core.is_empty(), "there is no run core in {CORE}");
    let mut found = Vec::new();
    for path in core {
        let code = rust_text::code(&rust_text::without_tests(&text(&path)));
        let impure = IMPURE.iter().filter(|word| code.contains(**word));
        found.extend(impure.map(|word| format!("{}: {word}", path.display())));
    }
    assert_none(&found, "the run core has no async, no clock, no fresh ids, no IO");
}
