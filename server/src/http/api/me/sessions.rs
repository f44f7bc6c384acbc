//! `GET /api/me/sessions`, `DELETE /api/me/sessions/{session}`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::catalog;
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::time::Timestamp;
use crate::service::caller::Caller;
use crate::service::sessions;

/// A login.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// Its id.
    id: Uuid,
    /// Whether this request belongs to it.
    current: bool,
    /// The device it is bound to.
    device_id: Option<String>,
    /// The program that signed in, as it said.
    user_agent: Option<String>,
    /// Since when.
    created_at: Timestamp,
    /// When it was last refreshed.
    last_used_at: Timestamp,
    /// When it ends unless it is refreshed.
    expires_at: Timestamp,
}

impl Session {
    fn new(session: catalog::sessions::Session, current: Option<Uuid>) -> Self {
        Self {
            id: session.uuid,
            current: current == Some(session.uuid),
            device_id: session.device_id,
            user_agent: session.user_agent,
            created_at: Timestamp(session.created_at),
            last_used_at: Timestamp(session.last_used_at),
            expires_at: Timestamp(session.expires_at),
        }
    }
}

/// Lists the caller's logins that count.
#[utoipa::path(get, path = "/api/me/sessions", tag = "me", params(PageQuery),
    responses((status = 200, body = Page<Session>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Session>>, Problem> {
    let limit = page.limit();
    let rows = sessions::list(&app, &caller, page.after_id()?, limit).await?;
    let current = caller.session();
    Ok(Json(Page::by_id(rows, limit, |session| session.id, |session| Session::new(session, current))))
}

/// Ends one of the caller's logins at once.
#[utoipa::path(delete, path = "/api/me/sessions/{session}", tag = "me",
    params(("session" = Uuid, Path, description = "Its id")), responses((status = 204)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(session): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    sessions::revoke(&app, &caller, session).await?;
    Ok(StatusCode::NO_CONTENT)
}
