//! Files that are complete, cut, changed or wrongly sealed.

use super::*;
use crate::{
    Actor, CommandId, CorrelationId, Event, EventId, Micros, Position, Recorded, RunEvent, RunId,
    log::{GENESIS, event_hash},
    merkle, seal,
};

fn recorded(tenant_id: TenantId, run: RunId, version: u64, previous_hash: Hash) -> Recorded {
    let event = Event::from(RunEvent::Resumed(Default::default()));
    let mut recorded = Recorded {
        position: Position(10 * version),
        version: Version(version),
        event_id: EventId::generate(),
        event_type: event.type_name().into(),
        schema_version: 1,
        tenant_id,
        stream_id: run.into(),
        actor: Actor::System,
        command_id: CommandId::derive(&["test"]),
        correlation_id: CorrelationId::generate(),
        causation_id: None,
        recorded_at: Micros(1_764_400_000_000_000),
        // Not canonical on purpose: the chain covers the bytes as they are.
        data: r#"{"b": 1,"a":"\u00e4"}"#.into(),
        metadata: "{}".into(),
        previous_hash,
        hash: GENESIS,
        event,
    };
    recorded.hash = event_hash(&recorded);
    recorded
}

/// A title and three events.
fn file() -> Vec<String> {
    let (tenant, run) = (TenantId::generate(), RunId::generate());
    let (mut lines, mut head_hash) = (vec![String::new()], GENESIS);
    for version in 1..=3 {
        let event = recorded(tenant, run, version, head_hash);
        head_hash = event.hash;
        lines.push(serde_json::to_string(&EventText::try_from(&event).unwrap()).unwrap());
    }
    let (format, exported_at, sealed) = (FORMAT_1.into(), Micros(0).rfc3339(), None);
    let title =
        Title { format, stream_id: run.into(), tenant_id: tenant, events: Version(3), head_hash, exported_at, sealed };
    lines[0] = serde_json::to_string(&title).unwrap();
    lines
}

fn check(lines: &[String]) -> Result<Title, HistoryError> {
    let mut proof = Proof::begin(&lines[0])?;
    lines[1..].iter().try_for_each(|line| proof.follow(line))?;
    proof.end()
}

#[test]
fn a_complete_history_is_valid() {
    assert_eq!(check(&file()).unwrap().events, Version(3));
}

#[test]
fn the_first_fault_is_reported_with_its_line() {
    let whole = file();
    let fault = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        check(&lines).unwrap_err().to_string()
    };
    assert_eq!(
        fault(&|lines| lines[2] = lines[2].replace(r#""b": 1"#, r#""b":1"#)),
        "line 3: the bytes of version 2 do not match its hash"
    );
    assert_eq!(fault(&|lines| drop(lines.remove(2))), "line 3: version 3 stands where 2 should");
    assert_eq!(fault(&|lines| drop(lines.pop())), "the file ends after 2 of 3 events");
    assert_eq!(fault(&|lines| lines.push(lines[3].clone())), "line 5 is beyond the 3 events that the title announces");
    assert_eq!(
        fault(&|lines| lines[3] = "{}".into()),
        "line 4 is not an event: missing field `position` at line 1 column 2"
    );
    let shorter = |lines: &mut Vec<String>| {
        lines.pop();
        lines[0] = lines[0].replace(r#""events":3"#, r#""events":2"#);
    };
    assert!(fault(&shorter).starts_with("the last event's hash is "), "the title has the hash of the removed event");
    let other = TenantId::generate();
    let stranger = |lines: &mut Vec<String>| {
        let title: Title = serde_json::from_str(&lines[0]).unwrap();
        lines[2] = lines[2].replace(&title.tenant_id.to_string(), &other.to_string());
    };
    assert!(fault(&stranger).starts_with(&format!("line 3 is an event of {other}")));
    assert!(fault(&|lines| lines[0] = lines[1].clone()).starts_with("line 1 is not the title of a history"));
}

#[test]
fn the_sealed_event_must_be_the_one_in_the_file() {
    let mut lines = file();
    let mut title: Title = serde_json::from_str(&lines[0]).unwrap();
    let second: EventText = serde_json::from_str(&lines[2]).unwrap();
    let (version, position, hash) = (second.version, second.position, second.hash);
    // The event is at position 20, the seal covers 1 to 21.
    let hashes: Vec<Hash> = (1..=21).map(|at| if at == position.0 { hash } else { [7; 32] }).collect();
    let leaves: Vec<Hash> = (1..).zip(&hashes).map(|(at, hash)| merkle::leaf(Position(at), hash)).collect();
    let key = seal::SealKey::from_pem(&seal::SealKey::generate_pem().unwrap()).unwrap();
    let seal = key.seal(None, Position(21), merkle::root(&leaves), Micros(1));
    let sealed = Sealed::under(seal, &hashes, (version, position, hash));
    let mut verify = |sealed: Sealed| {
        title.sealed = Some(Box::new(sealed));
        lines[0] = serde_json::to_string(&title).unwrap();
        check(&lines).map(|title| title.sealed.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(verify(sealed.clone()), Ok(true));
    let third = Sealed { version: Version(3), ..sealed.clone() };
    assert_eq!(verify(third), Err("version 3 is not the event that was sealed".into()));
    let missing = Sealed { version: Version(9), ..sealed.clone() };
    assert_eq!(verify(missing), Err("version 9 is not the event that was sealed".into()));
    let mut forged = sealed;
    forged.seal.signature = [0; 64];
    assert_eq!(verify(forged), Err("the seal of version 2 is invalid: its signature is not its key's".into()));
}
