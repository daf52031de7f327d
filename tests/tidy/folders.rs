//! Rules for folders: inside a crate, dependencies between top-level folders go one way.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    assert_none, crates, files,
    module_graph::{ModuleGraph, cycles, folder},
    rust_text,
};

/// The graph of each crate by the crate's name.
fn graphs() -> BTreeMap<String, ModuleGraph> {
    let manifests = crates::manifests();
    let tests = rust_text::test_files();
    let mut graphs = BTreeMap::new();
    for (folder, manifest) in manifests.iter().filter(|(folder, _)| !folder.starts_with("tests")) {
        let below = files(&manifest.sources.to_string_lossy(), ".rs").into_iter();
        let others: Vec<&PathBuf> =
            manifests.keys().filter(|other| *other != folder && other.starts_with(folder)).collect();
        let own = below.filter(|file| !tests.contains(file) && !others.iter().any(|other| file.starts_with(other)));
        graphs.insert(manifest.package.clone(), ModuleGraph::read(&manifest.sources, &own.collect::<Vec<_>>()));
    }
    graphs
}

#[test]
fn folders_need_each_other_one_way() {
    let (mut largest, mut largest_in) = (0, String::new());
    let mut found = Vec::new();
    for (package, graph) in graphs() {
        for cycle in cycles(graph.edges()) {
            if cycle.len() > largest {
                (largest, largest_in) = (cycle.len(), package.clone());
            }
        }
        let across = graph.edges().map(|(from, to)| (folder(from), folder(to))).filter(|(from, to)| from != to);
        for cycle in cycles(across) {
            let folders: Vec<&str> = cycle.iter().copied().collect();
            found.push(format!("{package}: {}", folders.join(", ")));
            found.extend(imports_across(&graph, &cycle));
        }
    }
    println!("the largest cycle of files has {largest} files, in {largest_in}");
    assert_none(&found, "folders of a crate need each other one way only; these form a cycle");
}

/// For each two folders of a cycle, how many files name a file of the other, and the first of them.
fn imports_across(graph: &ModuleGraph, cycle: &BTreeSet<&str>) -> Vec<String> {
    let mut imports: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (from, to) in graph.edges().filter(|(from, to)| folder(from) != folder(to)) {
        if cycle.contains(folder(from)) && cycle.contains(folder(to)) {
            let import = format!("{} uses {}", graph.file(from).display(), graph.file(to).display());
            imports.entry((folder(from), folder(to))).or_default().push(import);
        }
    }
    let line = |((from, to), files): (_, Vec<String>)| format!("  {from} → {to} ({}): {}", files.len(), files[0]);
    imports.into_iter().map(line).collect()
}
