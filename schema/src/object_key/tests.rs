//! Formatting and parsing of every key form, against a golden list and random text.

use proptest::prelude::*;

use super::*;
use crate::Micros;

const U: &str = "01JD9ZQ4T2M8X5V3N7K6R1H0AB";

fn golden() -> Vec<String> {
    let t = format!("tenant_{U}");
    [
        format!("{t}/imports/2026-11-22/import_{U}_ny-businesses_2026.csv"),
        format!("{t}/pipelines/run_{U}/artifacts/skip-traced_1795370400_art_{U}.ndjson"),
        format!("{t}/pipelines/run_{U}/artifacts/failed_0_art_{U}.ndjson"),
        format!("{t}/pipelines/run_{U}/artifacts/enriched_1795370400_art_{U}_0123456789abcdef0123456789abcdef.ndjson"),
        format!("{t}/sectors/sector_{U}/leads_2026-11-22.json"),
        format!("{t}/sectors/sector_{U}/enriched_2026-11-22_run_{U}.json"),
        format!("{t}/templates/voicemail/tpl_{U}.json"),
        format!("{t}/recordings/2026-11/call_{U}.mp3"),
        format!("{t}/reports/campaign-performance/2026-11-22_rpt_{U}.pdf"),
        format!("{t}/ai/gianna/sess_{U}/context.v2_final.json"),
        format!("{t}/webhooks/signalhouse/2026-11-22/wh_{U}.json"),
        format!("{t}/staging/import_{U}"),
        format!("{t}/staging/import_{U}/12_0123456789abcdef0123456789abcdef"),
    ]
    .to_vec()
}

#[test]
fn every_form_parses_and_formats_to_the_same_text() {
    for text in golden() {
        let key: ObjectKey = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(key.to_string(), text);
        assert_eq!(serde_json::from_str::<ObjectKey>(&serde_json::to_string(&key).unwrap()).unwrap(), key);
    }
}

#[test]
fn built_keys_have_the_golden_text() {
    let tenant: TenantId = format!("tenant_{U}").parse().unwrap();
    let (run, art) = (format!("run_{U}").parse().unwrap(), format!("art_{U}").parse().unwrap());
    let artifact = |kind: &str, content| {
        let (artifact_type, unix) = (kind.parse().unwrap(), 1_795_370_400);
        ObjectKey::new(tenant, ObjectLocation::Artifact { run_id: run, artifact_type, unix, artifact_id: art, content })
    };
    assert_eq!(artifact("skip-traced", None).to_string(), golden()[1]);
    let hash = ContentHash::of("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef").unwrap();
    assert_eq!(artifact("enriched", Some(hash)).to_string(), golden()[3]);
    assert!(golden()[1].starts_with(&ObjectKey::artifacts_of(tenant, run)));
    let at = Micros(1_795_370_400_000_000);
    let import = ObjectLocation::Import {
        day: Day::of(at),
        import_id: format!("import_{U}").parse().unwrap(),
        file: FileName::sanitise("NY-Businesses 2026.CSV"),
    };
    assert_eq!(ObjectKey::new(tenant, import).to_string(), golden()[0]);
    let staging = ObjectKey::staging(tenant, format!("import_{U}").parse().unwrap());
    assert_eq!(staging.to_string(), golden()[11]);
    let (import, hash) = (format!("import_{U}").parse().unwrap(), "0123456789abcdef".repeat(4));
    let part = ObjectKey::staged_part(tenant, import, 12, ContentHash::of(&hash).unwrap());
    assert_eq!(part.to_string(), golden()[12]);
    assert!(golden()[12].starts_with(&ObjectKey::staged_parts_of(tenant, import)));
    assert_eq!(MonthOf::of(at).to_string(), "2026-11");
}

#[test]
fn a_second_key_of_an_object_or_one_outside_its_tenant_is_refused() {
    let t = format!("tenant_{U}");
    for text in [
        String::new(),
        "/".into(),
        t.clone(),
        format!("/{}", golden()[0]),
        format!("{}/", golden()[0]),
        format!("{t}/imports/../x.csv"),
        format!("{t}//imports/2026-11-22/import_{U}_a.csv"),
        format!("{t}/imports/2026-11-22/import_{U}_"),
        format!("{t}/imports/2026-11-22/import_{U}_a..csv"),
        format!("{t}/imports/2026-11-22/import_{U}_A.csv"),
        format!("{t}/imports/2026-11-22/import_{U}_ü.csv"),
        format!("{t}/imports/2026-02-30/import_{U}_a.csv"),
        format!("{t}/imports/2026-1-22/import_{U}_a.csv"),
        format!("{t}/pipelines/run_{U}/artifacts/parsed_+1_art_{U}.ndjson"),
        format!("{t}/pipelines/run_{U}/artifacts/parsed_01_art_{U}.ndjson"),
        format!("{t}/pipelines/run_{U}/artifacts/-parsed_1_art_{U}.ndjson"),
        format!("{t}/pipelines/run_{U}/artifacts/parsed_1_art_{U}_.ndjson"),
        format!("{t}/pipelines/run_{U}/artifacts/parsed_1_art_{U}_0123456789ABCDEF0123456789ABCDEF.ndjson"),
        format!("{t}/pipelines/run_{U}/artifacts/parsed_1_art_{U}0123456789abcdef0123456789abcdef.ndjson"),
        format!("{t}/templates/fax/tpl_{U}.json"),
        // Id aliases are not allowed in keys.
        format!("{t}/templates/sms/template_{U}.json"),
        format!("{t}/webhooks/stripe/2026-11-22/evt_{U}.json"),
        format!("{t}/recordings/2026-13/call_{U}.mp3"),
        format!("tenant_{}/recordings/2026-11/call_{U}.mp3", U.to_lowercase()),
        format!("{t}/staging/import_{U}/x"),
        format!("{t}/staging/import_{U}/0_0123456789abcdef0123456789abcdef"),
        format!("{t}/staging/import_{U}/01_0123456789abcdef0123456789abcdef"),
        format!("{t}/staging/import_{U}/1_0123456789abcdef"),
        format!("{t}/staging/{U}"),
        format!("{t}/secrets/2026-11/call_{U}.mp3"),
    ] {
        assert!(text.parse::<ObjectKey>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn upload_names_are_sanitised() {
    for (upload, name) in [
        ("Leads 2026.CSV", "leads_2026.csv"),
        ("C:\\Users\\me\\My  Leads (final).csv", "my_leads_final.csv"),
        ("../../etc/passwd", "passwd"),
        ("..", "upload"),
        ("", "upload"),
        ("--a--.csv", "a--.csv"),
        ("Grüße_.csv", "gr_e.csv"),
        ("a.b..c", "a.b.c"),
        (".hidden", "hidden"),
        ("名前.csv", "csv"),
    ] {
        assert_eq!(FileName::sanitise(upload).as_str(), name, "{upload:?}");
    }
    let long = FileName::sanitise(&format!("{}.csv", "ab ".repeat(200)));
    assert!(long.as_str().len() <= FileName::MAX && long.as_str().ends_with(".csv"));
}

fn word() -> impl Strategy<Value = Word> {
    "[a-z0-9][a-z0-9-]{0,47}".prop_map(|w| w.parse().unwrap())
}

fn place() -> impl Strategy<Value = ObjectLocation> {
    let ids = any::<u128>().prop_map(ulid::Ulid);
    let at = (0_i64..253_402_300_799).prop_map(|s| Micros(s * 1_000_000));
    (0..9_u8, ids, at, word(), word(), ".{0,200}", any::<bool>()).prop_map(|(kind, u, at, word, other, text, flag)| {
        let (day, name) = (Day::of(at), FileName::sanitise(&text));
        match kind {
            0 => ObjectLocation::Import { day, import_id: ImportId::from_ulid(u), file: name },
            1 => ObjectLocation::Artifact {
                run_id: RunId::from_ulid(u),
                artifact_type: word,
                unix: at.0.unsigned_abs(),
                artifact_id: ArtifactId::from_ulid(u),
                content: flag.then(|| ContentHash::of(&format!("{:032x}", u.0)).unwrap()),
            },
            2 => ObjectLocation::Sector {
                sector_id: SectorId::from_ulid(u),
                file: if flag { SectorFile::Leads } else { SectorFile::Enriched },
                day,
                run_id: flag.then(|| RunId::from_ulid(u)),
            },
            3 => ObjectLocation::Template { channel: TemplateChannel::Email, template_id: TemplateId::from_ulid(u) },
            4 => ObjectLocation::Recording { month: MonthOf::of(at), call_id: CallId::from_ulid(u) },
            5 => ObjectLocation::Report { report_type: word, day, report_id: ReportId::from_ulid(u), extension: other },
            6 if flag => ObjectLocation::StagedPart {
                import_id: ImportId::from_ulid(u),
                number: u32::try_from(u.0 >> 96).unwrap_or(0).max(1),
                content: ContentHash::of(&format!("{:032x}", u.0)).unwrap(),
            },
            6 => ObjectLocation::Staging { import_id: ImportId::from_ulid(u) },
            7 => ObjectLocation::Ai { worker: word, session_id: SessionId::from_ulid(u), name },
            _ => ObjectLocation::Webhook { provider: word, day, webhook_id: WebhookId::from_ulid(u) },
        }
    })
}

proptest! {
    #[test]
    fn any_key_is_short_and_parses_back(tenant in any::<u128>(), place in place()) {
        let key = ObjectKey::new(TenantId::from_ulid(ulid::Ulid(tenant)), place);
        let text = key.to_string();
        prop_assert!(text.len() <= ObjectKey::MAX);
        prop_assert_eq!(text.parse::<ObjectKey>().unwrap(), key);
    }

    #[test]
    fn any_upload_name_becomes_a_valid_stable_name(text in "\\PC{0,300}") {
        let name = FileName::sanitise(&text);
        prop_assert_eq!(name.as_str().parse::<FileName>().unwrap(), name.clone());
        prop_assert_eq!(FileName::sanitise(name.as_str()), name);
    }

    #[test]
    fn any_text_parses_exactly_or_is_refused(tail in "[a-z0-9A-Z_./-]{0,120}") {
        let text = format!("tenant_{U}/{tail}");
        if let Ok(key) = text.parse::<ObjectKey>() { prop_assert_eq!(key.to_string(), text); }
    }
}
