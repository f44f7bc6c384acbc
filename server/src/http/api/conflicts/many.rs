//! `POST /api/conflicts/resolve`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{How, Resolved};
use crate::app::App;
use crate::error::Error;
use crate::http::extract::Json;
use crate::http::problem::{Problem, Summary};
use crate::service::caller::Caller;
use crate::service::conflicts;

/// Most conflicts that one request settles.
const MOST: usize = 1000;

/// Conflicts to be settled, each in its way.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResolveConflicts)]
pub struct Many {
    /// At most 1000; settled one by one, in this order.
    conflicts: Vec<One>,
}

/// One of them.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResolveOneOf)]
pub struct One {
    /// The conflict's id.
    id: Uuid,
    #[serde(flatten)]
    how: How,
}

/// What came of each.
#[derive(Serialize, ToSchema)]
#[schema(as = ResolvedConflicts)]
pub struct Results {
    /// In the order of the request.
    results: Vec<Outcome>,
}

/// What came of one of them.
#[derive(Serialize, ToSchema)]
#[schema(as = ResolvedOneOf)]
pub struct Outcome {
    /// The conflict's id.
    id: Uuid,
    /// What its own request would have answered; null when it was refused.
    resolved: Option<Resolved>,
    /// Why it was refused; null when it was not.
    problem: Option<Summary>,
}

/// Settles many conflicts. One that is refused does not keep the others from being settled.
#[utoipa::path(post, path = "/api/conflicts/resolve", tag = "conflicts", request_body = Many,
    responses((status = 200, body = Results)))]
pub async fn resolve(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Many>,
) -> Result<Json<Results>, Problem> {
    if body.conflicts.len() > MOST {
        return Err(Error::invalid("at most 1000 conflicts at a time").into());
    }
    let mut results = Vec::with_capacity(body.conflicts.len());
    for One { id, how } in body.conflicts {
        let (resolved, problem) = match conflicts::resolve(&app, &caller, id, how.into()).await {
            Ok(made) => (Some(made.into()), None),
            Err(error) => (None, Some(Summary::from(&error))),
        };
        results.push(Outcome { id, resolved, problem });
    }
    Ok(Json(Results { results }))
}
