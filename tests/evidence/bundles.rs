//! Random changes of bundles are named, or the changed part is reported as not covered.

use luci_schema::{
    Position, hash_text,
    history::{Scope, Verdict, verify, verify_by},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fixture::{Chooser, bundle, seal, sealed_system};
use crate::support::{seal_key, temp_dir};

const MUTATIONS: usize = 10_000;
const SEED: u64 = 15;

/// A bundle, and what its receiver knows from elsewhere.
pub struct Received {
    pub text: String,
    pub head: String,
    pub key: String,
}

impl Received {
    pub fn of(text: String) -> Self {
        let trailer: Value = serde_json::from_str(text.lines().last().expect("a trailer")).expect("JSON");
        let head = trailer["headHash"].as_str().expect("a hash").to_owned();
        Self { text, head, key: hex::encode(seal_key().public()) }
    }

    fn verdict(&self, bytes: &[u8]) -> Verdict {
        let mut verdict = verify_by(bytes, 1).expect("readable");
        verdict.expect(Some(&self.head), std::slice::from_ref(&self.key));
        verdict
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_changed_bundle_is_proved() {
    let dir = temp_dir("bundles");
    let fixture = sealed_system(&dir).await;
    // Another event of the run, and others, under a later seal.
    assert_eq!(fixture.system.api.delete(&format!("/api/pipelines/{}", fixture.run)).await.0, 202);
    fixture.import(&dir, 5).await;
    seal(&fixture).await;
    let log = fixture.system.running.log.clone();
    let stream = fixture.run.parse().expect("a run");
    let tenant = fixture.system.tenant;
    let head = log.head();
    let run = bundle(&log, Scope::Stream { stream, tenant }).await;
    let range = bundle(&log, Scope::Range { from: Position(3), to: Position(head.0 - 4) }).await;
    let whole = bundle(&log, Scope::Tenant { tenant, from: Position(1), to: head }).await;
    fixture.stop().await;

    let mut of_tenant = verify(whole.as_bytes()).expect("readable");
    of_tenant.expect(None, &[hex::encode(seal_key().public())]);
    assert!(of_tenant.is_intact(), "{of_tenant:?}");
    let parts: Vec<&str> = of_tenant.not_covered.iter().map(|one| one.part).collect();
    assert_eq!(parts, ["completeness"]);

    let mut chooser = Chooser(SEED);
    let received = [Received::of(run), Received::of(range)];
    for one in &received {
        let verdict = one.verdict(one.text.as_bytes());
        assert!(verdict.is_proved(), "{verdict:?}");
        let lines = one.text.lines().count();
        assert!(one.text.lines().filter(|line| line.starts_with("{\"seal\":")).count() > 1, "{lines} lines");
    }
    let (mut named, mut not_covered) = (0, 0);
    while named + not_covered < MUTATIONS {
        let one = chooser.of(&received);
        let mut changed = change(&one.text, &mut chooser);
        let what = format!("change {}", named + not_covered);
        if chooser.below(2) == 0 {
            changed = with_right_trailer(changed);
        }
        if changed == one.text.as_bytes() {
            continue;
        }
        let verdict = one.verdict(&changed);
        assert!(!verdict.is_proved(), "{what} was not noticed: {}", difference(one.text.as_bytes(), &changed));
        if verdict.is_intact() { not_covered += 1 } else { named += 1 }
    }
    println!("{named} changes named, {not_covered} reported as not covered");
    assert!(named > not_covered * 20);
}

/// A changed copy.
pub fn change(text: &str, chooser: &mut Chooser) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = chooser.below(bytes.len());
    match chooser.below(13) {
        0 => bytes[at] ^= 1 << chooser.below(8),
        1 => bytes[at] = u8::try_from(chooser.below(256)).expect("a byte"),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, *chooser.of(b" \n\"0,}x")),
        4 => bytes.truncate(at),
        5 => bytes.extend_from_slice(chooser.of(&["\n", "{}\n", " ", "{\"seal\":1}\n"]).as_bytes()),
        kind @ 6..=9 => {
            let mut lines: Vec<&str> = text.lines().collect();
            let (a, b) = (chooser.below(lines.len()), chooser.below(lines.len()));
            match kind {
                6 => drop(lines.remove(a)),
                7 => lines.insert(a, lines[b]),
                8 => lines.swap(a, b),
                _ => lines[a] = lines[b],
            }
            bytes = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
        }
        _ => {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            // Headers and seals are few among the lines; the changes shall meet them often.
            let special: Vec<usize> = (0..lines.len()).filter(|n| !lines[*n].starts_with("{\"position\"")).collect();
            let line = if chooser.below(3) == 0 { *chooser.of(&special) } else { chooser.below(lines.len()) };
            lines[line] = change_field(&lines[line], chooser);
            bytes = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
        }
    }
    bytes
}

/// A line with one field edited, added, removed, or two values exchanged.
fn change_field(line: &str, chooser: &mut Chooser) -> String {
    let fields: Vec<usize> = line.match_indices("\":").map(|(at, _)| at + 2).collect();
    let at = *chooser.of(&fields);
    let value = value_at(line, at);
    let edited = match value.as_bytes()[0] {
        b'0'..=b'9' => format!("{}{}", chooser.below(10), &value[1..]),
        b'"' if value.len() > 2 => {
            let inside = 1 + chooser.below(value.len() - 2);
            let mut bytes = value.as_bytes().to_vec();
            bytes[inside] = *chooser.of(b"0123456789abcdefghTZ:");
            String::from_utf8_lossy(&bytes).into_owned()
        }
        b'n' => "\"x\"".to_owned(),
        b't' => "false".to_owned(),
        b'f' => "true".to_owned(),
        b'{' => format!("{{\"zz\":1,{}", &value[1..]).replace(",}", "}"),
        _ => "null".to_owned(),
    };
    let (before, after) = (&line[..at], &line[at + value.len()..]);
    match chooser.below(4) {
        0 => format!("{before}{edited},\"zz\":{}{after}", chooser.below(9)),
        1 => {
            let name = before[..at - 2].rfind('"').unwrap_or(0);
            format!("{}{}", &before[..name], after.strip_prefix(',').unwrap_or(after))
        }
        2 => {
            let other = *chooser.of(&fields);
            let theirs = value_at(line, other).to_owned();
            format!("{before}{theirs}{after}")
        }
        _ => format!("{before}{edited}{after}"),
    }
}

/// The JSON value that begins there.
fn value_at(line: &str, at: usize) -> &str {
    let mut values = serde_json::Deserializer::from_str(&line[at..]).into_iter::<Value>();
    let length = match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        // Within a text that looks like a field.
        _ => 1,
    };
    &line[at..at + length]
}

/// As somebody would who knows the format: the trailer's figures fit to the lines before it, if they can be read.
pub fn with_right_trailer(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let Some((body, _)) = text.trim_end().rsplit_once('\n') else { return bytes };
    let mut lines = body.lines();
    let mut digest = Sha256::new();
    digest.update(format!("{}\n", lines.next().unwrap_or_default()));
    let (mut events, mut seals, mut head) = (0, 0, [0; 32]);
    for line in lines {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return bytes };
        let hash = |text: &Value| {
            let mut hash = [0; 32];
            hex::decode_to_slice(text.as_str().unwrap_or_default(), &mut hash).map(|()| hash)
        };
        if let Some(position) = line["position"].as_u64() {
            let Ok(found) = hash(&line["hash"]) else { return bytes };
            (events, head) = (events + 1, found);
            digest.update([0]);
            digest.update(position.to_be_bytes());
            digest.update(found);
        } else if let Ok(found) = hash(&line["seal"]["sealHash"]) {
            seals += 1;
            digest.update([1]);
            digest.update(found);
        }
    }
    let digest = hash_text(&digest.finalize().into());
    let (events, seals) = (json!(events), json!(seals));
    let head = hash_text(&head);
    format!("{body}\n{{\"events\":{events},\"seals\":{seals},\"headHash\":\"{head}\",\"digest\":\"{digest}\"}}\n")
        .into()
}

/// Where two texts differ.
fn difference(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let from = at.saturating_sub(40);
    let part = |bytes: &[u8]| String::from_utf8_lossy(&bytes[from..(at + 80).min(bytes.len())]).into_owned();
    format!("byte {at}:\n{}\n{}", part(a), part(b))
}
