//! The list of endpoints. An endpoint is one line of `ROUTES` and one file below; the list drives routing, rights, `Allow`,
//! metric labels and the tests that compare it with `openapi.yaml`.

mod config;
mod dispatch;
mod imports;
mod leads;
mod legacy;
mod live;
mod messages;
mod path_match;
mod people;
mod retention;
mod route;
mod runs;
mod streams;
mod system;

use config::{automations, blueprints, keys, providers, scoring_profiles, views, webhook_tokens};
use http::Method;
use imports::blobs;
use leads::sectors;
use legacy::property_bucket;
use luci_config::Right;
use messages::{drafts, holds, sending, suppressions, templates, unread_webhooks};
use route::{delete, get, patch, post, public, put, read};
use runs::{artifacts, blocks, events, failed_leads, results};
use system::{dashboard, session};

pub use dispatch::filter;
pub use route::{Handler, HandlerResult, Route};

/// Every endpoint.
pub static ROUTES: &[Route] = &[
    // runs
    read("/api/pipelines", "listRuns", |a, c, r| Box::pin(runs::list::handle(a, c, r))),
    post("/api/pipelines", "startRun", Right::Operate, |a, c, r| Box::pin(runs::start::handle(a, c, r))),
    post("/api/pipelines/estimate", "estimateRun", Right::Read, |a, c, r| Box::pin(runs::estimate::handle(a, c, r))),
    post("/api/pipelines/bulk", "commandRuns", Right::Administer, |a, c, r| Box::pin(runs::bulk::handle(a, c, r))),
    read("/api/pipelines/activity", "getActivity", |a, c, r| Box::pin(runs::activity::handle(a, c, r))),
    read("/api/pipelines/{runId}", "getRun", |a, c, r| Box::pin(runs::get::handle(a, c, r))),
    delete("/api/pipelines/{runId}", "deleteRun", Right::Administer, |a, c, r| Box::pin(runs::delete::handle(a, c, r))),
    post("/api/pipelines/{runId}/pause", "pauseRun", Right::Operate, |a, c, r| Box::pin(runs::pause::handle(a, c, r))),
    post("/api/pipelines/{runId}/resume", "resumeRun", Right::Operate, |a, c, r| {
        Box::pin(runs::resume::handle(a, c, r))
    }),
    post("/api/pipelines/{runId}/cancel", "cancelRun", Right::Administer, |a, c, r| {
        Box::pin(runs::cancel::handle(a, c, r))
    }),
    post("/api/pipelines/{runId}/retry", "retryRun", Right::Operate, |a, c, r| Box::pin(runs::retry::handle(a, c, r))),
    post("/api/pipelines/{runId}/replay", "replayRun", Right::Operate, |a, c, r| {
        Box::pin(runs::replay::handle(a, c, r))
    }),
    read("/api/pipelines/{runId}/blocks", "listBlocks", |a, c, r| Box::pin(blocks::list::handle(a, c, r))),
    post("/api/pipelines/{runId}/blocks/{blockId}/retry", "retryBlock", Right::Operate, |a, c, r| {
        Box::pin(blocks::retry::handle(a, c, r))
    }),
    post("/api/pipelines/{runId}/blocks/{blockId}/skip", "skipBlock", Right::Operate, |a, c, r| {
        Box::pin(blocks::skip::handle(a, c, r))
    }),
    read("/api/pipelines/{runId}/artifacts", "listArtifacts", |a, c, r| Box::pin(artifacts::list::handle(a, c, r))),
    read("/api/pipelines/{runId}/artifacts/{artifactId}", "getArtifact", |a, c, r| {
        Box::pin(artifacts::get::handle(a, c, r))
    }),
    read("/api/pipelines/{runId}/metrics", "getRunMetrics", |a, c, r| Box::pin(runs::metrics::handle(a, c, r))),
    read("/api/pipelines/{runId}/events", "listEvents", |a, c, r| Box::pin(events::list::handle(a, c, r))),
    read("/api/pipelines/{runId}/events/{eventId}", "getEvent", |a, c, r| Box::pin(events::get::handle(a, c, r))),
    read("/api/pipelines/{runId}/failed-leads", "listFailedLeads", |a, c, r| {
        Box::pin(failed_leads::list::handle(a, c, r))
    }),
    read("/api/pipelines/{runId}/failed-leads.csv", "exportFailedLeads", |a, c, r| {
        Box::pin(failed_leads::export::handle(a, c, r))
    }),
    read("/api/pipelines/{runId}/results.csv", "exportResults", |a, c, r| Box::pin(results::export::csv(a, c, r))),
    read("/api/pipelines/{runId}/results.ndjson", "exportResultLines", |a, c, r| {
        Box::pin(results::export::ndjson(a, c, r))
    }),
    read("/api/pipelines/{runId}/compare/{otherRunId}", "compareRuns", |a, c, r| {
        Box::pin(runs::compare::handle(a, c, r))
    }),
    read("/api/pipelines/{runId}/bundle", "exportHistory", |a, c, r| Box::pin(runs::bundle::handle(a, c, r))),
    read("/api/pipelines/{runId}/seal", "getRunSeal", |a, c, r| Box::pin(runs::seal::handle(a, c, r))),
    read("/api/pipelines/{runId}/verify", "verifyRun", |a, c, r| Box::pin(runs::verify::handle(a, c, r))),
    post("/api/luci/orchestrate", "orchestrate", Right::Operate, |a, c, r| {
        Box::pin(runs::orchestrate::handle(a, c, r))
    }),
    read("/api/costs", "getCosts", |a, c, r| Box::pin(runs::costs::handle(a, c, r))),
    // imports
    post("/api/uploads", "announceUpload", Right::Operate, |a, c, r| {
        Box::pin(imports::announce_upload::handle(a, c, r))
    }),
    read("/api/uploads", "listOpenUploads", |a, c, r| Box::pin(imports::parts::open::handle(a, c, r))),
    post("/api/uploads/multipart", "announceUploadInParts", Right::Operate, |a, c, r| {
        Box::pin(imports::parts::announce::handle(a, c, r))
    }),
    read("/api/uploads/{importId}", "getUpload", |a, c, r| Box::pin(imports::parts::status::handle(a, c, r))),
    delete("/api/uploads/{importId}", "abortUpload", Right::Operate, |a, c, r| {
        Box::pin(imports::parts::abort::handle(a, c, r))
    }),
    post("/api/uploads/{importId}/parts", "signUploadParts", Right::Operate, |a, c, r| {
        Box::pin(imports::parts::urls::handle(a, c, r))
    }),
    post("/api/uploads/{importId}/complete", "completeUpload", Right::Operate, |a, c, r| {
        Box::pin(imports::complete_upload::handle(a, c, r))
    }),
    read("/api/imports", "listImports", |a, c, r| Box::pin(imports::list::handle(a, c, r))),
    post("/api/imports", "createImport", Right::Operate, |a, c, r| Box::pin(imports::create::handle(a, c, r))),
    read("/api/imports/{importId}", "getImport", |a, c, r| Box::pin(imports::get::handle(a, c, r))),
    post("/api/imports/{importId}/layout", "correctImportLayout", Right::Operate, |a, c, r| {
        Box::pin(imports::correct_layout::handle(a, c, r))
    }),
    public(Method::GET, "/api/blobs/{key*}", "getBlob", |a, r| Box::pin(blobs::get::handle(a, r))),
    public(Method::PUT, "/api/blobs/{key*}", "putBlob", |a, r| Box::pin(blobs::put::handle(a, r))),
    // leads
    read("/api/sectors", "listSectors", |a, c, r| Box::pin(sectors::list::handle(a, c, r))),
    post("/api/sectors", "createSector", Right::Administer, |a, c, r| Box::pin(sectors::create::handle(a, c, r))),
    read("/api/sectors/{sectorId}", "getSector", |a, c, r| Box::pin(sectors::get::handle(a, c, r))),
    patch("/api/sectors/{sectorId}", "updateSector", Right::Administer, |a, c, r| {
        Box::pin(sectors::update::handle(a, c, r))
    }),
    read("/api/leads", "listLeads", |a, c, r| Box::pin(leads::list::handle(a, c, r))),
    post("/api/leads", "createLeads", Right::Operate, |a, c, r| Box::pin(leads::create::handle(a, c, r))),
    read("/api/leads/{leadId}", "getLead", |a, c, r| Box::pin(leads::get::handle(a, c, r))),
    patch("/api/leads/{leadId}", "updateLead", Right::Operate, |a, c, r| Box::pin(leads::update::handle(a, c, r))),
    // legacy
    post("/api/datalake/import", "importDatalake", Right::Operate, |a, c, r| {
        Box::pin(legacy::datalake_import::handle(a, c, r))
    }),
    read("/api/buckets/sectors/upload", "getBucket", |a, c, r| Box::pin(legacy::sector_status::handle(a, c, r))),
    post("/api/buckets/sectors/upload", "uploadToBucket", Right::Operate, |a, c, r| {
        Box::pin(legacy::sector_upload::handle(a, c, r))
    }),
    read("/api/property/bucket", "listPropertyBuckets", |a, c, r| Box::pin(property_bucket::get::handle(a, c, r))),
    post("/api/property/bucket", "createPropertyBucket", Right::Operate, |a, c, r| {
        Box::pin(property_bucket::create::handle(a, c, r))
    }),
    put("/api/property/bucket", "updatePropertyBucket", Right::Operate, |a, c, r| {
        Box::pin(property_bucket::update::handle(a, c, r))
    }),
    delete("/api/property/bucket", "removePropertyBucket", Right::Administer, |a, c, r| {
        Box::pin(property_bucket::remove::handle(a, c, r))
    }),
    read("/api/legacy/objects", "getLegacyObject", |a, c, r| Box::pin(legacy::get_object::handle(a, c, r))),
    // streams
    read("/api/streams/{streamId}/events", "listStreamEvents", |a, c, r| Box::pin(streams::events::handle(a, c, r))),
    // people
    read("/api/erasures", "listErasures", |a, c, r| Box::pin(people::erasures::handle(a, c, r))),
    post("/api/erasures", "erasePerson", Right::Own, |a, c, r| Box::pin(people::erase::handle(a, c, r))),
    get("/api/people/export", "exportPerson", Right::Administer, |a, c, r| Box::pin(people::export::handle(a, c, r))),
    // retention
    read("/api/retention", "getRetention", |a, c, r| Box::pin(retention::get::handle(a, c, r))),
    put("/api/retention", "setRetention", Right::Own, |a, c, r| Box::pin(retention::set::handle(a, c, r))),
    post("/api/retention/report", "reportRetention", Right::Read, |a, c, r| {
        Box::pin(retention::report::handle(a, c, r))
    }),
    // messages
    read("/api/attempts", "listAttempts", |a, c, r| Box::pin(messages::attempts::handle(a, c, r))),
    read("/api/messages", "listMessages", |a, c, r| Box::pin(messages::list::handle(a, c, r))),
    post("/api/messages/approve", "approveMessages", Right::Administer, |a, c, r| {
        Box::pin(drafts::approve::handle(a, c, r))
    }),
    post("/api/messages/reject", "rejectMessages", Right::Administer, |a, c, r| {
        Box::pin(drafts::reject::handle(a, c, r))
    }),
    post("/api/messages/{messageId}/approve", "approveMessage", Right::Administer, |a, c, r| {
        Box::pin(messages::approve::handle(a, c, r))
    }),
    post("/api/messages/{messageId}/reject", "rejectMessage", Right::Administer, |a, c, r| {
        Box::pin(messages::reject::handle(a, c, r))
    }),
    read("/api/templates", "listTemplates", |a, c, r| Box::pin(templates::list::handle(a, c, r))),
    post("/api/templates", "publishTemplate", Right::Administer, |a, c, r| {
        Box::pin(templates::publish::handle(a, c, r))
    }),
    read("/api/templates/{templateId}", "getTemplate", |a, c, r| Box::pin(templates::get::handle(a, c, r))),
    read("/api/suppressions", "listSuppressions", |a, c, r| Box::pin(suppressions::list::handle(a, c, r))),
    post("/api/suppressions", "addSuppression", Right::Administer, |a, c, r| {
        Box::pin(suppressions::add::handle(a, c, r))
    }),
    post("/api/suppressions/remove", "removeSuppression", Right::Administer, |a, c, r| {
        Box::pin(suppressions::remove::handle(a, c, r))
    }),
    read("/api/holds", "listHolds", |a, c, r| Box::pin(holds::list::handle(a, c, r))),
    post("/api/holds/release", "releaseHold", Right::Administer, |a, c, r| Box::pin(holds::release::handle(a, c, r))),
    post("/api/holds/suppress", "suppressHold", Right::Administer, |a, c, r| {
        Box::pin(holds::suppress::handle(a, c, r))
    }),
    read("/api/sending", "getSending", |a, c, r| Box::pin(sending::get::handle(a, c, r))),
    post("/api/sending", "updateSending", Right::Own, |a, c, r| Box::pin(sending::update::handle(a, c, r))),
    read("/api/sending/countries", "getSendingCountries", |a, c, r| Box::pin(sending::countries::get(a, c, r))),
    post("/api/sending/countries", "updateSendingCountries", Right::Own, |a, c, r| {
        Box::pin(sending::countries::update(a, c, r))
    }),
    post("/api/sending/numbers", "addSenderNumber", Right::Administer, |a, c, r| {
        Box::pin(sending::add_number::handle(a, c, r))
    }),
    post("/api/sending/numbers/remove", "removeSenderNumber", Right::Administer, |a, c, r| {
        Box::pin(sending::remove_number::handle(a, c, r))
    }),
    read("/api/unread-webhooks", "listUnreadWebhooks", |a, c, r| Box::pin(unread_webhooks::list::handle(a, c, r))),
    read("/api/unread-webhooks/{webhookId}", "getUnreadWebhook", |a, c, r| {
        Box::pin(unread_webhooks::get::handle(a, c, r))
    }),
    post("/api/unread-webhooks/{webhookId}/resolve", "resolveUnreadWebhook", Right::Administer, |a, c, r| {
        Box::pin(unread_webhooks::resolve::handle(a, c, r))
    }),
    public(Method::POST, "/api/webhooks/{source}", "receiveWebhookByNumber", |a, r| {
        Box::pin(messages::receive_webhook::handle(a, r))
    }),
    public(Method::POST, "/api/webhooks/{source}/{token}", "receiveWebhook", |a, r| {
        Box::pin(messages::receive_webhook::handle(a, r))
    }),
    // config
    read("/api/blueprints", "listBlueprints", |a, c, r| Box::pin(blueprints::list::handle(a, c, r))),
    post("/api/blueprints", "publishBlueprint", Right::Administer, |a, c, r| {
        Box::pin(blueprints::publish::handle(a, c, r))
    }),
    read("/api/scoring-profiles", "listScoringProfiles", |a, c, r| Box::pin(scoring_profiles::list::handle(a, c, r))),
    post("/api/scoring-profiles", "publishScoringProfile", Right::Administer, |a, c, r| {
        Box::pin(scoring_profiles::publish::handle(a, c, r))
    }),
    post("/api/scoring-profiles/{name}/activate", "activateScoringProfile", Right::Administer, |a, c, r| {
        Box::pin(scoring_profiles::activate::handle(a, c, r))
    }),
    read("/api/blueprints/{blueprintId}", "getBlueprint", |a, c, r| Box::pin(blueprints::get::handle(a, c, r))),
    delete("/api/blueprints/{blueprintId}", "archiveBlueprint", Right::Administer, |a, c, r| {
        Box::pin(blueprints::archive::handle(a, c, r))
    }),
    post("/api/blueprints/{blueprintId}/activate", "activateBlueprint", Right::Administer, |a, c, r| {
        Box::pin(blueprints::activate::handle(a, c, r))
    }),
    read("/api/automations", "listAutomations", |a, c, r| Box::pin(automations::list::handle(a, c, r))),
    post("/api/automations", "createAutomation", Right::Administer, |a, c, r| {
        Box::pin(automations::create::handle(a, c, r))
    }),
    read("/api/automations/{automationId}", "getAutomation", |a, c, r| Box::pin(automations::get::handle(a, c, r))),
    post("/api/automations/{automationId}", "updateAutomation", Right::Administer, |a, c, r| {
        Box::pin(automations::update::handle(a, c, r))
    }),
    delete("/api/automations/{automationId}", "removeAutomation", Right::Administer, |a, c, r| {
        Box::pin(automations::remove::handle(a, c, r))
    }),
    post("/api/automations/{automationId}/enable", "enableAutomation", Right::Administer, |a, c, r| {
        Box::pin(automations::enable::handle(a, c, r))
    }),
    post("/api/automations/{automationId}/disable", "disableAutomation", Right::Administer, |a, c, r| {
        Box::pin(automations::disable::handle(a, c, r))
    }),
    post("/api/automations/{automationId}/test", "testAutomation", Right::Read, |a, c, r| {
        Box::pin(automations::test::handle(a, c, r))
    }),
    read("/api/keys", "listKeys", |a, c, r| Box::pin(keys::list::handle(a, c, r))),
    post("/api/keys", "createKey", Right::Administer, |a, c, r| Box::pin(keys::create::handle(a, c, r))),
    delete("/api/keys/{keyId}", "revokeKey", Right::Administer, |a, c, r| Box::pin(keys::revoke::handle(a, c, r))),
    read("/api/providers", "listProviders", |a, c, r| Box::pin(providers::list::handle(a, c, r))),
    put("/api/providers/{provider}", "setProvider", Right::Administer, |a, c, r| {
        Box::pin(providers::set::handle(a, c, r))
    }),
    put("/api/providers/{provider}/limits", "limitProvider", Right::Administer, |a, c, r| {
        Box::pin(providers::set_limits::handle(a, c, r))
    }),
    delete("/api/providers/{provider}", "removeProvider", Right::Administer, |a, c, r| {
        Box::pin(providers::remove::handle(a, c, r))
    }),
    read("/api/webhook-tokens", "listWebhookTokens", |a, c, r| Box::pin(webhook_tokens::list::handle(a, c, r))),
    post("/api/webhook-tokens", "createWebhookToken", Right::Administer, |a, c, r| {
        Box::pin(webhook_tokens::create::handle(a, c, r))
    }),
    delete("/api/webhook-tokens/{tokenId}", "revokeWebhookToken", Right::Administer, |a, c, r| {
        Box::pin(webhook_tokens::revoke::handle(a, c, r))
    }),
    read("/api/views", "listViews", |a, c, r| Box::pin(views::list::handle(a, c, r))),
    post("/api/views", "saveView", Right::Read, |a, c, r| Box::pin(views::save::handle(a, c, r))),
    delete("/api/views/{viewId}", "removeView", Right::Read, |a, c, r| Box::pin(views::remove::handle(a, c, r))),
    // live
    read("/api/stream", "streamEvents", |a, c, r| Box::pin(live::stream::handle(a, c, r))),
    read("/ws/pipelines", "watchRuns", |a, c, r| Box::pin(live::websocket::handle(a, c, r))),
    post("/api/nats-credentials", "createNatsCredential", Right::Read, |a, c, r| {
        Box::pin(system::nats_credentials::handle(a, c, r))
    }),
    // system
    public(Method::POST, "/api/session", "openSession", |a, r| Box::pin(session::open::handle(a, r))),
    read("/api/session", "getSession", |a, c, r| Box::pin(session::get::handle(a, c, r))),
    public(Method::DELETE, "/api/session", "closeSession", |a, r| Box::pin(session::close::handle(a, r))),
    read("/api/audit", "getAudit", |a, c, r| Box::pin(system::audit::handle(a, c, r))),
    read("/api/system", "getSystem", |a, c, r| Box::pin(system::get::handle(a, c, r))),
    public(Method::GET, "/api/openapi.json", "getApiDocument", |a, r| Box::pin(system::api_document::handle(a, r))),
    public(Method::GET, "/healthz", "getHealth", |a, r| Box::pin(system::health::handle(a, r))),
    public(Method::GET, "/readyz", "getReadiness", |a, r| Box::pin(system::readiness::handle(a, r))),
    public(Method::GET, "/metrics", "getMetrics", |a, r| Box::pin(system::metrics::handle(a, r))),
    public(Method::GET, "/", "getRoot", |a, r| Box::pin(dashboard::root::handle(a, r))),
    public(Method::GET, "/admin/assets/{file*}", "getAsset", |a, r| Box::pin(dashboard::asset::handle(a, r))),
    public(Method::GET, "/admin/{page*}", "getPage", |a, r| Box::pin(dashboard::index::handle(a, r))),
];
