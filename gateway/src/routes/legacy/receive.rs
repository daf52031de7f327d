//! The form of a command with a file. One that was executed before ends the handler with the response of its receipt.

use super::{
    form::{self, FileUse, Form},
    stored_upload::repeat,
};
use crate::{App, caller::Caller, early_response::EarlyResponse, idempotency::Command, request::Request};

/// Reads the form; of its texts those in `fields` are kept. The file of a command that was executed before is compared only.
pub async fn receive(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    fields: &[&str],
) -> Result<(Command, Form), EarlyResponse> {
    let command = Command::identify(caller, request)?;
    let receipt = command.find_receipt(app, caller).await?;
    let file_use = if receipt.is_some() { FileUse::Compare } else { FileUse::Store };
    let form = form::read(app, caller, request, fields, file_use).await?;
    let digest = form.digest()?;
    let _set_once = request.checked_digest.set(digest);
    match receipt {
        Some(receipt) => Err(EarlyResponse::Replay(Box::new(repeat(app, caller, &receipt, digest).await?))),
        None => Ok((command, form)),
    }
}
