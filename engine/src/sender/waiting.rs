//! Why a message is not sent yet: asked of the same rules that the sender keeps, at the moment of the question.

use luci_schema::TenantId;
use sqlx::PgConnection;

use super::messengers::SendersConfig;
use crate::{
    admin::{AdminError, sending, vault::Vault},
    book::{
        sends::{self, Queue},
        sms_queue::{
            review::Listed,
            times,
            waiting::{Hold, Reason, Waiting},
        },
    },
};

/// Says of each message that has yet to be sent what it waits for. What needs a person is told before what passes by
/// itself.
pub async fn tell(
    c: &mut PgConnection,
    tenant: TenantId,
    senders: &SendersConfig,
    vault: &Vault,
    messages: &mut [Listed],
) -> Result<(), AdminError> {
    for message in messages.iter_mut().filter(|message| message.status == "draft") {
        message.waiting_for = Some(Waiting { reason: Reason::Approval, until: None });
    }
    let queued = |message: &&Listed| matches!(message.status.as_str(), "approved" | "pending");
    let ids: Vec<_> = messages.iter().filter(queued).map(|message| message.message_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let settings = sending::settings(c, tenant).await?;
    let room = sends::room(c, tenant, Queue::Messages, &settings).await?;
    let hold = Hold { person: unable(c, tenant, senders, vault).await?, room };
    let times = times::times(c, tenant, &settings, &ids).await?;
    for message in messages {
        if let Some(times) = times.get(&message.message_id) {
            message.waiting_for = hold.of(*times);
        }
    }
    Ok(())
}

/// What a person must mend before anything is sent.
async fn unable(
    c: &mut PgConnection,
    tenant: TenantId,
    senders: &SendersConfig,
    vault: &Vault,
) -> Result<Option<Reason>, AdminError> {
    let access = senders.access(c, tenant, vault).await.map_err(AdminError::Vault)?;
    let carriers: Vec<_> = access.of_messages().collect();
    if carriers.is_empty() {
        return Ok(Some(Reason::NoCarrier));
    }
    let numbers = sending::numbers(c, tenant).await?;
    let usable = numbers.iter().any(|number| !number.disabled && carriers.contains(&number.provider.as_str()));
    Ok((!usable).then_some(Reason::NoNumber))
}
