//! Golden files with the bytes of every event: `schema/golden/{type}.v{n}.json` is what the first release of a type wrote.
//!
//! A file is never edited, because stored events must stay readable; a new shape is a new file.

mod contact;
mod leads;
mod removal;
mod samples;

use std::{collections::BTreeSet, fs, io::Write, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ArtifactEvent, BlockEvent, ConfigEvent, Event, Recorded, RunEvent, log::event_hash};

/// The golden data of one event.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Golden {
    data: String,
    stream_subject: String,
    watch_subject: String,
    cloud_event: String,
    hash: String,
}

impl Golden {
    fn of(event: &Recorded) -> Self {
        Self {
            data: event.data.clone(),
            stream_subject: event.stream_subject(),
            watch_subject: event.watch_subject(),
            cloud_event: event.cloud_event(),
            hash: hex::encode(event_hash(event)),
        }
    }
}

fn file(event: &Recorded) -> PathBuf {
    let name = format!("{}.v{}.json", event.event_type.replace(':', "."), event.schema_version);
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn known_types() -> BTreeSet<&'static str> {
    [RunEvent::TYPES, BlockEvent::TYPES, ArtifactEvent::TYPES, ConfigEvent::TYPES].concat().into_iter().collect()
}

#[test]
fn every_type_has_a_sample() {
    let samples = samples::all();
    let sampled: BTreeSet<&str> = samples.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(sampled, known_types());
}

#[test]
fn every_event_is_written_as_it_always_was() {
    for event in samples::all() {
        let path = file(&event);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}. A new type's file is written by `cargo test -p luci-schema -- --ignored write_new`",
                path.display()
            )
        });
        let golden: Golden = serde_json::from_str(&text).expect("a golden file");
        assert_eq!(Golden::of(&event), golden, "{}", path.display());
    }
}

#[test]
fn every_file_can_be_read_and_written_back() {
    for event in samples::all() {
        let golden: Golden =
            serde_json::from_str(&fs::read_to_string(file(&event)).expect("a file")).expect("a golden file");
        let read = Event::decode(&event.event_type, event.schema_version, &golden.data).expect("readable");
        assert_eq!(read, event.event, "{}", event.event_type);
        assert_eq!(read.data().expect("writable"), golden.data);
    }
}

#[test]
fn no_file_is_without_a_type_and_none_holds_personal_data() {
    let samples = samples::all();
    let expected: BTreeSet<PathBuf> = samples.iter().map(file).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("a file").path();
        assert!(expected.contains(&path), "{} belongs to no type", path.display());
        let text = fs::read_to_string(&path).expect("a file");
        for forbidden in ["email", "phone", "firstName", "lastName", "address", "@"] {
            assert!(!text.contains(forbidden), "{} contains `{forbidden}`", path.display());
        }
    }
}

#[test]
#[ignore = "writes the file of a new type; an existing one is never touched"]
fn write_new() {
    for event in samples::all() {
        let Ok(mut new) = fs::File::create_new(file(&event)) else { continue };
        let text = serde_json::to_string_pretty(&Golden::of(&event)).expect("text");
        writeln!(new, "{text}").expect("written");
    }
}

#[test]
fn a_cloud_event_holds_all_that_its_hash_needs() {
    for event in samples::all() {
        let body: serde_json::Value = serde_json::from_str(&event.cloud_event()).expect("JSON");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let rebuilt = Recorded {
            event_id: text("id").parse().expect("id"),
            tenant_id: text("tenantid").parse().expect("tenantid"),
            stream_id: text("subject").parse().expect("subject"),
            actor: text("actor").parse().expect("actor"),
            command_id: text("commandid").parse().expect("commandid"),
            correlation_id: text("correlationid").parse().expect("correlationid"),
            causation_id: body["causationid"].as_str().map(|id| id.parse().expect("causationid")),
            version: crate::Version(body["version"].as_u64().expect("version")),
            recorded_at: time::OffsetDateTime::parse(&text("time"), &time::format_description::well_known::Rfc3339)
                .expect("time")
                .into(),
            data: crate::json::canonical(&body["data"]).expect("data"),
            metadata: text("metadata"),
            ..event.clone()
        };
        assert_eq!(hex::encode(event_hash(&rebuilt)), text("hash"), "{}", event.event_type);
        assert_eq!(text("sequence").parse(), Ok(event.position.0));
        let flat = body.as_object().expect("an object").keys();
        assert!(flat.into_iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())));
    }
}

#[test]
fn subjects_have_no_more_and_no_other_tokens_than_promised() {
    for event in samples::all() {
        let (stream, watch) = (event.stream_subject(), event.watch_subject());
        let tokens = if event.event.stage().is_some() { 5 } else { 4 };
        assert_eq!(stream.split('.').count(), tokens, "{stream}");
        assert_eq!(watch.split('.').count(), 5, "{watch}");
        assert!(
            !stream.contains(&event.stream_id.to_string())
                || event.stream_id.to_string() == event.tenant_id.to_string()
        );
        for token in stream.split('.').chain(watch.split('.')) {
            assert!(!token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{token}");
        }
    }
}
