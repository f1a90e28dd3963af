//! What the comparison of every object shares.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Key, Result};
use cabotage_layers::ReadOnly;

use super::options::{AuditOptions, DestinationContent, SourceContent};
use super::report::SampleTurn;
use crate::budget::Budget;
use crate::{Progress, Side};

/// What the comparison of every object shares. Neither end can be written to through it.
#[derive(Debug)]
pub(super) struct Context {
    pub source: Side,
    pub destination: Side,
    pub options: AuditOptions,
    pub memory: Budget,
    pub progress: Arc<Progress>,
    /// The turn of a sample: its slice is read at the destination.
    pub turn: Option<SampleTurn>,
}

impl Context {
    /// Both ends are given as they are read: behind their gates.
    pub(super) fn new(
        (source, destination): (Side, Side),
        options: AuditOptions,
        progress: Arc<Progress>,
        turn: Option<SampleTurn>,
    ) -> Self {
        let memory = Budget::new(options.memory);
        progress.open_inside(Arc::new(memory.clone()));
        Self {
            source: read_only(source),
            destination: read_only(destination),
            memory,
            options,
            progress,
            turn,
        }
    }

    /// The object's key at that end.
    pub(super) fn key(side: &Side, name: &str) -> Result<Key> {
        Key::new(format!("{}{name}", side.prefix))
    }

    /// Whether the source's object is read.
    pub(super) fn reads_source(&self) -> bool {
        self.options.source_content == SourceContent::Read
    }

    /// Whether the destination's object of that name is read.
    pub(super) fn reads_destination(&self, name: &str) -> bool {
        match self.options.destination_content {
            DestinationContent::Listing => false,
            DestinationContent::Read => true,
            DestinationContent::Sample(slices) => {
                self.turn.is_some_and(|turn| slices.of(name) + 1 == turn.number)
            }
        }
    }
}

fn read_only(side: Side) -> Side {
    Side { store: Arc::new(ReadOnly::new(Arc::clone(&side.store))), ..side }
}

/// Something that changed while it was looked at.
pub(super) fn changed_meanwhile(which: &str, key: &Key) -> Error {
    Error::new(ErrorKind::PreconditionFailed, format!("{which} changed while it was compared"))
        .on(key)
        .help("verify again when nothing writes to it")
}
