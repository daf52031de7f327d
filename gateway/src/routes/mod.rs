//! The list of addresses. Each is one line here and one file beside; the list drives routing, rights, `Allow`, metric
//! labels and the tests that hold `openapi.yaml` to it.

mod api_document;
mod artifacts;
mod attempts;
mod automations;
mod blobs;
mod block_commands;
mod blocks;
mod blueprints;
mod bulk;
mod compare;
mod costs;
mod dispatch;
mod drafts;
mod estimate;
mod events;
mod failed_leads;
mod failed_leads_csv;
mod health;
mod imports;
mod keys;
mod leads;
mod mended;
mod messages;
mod metrics;
mod new_leads;
mod orchestrate;
mod page;
mod providers;
mod run;
mod run_commands;
mod runs;
mod scoring_profiles;
mod scrape;
mod seal;
mod sectors;
mod sending;
mod session;
mod sse;
mod start;
mod suppressions;
mod system;
mod templates;
mod uploads;
mod verify;
mod webhook_tokens;
mod webhooks;
mod websocket;

use std::sync::Arc;

use futures::future::BoxFuture;
use http::Method;
use luci_engine::admin::Right;
use warp::reply::Response;

pub use dispatch::filter;

use crate::{App, ask::Ask, caller::Caller, problem::Problem};

pub type Answer = Result<Response, Problem>;
type Answering = BoxFuture<'static, Answer>;

/// Who may call, and the code that answers.
#[derive(Clone, Copy)]
pub enum Handle {
    /// Anyone; what is asked for proves itself (a signature), or is no secret.
    Open(fn(Arc<App>, Ask) -> Answering),
    /// A caller of a tenant with this right.
    For(Right, fn(Arc<App>, Caller, Ask) -> Answering),
}

/// One address.
pub struct Route {
    pub method: Method,
    /// `{name}` stands for one segment, `{name*}` for the rest of the path.
    pub template: &'static str,
    /// The operation's name in the API document, in metrics and logs.
    pub operation: &'static str,
    pub handle: Handle,
}

impl Route {
    /// The group of operations that a key's scopes name: the first segment below `/api`.
    pub fn group(&self) -> &'static str {
        match self.template.strip_prefix("/api/") {
            Some(below) => below.split('/').next().unwrap_or_default(),
            None => "pipelines",
        }
    }
}

const fn open(
    method: Method,
    template: &'static str,
    operation: &'static str,
    handle: fn(Arc<App>, Ask) -> Answering,
) -> Route {
    Route { method, template, operation, handle: Handle::Open(handle) }
}

const fn read(
    template: &'static str,
    operation: &'static str,
    handle: fn(Arc<App>, Caller, Ask) -> Answering,
) -> Route {
    Route { method: Method::GET, template, operation, handle: Handle::For(Right::Read, handle) }
}

const fn post(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handle: fn(Arc<App>, Caller, Ask) -> Answering,
) -> Route {
    Route { method: Method::POST, template, operation, handle: Handle::For(right, handle) }
}

const fn put(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handle: fn(Arc<App>, Caller, Ask) -> Answering,
) -> Route {
    Route { method: Method::PUT, template, operation, handle: Handle::For(right, handle) }
}

const fn patch(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handle: fn(Arc<App>, Caller, Ask) -> Answering,
) -> Route {
    Route { method: Method::PATCH, template, operation, handle: Handle::For(right, handle) }
}

const fn delete(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handle: fn(Arc<App>, Caller, Ask) -> Answering,
) -> Route {
    Route { method: Method::DELETE, template, operation, handle: Handle::For(right, handle) }
}

/// Every address of the gateway.
pub static ROUTES: &[Route] = &[
    read("/api/pipelines", "listRuns", |a, c, q| Box::pin(runs::list(a, c, q))),
    post("/api/pipelines", "startRun", Right::Operate, |a, c, q| Box::pin(start::start(a, c, q))),
    post("/api/pipelines/estimate", "estimateRun", Right::Read, |a, c, q| Box::pin(estimate::post(a, c, q))),
    post("/api/pipelines/bulk", "commandRuns", Right::Administer, |a, c, q| Box::pin(bulk::post(a, c, q))),
    read("/api/pipelines/{runId}", "getRun", |a, c, q| Box::pin(run::get(a, c, q))),
    delete("/api/pipelines/{runId}", "deleteRun", Right::Administer, |a, c, q| Box::pin(run_commands::delete(a, c, q))),
    post("/api/pipelines/{runId}/pause", "pauseRun", Right::Operate, |a, c, q| Box::pin(run_commands::pause(a, c, q))),
    post("/api/pipelines/{runId}/resume", "resumeRun", Right::Operate, |a, c, q| {
        Box::pin(run_commands::resume(a, c, q))
    }),
    post("/api/pipelines/{runId}/cancel", "cancelRun", Right::Administer, |a, c, q| {
        Box::pin(run_commands::cancel(a, c, q))
    }),
    post("/api/pipelines/{runId}/retry", "retryRun", Right::Operate, |a, c, q| Box::pin(run_commands::retry(a, c, q))),
    post("/api/pipelines/{runId}/replay", "replayRun", Right::Operate, |a, c, q| Box::pin(start::replay(a, c, q))),
    read("/api/pipelines/{runId}/blocks", "listBlocks", |a, c, q| Box::pin(blocks::list(a, c, q))),
    post("/api/pipelines/{runId}/blocks/{blockId}/retry", "retryBlock", Right::Operate, |a, c, q| {
        Box::pin(block_commands::retry(a, c, q))
    }),
    post("/api/pipelines/{runId}/blocks/{blockId}/skip", "skipBlock", Right::Operate, |a, c, q| {
        Box::pin(block_commands::skip(a, c, q))
    }),
    read("/api/pipelines/{runId}/artifacts", "listArtifacts", |a, c, q| Box::pin(artifacts::list(a, c, q))),
    read("/api/pipelines/{runId}/artifacts/{artifactId}", "getArtifact", |a, c, q| Box::pin(artifacts::get(a, c, q))),
    read("/api/pipelines/{runId}/metrics", "getRunMetrics", |a, c, q| Box::pin(metrics::get(a, c, q))),
    read("/api/pipelines/{runId}/events", "listEvents", |a, c, q| Box::pin(events::list(a, c, q))),
    read("/api/pipelines/{runId}/events/{eventId}", "getEvent", |a, c, q| Box::pin(events::get(a, c, q))),
    read("/api/pipelines/{runId}/failed-leads", "listFailedLeads", |a, c, q| Box::pin(failed_leads::json(a, c, q))),
    read("/api/pipelines/{runId}/failed-leads.csv", "exportFailedLeads", |a, c, q| {
        Box::pin(failed_leads_csv::csv(a, c, q))
    }),
    read("/api/pipelines/{runId}/compare/{otherRunId}", "compareRuns", |a, c, q| Box::pin(compare::get(a, c, q))),
    read("/api/pipelines/{runId}/seal", "getRunSeal", |a, c, q| Box::pin(seal::get(a, c, q))),
    read("/api/pipelines/{runId}/verify", "verifyRun", |a, c, q| Box::pin(verify::get(a, c, q))),
    post("/api/luci/orchestrate", "orchestrate", Right::Operate, |a, c, q| Box::pin(orchestrate::post(a, c, q))),
    post("/api/uploads", "announceUpload", Right::Operate, |a, c, q| Box::pin(uploads::announce(a, c, q))),
    post("/api/uploads/{importId}/complete", "completeUpload", Right::Operate, |a, c, q| {
        Box::pin(uploads::complete(a, c, q))
    }),
    read("/api/imports", "listImports", |a, c, q| Box::pin(imports::list(a, c, q))),
    post("/api/imports", "createImport", Right::Operate, |a, c, q| Box::pin(imports::create(a, c, q))),
    read("/api/imports/{importId}", "getImport", |a, c, q| Box::pin(imports::get(a, c, q))),
    open(Method::GET, "/api/blobs/{key*}", "getBlob", |a, q| Box::pin(blobs::get(a, q))),
    open(Method::PUT, "/api/blobs/{key*}", "putBlob", |a, q| Box::pin(blobs::put(a, q))),
    read("/api/blueprints", "listBlueprints", |a, c, q| Box::pin(blueprints::list(a, c, q))),
    post("/api/blueprints", "publishBlueprint", Right::Administer, |a, c, q| Box::pin(blueprints::publish(a, c, q))),
    read("/api/sectors", "listSectors", |a, c, q| Box::pin(sectors::list(a, c, q))),
    post("/api/sectors", "createSector", Right::Administer, |a, c, q| Box::pin(sectors::create(a, c, q))),
    read("/api/sectors/{sectorId}", "getSector", |a, c, q| Box::pin(sectors::get(a, c, q))),
    patch("/api/sectors/{sectorId}", "updateSector", Right::Administer, |a, c, q| Box::pin(sectors::update(a, c, q))),
    read("/api/scoring-profiles", "listScoringProfiles", |a, c, q| Box::pin(scoring_profiles::list(a, c, q))),
    post("/api/scoring-profiles", "publishScoringProfile", Right::Administer, |a, c, q| {
        Box::pin(scoring_profiles::publish(a, c, q))
    }),
    post("/api/scoring-profiles/{name}/activate", "activateScoringProfile", Right::Administer, |a, c, q| {
        Box::pin(scoring_profiles::activate(a, c, q))
    }),
    read("/api/leads", "listLeads", |a, c, q| Box::pin(leads::list(a, c, q))),
    post("/api/leads", "createLeads", Right::Operate, |a, c, q| Box::pin(new_leads::create(a, c, q))),
    read("/api/leads/{leadId}", "getLead", |a, c, q| Box::pin(leads::get(a, c, q))),
    patch("/api/leads/{leadId}", "updateLead", Right::Operate, |a, c, q| Box::pin(leads::update(a, c, q))),
    read("/api/blueprints/{blueprintId}", "getBlueprint", |a, c, q| Box::pin(blueprints::get(a, c, q))),
    delete("/api/blueprints/{blueprintId}", "archiveBlueprint", Right::Administer, |a, c, q| {
        Box::pin(blueprints::archive(a, c, q))
    }),
    post("/api/blueprints/{blueprintId}/activate", "activateBlueprint", Right::Administer, |a, c, q| {
        Box::pin(blueprints::activate(a, c, q))
    }),
    read("/api/automations", "listAutomations", |a, c, q| Box::pin(automations::list(a, c, q))),
    post("/api/automations", "createAutomation", Right::Administer, |a, c, q| Box::pin(automations::create(a, c, q))),
    read("/api/automations/{automationId}", "getAutomation", |a, c, q| Box::pin(automations::get(a, c, q))),
    post("/api/automations/{automationId}", "updateAutomation", Right::Administer, |a, c, q| {
        Box::pin(automations::update(a, c, q))
    }),
    delete("/api/automations/{automationId}", "removeAutomation", Right::Administer, |a, c, q| {
        Box::pin(automations::remove(a, c, q))
    }),
    post("/api/automations/{automationId}/enable", "enableAutomation", Right::Administer, |a, c, q| {
        Box::pin(automations::enable(a, c, q))
    }),
    post("/api/automations/{automationId}/disable", "disableAutomation", Right::Administer, |a, c, q| {
        Box::pin(automations::disable(a, c, q))
    }),
    post("/api/automations/{automationId}/test", "testAutomation", Right::Read, |a, c, q| {
        Box::pin(automations::test(a, c, q))
    }),
    read("/api/costs", "getCosts", |a, c, q| Box::pin(costs::get(a, c, q))),
    read("/api/keys", "listKeys", |a, c, q| Box::pin(keys::list(a, c, q))),
    post("/api/keys", "createKey", Right::Administer, |a, c, q| Box::pin(keys::create(a, c, q))),
    delete("/api/keys/{keyId}", "revokeKey", Right::Administer, |a, c, q| Box::pin(keys::revoke(a, c, q))),
    read("/api/providers", "listProviders", |a, c, q| Box::pin(providers::list(a, c, q))),
    put("/api/providers/{provider}", "setProvider", Right::Administer, |a, c, q| Box::pin(providers::set(a, c, q))),
    put("/api/providers/{provider}/limits", "limitProvider", Right::Administer, |a, c, q| {
        Box::pin(providers::limit(a, c, q))
    }),
    delete("/api/providers/{provider}", "removeProvider", Right::Administer, |a, c, q| {
        Box::pin(providers::remove(a, c, q))
    }),
    read("/api/attempts", "listAttempts", |a, c, q| Box::pin(attempts::list(a, c, q))),
    read("/api/messages", "listMessages", |a, c, q| Box::pin(messages::list(a, c, q))),
    post("/api/messages/approve", "approveMessages", Right::Administer, |a, c, q| Box::pin(drafts::approve(a, c, q))),
    post("/api/messages/reject", "rejectMessages", Right::Administer, |a, c, q| Box::pin(drafts::reject(a, c, q))),
    post("/api/messages/{messageId}/approve", "approveMessage", Right::Administer, |a, c, q| {
        Box::pin(messages::approve(a, c, q))
    }),
    post("/api/messages/{messageId}/reject", "rejectMessage", Right::Administer, |a, c, q| {
        Box::pin(messages::reject(a, c, q))
    }),
    read("/api/templates", "listTemplates", |a, c, q| Box::pin(templates::list(a, c, q))),
    post("/api/templates", "publishTemplate", Right::Administer, |a, c, q| Box::pin(templates::publish(a, c, q))),
    read("/api/templates/{templateId}", "getTemplate", |a, c, q| Box::pin(templates::get(a, c, q))),
    read("/api/suppressions", "listSuppressions", |a, c, q| Box::pin(suppressions::list(a, c, q))),
    post("/api/suppressions", "addSuppression", Right::Administer, |a, c, q| Box::pin(suppressions::add(a, c, q))),
    post("/api/suppressions/remove", "removeSuppression", Right::Administer, |a, c, q| {
        Box::pin(suppressions::remove(a, c, q))
    }),
    read("/api/sending", "getSending", |a, c, q| Box::pin(sending::get(a, c, q))),
    post("/api/sending", "updateSending", Right::Own, |a, c, q| Box::pin(sending::update(a, c, q))),
    post("/api/sending/numbers", "addSenderNumber", Right::Administer, |a, c, q| {
        Box::pin(sending::add_number(a, c, q))
    }),
    post("/api/sending/numbers/remove", "removeSenderNumber", Right::Administer, |a, c, q| {
        Box::pin(sending::remove_number(a, c, q))
    }),
    read("/api/webhook-tokens", "listWebhookTokens", |a, c, q| Box::pin(webhook_tokens::list(a, c, q))),
    post("/api/webhook-tokens", "createWebhookToken", Right::Administer, |a, c, q| {
        Box::pin(webhook_tokens::create(a, c, q))
    }),
    delete("/api/webhook-tokens/{tokenId}", "revokeWebhookToken", Right::Administer, |a, c, q| {
        Box::pin(webhook_tokens::revoke(a, c, q))
    }),
    open(Method::POST, "/api/webhooks/{source}", "receiveWebhookByNumber", |a, q| Box::pin(webhooks::receive(a, q))),
    open(Method::POST, "/api/webhooks/{source}/{token}", "receiveWebhook", |a, q| Box::pin(webhooks::receive(a, q))),
    open(Method::POST, "/api/session", "openSession", |a, q| Box::pin(session::open(a, q))),
    read("/api/session", "getSession", |a, c, q| Box::pin(session::get(a, c, q))),
    open(Method::DELETE, "/api/session", "closeSession", |a, q| Box::pin(session::close(a, q))),
    read("/api/system", "getSystem", |a, c, q| Box::pin(system::get(a, c, q))),
    open(Method::GET, "/api/openapi.json", "getApiDocument", |a, q| Box::pin(api_document::get(a, q))),
    read("/api/stream", "streamEvents", |a, c, q| Box::pin(sse::open(a, c, q))),
    read("/ws/pipelines", "watchRuns", |a, c, q| Box::pin(websocket::open(a, c, q))),
    open(Method::GET, "/healthz", "getHealth", |a, q| Box::pin(health::alive(a, q))),
    open(Method::GET, "/readyz", "getReadiness", |a, q| Box::pin(health::ready(a, q))),
    open(Method::GET, "/metrics", "getMetrics", |a, q| Box::pin(scrape::get(a, q))),
    open(Method::GET, "/", "getRoot", |a, q| Box::pin(page::root(a, q))),
    open(Method::GET, "/admin/pipelines", "getPage", |a, q| Box::pin(page::index(a, q))),
    open(Method::GET, "/admin/pipelines/{runId}", "getRunPage", |a, q| Box::pin(page::index(a, q))),
    open(Method::GET, "/admin/assets/{file}", "getAsset", |a, q| Box::pin(page::asset(a, q))),
];
