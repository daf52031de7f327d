//! `deploy/compose.yaml`, read: what each service runs, with which settings and files, at addresses of this machine.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use serde_norway::Value;

pub const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

/// The file, and what stands in for the containers' names, ports and folders.
pub struct Compose {
    services: Value,
    pub folder: PathBuf,
    replaced: Vec<(String, String)>,
}

/// A port that is free, and that has a free one 10,000 above it, where SeaweedFS speaks with itself.
pub fn port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let port = rand::random_range(20_000..30_000);
        if free(port) && free(port + 10_000) {
            return port;
        }
    }
}

impl Compose {
    /// Reads the file; the secrets are made by `deploy/secrets.sh`, as its first line says.
    pub fn read(folder: PathBuf) -> Self {
        let secrets = folder.join("secrets");
        let made = std::process::Command::new(format!("{DEPLOY}/secrets.sh")).arg(&secrets).status();
        assert!(made.expect("it runs").success(), "deploy/secrets.sh");
        let text = fs::read_to_string(format!("{DEPLOY}/compose.yaml")).expect("a file");
        let mut file: Value = serde_norway::from_str(&text).expect("YAML");
        file.apply_merge().expect("merge keys");
        fs::create_dir_all(folder.join("state")).expect("a folder");
        let replaced = vec![
            ("/run/secrets".to_owned(), secrets.display().to_string()),
            ("/etc/luci".to_owned(), format!("{DEPLOY}/postgres")),
            ("/var/lib/luci".to_owned(), folder.join("state").display().to_string()),
        ];
        Self { services: file["services"].clone(), folder, replaced }
    }

    /// From now on, `from` (a service's address, a folder of a container) stands for `to`; in the order of the calls.
    pub fn replace(&mut self, from: impl Into<String>, to: impl Into<String>) {
        self.replaced.push((from.into(), to.into()));
    }

    /// The text with everything replaced, and `${NAME:-default}` as its default.
    pub fn here(&self, text: &str) -> String {
        let mut text = text.replace("$$", "$");
        while let Some((before, rest)) = text.split_once("${") {
            let (variable, after) = rest.split_once('}').expect("a closed brace");
            text = format!("{before}{}{after}", variable.split_once(":-").expect("a default").1);
        }
        self.replaced.iter().fold(text, |text, (from, to)| text.replace(from, to))
    }

    /// A secret's content, as this machine's processes need it.
    pub fn secret(&self, name: &str) -> String {
        self.here(&fs::read_to_string(self.folder.join("secrets").join(name)).expect("a secret"))
    }

    /// What a service runs: its `command`, or another list of it.
    pub fn words(&self, service: &str, list: &str) -> Vec<String> {
        let words = self.services[service][list].as_sequence().expect("a list");
        words.iter().map(|word| self.here(word.as_str().expect("text"))).collect()
    }

    /// The settings of a service: its `environment`, and the secrets with the names of settings, as deploy/entrypoint.sh
    /// takes them.
    pub fn settings(&self, service: &str) -> BTreeMap<String, String> {
        let service = &self.services[service];
        let mut settings = BTreeMap::new();
        for (name, value) in service["environment"].as_mapping().into_iter().flatten() {
            settings.insert(text(name), self.here(&text(value)));
        }
        for secret in service["secrets"].as_sequence().into_iter().flatten() {
            let (source, target) = match secret {
                Value::Mapping(secret) => (text(&secret["source"]), text(&secret["target"])),
                name => (text(name), text(name)),
            };
            if target.starts_with("LUCI_") {
                settings.insert(target, self.secret(&source));
            }
        }
        settings
    }

    /// The services whose command is `serve …`, and how many of each there are.
    pub fn served(&self) -> Vec<(String, u64)> {
        let services = self.services.as_mapping().expect("services").iter();
        let served = services.filter(|(_, service)| service["command"][0].as_str() == Some("serve"));
        served.map(|(name, service)| (text(name), service["deploy"]["replicas"].as_u64().expect("replicas"))).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// Writes a configuration file of `deploy/` into a folder, for this machine.
pub fn configured(compose: &Compose, file: &str, into: &Path) -> PathBuf {
    let path = into.join(Path::new(file).file_name().expect("a name"));
    fs::write(&path, compose.here(&fs::read_to_string(format!("{DEPLOY}/{file}")).expect("a file"))).expect("written");
    path
}
