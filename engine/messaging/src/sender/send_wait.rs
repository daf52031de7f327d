//! Why listed messages are not sent yet, by the same rules that the sender applies.

use luci_config::{AdminError, vault::Vault};
use luci_schema::{Micros, TenantId};
use sqlx::PgConnection;

use crate::{
    carriers::SendersConfig,
    rules::{channel::Channel, message_status::MessageStatus},
    store::{
        send_settings, sender_numbers, sends,
        sms_queue::{
            review::ListedMessage,
            send_times,
            send_wait::{SendWait, SendWaitReason, TenantWait},
        },
    },
};

/// Fills `waiting_for` of the messages that are draft, approved or pending.
pub async fn explain(
    c: &mut PgConnection,
    tenant: TenantId,
    senders: &SendersConfig,
    vault: &Vault,
    messages: &mut [ListedMessage],
) -> Result<(), AdminError> {
    for message in messages.iter_mut().filter(|message| message.status == MessageStatus::Draft) {
        message.waiting_for = Some(SendWait { reason: SendWaitReason::Approval, until: None });
    }
    let queued = |message: &&ListedMessage| matches!(message.status, MessageStatus::Approved | MessageStatus::Pending);
    let ids: Vec<_> = messages.iter().filter(queued).map(|message| message.message_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let settings = send_settings::settings(c, tenant).await?;
    let remaining = sends::remaining(c, tenant, Channel::Sms, &settings, Micros::now()).await?;
    let wait = TenantWait { setup: missing_setup(c, tenant, senders, vault).await?, remaining };
    let times = send_times::send_times(c, tenant, &settings, &ids).await?;
    for message in messages {
        if let Some(times) = times.get(&message.message_id) {
            message.waiting_for = wait.of(*times);
        }
    }
    Ok(())
}

/// What a person must set up before anything is sent.
async fn missing_setup(
    c: &mut PgConnection,
    tenant: TenantId,
    senders: &SendersConfig,
    vault: &Vault,
) -> Result<Option<SendWaitReason>, AdminError> {
    let carriers = senders.access(c, tenant, vault).await.map_err(AdminError::Vault)?.for_messages();
    if carriers.is_empty() {
        return Ok(Some(SendWaitReason::NoCarrier));
    }
    let numbers = sender_numbers::list(c, tenant).await?;
    let usable = numbers.iter().any(|number| !number.disabled && carriers.contains(&number.provider));
    Ok((!usable).then_some(SendWaitReason::NoNumber))
}
