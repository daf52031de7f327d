//! A stream that cannot be folded: which event, at which place, and why.

use luci_schema::{BlockId, Event, Position, Recorded, Stage, Version, log::LogError};

use crate::core::RunStatus;

/// An event that cannot follow the events before it in its stream. The state folded so far must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("corrupt stream: {event_type} at version {version}, position {position}: {fault}")]
pub struct CorruptStream {
    /// 0 for an event that was decided and is not appended.
    pub position: Position,
    pub version: Version,
    pub event_type: String,
    pub fault: StreamFault,
}

/// What is wrong with the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    #[error("version {expected} is missing")]
    VersionGap { expected: Version },
    #[error("the run was not queued")]
    NotQueued,
    #[error("the run was queued before")]
    QueuedTwice,
    #[error("the run was deleted")]
    Deleted,
    #[error("a run cannot go from {} to {}", from.as_str(), to.as_str())]
    Transition { from: RunStatus, to: RunStatus },
    #[error("not possible while the run is {}", status.as_str())]
    Status { status: RunStatus },
    #[error("the run has no such block in a state that allows it: {block}")]
    UnknownBlock { block: BlockId },
    #[error("attempt {found} does not follow attempt {newest} of {block}")]
    Attempt { block: BlockId, newest: u32, found: u32 },
    #[error("the run has no stage {stage}")]
    UnknownStage { stage: Stage },
    #[error("the input of {block} is not ready")]
    InputNotReady { block: BlockId },
    #[error("the counts of {block} contradict those of stage {stage}")]
    Counts { block: BlockId, stage: Stage },
}

impl CorruptStream {
    pub(super) fn decided(version: Version, event: &Event, fault: StreamFault) -> Self {
        Self { position: Position(0), version, event_type: event.type_name().to_owned(), fault }
    }

    pub(super) fn recorded(recorded: &Recorded, fault: StreamFault) -> Self {
        Self { position: recorded.position, version: recorded.version, event_type: recorded.event_type.clone(), fault }
    }
}

impl From<CorruptStream> for LogError {
    fn from(corrupt: CorruptStream) -> Self {
        Self::Corrupt(corrupt.to_string())
    }
}
