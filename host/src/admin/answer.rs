//! From a request to its answer.

use std::sync::Arc;

use super::protocol::{Answer, Failure, Request};
use crate::Result;
use crate::inner::Inner;
use crate::reload::Trigger;
use crate::slot::Invalidation;

/// The answer with its body. Blocks for as long as the host needs.
pub(super) fn answer(host: &Arc<Inner>, request: Request, body: &[u8]) -> (Answer, Vec<u8>) {
    match attempt(host, request, body) {
        Ok(answer) => answer,
        Err(error) => (Answer::Failed(Failure::from(&error)), Vec::new()),
    }
}

fn attempt(host: &Arc<Inner>, request: Request, body: &[u8]) -> Result<(Answer, Vec<u8>)> {
    let answer = match request {
        Request::Status => Answer::Status(Box::new(host.status())),
        Request::Plugins => Answer::Plugins(host.plugins()),
        Request::Reload => Answer::Reload(host.follower()?.reload(Trigger::Command)?),
        Request::Plan => Answer::Reload(host.follower()?.plan(None)?),
        Request::PlanOf { manifest } => Answer::Reload(host.follower()?.plan(Some(&manifest))?),
        Request::Get { region, key } => match host.region(&region)?.get_payload(key)? {
            Some(payload) => {
                let times = (&payload.metadata).into();
                return Ok((Answer::Value(times), payload.bytes));
            }
            None => Answer::Absent,
        },
        Request::Set { region, key } => {
            host.region(&region)?.set_payload(key, body)?;
            Answer::Done
        }
        Request::Delete { region, key } => {
            host.region(&region)?.delete(key)?;
            Answer::Done
        }
        Request::Clear { region } => {
            host.region(&region)?.clear()?;
            Answer::Done
        }
        Request::Invalidate { region, soft, tags } => {
            let region = host.region(&region)?;
            let how = if soft {
                Invalidation::Soft
            } else {
                Invalidation::Hard
            };
            if tags.is_empty() {
                region.invalidate(how)?;
            } else {
                region.invalidate_tags(tags, how)?;
            }
            Answer::Done
        }
        Request::Explain { region, key } => {
            Answer::Explanation(Box::new(host.region(&region)?.explain(key)?))
        }
    };
    Ok((answer, Vec::new()))
}
