//! Which instance a command acts on; standard input and a closed pipe.

use std::{io::Write, process::Stdio};

use crate::{
    binary::{err, last_json, out},
    support::{Servers, luci, output, temp_dir},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_beats_the_environment_and_a_stopped_instance_says_so() {
    let mut luci = luci(Servers::Private).await;
    let dir = luci.data_dir.clone();
    // As after `eval "$(luci env)"` of another instance, which has gone.
    let other = [
        ("LUCI_URL", "http://127.0.0.1:1"),
        ("LUCI_API_KEY", "luci_other"),
        ("LUCI_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("LUCI_STORE_URL", "file:///nowhere"),
    ];
    for arguments in [&["run", "list", "--json"][..], &["projections", "status"], &["storage", "check"]] {
        let done = output(&dir, arguments, &other).await;
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {}", err(&done));
    }
    let running = output(&dir, &["env"], &[]).await;
    assert!(
        !err(&running).contains("stopped") && out(&running).contains("LUCI_STORE_URL='file://"),
        "{}",
        out(&running)
    );
    let doctor = output(&dir, &["doctor", "--json"], &[]).await;
    assert_eq!(last_json(&doctor)["healthy"], true, "{}", out(&doctor));

    from_standard_input(&dir);
    closed_pipe(&dir);

    luci.stop().await;
    let stopped = output(&dir, &["env"], &[]).await;
    assert_eq!(stopped.status.code(), Some(0));
    assert!(err(&stopped).contains("is stopped"), "{}", err(&stopped));
    std::fs::remove_file(dir.join("master.key")).expect("removed");
    let doctor = output(&dir, &["doctor", "--json"], &[]).await;
    assert_eq!(doctor.status.code(), Some(1));
    assert!(out(&doctor).contains("master.key is missing"), "{}", out(&doctor));
}

fn from_standard_input(dir: &std::path::Path) {
    let mut import = crate::support::command(dir, &["import", "-", "--name", "May.csv", "--json"]);
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let rows = b"Company,Phone,Shoe size\nAcme,2125550147,44\n";
    import.stdin.take().expect("piped").write_all(rows).expect("read");
    let done = import.wait_with_output().expect("it ends");
    let import = last_json(&done);
    assert_eq!((&import["fileName"], &import["rows"]), (&"May.csv".into(), &1.into()), "{import}");
    let columns = import["preview"]["columns"].as_array().expect("columns");
    assert!(columns.iter().any(|column| column["header"] == "Shoe size" && column["field"].is_null()), "{import}");
}

/// `luci sector list | head -1` prints no error and does not fail.
fn closed_pipe(dir: &std::path::Path) {
    let mut list = crate::support::command(dir, &["sector", "list", "-o", "ndjson"]);
    let mut list = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(list.stdout.take());
    let done = list.wait_with_output().expect("it ends");
    assert_eq!((done.status.code(), err(&done).as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_demo_the_commands_find_it() {
    let here = temp_dir("after-demo");
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_luci"));
        command.args(arguments).env_clear().envs(luci::config::search_variables()).current_dir(&here);
        command.stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output().expect("it runs"))
    };
    let none = run(&["env"]).await.expect("joined");
    assert_eq!(none.status.code(), Some(1), "no instance has run here");
    let demo = run(&["demo", "--exit", "--json", "--leads", "20", "--listen", "127.0.0.1:0"]).await.expect("joined");
    assert_eq!(demo.status.code(), Some(0), "{}", err(&demo));
    let found = run(&["env"]).await.expect("joined");
    assert!(out(&found).contains("export LUCI_API_KEY="), "{}", out(&found));
    assert!(
        err(&found).contains("using the instance in .luci-demo") && err(&found).contains("is stopped"),
        "{}",
        err(&found)
    );
}
