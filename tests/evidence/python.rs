//! The verifier in Python that the documentation ships agrees with ours. Left out where there is no python3.

use std::{fs, path::Path, process::Command};

use luci_schema::{
    Position,
    history::{Scope, verify},
};

use super::{
    bundles::{Received, change, with_right_trailer},
    fixture::{Chooser, bundle, sealed_system},
};
use crate::support::temp_dir;

/// Each is verified by a process of its own.
const MUTATIONS: usize = 60;
const SEED: u64 = 3;

/// Whether the file is intact, and the names of the parts that are not covered.
type Answer = (bool, Vec<String>);

fn by_python(file: &Path, key: Option<&str>, head: Option<&str>) -> Answer {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/docs/evidence/verify.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(file);
    command.args(key.into_iter().flat_map(|key| ["--key", key]));
    command.args(head.into_iter().flat_map(|head| ["--head", head]));
    let done = command.output().expect("python3 runs");
    let text = String::from_utf8(done.stdout).expect("text");
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let lacks = text.lines().filter_map(|line| line.strip_prefix("not covered: ")?.split(':').next());
    (done.status.success(), lacks.map(str::to_owned).collect())
}

fn by_us(file: &Path, key: Option<&str>, head: Option<&str>) -> Answer {
    let mut verdict = verify(fs::File::open(file).expect("a file")).expect("readable");
    verdict.expect(head, &key.map(str::to_owned).into_iter().collect::<Vec<_>>());
    let lacks = if verdict.is_intact() { verdict.not_covered } else { Vec::new() };
    (verdict.fault.is_none(), lacks.into_iter().map(|one| one.part.to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_in_python_agrees() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("left out: there is no python3");
        return;
    }
    let dir = temp_dir("python");
    let fixture = sealed_system(&dir).await;
    let log = fixture.system.running.log.clone();
    let (stream, tenant, head) = (fixture.run.parse().expect("a run"), fixture.system.tenant, log.head());
    let scopes = [
        Scope::Stream { stream, tenant },
        Scope::Range { from: Position(1), to: head },
        Scope::Range { from: Position(3), to: Position(head.0 - 4) },
        Scope::Tenant { tenant, from: Position(2), to: head },
    ];
    let mut received = Vec::new();
    for scope in scopes {
        received.push(Received::of(bundle(&log, scope).await));
    }
    fixture.stop().await;
    let file = dir.join("bundle.ndjson");
    let mut chooser = Chooser(SEED);
    for one in &received {
        fs::write(&file, &one.text).expect("written");
        for (key, head) in [(None, None), (Some(&*one.key), Some(&*one.head)), (Some("00"), None), (None, Some("00"))] {
            let (theirs, ours) = (by_python(&file, key, head), by_us(&file, key, head));
            assert_eq!(theirs, ours, "{key:?} {head:?}");
            assert_eq!(ours.0, key != Some("00") && head != Some("00"));
        }
    }
    for n in 0..MUTATIONS {
        let one = chooser.of(&received);
        let mut changed = change(&one.text, &mut chooser);
        if chooser.below(2) == 0 {
            changed = with_right_trailer(changed);
        }
        fs::write(&file, &changed).expect("written");
        let given = (Some(&*one.key), Some(&*one.head));
        let (theirs, ours) = (by_python(&file, given.0, given.1), by_us(&file, given.0, given.1));
        assert_eq!(theirs, ours, "change {n}: {}", String::from_utf8_lossy(&changed));
    }
}
