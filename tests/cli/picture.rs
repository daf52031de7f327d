//! The picture of a terminal in README: real commands, as `target/page/terminal.svg`; README has a copy in `deploy/docs/pictures`.

use std::path::Path;

use anstyle_svg::Term;

use crate::{
    binary::{err, out, served},
    support::{output, temp_dir},
};

const ROWS: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn readme_s_terminal_is_drawn_from_real_commands() {
    let ((system, sandbox), dir) = (served().await, temp_dir("picture"));
    let mut csv = Vec::new();
    luci::cli::demo::sample::csv(&mut csv, ROWS, 1, 7).expect("a sample");
    std::fs::write(dir.join("leads.csv"), csv).expect("written");
    let variables = [("LUCI_URL", system.api.url.as_str()), ("LUCI_API_KEY", &system.api.key), ("CLICOLOR_FORCE", "1")];
    let (mut terminal, file) = (String::new(), dir.join("leads.csv"));
    let mut run = String::new();
    for command in ["import leads.csv --start --watch --yes", "results RUN", "run list", "audit verify RUN"] {
        let arguments: Vec<&str> = command
            .split(' ')
            .map(|one| match one {
                "RUN" => &run,
                "leads.csv" => file.to_str().expect("text"),
                one => one,
            })
            .collect();
        let ended = output(&dir, &arguments, &variables).await;
        assert_eq!(ended.status.code(), Some(0), "{command}: {}", err(&ended));
        let shown = command.replace("RUN", &run);
        terminal.push_str(&format!("\x1b[1m$ luci {shown}\x1b[0m\n{}{}\n", err(&ended), out(&ended)));
        if run.is_empty() {
            let found = out(&ended);
            run = found.split_whitespace().find(|word| word.starts_with("run_")).expect("a run").to_owned();
        }
    }
    let picture = Term::new().render_svg(&terminal);
    for expected in ["$ luci results", "completed", "hash chain intact"] {
        assert!(picture.contains(expected), "{expected} is not in the picture");
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("page");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("terminal.svg"), picture).expect("written");
    system.stop().await;
    sandbox.stop().await;
}
