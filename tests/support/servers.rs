//! The private servers of this test process: one Postgres for all tests, a nats-server for each that asks.
//!
//! They are started by one thread that lives as long as the process, because the kernel ends them with the *thread*
//! that started them: however the test process dies, nothing of it is left running.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{LazyLock, OnceLock, mpsc},
    thread,
};

use luci::local::{Durability, Folder, Lifetime, Postgres, Search};

type Job = Box<dyn FnOnce() + Send>;

static STARTER: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = mpsc::channel::<Job>();
    thread::Builder::new()
        .name("servers".to_owned())
        // A job that panics fails its own test; the servers of the others must not end with it.
        .spawn(move || inbox.iter().for_each(|job| drop(catch_unwind(AssertUnwindSafe(job)))))
        .expect("a thread");
    jobs
});

/// Runs `job` on the thread that may start servers.
pub fn on_server_thread<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, wait) = mpsc::channel();
    let job = Box::new(move || answer.send(job()).expect("the caller waits"));
    STARTER.send(job).expect("the starter lives as long as the process");
    wait.recv().expect("a server starts")
}

/// A new temporary folder of this test process that unprivileged users can open.
pub fn temp_dir(name: &str) -> PathBuf {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = process_dir().join(format!("{name}-{number}"));
    fs::create_dir_all(&path).expect("a folder");
    path
}

fn process_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        sweep();
        let dir = PathBuf::from(format!("/var/tmp/luci-tests-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        dir
    })
}

/// Removes what earlier test processes left behind.
fn sweep() {
    for entry in fs::read_dir("/var/tmp").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix("luci-tests-")) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _in_use_by_somebody_else = fs::remove_dir_all(entry.path());
        }
    }
}

/// Where the servers' programs are, as for `luci` itself.
pub fn search() -> Search {
    luci::config::search()
}

/// The shared Postgres (no fsync): `postgres://…/{database}`, as superuser.
pub fn postgres_url(database: &str) -> String {
    static SERVER: OnceLock<(Postgres, Folder)> = OnceLock::new();
    let (server, _) = SERVER.get_or_init(|| {
        on_server_thread(|| {
            let folder = Folder::open(&temp_dir("postgres")).expect("a folder");
            let server = Postgres::start(&search(), &folder, Durability::None, Lifetime::WithStarter);
            (server.unwrap_or_else(|error| panic!("{error}")), folder)
        })
    });
    server.url(database)
}
