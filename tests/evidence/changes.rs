//! Changes that a superuser can make to the log's tables, as SQL.

use super::fixture::Chooser;

/// Of the log at rest.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub head: u64,
    pub sealed: u64,
    pub seals: u64,
}

/// One change.
pub struct Change {
    pub what: &'static str,
    pub sql: String,
    /// Where the history is no longer what it was.
    pub position: Option<u64>,
}

/// The stream of an event hashed anew from its first event on, and its row in log.streams.
const REHASH: &str = "
do $$ declare r log.events; h bytea; s text; t timestamptz; v bigint; begin
  select stream_id into s from log.events where position = {position};
  for r in select * from log.events where stream_id = s order by version loop
    r.previous_hash := coalesce(h, r.previous_hash);
    h := log.event_hash(r); t := r.recorded_at; v := r.version;
    update log.events set previous_hash = r.previous_hash, hash = h where position = r.position;
  end loop;
  update log.streams set hash = h, recorded_at = t, version = v where stream_id = s;
end $$;";

/// An event behind the last, as an append would write it.
const FOREIGN: &str = "
do $$ declare r log.events; begin
  select * into r from log.events where position = {position};
  select version + 1, hash into r.version, r.previous_hash from log.streams where stream_id = r.stream_id;
  r.position := {head} + {offset};
  r.event_id := 'ev_' || left(substr(r.event_id, 4), -4) || 'ZZZZ';
  r.recorded_at := (select recorded_at from log.streams where stream_id = r.stream_id);
  r.metadata := '{}';
  r.hash := log.event_hash(r);
  insert into log.events select r.*;
  if {whole} then
    update log.streams set version = r.version, hash = r.hash where stream_id = r.stream_id;
    update log.head set position = r.position;
  end if;
end $$;";

/// Text with another last character.
const OTHER_END: &str = "left({column}, -1) || case when right({column}, 1) = '0' then '1' else '0' end";

pub fn change(chooser: &mut Chooser, figures: &Figures) -> Change {
    // As often in the unsealed end as in the rest.
    let position = match chooser.below(2) {
        0 => 1 + chooser.below(figures.sealed as usize) as u64,
        _ => figures.sealed + 1 + chooser.below((figures.head - figures.sealed) as usize) as u64,
    };
    match chooser.below(10) {
        0..=3 => of_event(chooser, position),
        4 | 5 => of_order(chooser, position, figures),
        6 => of_stream(chooser, position),
        7 => of_receipt(chooser),
        8 => of_seal(chooser, figures),
        _ => of_head(chooser, position, figures),
    }
}

/// One column of an event: as it is, with its own hash, or with all hashes of its stream.
fn of_event(chooser: &mut Chooser, position: u64) -> Change {
    let column = *chooser.of(&[
        "data",
        "data",
        "metadata",
        "recorded_at",
        "event_id",
        "event_type",
        "tenant_id",
        "actor",
        "command_id",
        "correlation_id",
        "causation_id",
        "schema_version",
        "previous_hash",
        "hash",
    ]);
    let value = match column {
        "data" => {
            "('{\"zz\":1' || case data::text when '{}' then '' else ',' end || substr(data::text, 2))::json".into()
        }
        "metadata" => "'{\"zz\":1}'".into(),
        "recorded_at" => "recorded_at + interval '1 us'".into(),
        "event_type" => "'tenant:suspended'".into(),
        "actor" => "case actor when 'system' then 'actor:actor_01M8K6KMGZKZTD72GDSR0ZGTQC' else 'system' end".into(),
        "causation_id" => "case when causation_id is null then event_id else null end".to_owned(),
        "schema_version" => "schema_version + 1".into(),
        "previous_hash" | "hash" => format!("sha256({column})"),
        _ => OTHER_END.replace("{column}", column),
    };
    let edit = format!("update log.events set {column} = {value} where position = {position};");
    let (what, rehash) = match chooser.below(3) {
        0 if column != "hash" => {
            let one = format!("update log.events e set hash = log.event_hash(e) where position = {position};");
            ("an event with its hash", one)
        }
        1 if !["hash", "previous_hash"].contains(&column) => {
            ("an event with all hashes of its stream", REHASH.replace("{position}", &position.to_string()))
        }
        _ => ("an event", String::new()),
    };
    Change { what, sql: format!("{edit}{rehash}"), position: Some(position) }
}

/// Events removed, exchanged, or written behind the last.
fn of_order(chooser: &mut Chooser, position: u64, figures: &Figures) -> Change {
    let (head, other) = (figures.head, if position == 1 { 2 } else { position - 1 });
    match chooser.below(5) {
        0 => Change {
            what: "an event removed",
            sql: format!("delete from log.events where position = {position}"),
            position: Some(position),
        },
        1 => Change {
            what: "two events exchanged",
            sql: format!(
                "update log.events set position = {head} + 9 where position = {position};
                 update log.events set position = {position} where position = {other};
                 update log.events set position = {other} where position = {head} + 9"
            ),
            position: Some(position.min(other)),
        },
        2 => Change {
            what: "the end removed, with streams and head",
            sql: format!(
                "delete from log.events where position > {position};
                 delete from log.streams;
                 insert into log.streams select distinct on (stream_id) stream_id, tenant_id, version, hash, recorded_at
                   from log.events order by stream_id, version desc;
                 delete from log.receipts where position > {position};
                 delete from log.seals where to_position > {position};
                 update log.head set position = {position}"
            ),
            // The events of the last position are right, unless it was the head: then nothing was removed.
            position: (position < head).then_some(position + 1),
        }
        .or_else_for(position == head, figures),
        kind => {
            let offset = if kind == 3 { 1 } else { 1 + chooser.below(3) };
            let whole = kind == 3 && chooser.below(2) == 0;
            let sql = FOREIGN
                .replace("{position}", &position.to_string())
                .replace("{head}", &head.to_string())
                .replace("{offset}", &offset.to_string())
                .replace("{whole}", if whole { "true" } else { "false" });
            Change { what: "a foreign event behind the last", sql, position: Some(head + 1) }
        }
    }
}

impl Change {
    /// Another one where this one changes nothing.
    fn or_else_for(self, nothing: bool, figures: &Figures) -> Self {
        if !nothing {
            return self;
        }
        let head = figures.head;
        let sql = format!("delete from log.events where position = {head}");
        Self { what: "the last event removed", sql, position: Some(head) }
    }
}

fn of_stream(chooser: &mut Chooser, position: u64) -> Change {
    let stream = format!("(select stream_id from log.events where position = {position})");
    let sql = match chooser.below(6) {
        0 => format!("update log.streams set version = version + 1 where stream_id = {stream}"),
        1 => format!("update log.streams set hash = sha256(hash) where stream_id = {stream}"),
        2 => format!("update log.streams set recorded_at = recorded_at - interval '1 s' where stream_id = {stream}"),
        3 => {
            format!("update log.streams set tenant_id = 'tenant_01M8K6KMGZKZTD72GDSR0ZGTQC' where stream_id = {stream}")
        }
        4 => format!("delete from log.streams where stream_id = {stream}"),
        _ => format!(
            "insert into log.streams select 'run_01M8K6KMGZKZTD72GDSR0ZGTQC', tenant_id, version, hash, recorded_at
               from log.streams where stream_id = {stream}"
        ),
    };
    Change { what: "a row of log.streams", sql, position: None }
}

/// A receipt that an event vouches for.
fn of_receipt(chooser: &mut Chooser) -> Change {
    let n = chooser.below(1_000);
    let chosen = format!(
        "(tenant_id, command_id) = (select r.tenant_id, r.command_id from log.receipts r join log.events e using (position)
           where e.metadata::text like '%receipt%' order by md5(r.command_id || '{n}') limit 1)"
    );
    let sql = match chooser.below(6) {
        0 => format!("update log.receipts set outcome = '{{\"zz\":1}}' where {chosen}"),
        1 => format!("update log.receipts set body_digest = sha256(body_digest) where {chosen}"),
        2 => format!("update log.receipts set position = position - 1 where {chosen}"),
        3 => format!("update log.receipts set recorded_at = recorded_at + interval '1 s' where {chosen}"),
        4 => format!("update log.receipts set command_id = reverse(command_id) where {chosen}"),
        _ => format!("delete from log.receipts where {chosen}"),
    };
    Change { what: "a receipt", sql, position: None }
}

fn of_seal(chooser: &mut Chooser, figures: &Figures) -> Change {
    let seal = 1 + chooser.below(figures.seals as usize);
    let sql = match chooser.below(10) {
        0 => format!("update log.seals set root = sha256(root) where seal_id = {seal}"),
        1 => format!("update log.seals set signature = sha512(signature) where seal_id = {seal}"),
        2 => format!("update log.seals set public_key = sha256(public_key) where seal_id = {seal}"),
        3 => format!("update log.seals set sealed_at = sealed_at + interval '1 us' where seal_id = {seal}"),
        4 => format!("update log.seals set previous_hash = sha256(previous_hash) where seal_id = {seal}"),
        5 => format!("update log.seals set seal_hash = sha256(seal_hash) where seal_id = {seal}"),
        6 => format!("update log.seals set from_position = from_position - 1 where seal_id = {seal}"),
        7 => format!("delete from log.seals where seal_id = {seal}"),
        8 => format!("delete from log.seals where seal_id >= {seal}"),
        _ => {
            "insert into log.seals select seal_id + 1, to_position + 1, to_position + 3, root, seal_hash, sha256(root),
                public_key, signature, sealed_at from log.seals order by seal_id desc limit 1"
                .into()
        }
    };
    Change { what: "a seal", sql, position: None }
}

fn of_head(chooser: &mut Chooser, position: u64, figures: &Figures) -> Change {
    let head = figures.head;
    let (sql, position) = match chooser.below(3) {
        0 => (format!("update log.head set position = position + {position}"), None),
        1 => (format!("update log.head set position = {position} - 1"), Some(position)),
        _ => ("delete from log.head".into(), None),
    };
    // Without a head nothing lies before it; where it is too low, what lies beyond it is not proved.
    let position = position.filter(|position| *position <= head);
    Change { what: "the head", sql, position }
}
