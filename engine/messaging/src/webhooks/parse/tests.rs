//! Types, ids and events of deliveries.

use std::collections::HashMap;

use super::*;

fn delivery(source: WebhookSource, body: &str) -> WebhookDelivery {
    WebhookDelivery {
        source,
        headers: HashMap::new(),
        url: String::new(),
        other_urls: Vec::new(),
        body: body.to_owned().into(),
    }
}

#[test]
fn an_event_has_one_type_and_each_report_its_own_id() {
    use WebhookSource::*;
    for (source, body, named, id) in [
        (SignalHouse, r#"{"event":"SMS_RECEIVED","message_id":"m1"}"#, "message.received", "message.received:m1"),
        (SignalHouse, r#"{"event":"message.sent","data":{"messageSid":"m1"}}"#, "message.sent", "message.sent:m1"),
        (SignalHouse, r#"{"event":"brand.add","id":"b1"}"#, "brand.add", "brand.add:b1"),
        (Twilio, "MessageSid=SM1&SmsStatus=received&Body=hi", "message.received", "SM1:received"),
        (Twilio, "MessageSid=SM1&MessageStatus=delivered", "message.status", "SM1:delivered"),
        (Twilio, "CallSid=CA1&CallStatus=no-answer&Direction=outbound-api", "call.status", "CA1:no-answer"),
        (Twilio, "CallSid=CA1&CallStatus=ringing&Direction=inbound", "call.inbound", "CA1:ringing"),
        (Stripe, r#"{"id":"evt_1","type":"invoice.paid"}"#, "invoice.paid", "evt_1"),
    ] {
        let delivery = delivery(source, body);
        assert_eq!((event_type(&delivery).as_str(), external_id(&delivery).as_str()), (named, id), "{body}");
    }
    let without = delivery(SignalHouse, "no JSON at all");
    assert_eq!((event_type(&without).as_str(), external_id(&without).len()), ("unknown", 64));
    assert_eq!(parse(&without), [ProviderEvent::Unread("no_json")]);
}

#[test]
fn numbers_are_normalised() {
    let body = r#"{"event":"sms.received","from":"917-555-0101","to":"12125550100","text":"Hi"}"#;
    let event = ProviderEvent::MessageReceived { from: "+19175550101".into(), text: "Hi".into(), verdict: None };
    assert_eq!(parse(&delivery(WebhookSource::SignalHouse, body)), [event]);
    let numbers = own_numbers(&delivery(WebhookSource::Twilio, "To=%2B12125550100&From=%2B19175550101"));
    assert_eq!(numbers, ["+12125550100", "+19175550101"]);
}

fn received(from: &str, text: &str, verdict: Option<CarrierVerdict>) -> Vec<ProviderEvent> {
    vec![ProviderEvent::MessageReceived { from: from.into(), text: text.into(), verdict }]
}

#[test]
fn texts_that_a_database_would_refuse_are_made_safe() {
    use WebhookSource::*;
    let house = |text: &str| {
        delivery(
            SignalHouse,
            &format!(r#"{{"event":"message.received","from":"+19175550101","to":"+12125550100","text":"{text}"}}"#),
        )
    };
    assert_eq!(parse(&house(r"STOP\u0000")), received("+19175550101", "STOP", None));
    assert_eq!(parse(&house(r"STOP \ud83d")), received("+19175550101", "STOP \u{fffd}", None));
    let form = delivery(Twilio, "MessageSid=SM1&From=%2B19175550101&To=%2B12125550100&Body=STOP%00&SmsStatus=received");
    assert_eq!(parse(&form), received("+19175550101", "STOP", None));
    let mut invalid = house("x");
    invalid.body = b"{\"event\":\"message.received\",\"from\":\"+19175550101\",\"text\":\"STOP\xff\"}".to_vec().into();
    assert_eq!(parse(&invalid), received("+19175550101", "STOP\u{fffd}", None));
}

#[test]
fn a_reply_under_another_name_and_a_dropped_e_mail_count() {
    let inbound = r#"{"event":"message.inbound","message_id":"m1","from":"447911123456","text":"STOP"}"#;
    assert_eq!(parse(&delivery(WebhookSource::SignalHouse, inbound)), received("+447911123456", "STOP", None));
    let dropped = r#"[{"event":"dropped","reason":"Unsubscribed Address","email":"ann@acme.co"},{"event":"dropped","email":"b@acme.co"}]"#;
    let gone = ProviderEvent::Unsubscribed { email: "ann@acme.co".into() };
    assert_eq!(parse(&delivery(WebhookSource::SendGrid, dropped)), [gone, ProviderEvent::Other]);
}

#[test]
fn twilio_s_verdict_and_its_other_shapes_are_read() {
    let twilio = |body: &str| parse(&delivery(WebhookSource::Twilio, body));
    let stop = Some(CarrierVerdict::Stop);
    assert_eq!(
        twilio("MessageSid=SM9&From=%2B19175550101&To=72345&Body=ya+no+mas&OptOutType=STOP&SmsStatus=received"),
        received("+19175550101", "ya no mas", stop)
    );
    let json = r#"{"MessageSid":"SM1","From":"+19175550101","To":"+12125550100","Body":"STOP","OptOutType":"STOP"}"#;
    assert_eq!(twilio(json), received("+19175550101", "STOP", stop));
    let stream = r#"[{"specversion":"1.0","type":"com.twilio.messaging.inbound-message.received","id":"EZ1",
        "data":{"messageSid":"SM1","from":"+19175550101","to":"+12125550100","body":"Stop"}}]"#;
    assert_eq!(twilio(stream), received("+19175550101", "Stop", None));
    let conversation = "EventType=onMessageAdded&Author=%2B19175550101&Body=stop&ConversationSid=CH1&MessageSid=IM1";
    assert_eq!(twilio(conversation), received("+19175550101", "stop", None));
    let service = format!("MG{}", "0a".repeat(16));
    let body = format!("MessageSid=SM1&From=%2B19175550101&To=72345&MessagingServiceSid={service}&Body=hi");
    assert_eq!(own_numbers(&delivery(WebhookSource::Twilio, &body)), ["72345", &service, "+19175550101"]);
}

#[test]
fn what_is_not_understood_is_unread_and_never_nothing() {
    use WebhookSource::*;
    for (source, body, reason) in [
        (SignalHouse, r#"{"message_id":"m1"}"#, "no_event"),
        (SignalHouse, r#"{"event":"message.received","text":"STOP"}"#, "no_sender"),
        (SignalHouse, r#"{"event":"message.received","from":"+19175550101","content":{"body":"STOP"}}"#, "no_text"),
        (SignalHouse, r#"{"event":"message.vanished","message_id":"m1"}"#, "unknown_status"),
        (SignalHouse, r#"{"event":"text.in","from":"+19175550101","text":"STOP"}"#, "unknown_event"),
        (SignalHouse, r#"{"event":"message.failed"}"#, "no_message_id"),
        (SignalHouse, "[]", "no_event"),
        (SignalHouse, "null", "no_event"),
        (Twilio, "", "no_message"),
        (Twilio, "Level=ERROR&Payload=x", "no_message"),
        (Twilio, "MessageSid=SM1&Body=STOP", "no_sender"),
        (Twilio, "MessageSid=SM1&From=%2B19175550101", "no_text"),
        (Twilio, "MessageSid=SM1&MessageStatus=vanished", "unknown_status"),
        (Twilio, "MessageStatus=failed", "no_message_id"),
        (Twilio, "CallSid=CA1&CallStatus=vanished", "unknown_status"),
        (SendGrid, r#"{"event":"unsubscribe","email":"no address"}"#, "no_address"),
        (SendGrid, "[]", "no_event"),
        (Stripe, r#"{"id":"evt_1"}"#, "no_event"),
        (RealEstate, "<html>", "no_json"),
        (Tracerfy, "", "no_json"),
        (Generic, "hello", "no_json"),
    ] {
        assert_eq!(parse(&delivery(source, body)), [ProviderEvent::Unread(reason)], "{source} {body}");
    }
    for (source, body) in [
        (SignalHouse, r#"{"event":"brand.add","id":"b1"}"#),
        (SignalHouse, r#"{"event":"message.queued","message_id":"m1"}"#),
        (Twilio, "MessageSid=SM1&MessageStatus=queued"),
        (Twilio, "CallSid=CA1&CallStatus=ringing"),
        (SendGrid, r#"[{"event":"open","email":"a@b.co"}]"#),
        (Generic, ""),
        (Generic, "a=1&b=2"),
    ] {
        assert_eq!(parse(&delivery(source, body)), [ProviderEvent::Other], "{source} {body}");
    }
}
