//! A message that the sender sends after its run has ended belongs to the trace of the request that started the run.

use std::{collections::BTreeSet, time::Duration};

use luci_sandbox::{Carriers, KEY, TOKEN};

use super::collector::{Collector, Span};
use crate::{
    crash::sends::{sending, start},
    sender::fixture::at_noon,
    support::{Servers, database, eventually, luci_with, nats},
};

const TEXTS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_later_send_is_a_part_of_its_run_s_trace() {
    let (collector, (database, nats)) = (Collector::start().await, tokio::join!(database(), nats()));
    let carriers = Carriers::start(([127, 0, 0, 1], 0).into(), Duration::ZERO).await.expect("a port");
    let variables = vec![
        ("LUCI_OTLP_URL", collector.url()),
        ("LUCI_SIGNALHOUSE_URL", carriers.url()),
        ("LUCI_SIGNALHOUSE_ACCOUNT", KEY.to_owned()),
        ("LUCI_SIGNALHOUSE_KEY", TOKEN.to_owned()),
    ];
    let mut luci = luci_with(Servers::on(&database, &nats), variables).await;
    let blueprint = sending(&luci.api()).await;
    let run = start(&luci.api(), &blueprint, 1..=TEXTS).await;
    luci.api().run_ended(&run).await;
    // Another process sends: nothing is known of the run in its memory.
    luci.stop().await;
    luci.start().await;
    eventually("the texts are sent", async || {
        at_noon(&database.pool().await).await;
        carriers.taken().len() as u64 == TEXTS
    })
    .await;
    luci.stop().await;

    let spans = collector.spans();
    let named = |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.name == name).collect() };
    let started = named("request").into_iter().find(|span| span.attribute("operation") == Some("startRun"));
    let trace = &started.expect("the request that started the run").trace;
    let sends = named("send");
    assert_eq!(sends.len() as u64, TEXTS, "{sends:?}");
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    for send in &sends {
        assert!(send.trace == *trace && ids.contains(send.parent.as_str()), "{send:?}");
        assert!(send.attribute("message.id").is_some_and(|id| id.starts_with("msg_")), "{send:?}");
    }
    // The carrier's call is within it.
    let of_sends: BTreeSet<&str> = sends.iter().map(|span| span.id.as_str()).collect();
    let calls = named("provider_call");
    assert_eq!(calls.iter().filter(|call| of_sends.contains(call.parent.as_str())).count() as u64, TEXTS, "{calls:?}");
}
