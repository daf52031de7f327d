//! The users of LUCI's processes may do their work, which every test of a system shows, and nothing else.

use luci::broker::BrokerUser;
use serde_json::json;

use super::raw::Raw;
use crate::support::nats;

const PUBLISHED: [&str; 18] = [
    "evt.t.run.queued",
    "luci.t.run.run.queued",
    "tele.t.run.run.progress",
    "seal.1",
    "other",
    "$JS.API.STREAM.INFO.EVT",
    "$JS.API.STREAM.CREATE.EVT",
    "$JS.API.STREAM.UPDATE.EVT",
    "$JS.API.STREAM.DELETE.EVT",
    "$JS.API.STREAM.PURGE.EVT",
    "$JS.API.STREAM.CREATE.SEALS",
    "$JS.API.STREAM.CREATE.OTHER",
    "$JS.API.CONSUMER.CREATE.EVT.worker_enrich.evt.*.block.queued.enrich",
    "$JS.API.CONSUMER.CREATE.EVT.mine.evt.>",
    "$JS.API.CONSUMER.MSG.NEXT.EVT.worker_enrich",
    "$JS.API.CONSUMER.DELETE.EVT.worker_enrich",
    "$JS.ACK.EVT.worker_enrich.1.1.1.1.1",
    "$SYS.REQ.SERVER.PING.CONNZ",
];

const SUBSCRIBED: [&str; 8] = [
    "luci.>",
    "tele.>",
    "evt.>",
    ">",
    "$SYS.REQ.USER.AUTH",
    "_INBOX.>",
    "_INBOX_luci_engine.>",
    "_INBOX_luci_operator.>",
];

/// Of `PUBLISHED` and `SUBSCRIBED`, what a user may do.
fn allowed(user: BrokerUser) -> (Vec<&'static str>, Vec<&'static str>) {
    match user {
        BrokerUser::Relay => (
            vec![
                "evt.t.run.queued",
                "luci.t.run.run.queued",
                "$JS.API.STREAM.INFO.EVT",
                "$JS.API.STREAM.CREATE.EVT",
                "$JS.API.STREAM.UPDATE.EVT",
                "$JS.API.STREAM.DELETE.EVT",
                "$JS.API.STREAM.PURGE.EVT",
                "$JS.API.CONSUMER.MSG.NEXT.EVT.worker_enrich",
                "$JS.API.CONSUMER.DELETE.EVT.worker_enrich",
            ],
            vec![],
        ),
        BrokerUser::Engine => (
            vec![
                "tele.t.run.run.progress",
                "$JS.API.STREAM.INFO.EVT",
                "$JS.API.CONSUMER.CREATE.EVT.worker_enrich.evt.*.block.queued.enrich",
                "$JS.API.CONSUMER.MSG.NEXT.EVT.worker_enrich",
                "$JS.ACK.EVT.worker_enrich.1.1.1.1.1",
            ],
            vec!["_INBOX_luci_engine.>"],
        ),
        BrokerUser::Clock => (
            vec![
                "seal.1",
                "$JS.API.STREAM.INFO.EVT",
                "$JS.API.STREAM.CREATE.SEALS",
                "$JS.API.CONSUMER.DELETE.EVT.worker_enrich",
            ],
            vec![],
        ),
        BrokerUser::Gateway | BrokerUser::Reader => (vec![], vec!["luci.>", "tele.>"]),
        BrokerUser::Callout => (vec!["$SYS.REQ.SERVER.PING.CONNZ"], vec!["$SYS.REQ.USER.AUTH"]),
        BrokerUser::Operator => (PUBLISHED.into(), SUBSCRIBED.into()),
    }
}

#[tokio::test]
async fn each_user_may_do_its_work_and_nothing_else() {
    let nats = nats().await;
    let mut wrong = Vec::new();
    for user in BrokerUser::ALL {
        let url: async_nats::ServerAddr = nats.url_of(user).parse().expect("an address");
        let options = json!({"user": url.username(), "pass": url.password()});
        let mut client = Raw::connect(nats.port(), &options).await;
        let (may_publish, may_subscribe) = allowed(user);
        let publishes =
            PUBLISHED.map(|subject| (format!("PUB {subject} 2\r\n{{}}\r\n"), may_publish.contains(&subject)));
        let subscribes =
            SUBSCRIBED.map(|subject| (format!("SUB {subject} 7\r\nUNSUB 7\r\n"), may_subscribe.contains(&subject)));
        for (line, may) in publishes.into_iter().chain(subscribes) {
            client.send(&line).await;
            let answers = client.answers().await;
            assert!(!answers.closed, "{user:?} {line:?}: {answers:?}");
            if answers.errors.is_empty() != may {
                wrong.push(format!("{user:?} {line:?}: expected allowed = {may}, {:?}", answers.errors));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
