//! The body of a request, until somebody wants it: then it is collected whole, within a length, a time, and the room
//! that all such bodies share. What nobody wants, or wants no more of, is left: over HTTP/1 it ends the connection,
//! over HTTP/2 it is read and thrown away. Nothing here looks at what the bytes say.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::activity::Activity;
use super::load::{Receiving, Slot};
use super::remains::Remains;

/// A request's body, not read yet.
#[derive(Debug)]
pub(in super::super) struct Posted {
    body: Option<Incoming>,
    activity: Arc<Activity>,
    /// How long it may take.
    limit: Duration,
    /// Where what is left of it is read (HTTP/2).
    remains: Option<Remains>,
    /// Its request's, unless the body is being read.
    slot: Option<Slot>,
}

/// A body, whole. Its room is taken, and its request's slot, until this is dropped.
#[derive(Debug)]
pub(in super::super) struct Collected {
    pub(in super::super) bytes: Bytes,
    _room: Receiving,
    _slot: Slot,
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Unread {
    /// It is longer than it may be.
    TooLong,
    /// It did not come in time.
    Late,
    /// It broke off, or cannot be understood.
    Broken,
    /// Too many bodies are coming, or too much is being answered.
    NoRoom,
}

impl Posted {
    pub(super) fn new(body: Incoming, activity: Arc<Activity>, limit: Duration, remains: Option<Remains>) -> Self {
        Self { body: Some(body), activity, limit, remains, slot: None }
    }

    /// Takes its request's slot: while a body comes, its request has none. That is no work, and the client could
    /// prolong it.
    pub(super) fn hold(&mut self, slot: Option<Slot>) {
        self.slot = slot;
    }

    /// The whole body, if it has so many bytes at most.
    pub(in super::super) async fn collect(mut self: Box<Self>, most: usize) -> Result<Collected, Unread> {
        drop(self.slot.take());
        let limit = self.limit;
        let read = timeout(limit, self.read(most)).await.unwrap_or(Err(Unread::Late));
        let counted = &self.activity.share().load().posted;
        match &read {
            Ok((bytes, _)) => counted.note_read(bytes.len()),
            Err(_) => counted.note_unread(),
        }
        let (bytes, room) = read?;
        let slot = self.activity.share().admit_request().ok_or(Unread::NoRoom)?;
        Ok(Collected { bytes, _room: room, _slot: slot })
    }

    /// Reads it, however many parts it has: `limit` bounds that.
    async fn read(&mut self, most: usize) -> Result<(Bytes, Receiving), Unread> {
        let body = self.body.as_mut().expect("it is taken here, at its end");
        let announced = body.size_hint();
        if announced.lower() > most as u64 {
            return Err(Unread::TooLong);
        }
        let mut room = Receiving::begin(self.activity.share()).ok_or(Unread::NoRoom)?;
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            if most - bytes.len() < data.len() {
                return Err(Unread::TooLong);
            }
            bytes.reserve(data.len());
            if !room.grow_to(bytes.capacity()) {
                return Err(Unread::NoRoom);
            }
            bytes.extend_from_slice(&data);
            self.activity.progressed();
        }
        self.body = None;
        if self.remains.is_none() && announced.exact().is_none() {
            // Behind chunks, nobody looks at the heads that follow (`lines`).
            self.activity.leave_body();
        }
        Ok((bytes.freeze(), room))
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        match &self.remains {
            Some(remains) => remains.discard(body),
            None => self.activity.leave_body(),
        }
    }
}
