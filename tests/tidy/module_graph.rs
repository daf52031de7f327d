//! The graph of a crate's files: which file names something of which other file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    rust_paths::{self, Paths},
    rust_text, text,
};

/// A module's path below the crate's root, which is empty.
type Module = Vec<String>;

/// A crate's modules, and for each the modules that its file names, also by a name that the root exports. The root file and
/// test files are left out.
#[derive(Debug)]
pub struct ModuleGraph {
    files: BTreeMap<Module, PathBuf>,
    edges: BTreeMap<Module, BTreeSet<Module>>,
}

/// The modules of a crate by their paths, and what its root file imports by name.
struct Modules<'a> {
    files: &'a BTreeMap<Module, PathBuf>,
    root: BTreeMap<String, Module>,
}

impl ModuleGraph {
    /// The graph of these files below `sources`, the folder of the crate's root file.
    pub fn read(sources: &Path, files: &[PathBuf]) -> Self {
        let module_files = files.iter().filter_map(|file| Some((module_of(sources, file)?, file.clone())));
        let root = ["lib.rs", "main.rs"].map(|name| sources.join(name)).into_iter().find(|file| files.contains(file));
        let code_of = |file: &PathBuf| rust_text::code(&rust_text::without_tests(&text(file)));
        Self::of(module_files.collect(), root.as_ref(), code_of)
    }

    fn of(files: BTreeMap<Module, PathBuf>, root: Option<&PathBuf>, code_of: impl Fn(&PathBuf) -> String) -> Self {
        let modules = Modules::new(&files, &root.map_or_else(Paths::default, |file| rust_paths::paths(&code_of(file))));
        let edges_of = |module: &Module, file| {
            let mut named = modules.named_by(module, &rust_paths::paths(&code_of(file)));
            named.remove(module);
            named
        };
        let edges = files.iter().map(|(module, file)| (module.clone(), edges_of(module, file))).collect();
        Self { files, edges }
    }

    pub fn file(&self, module: &Module) -> &Path {
        &self.files[module]
    }

    /// Every edge, from the file that names to the file that is named.
    pub fn edges(&self) -> impl Iterator<Item = (&Module, &Module)> {
        self.edges.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
    }
}

/// Groups of two nodes or more in which every node reaches every other.
pub fn cycles<N: Ord + Copy>(edges: impl Iterator<Item = (N, N)>) -> Vec<BTreeSet<N>> {
    let mut next: BTreeMap<N, BTreeSet<N>> = BTreeMap::new();
    for (from, to) in edges {
        next.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<N, BTreeSet<N>> = next.keys().map(|node| (*node, reached(&next, *node))).collect();
    let mut cycles: Vec<BTreeSet<N>> = Vec::new();
    for (node, others) in &reached {
        if cycles.iter().any(|cycle| cycle.contains(node)) {
            continue;
        }
        let back = others.iter().filter(|other| reached.get(other).is_some_and(|others| others.contains(node)));
        let cycle: BTreeSet<N> = back.copied().collect();
        if cycle.len() > 1 {
            cycles.push(cycle);
        }
    }
    cycles
}

fn reached<N: Ord + Copy>(next: &BTreeMap<N, BTreeSet<N>>, from: N) -> BTreeSet<N> {
    let mut reached = BTreeSet::new();
    let mut queue = vec![from];
    while let Some(node) = queue.pop() {
        queue.extend(next.get(&node).into_iter().flatten().filter(|other| reached.insert(**other)));
    }
    reached
}

/// The folder of a module right below the crate's root; a file there is a folder of its own.
pub fn folder(module: &Module) -> &str {
    &module[0]
}

/// None for the crate's root files.
fn module_of(sources: &Path, file: &Path) -> Option<Module> {
    let below = file.strip_prefix(sources).ok()?.with_extension("");
    let mut module: Module = below.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    (!module.is_empty() && module != ["lib"] && module != ["main"]).then_some(module)
}

impl<'a> Modules<'a> {
    fn new(files: &'a BTreeMap<Module, PathBuf>, root: &Paths) -> Self {
        let mut modules = Self { files, root: BTreeMap::new() };
        let exported = |(name, path): &(String, Vec<String>)| {
            let whole = modules.absolute(&Vec::new(), &BTreeMap::new(), path)?;
            modules.owner(&whole).is_some().then(|| (name.clone(), whole))
        };
        modules.root = root.imports.iter().filter_map(exported).collect();
        modules
    }

    fn named_by(&self, module: &Module, paths: &Paths) -> BTreeSet<Module> {
        let mut names: BTreeMap<&str, Module> = BTreeMap::new();
        let mut found = BTreeSet::new();
        // Twice: an import may begin with a name that another import brought.
        for _ in 0..2 {
            for (name, path) in &paths.imports {
                let Some(whole) = self.absolute(module, &names, path) else { continue };
                found.extend(self.owner(&whole));
                names.insert(name, whole);
            }
        }
        let written = paths.written.iter().filter_map(|path| self.absolute(module, &names, path));
        found.extend(written.filter_map(|whole| self.owner(&whole)));
        found
    }

    /// A path from the crate's root; none for one of another crate.
    fn absolute(&self, module: &Module, names: &BTreeMap<&str, Module>, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut whole = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module.split_last()?.1.to_vec(),
            name => {
                let child: Module = module.iter().chain([first]).cloned().collect();
                if self.files.contains_key(&child) { child } else { names.get(name)?.clone() }
            }
        };
        for segment in rest {
            match segment.as_str() {
                "super" => drop(whole.pop()),
                "self" => {}
                _ => whole.push(segment.clone()),
            }
        }
        match whole.split_first().and_then(|(name, rest)| Some((self.root.get(name)?, rest))) {
            Some((exported, rest)) if self.owner(&whole).is_none() => {
                Some(exported.iter().chain(rest).cloned().collect())
            }
            _ => Some(whole),
        }
    }

    /// The deepest module on this path; none for what the root file itself holds.
    fn owner(&self, whole: &[String]) -> Option<Module> {
        (1..=whole.len()).rev().map(|length| whole[..length].to_vec()).find(|module| self.files.contains_key(module))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> ModuleGraph {
        let sources = Path::new("src");
        let code: BTreeMap<PathBuf, String> =
            files.iter().map(|(path, code)| (sources.join(path), (*code).to_owned())).collect();
        let modules = code.keys().filter_map(|file| Some((module_of(sources, file)?, file.clone()))).collect();
        ModuleGraph::of(modules, Some(&sources.join("lib.rs")), |file| code[file].clone())
    }

    #[test]
    fn paths_lead_to_the_files_that_own_them() {
        let graph = graph(&[
            ("lib.rs", "mod a; mod b; pub use a::c::D;"),
            ("a/mod.rs", "mod c; pub use c::D;"),
            ("a/c.rs", "use super::super::b; use crate::D; fn e() { b::f::g() }"),
            ("b.rs", "mod f; use std::fs;"),
            ("b/f.rs", "use super::Other; fn h() { crate::a::c::i() }"),
        ]);
        let edges: Vec<String> =
            graph.edges().map(|(from, to)| format!("{} {}", from.join("::"), to.join("::"))).collect();
        assert_eq!(edges, ["a a::c", "a::c b", "a::c b::f", "b::f a::c", "b::f b"]);
    }

    #[test]
    fn a_name_that_the_root_exports_leads_to_its_owner() {
        let graph = graph(&[
            ("lib.rs", "mod a; mod b; pub use a::{C, d as e}; pub use other::F;"),
            ("a.rs", "use std::fmt;"),
            ("b.rs", "use crate::C; use crate::F; fn g() { crate::e() }"),
        ]);
        assert_eq!(graph.edges().map(|(from, to)| format!("{from:?} {to:?}")).collect::<Vec<_>>(), [r#"["b"] ["a"]"#]);
    }

    #[test]
    fn cycles_are_the_largest_groups_that_reach_each_other() {
        let edges = [(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (5, 6), (6, 5), (7, 7)];
        assert_eq!(cycles(edges.into_iter()), [BTreeSet::from([1, 2, 3]), BTreeSet::from([5, 6])]);
    }
}
